import { compareBytes } from '../bytes/compare.js'
import type { Cursor } from '../bytes/cursor.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { KIND_DELETE, KIND_PUT_EXPIRING } from '../log/operation.js'
import { endsAtOrBefore, type KeyRange, rangesOverlap } from './key-range.js'

/** What `Retention.judge` says of a version that nobody needs. */
export const DROPPED = 0

/** What a rewrite has to respect. */
export interface RetentionRules {
  /** Where snapshots and scans read, ascending. */
  readonly pins: readonly Position[]
  readonly now: EpochMs
  /** Where older data may stand that is not part of this rewrite: in key order, without overlap. */
  readonly older: readonly KeyRange[]
}

/**
 * Decides which versions a flush or compaction writes again.
 *
 * The pins cut the log into stripes: two versions are in one stripe if no pin lies above the older and at or below the newer.
 * Every reader that sees into a stripe sees its newest version of a key and none of the others, so one per key and stripe
 * is kept; a range tombstone that is newer and in the same stripe counts as such a version. An expired entry is gone for all
 * readers and becomes a deletion. Deletions themselves are needed for as long as they hide something: in the lowest stripe,
 * where nothing older stands below, they go.
 *
 * Requires: versions are judged in the order of a walk over all versions.
 */
export class Retention {
  /** Of the versions that were kept, how many only a pin kept. */
  heldCount = 0
  /** Of everything that was judged. */
  droppedCount = 0
  private readonly pins: readonly Position[]
  private readonly now: EpochMs
  private readonly older: readonly KeyRange[]
  private readonly tombstones: RangeTombstones
  private key = new Uint8Array(256)
  private keyLength = -1
  private stripe = -1
  /** The first range of `older` that does not end before the current key. */
  private olderIndex = 0

  constructor(rules: RetentionRules, tombstones: RangeTombstones) {
    this.pins = rules.pins
    this.now = rules.now
    this.older = rules.older
    this.tombstones = tombstones
  }

  /** Whether the last version that was judged begins a new key. */
  isNewKey = false

  /** The kind under which a version is to be written, or `DROPPED`. */
  judge(cursor: Cursor): number {
    const { keyBytes, keyStart, keyEnd, position } = cursor
    const isNewKey = !this.isCurrentKey(keyBytes, keyStart, keyEnd)
    this.isNewKey = isNewKey
    if (isNewKey) {
      this.remember(keyBytes, keyStart, keyEnd)
      this.stripe = -1
    }
    const kind = this.judgeVersion(cursor, position)
    if (kind === DROPPED) this.droppedCount++
    return kind
  }

  private judgeVersion(cursor: Cursor, position: Position): number {
    const { keyBytes, keyStart, keyEnd } = cursor
    const stripe = this.stripeOf(position)
    if (stripe === this.stripe) return DROPPED
    const shadowed = this.stripe >= 0
    this.stripe = stripe
    let covered = false
    if (this.tombstones.size > 0) {
      const stripeEnd = stripe < this.pins.length ? this.pins[stripe]! : Number.POSITIVE_INFINITY
      if (this.tombstones.coveringPosition(keyBytes, keyStart, keyEnd, stripeEnd) > position) return DROPPED
      covered = this.tombstones.coveringPosition(keyBytes, keyStart, keyEnd, Number.POSITIVE_INFINITY) > position
    }
    const kind = cursor.kind === KIND_PUT_EXPIRING && cursor.expiresAt <= this.now ? KIND_DELETE : cursor.kind
    const useless = kind === KIND_DELETE && !this.mayHideOlder(keyBytes, keyStart, keyEnd)
    if (useless && stripe === 0) return DROPPED
    if (shadowed || covered || useless) this.heldCount++
    return kind
  }

  /** The range tombstones that are still needed: per stripe the newest, and none in the lowest that has nothing to hide. */
  survivingTombstones(): RangeTombstones {
    const surviving = new RangeTombstones()
    const { tombstones } = this
    for (let i = 0; i < tombstones.size; i++) {
      const start = tombstones.fragmentStart(i)
      const end = tombstones.fragmentEnd(i)
      const hides = this.older.some((range) => rangesOverlap(range, { start, end }))
      let stripe = -1
      for (const position of tombstones.fragmentPositions(i)) {
        const own = this.stripeOf(position)
        if (own !== stripe && (own > 0 || hides)) surviving.add(start, end, position)
        stripe = own
      }
    }
    return surviving
  }

  /** How many pins are at or below a position. */
  private stripeOf(position: Position): number {
    const { pins } = this
    let low = 0
    let high = pins.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (pins[middle]! <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  private mayHideOlder(key: Uint8Array, keyStart: number, keyEnd: number): boolean {
    const { older } = this
    while (this.olderIndex < older.length && endsAtOrBefore(older[this.olderIndex]!, key, keyStart, keyEnd)) {
      this.olderIndex++
    }
    if (this.olderIndex === older.length) return false
    const { start } = older[this.olderIndex]!
    return compareBytes(start, 0, start.length, key, keyStart, keyEnd) <= 0
  }

  private isCurrentKey(bytes: Uint8Array, start: number, end: number): boolean {
    const { key, keyLength } = this
    if (end - start !== keyLength) return false
    // From the end: neighbours in key order differ there.
    for (let i = keyLength - 1; i >= 0; i--) if (key[i] !== bytes[start + i]) return false
    return true
  }

  private remember(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length > this.key.length) this.key = new Uint8Array(length * 2)
    // `set` of a subarray costs 60 ns before it copies; the loop is done by then for common keys.
    if (length <= 48) for (let i = 0; i < length; i++) this.key[i] = bytes[start + i]!
    else this.key.set(bytes.subarray(start, end))
    this.keyLength = length
  }
}
