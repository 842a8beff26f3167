/*
 * Numbers that must not be mixed up get types of their own. They are flavours, not boxes: a plain number still fits, a number
 * of another flavour does not.
 */

/** A place in the endless commit log, in bytes from its beginning: version, snapshot, cursor and guard in one. */
export type Position = number & { readonly unit?: 'position' }

/** The number in a file's name. Tables, log segments and manifests share one sequence. */
export type FileNumber = number & { readonly unit?: 'file' }

/** The number of a keyspace, queue or topic: which tree an operation belongs to. */
export type TreeId = number & { readonly unit?: 'tree' }

/** Milliseconds since 1970, as `Date.now()` counts them. */
export type EpochMs = number & { readonly unit?: 'epoch-ms' }

/** The last position and the last number of a file, far enough from where integers end that what is promised ahead is exact too. */
export const LAST_NUMBER = 2 ** 53 - 2 ** 40

/** The latest moment that files hold, in the year 10889. What would expire later expires then. */
export const LATEST_EXPIRY: EpochMs = 2 ** 48 - 1
/** The longest time to live, some 4,460 years: today and it together are before the latest moment. */
export const LONGEST_TTL = 2 ** 47
