// What a writer that can be stopped and whoever stops it have in common: places in shared memory, and what is written.
export const STOP_AT = 0
export const CALLS = 1
export const STATE = 2
export const CLOCK = 3
export const ACKNOWLEDGED = 4
export const OPENED = 5
export const PLACES = 6

/** Values of STATE. */
export const RUNNING = 0
export const STOPPED = 1

export const keyOf = (who, i) => `${who}:${String(i % 40).padStart(4, '0')}:${String(i).padStart(6, '0')}`
export const textOf = (who, i) => `${who}${i} `.repeat(400 + (i % 7) * 50)
