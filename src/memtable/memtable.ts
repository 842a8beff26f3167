import type { Found } from '../bytes/cursor.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { Position, TreeId } from '../bytes/units.js'
import {
  KIND_DELETE,
  KIND_RANGE_DELETE,
  operationExpiresAt,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationValueLength,
} from '../log/operation.js'
import { MemtableCursor } from './memtable-cursor.js'
import { OrderedIndex, type OrderedIndexImage } from './ordered-index.js'

/** A sealed memtable as it travels to another thread: shared memory, nothing copied. */
export interface MemtableImage {
  readonly tree: TreeId
  readonly base: Position
  readonly bytes: Uint8Array
  readonly index: OrderedIndexImage
  /** Offsets of the range deletions in `bytes`. */
  readonly rangeDeletes: readonly number[]
  readonly deletionCount: number
}

/**
 * What one tree has in one segment of the commit log: the segment's own bytes, seen in key order.
 *
 * Invariant: references only grow, and a reference plus `base` is the operation's position.
 */
export class Memtable {
  readonly tree: TreeId
  /** The log position of the segment's first byte. */
  readonly base: Position
  readonly bytes: Uint8Array
  readonly index: OrderedIndex
  readonly rangeTombstones = new RangeTombstones()
  /** Entries that are deletions. */
  deletionCount = 0
  /** Scans that read from it; while there are any, its memory is not used again. */
  holders = 0
  private readonly rangeDeletes: number[] = []

  /** `memory`: what `image` gave of a memtable that nobody reads any more, for this one to grow in. */
  constructor(tree: TreeId, base: Position, bytes: Uint8Array, index?: OrderedIndexImage, memory?: OrderedIndexImage) {
    this.tree = tree
    this.base = base
    this.bytes = bytes
    this.index = new OrderedIndex(bytes, index, memory)
  }

  static fromImage(image: MemtableImage): Memtable {
    const memtable = new Memtable(image.tree, image.base, image.bytes, image.index)
    memtable.deletionCount = image.deletionCount
    for (const offset of image.rangeDeletes) memtable.addRangeDelete(offset)
    return memtable
  }

  /** Requires: the memtable is sealed. */
  image(): MemtableImage {
    const { tree, base, bytes, rangeDeletes, deletionCount } = this
    return { tree, base, bytes, index: this.index.image(), rangeDeletes, deletionCount }
  }

  get isEmpty(): boolean {
    return this.index.entryCount === 0 && this.rangeDeletes.length === 0
  }

  get entryCount(): number {
    return this.index.entryCount
  }

  /**
   * Makes the operation at `offset` part of this memtable. `newestPin` is the newest position at which a snapshot or scan
   * reads: an older version that no pin can see is replaced instead of kept.
   */
  add(offset: number, newestPin: Position): void {
    const kind = operationKind(this.bytes, offset)
    if (kind === KIND_RANGE_DELETE) {
      this.addRangeDelete(offset)
      return
    }
    // A version stays needed while some pin is above its position: that pin sees it.
    const replaced = this.index.insert(offset, newestPin > this.base ? newestPin - this.base : 0)
    if (kind === KIND_DELETE) this.deletionCount++
    if (replaced >= 0 && operationKind(this.bytes, replaced) === KIND_DELETE) this.deletionCount--
  }

  private addRangeDelete(offset: number): void {
    const start = operationKeyStart(this.bytes, offset)
    const keyEnd = start + operationKeyLength(this.bytes, offset)
    const end = keyEnd + operationValueLength(this.bytes, offset)
    this.rangeDeletes.push(offset)
    this.rangeTombstones.add(
      this.bytes.slice(start, keyEnd),
      end === keyEnd ? undefined : this.bytes.slice(keyEnd, end),
      this.base + offset,
    )
  }

  /** Finds the newest version of a key below `limit`, deletions included; range deletions are the caller's to ask about. */
  lookup(key: Uint8Array, keyStart: number, keyEnd: number, limit: Position, found: Found): boolean {
    const { index, bytes } = this
    let place = index.placeAtOrAfter(key, keyStart, keyEnd)
    while (place >= 0) {
      const reference = index.referenceAt(place)
      const start = operationKeyStart(bytes, reference)
      const length = operationKeyLength(bytes, reference)
      if (length !== keyEnd - keyStart) return false
      for (let i = 0; i < length; i++) if (bytes[start + i] !== key[keyStart + i]) return false
      if (this.base + reference < limit) {
        found.hit = true
        found.kind = operationKind(bytes, reference)
        found.position = this.base + reference
        found.expiresAt = operationExpiresAt(bytes, reference)
        found.bytes = bytes
        found.start = start + length
        found.end = start + length + operationValueLength(bytes, reference)
        return true
      }
      place = index.placeAfter(place)
    }
    return false
  }

  /** A walk that shows every key once, with its newest version below `limit`. */
  cursor(limit: Position): MemtableCursor {
    return new MemtableCursor(this.index, this.base, limit)
  }

  /** A forward walk over every version. */
  cursorOverAll(): MemtableCursor {
    return new MemtableCursor(this.index, this.base, Number.POSITIVE_INFINITY, true)
  }
}
