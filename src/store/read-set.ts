import { compareKeys } from '../bytes/compare.js'
import { type KeyRange, rangesOverlap, successor } from '../tree/key-range.js'
import type { ScanObserver } from './scan.js'

/**
 * What a transaction has read of one tree: keys it looked up, found or not, and the parts of ranges that its scans have passed. Had
 * any of it been different, the transaction might have done something else.
 */
export class ReadSet {
  /** By their bytes as text, one character a byte. */
  private readonly keys = new Map<string, Uint8Array>()
  private readonly ranges: PassedRange[] = []

  addKey(key: Uint8Array, keyEnd: number): void {
    const name = textOf(key, keyEnd)
    if (!this.keys.has(name)) this.keys.set(name, key.slice(0, keyEnd))
  }

  /** A scan over a range begins; it reports how far it comes. */
  observe(range: KeyRange, reverse: boolean): ScanObserver {
    let passed = this.passFrom(range, reverse ? range.end : range.start, reverse)
    return {
      aimed: (key) => {
        passed = this.passFrom(range, reverse ? successor(key) : key, reverse)
      },
      reached: (key) => passed.reach(key),
      ended: () => passed.end(),
    }
  }

  private passFrom(bounds: KeyRange, from: Uint8Array | undefined, reverse: boolean): PassedRange {
    const passed = new PassedRange(bounds, from, reverse)
    this.ranges.push(passed)
    return passed
  }

  hasKey(key: Uint8Array, keyEnd: number): boolean {
    if (this.keys.size > 0 && this.keys.has(textOf(key, keyEnd))) return true
    if (this.ranges.length === 0) return false
    const own = key.slice(0, keyEnd)
    const range = { start: own, end: successor(own) }
    return this.ranges.some((passed) => passed.overlaps(range))
  }

  overlaps(range: KeyRange): boolean {
    for (const key of this.keys.values()) if (rangesOverlap(range, { start: key, end: successor(key) })) return true
    return this.ranges.some((passed) => passed.overlaps(range))
  }

  readKeys(): Iterable<Uint8Array> {
    return this.keys.values()
  }

  /** The ranges that were really passed. */
  passedRanges(): KeyRange[] {
    return this.ranges.flatMap((passed) => passed.range() ?? [])
  }
}

function textOf(key: Uint8Array, keyEnd: number): string {
  return Buffer.from(key.buffer, key.byteOffset, keyEnd).toString('latin1')
}

/** The part of a scan's bounds that it has seen: from where it began to the last entry it showed, or to the end. */
class PassedRange {
  private readonly bounds: KeyRange
  private readonly from: Uint8Array | undefined
  private readonly reverse: boolean
  private last: Uint8Array | undefined
  private wasEnded = false

  constructor(bounds: KeyRange, from: Uint8Array | undefined, reverse: boolean) {
    this.bounds = bounds
    this.from = from
    this.reverse = reverse
  }

  reach(key: Uint8Array): void {
    this.last = key
  }

  end(): void {
    this.wasEnded = true
  }

  /** `undefined` where nothing was seen yet. */
  range(): KeyRange | undefined {
    const { from, last, bounds } = this
    if (last === undefined && !this.wasEnded) return undefined
    const range = this.reverse
      ? { start: this.wasEnded ? bounds.start : last!, end: from }
      : { start: from!, end: this.wasEnded ? bounds.end : successor(last!) }
    return range.end !== undefined && compareKeys(range.start, range.end) >= 0 ? undefined : range
  }

  overlaps(range: KeyRange): boolean {
    const own = this.range()
    return own !== undefined && rangesOverlap(own, range)
  }
}
