const OPEN = '{'.charCodeAt(0)
const CLOSE = '}'.charCodeAt(0)

/** The part of a key that decides where it stands, as a range of its bytes. */
export interface Tagged {
  start: number
  end: number
}

/**
 * Finds the bytes that decide where a key stands: what is between the first '{' and the next '}', or the whole key where there is no
 * such pair or nothing in it. `cart:{42}` and `order:{42}:7` stand together. The answer goes into `into`, so that a lookup
 * allocates nothing.
 */
export function findTag(bytes: Uint8Array, start: number, end: number, into: Tagged): boolean {
  into.start = start
  into.end = end
  // Not `indexOf`, which knows no end: a key may be a small part of a large buffer.
  let open = start
  while (open < end && bytes[open] !== OPEN) open++
  let close = open + 1
  while (close < end && bytes[close] !== CLOSE) close++
  if (close >= end || close === open + 1) return false
  into.start = open + 1
  into.end = close
  return true
}

const tag: Tagged = { start: 0, end: 0 }
const encoder = new TextEncoder()

/** Whether a name has a tag. */
export function hasTag(name: string): boolean {
  const bytes = encoder.encode(name)
  return findTag(bytes, 0, bytes.length, tag)
}

/**
 * The bytes with which every key of a half-open range begins. The prefix is what two keys agree on, and one byte more where
 * the end is exactly the end of all keys with that byte.
 */
function sharedBeginning(start: Uint8Array, end: Uint8Array | undefined): number {
  if (end === undefined) return 0
  const shared = Math.min(start.length, end.length)
  let i = 0
  while (i < shared && start[i] === end[i]) i++
  return i < start.length && end.length === i + 1 && end[i] === start[i]! + 1 ? i + 1 : i
}

/** Whether all keys of a range have one tag, written in full in what they share, so that they stand in one shard. */
export function rangeHasOneTag(start: Uint8Array, end: Uint8Array | undefined): boolean {
  return findTag(start, 0, sharedBeginning(start, end), tag)
}
