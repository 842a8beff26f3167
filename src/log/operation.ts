import { getU16, getU32, getU64, putU16, putU32, putU64 } from '../bytes/integers.js'
import { LATEST_EXPIRY } from '../bytes/units.js'

/*
 * One operation inside a commit-log record. The memtable's index points at these bytes, so the layout is made for reading
 * in place: everything stands at a fixed offset. Never to change within format version 1.
 *
 *   0        4      5            7              11
 *   +--------+------+------------+--------------+----------------+-----+-------+
 *   | tree   | kind | key length | value length | expiry (kind 2 | key | value |
 *   | u32    | u8   | u16        | u32          | only) u64, ms  |     |       |
 *   +--------+------+------------+--------------+----------------+-----+-------+
 *
 * The position of an operation, and so the version of its key, is the position of its first byte in the log.
 */

export const KIND_PUT = 1
export const KIND_PUT_EXPIRING = 2
export const KIND_DELETE = 3
/** Key: first key deleted. Value: first key kept after it; empty where there is none. */
export const KIND_RANGE_DELETE = 4
/** Reserved: an operand that a merge function folds into the value below. */
export const KIND_MERGE = 5
/** Reserved: a message appended to a log; the key is its offset. */
export const KIND_APPEND = 6
/** Creates a tree. Key: its name. Value: its options as JSON. */
export const KIND_TREE = 7

/** The highest number of a tree: they are counted from 0, and looked up in an array. */
export const HIGHEST_TREE = 0xfffff
export const LONGEST_KEY_BYTES = 0xffff
export const LONGEST_VALUE_BYTES = 256 * 1024 * 1024

const HEADER_BYTES = 11
const EXPIRY_BYTES = 8

export function operationBytes(kind: number, keyLength: number, valueLength: number): number {
  return HEADER_BYTES + (kind === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0) + keyLength + valueLength
}

/** Writes all but key and value and returns the offset at which the key goes; the value follows the key. */
export function putOperationHeader(
  bytes: Uint8Array,
  offset: number,
  tree: number,
  kind: number,
  keyLength: number,
  valueLength: number,
  expiresAt: number,
): number {
  putU32(bytes, offset, tree)
  bytes[offset + 4] = kind
  putU16(bytes, offset + 5, keyLength)
  putU32(bytes, offset + 7, valueLength)
  if (kind !== KIND_PUT_EXPIRING) return offset + HEADER_BYTES
  putU64(bytes, offset + HEADER_BYTES, expiresAt)
  return offset + HEADER_BYTES + EXPIRY_BYTES
}

export function operationTree(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset)
}

export function operationKind(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 4]!
}

export function operationKeyStart(bytes: Uint8Array, offset: number): number {
  return offset + (bytes[offset + 4] === KIND_PUT_EXPIRING ? HEADER_BYTES + EXPIRY_BYTES : HEADER_BYTES)
}

export function operationKeyLength(bytes: Uint8Array, offset: number): number {
  return getU16(bytes, offset + 5)
}

export function operationValueLength(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset + 7)
}

/** When the value expires; 0 where it does not. Earlier versions wrote moments that no table holds: those are as good as the latest. */
export function operationExpiresAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 4] === KIND_PUT_EXPIRING ? Math.min(getU64(bytes, offset + HEADER_BYTES), LATEST_EXPIRY) : 0
}

/** The offset behind the operation. */
export function operationEnd(bytes: Uint8Array, offset: number): number {
  return operationKeyStart(bytes, offset) + operationKeyLength(bytes, offset) + operationValueLength(bytes, offset)
}
