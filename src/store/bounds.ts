import { compareKeys, prefixEnd } from '../bytes/compare.js'
import { invalid } from '../bytes/errors.js'
import { LONGEST_KEY_BYTES } from '../log/operation.js'
import { type KeyRange, successor } from '../tree/key-range.js'
import { describe, type Encoding, preparedByteBound, putPrepared } from './encoding.js'

/** Which keys: bounds in the keyspace's own encoding. `gte` wins over `gt`, `lte` over `lt`; `prefix` narrows further. */
export interface RangeOptions<K> {
  /** Keys above this one. */
  gt?: K
  /** Keys at or above this one. */
  gte?: K
  /** Keys below this one. */
  lt?: K
  /** Keys at or below this one. */
  lte?: K
  /** Keys that begin with these bytes. */
  prefix?: K
}

const EMPTY_KEY = new Uint8Array(0)
export const EMPTY_RANGE: KeyRange = { start: EMPTY_KEY, end: EMPTY_KEY }

/** A key as bytes of its own. */
export function encodeKey<K>(encoding: Encoding<K>, key: K, what = 'A key'): Uint8Array {
  if (key === undefined || key === null) throw invalid(`${what} cannot be ${describe(key)}`)
  const prepared = encoding.prepare(key)
  const bytes = new Uint8Array(isShortAscii(prepared) ? prepared.length : preparedByteBound(prepared))
  const length = putPrepared(bytes, 0, prepared)
  checkKeyLength(length)
  return length === bytes.length ? bytes : bytes.slice(0, length)
}

/** Most keys are: for them memory of the right length is made at once. */
function isShortAscii(text: string | Uint8Array): boolean {
  if (typeof text !== 'string' || text.length > 64) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return false
  return true
}

export function checkKeyLength(bytes: number): void {
  if (bytes > LONGEST_KEY_BYTES) {
    throw invalid(`A key has at most ${LONGEST_KEY_BYTES.toLocaleString('en')} bytes; this one has ${bytes}`)
  }
}

/** The half-open byte range that the options describe; an empty one where they contradict each other. */
export function resolveRange<K>(encoding: Encoding<K>, options: RangeOptions<K>): KeyRange {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`A range is an object such as { gte: 'a', lt: 'b' }, not ${describe(options)}`)
  }
  const { gt, gte, lt, lte, prefix } = options
  let start: Uint8Array = EMPTY_KEY
  let end: Uint8Array | undefined
  if (gte !== undefined) start = encodeKey(encoding, gte, 'Bound gte')
  else if (gt !== undefined) start = following(encodeKey(encoding, gt, 'Bound gt'))
  if (lte !== undefined) end = successor(encodeKey(encoding, lte, 'Bound lte'))
  else if (lt !== undefined) end = encodeKey(encoding, lt, 'Bound lt')
  if (prefix !== undefined) {
    const low = encodeKey(encoding, prefix, 'Bound prefix')
    const high = prefixEnd(low)
    if (compareKeys(low, start) > 0) start = low
    if (high !== undefined && (end === undefined || compareKeys(high, end) < 0)) end = high
  }
  return end !== undefined && compareKeys(start, end) >= 0 ? EMPTY_RANGE : { start, end }
}

/** A range given as its bytes, in memory of its own. */
export function ownedRange(range: unknown): KeyRange {
  const { start, end } = (typeof range === 'object' && range !== null ? range : {}) as Partial<KeyRange>
  if (!(start instanceof Uint8Array) || !(end === undefined || end instanceof Uint8Array)) {
    throw invalid(
      `A range of bytes is { start, end } with Uint8Arrays, end undefined for no end, not ${describe(range)}`,
    )
  }
  checkKeyLength(start.length)
  // The end behind the longest key is one byte longer than that.
  if (end !== undefined) checkKeyLength(end.length - 1)
  return { start: start.slice(), end: end?.slice() }
}

/** The smallest key above a key; of the longest keys it is not the one with a zero behind it, which no key can have. */
function following(key: Uint8Array): Uint8Array {
  if (key.length < LONGEST_KEY_BYTES) return successor(key)
  return prefixEnd(key) ?? successor(key)
}

export function isEmptyRange(range: KeyRange): boolean {
  return range.end !== undefined && compareKeys(range.start, range.end) >= 0
}
