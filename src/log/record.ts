import { hash32, viewHash32 } from '../bytes/hash.js'
import { getU32, getU64, TWO_32 } from '../bytes/integers.js'

/*
 * The frame that commit log and manifest share. Never to change within format version 1.
 *
 *   0          4        8      12      16         24         32
 *   +----------+--------+------+-------+----------+----------+-----------+
 *   | checksum | length | file | count | position | synced   | payload … |
 *   | u32      | u32    | u32  | u32   | u64      | u64      |           |
 *   +----------+--------+------+-------+----------+----------+-----------+
 *
 *   checksum   XXH32 over everything behind it
 *   length     of the whole record, these 32 bytes included
 *   file       the number of the file it was written for: a stale record in a reused file is not taken for a new one
 *   count      how many operations (commit log) or edits (manifest) the payload holds; at least 1
 *   position   where the record begins: the file's base plus its offset
 *   synced     the position up to which the file was known to be on disk when this record was made. It tells a torn
 *              tail (nobody was ever told that it is safe) from rot in what was acknowledged.
 */

export const RECORD_HEADER_BYTES = 32

// Room for a value of 256 MiB many times over, and still an integer for every bit operation.
export const LONGEST_RECORD_BYTES = 0x7fffffff

const HASH_SEED = 0

/** Fills in the header of a record whose payload already stands behind it in what `view` shows. */
export function sealRecord(
  view: DataView,
  start: number,
  end: number,
  file: number,
  count: number,
  position: number,
  synced: number,
): void {
  view.setUint32(start + 4, end - start, true)
  view.setUint32(start + 8, file, true)
  view.setUint32(start + 12, count, true)
  view.setUint32(start + 16, position >>> 0, true)
  view.setUint32(start + 20, Math.floor(position / TWO_32), true)
  view.setUint32(start + 24, synced >>> 0, true)
  view.setUint32(start + 28, Math.floor(synced / TWO_32), true)
  view.setUint32(start, viewHash32(view, start + 4, end, HASH_SEED), true)
}

/** The length of the sound record at `start`, or 0 where there is none that belongs there. */
export function soundRecordLength(
  bytes: Uint8Array,
  start: number,
  limit: number,
  file: number,
  position: number,
): number {
  if (start + RECORD_HEADER_BYTES >= limit) return 0
  const length = getU32(bytes, start + 4)
  if (length <= RECORD_HEADER_BYTES || start + length > limit) return 0
  if (getU32(bytes, start + 8) !== file || getU64(bytes, start + 16) !== position) return 0
  return getU32(bytes, start) === hash32(bytes, start + 4, start + length, HASH_SEED) ? length : 0
}

export function recordCount(bytes: Uint8Array, start: number): number {
  return getU32(bytes, start + 12)
}

export function recordSynced(bytes: Uint8Array, start: number): number {
  return getU64(bytes, start + 24)
}
