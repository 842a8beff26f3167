import { compareBytes, compareKeys } from '../bytes/compare.js'

/**
 * The keys from `start` up to, but without, `end`; `end` undefined: to the end of all keys.
 *
 * Half-open, because the range of a table may end at a key that a range tombstone spares. Up to and with a key is written
 * as up to its successor, the key with a zero byte behind it.
 */
export interface KeyRange {
  /** The first key. */
  readonly start: Uint8Array
  /** The first key behind it; `undefined`: there is no end. */
  readonly end: Uint8Array | undefined
}

export const ALL_KEYS: KeyRange = { start: new Uint8Array(0), end: undefined }

/** The smallest key above `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** Whether two ranges have a key in common. */
export function rangesOverlap(a: KeyRange, b: KeyRange): boolean {
  return startsBefore(a, b.end) && startsBefore(b, a.end)
}

/** Whether a range has keys below `end`. */
export function startsBefore(range: KeyRange, end: Uint8Array | undefined): boolean {
  return end === undefined || compareKeys(range.start, end) < 0
}

/** Whether a range has no key at or after the given one. */
export function endsAtOrBefore(range: KeyRange, key: Uint8Array, keyStart: number, keyEnd: number): boolean {
  const end = range.end
  return end !== undefined && compareBytes(end, 0, end.length, key, keyStart, keyEnd) <= 0
}

export function containsKey(range: KeyRange, key: Uint8Array, keyStart: number, keyEnd: number): boolean {
  const { start } = range
  return (
    compareBytes(start, 0, start.length, key, keyStart, keyEnd) <= 0 && !endsAtOrBefore(range, key, keyStart, keyEnd)
  )
}

/** The smallest range with every key of the given ones. Requires: at least one. */
export function hull(ranges: readonly KeyRange[]): KeyRange {
  let { start, end } = ranges[0]!
  for (const range of ranges) {
    if (compareKeys(range.start, start) < 0) start = range.start
    if (end !== undefined && (range.end === undefined || compareKeys(range.end, end) > 0)) end = range.end
  }
  return { start, end }
}

/** The first range, of ranges in key order that do not overlap, that does not end at or before the key; their count if none. */
export function firstRangeEndingAfter(
  ranges: readonly KeyRange[],
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (endsAtOrBefore(ranges[middle]!, key, keyStart, keyEnd)) low = middle + 1
    else high = middle
  }
  return low
}

/** Of ranges in key order that do not overlap, those that overlap a given one. */
export function overlappingRanges<T extends KeyRange>(ranges: readonly T[], range: KeyRange): readonly T[] {
  const first = firstRangeEndingAfter(ranges, range.start, 0, range.start.length)
  let end = ranges.length
  if (range.end !== undefined) {
    end = first
    while (end < ranges.length && compareKeys(ranges[end]!.start, range.end) < 0) end++
  }
  return ranges.slice(first, end)
}

/** Ranges of several sources as ranges in key order that do not overlap. */
export function unionOfRanges(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = [...ranges].sort((a, b) => compareKeys(a.start, b.start))
  const union: KeyRange[] = []
  for (const range of sorted) {
    const last = union.at(-1)
    if (last === undefined || (last.end !== undefined && !startsBefore(range, last.end))) {
      union.push({ start: range.start, end: range.end })
      continue
    }
    if (last.end === undefined || endsAtOrBefore(range, last.end, 0, last.end.length)) continue
    union[union.length - 1] = { start: last.start, end: range.end }
  }
  return union
}
