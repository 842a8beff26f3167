/*
 * How far a step of a move goes. It blocks nobody, but its switch does: for one sync of the directory (some 0.2 ms) and for the keys
 * of the step that were written meanwhile. Smaller steps cost more syncs, four or five for each.
 */

export const STEP_MOVED_KEYS = 512
export const STEP_MOVED_BYTES = 256 * 1024
export const STEP_SCANNED_KEYS = 4096
/** Rows that are fetched at a time. */
export const SLICE = 256
