import { hash32, viewHash32 } from '../bytes/hash.js'
import { getU32, getU64, TWO_32 } from '../bytes/integers.js'

/*
 * The frame that commit log and manifest share. Never to change within format versions 1 and 2 of the file's header.
 *
 *   0          4        8      12      16         24         32
 *   +----------+--------+------+-------+----------+----------+-----------+
 *   | checksum | length | tag  | count | position | synced   | payload … |
 *   | u32      | u32    | u32  | u32   | u64      | u64      |           |
 *   +----------+--------+------+-------+----------+----------+-----------+
 *
 *   checksum   XXH32 over everything behind it; its seed is the second half of the file's salt (log-header.ts), 0 in version 1
 *   length     of the whole record, these 32 bytes included
 *   tag        the number of the file it was written for, XOR the first half of the file's salt: neither a stale record in a
 *              reused file nor what a user stores that looks like a record is taken for one
 *   count      how many operations (commit log) or edits (manifest) the payload holds; at least 1
 *   position   where the record begins: the file's base plus its offset
 *   synced     the position up to which the file was known to be on disk when this record was made. It tells a torn
 *              tail (nobody was ever told that it is safe) from rot in what was acknowledged.
 */

export const RECORD_HEADER_BYTES = 32

// Room for a value of 256 MiB many times over, and still an integer for every bit operation.
export const LONGEST_RECORD_BYTES = 0x7fffffff
export const LONGEST_PAYLOAD_BYTES = LONGEST_RECORD_BYTES - RECORD_HEADER_BYTES

/** What all records of one file have in common. Who does not know the file's salt cannot make a record of it. */
export interface RecordFrame {
  readonly tag: number
  /** Of the checksum. */
  readonly seed: number
}

/** Fills in the header of a record whose payload already stands behind it in what `view` shows. */
export function sealRecord(
  view: DataView,
  start: number,
  end: number,
  frame: RecordFrame,
  count: number,
  position: number,
  synced: number,
): void {
  view.setUint32(start + 4, end - start, true)
  view.setUint32(start + 8, frame.tag, true)
  view.setUint32(start + 12, count, true)
  view.setUint32(start + 16, position >>> 0, true)
  view.setUint32(start + 20, Math.floor(position / TWO_32), true)
  view.setUint32(start + 24, synced >>> 0, true)
  view.setUint32(start + 28, Math.floor(synced / TWO_32), true)
  view.setUint32(start, viewHash32(view, start + 4, end, frame.seed), true)
}

/** The length of the sound record at `start`, or 0 where there is none that belongs there. */
export function soundRecordLength(
  bytes: Uint8Array,
  start: number,
  limit: number,
  frame: RecordFrame,
  position: number,
): number {
  const length = claimedRecordLength(bytes, start, limit, frame, position)
  return length > 0 && getU32(bytes, start) === hash32(bytes, start + 4, start + length, frame.seed) ? length : 0
}

/** The same without a look at the checksum: what is not even this is no record. */
export function claimedRecordLength(
  bytes: Uint8Array,
  start: number,
  limit: number,
  frame: RecordFrame,
  position: number,
): number {
  if (start + RECORD_HEADER_BYTES >= limit || getU32(bytes, start + 8) !== frame.tag) return 0
  const length = getU32(bytes, start + 4)
  if (length <= RECORD_HEADER_BYTES || start + length > limit || getU64(bytes, start + 16) !== position) return 0
  return length
}

export function recordCount(bytes: Uint8Array, start: number): number {
  return getU32(bytes, start + 12)
}

export function recordSynced(bytes: Uint8Array, start: number): number {
  return getU64(bytes, start + 24)
}
