import type { Entry, WalkCursor } from '../bytes/cursor.js'
import { getText } from '../bytes/text.js'
import type { Position } from '../bytes/units.js'
import {
  operationExpiresAt,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationValueLength,
} from '../log/operation.js'
import type { OrderedIndex } from './ordered-index.js'

/**
 * A walk over a memtable that may be written to meanwhile: it remembers its entry, and finds its place again when the
 * index has moved under it. Visible or all, see `Cursor`.
 */
export class MemtableCursor implements WalkCursor, Entry {
  valid = false
  readonly keyBytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  kind = 0
  position: Position = 0
  expiresAt = 0
  readonly valueBytes: Uint8Array
  valueStart = 0
  valueEnd = 0
  readonly entry: Entry = this
  readonly run = undefined
  expected = 0
  most = 0

  private readonly index: OrderedIndex
  private readonly base: Position
  /** References at or above this one are not visible. */
  private readonly referenceLimit: number
  private readonly all: boolean
  private place = -1
  private reference = 0
  private seenModifications = 0
  /** Of no meaning: a sum that nobody takes would not be computed. */
  fetched = 0

  constructor(index: OrderedIndex, base: Position, limit: Position, all = false) {
    this.index = index
    this.base = base
    this.referenceLimit = limit - base
    this.all = all
    this.keyBytes = index.bytes
    this.valueBytes = index.bytes
  }

  release(): void {}

  seekToFirst(): void {
    this.settleForward(this.index.placeOfFirst())
  }

  seekToLast(): void {
    this.settleBackward(this.index.placeOfLast())
  }

  seek(bytes: Uint8Array, start: number, end: number): void {
    this.settleForward(this.index.placeAtOrAfter(bytes, start, end))
  }

  seekBefore(bytes: Uint8Array, start: number, end: number): void {
    const place = this.index.placeAtOrAfter(bytes, start, end)
    this.settleBackward(place < 0 ? this.index.placeOfLast() : this.index.placeBefore(place))
  }

  next(): void {
    const index = this.index
    let place = this.currentPlace()
    let following = index.placeAfter(place)
    if (!this.all) {
      // Older versions of the key that was just shown.
      while (following >= 0 && index.sameKey(place, following)) {
        place = following
        following = index.placeAfter(place)
      }
    }
    this.settleForward(following)
  }

  prev(): void {
    const index = this.index
    let place = this.currentPlace()
    let before = index.placeBefore(place)
    // Versions of the same key that are too new to be visible.
    while (before >= 0 && index.sameKey(before, place)) {
      place = before
      before = index.placeBefore(place)
    }
    this.settleBackward(before)
  }

  keyText(): string {
    return getText(this.keyBytes, this.keyStart, this.keyEnd)
  }

  valueText(): string {
    return getText(this.valueBytes, this.valueStart, this.valueEnd)
  }

  private currentPlace(): number {
    const index = this.index
    if (this.seenModifications === index.modifications) return this.place
    let place = index.placeAtOrAfter(this.keyBytes, this.keyStart, this.keyEnd)
    // Only newer versions can have come before this one. It was replaced itself only if nobody is to see it any more;
    // then the version in its place is the last that is not older.
    while (index.referenceAt(place) > this.reference) {
      const following = index.placeAfter(place)
      if (following < 0 || index.referenceAt(following) < this.reference || !index.sameKey(place, following)) break
      place = following
    }
    return place
  }

  private settleForward(place: number): void {
    const index = this.index
    while (place >= 0 && index.referenceAt(place) >= this.referenceLimit) place = index.placeAfter(place)
    this.show(place)
  }

  /** `place` is the oldest version of its key; goes on to the newest that is visible. */
  private settleBackward(place: number): void {
    const index = this.index
    while (place >= 0) {
      let shown = index.referenceAt(place) < this.referenceLimit ? place : -1
      let before = index.placeBefore(place)
      while (before >= 0 && index.sameKey(before, place)) {
        if (index.referenceAt(before) < this.referenceLimit) shown = before
        place = before
        before = index.placeBefore(place)
      }
      if (shown >= 0) {
        this.show(shown)
        return
      }
      place = before
    }
    this.show(-1)
  }

  private show(place: number): void {
    this.seenModifications = this.index.modifications
    this.place = place
    this.valid = place >= 0
    if (place < 0) return
    if (this.all && this.index.beginsLeaf(place)) this.fetched = this.index.fetchLeaf(place)
    const bytes = this.keyBytes
    const reference = this.index.referenceAt(place)
    this.reference = reference
    this.kind = operationKind(bytes, reference)
    this.position = this.base + reference
    this.expiresAt = operationExpiresAt(bytes, reference)
    this.keyStart = operationKeyStart(bytes, reference)
    this.keyEnd = this.keyStart + operationKeyLength(bytes, reference)
    this.valueStart = this.keyEnd
    this.valueEnd = this.keyEnd + operationValueLength(bytes, reference)
  }
}
