import { compareBytes } from '../bytes/compare.js'
import type { Entry, WalkCursor } from '../bytes/cursor.js'
import { VarintReader } from '../bytes/integers.js'
import { getText } from '../bytes/text.js'
import type { EpochMs, Position } from '../bytes/units.js'
import {
  type DataBlock,
  entryExpiresAt,
  entryKind,
  entryPosition,
  lastRestartAtOrBefore,
  suffixStart,
} from './block.js'
import type { CacheMode } from './block-cache.js'
import type { BlockWalk } from './block-walk.js'
import { EntryGroup, LONGEST_BYTES } from './entry-group.js'
import type { IndexNode } from './index-node.js'
import { ReadAhead } from './read-ahead.js'

/** A walk that has come so far goes on, most often: it takes whole groups. Many are over before. */
const PATIENCE = 16
/** From so many on that are expected whole groups are taken at once: for 11 that costs as much as it saves, for 30 it saves 15 %. */
const MANY = 16
/** Up to so many that are wanted in all are picked out of their blocks. */
const MOST_PICKED = 100
/** What groups have by default. */
const USUAL_GROUP = 16

const EMPTY = new Uint8Array(0)
const SHORTEST_KEY_ROOM = 64
const varint = new VarintReader()

/**
 * A walk over the entries of a table.
 *
 * Where it is known how many entries are wanted, and they are few, they are picked out of the block, which is decompressed no further
 * than they go; what comes behind them is found in the block as a whole. Otherwise a walk forwards begins with one entry at a time,
 * decoded into a key that is kept up to date by copying the suffixes; a step takes 20 ns. Backwards, and forwards once it has gone on for a
 * while, it takes apart one restart group at a time (`EntryGroup`): then the texts of its entries are decoded together too. Position, kind
 * and expiry are decoded when asked for.
 *
 * Blocks are fetched before anything is changed, so a call that threw can be made again.
 */
export class TableCursor implements WalkCursor, Entry {
  valid = false
  keyBytes: Uint8Array = EMPTY
  keyStart = 0
  keyEnd = 0
  valueBytes: Uint8Array = EMPTY
  valueStart = 0
  valueEnd = 0
  readonly run = undefined
  expected = 0
  most = 0

  readonly #walk: BlockWalk
  readonly #limit: Position
  readonly #everyVersion: boolean
  readonly #checksPositions: boolean
  readonly #mode: CacheMode
  readonly #ahead = new ReadAhead()

  #partition: IndexNode | undefined
  #partitionOrdinal = 0
  #blockOrdinal = 0
  /** `undefined` where entries were picked out of it: they are a group. */
  #block: DataBlock | undefined
  #basePosition: Position = 0
  #afterHead = 0
  #entryAt = 0

  /** Forwards: the next entry, and the key of the one before it; a length of -1 where nothing stands before it. */
  #nextAt = 0
  #key = EMPTY
  #keyLength = -1

  /** The restart groups of this block that are taken apart: the first, and the one behind the last. A first of -1 stands for one entry at a time. */
  #group = -1
  #groupEnd = 0
  #entries: EntryGroup | undefined
  /** Entries that were picked since the last seek. */
  #picked = 0
  /** Entries that were decoded one at a time since the last seek. */
  #alone = 0
  /** The walk goes on from group to group: texts are decoded together. */
  #isLong = false

  /** `limit` is `undefined` for every version. `newest` is the highest position in the table. */
  constructor(walk: BlockWalk, limit: Position | undefined, newest: Position, mode: CacheMode) {
    this.#walk = walk
    this.#everyVersion = limit === undefined
    this.#limit = limit ?? Number.POSITIVE_INFINITY
    this.#checksPositions = this.#limit <= newest
    this.#mode = mode
  }

  get kind(): number {
    return entryKind(this.valueBytes[this.#afterHead - 1]!)
  }

  get position(): Position {
    return entryPosition(this.valueBytes, this.valueBytes[this.#afterHead - 1]!, this.#afterHead, this.#basePosition)
  }

  get expiresAt(): EpochMs {
    return entryExpiresAt(this.valueBytes, this.valueBytes[this.#afterHead - 1]!, this.#afterHead)
  }

  get entry(): Entry {
    return this.#group < 0 ? this : this.#entries!
  }

  release(): void {
    this.#ahead.release()
    this.#entries?.giveBack()
    this.#entries = undefined
  }

  keyText(): string {
    return getText(this.keyBytes, this.keyStart, this.keyEnd)
  }

  valueText(): string {
    return getText(this.valueBytes, this.valueStart, this.valueEnd)
  }

  seekToFirst(): void {
    if (this.#walk.partitionCount === 0) return
    this.#enter(0, this.#walk.partition(0, this.#mode), 0)
    this.#begin()
    this.#advance(false)
  }

  seek(bytes: Uint8Array, start: number, end: number): void {
    if (this.most > 0 && this.most <= MOST_PICKED && !this.#everyVersion && this.#pickFrom(bytes, start, end)) return
    if (!this.#enterBlockOf(bytes, start, end)) return
    if (this.expected >= MANY && !this.#everyVersion) {
      this.#seekInGroups(bytes, start, end)
      return
    }
    this.#skipBelow(bytes, start, end)
    this.#advance(false)
  }

  /** To the first entry at or after a key, which stands in this block or begins the next one: in groups taken apart with those behind them. */
  #seekInGroups(bytes: Uint8Array, start: number, end: number): void {
    this.#goOn()
    const block = this.#block!
    const group = lastRestartAtOrBefore(block, bytes, start, end)
    const groups = 1 + Math.ceil(this.expected / USUAL_GROUP)
    const entries = this.#decodeGroups(group, Math.min(group + groups, this.#reach(group, 1)))
    let low = 0
    let high = entries.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compareBytes(
        entries.keyBytes,
        entries.keyStartOf(middle),
        entries.keyEndOf(middle),
        bytes,
        start,
        end,
      )
      if (order < 0) low = middle + 1
      else high = middle
    }
    if (low < entries.count) this.#showOfGroup(low)
    else this.#proceed(this.#groupEnd)
  }

  /** To the first entry at or after a key, which is picked with those behind it that are wanted; false where that cannot be done. */
  #pickFrom(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#walk.partitionCount === 0) return false
    const ordinal = this.#walk.partitionOf(bytes, start, end)
    const partition = this.#walk.partition(ordinal, this.#mode)
    this.#picked = 0
    return this.#pick(ordinal, partition, partition.find(bytes, start, end), bytes, start, end)
  }

  /** The same with the first entries of the block behind this one. */
  #pickNext(): boolean {
    const partition = this.#partition!
    const next = this.#blockOrdinal + 1
    return next < partition.count && this.#pick(this.#partitionOrdinal, partition, next, EMPTY, 0, 0)
  }

  #pick(
    ordinal: number,
    partition: IndexNode,
    blockOrdinal: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const wanted = this.most - this.#picked
    if (wanted <= 0) return false
    this.#entries ??= EntryGroup.take()
    const count = this.#walk.pick(partition, blockOrdinal, bytes, start, end, this.#limit, wanted, this.#entries)
    if (count <= 0) return false
    this.#picked += count
    this.#partitionOrdinal = ordinal
    this.#partition = partition
    this.#blockOrdinal = blockOrdinal
    this.#block = undefined
    this.#basePosition = this.#entries.basePosition
    this.#begin()
    this.#group = 0
    this.#isLong = this.#entries.isLong = true
    this.#entries.isBackwards = false
    this.#showOfGroup(0)
    return true
  }

  /** To the entry behind those that were picked out of a block: from here on the walk needs all of it. */
  #goOnBehindPicked(): void {
    const entries = this.#entries!
    const { nextAt, count, keyBytes } = entries
    if (nextAt === 0) {
      if (this.#pickNext()) return
      if (this.#enterNext()) this.#advance(false)
      else this.valid = false
      return
    }
    const start = entries.keyStartOf(count - 1)
    const length = entries.keyEndOf(count - 1) - start
    this.#enter(this.#partitionOrdinal, this.#partition!, this.#blockOrdinal)
    if (length > this.#key.length) this.#growKey(length)
    for (let i = 0; i < length; i++) this.#key[i] = keyBytes[start + i]!
    this.#keyLength = length
    this.#nextAt = nextAt
    this.#alone = count
    this.#advance(true)
  }

  next(): void {
    if (this.#group >= 0) {
      const entries = this.#entries!
      const index = entries.index + 1
      if (index < entries.count) this.#showOfGroup(index)
      else if (this.#block === undefined) this.#goOnBehindPicked()
      else this.#proceed(this.#groupEnd)
      return
    }
    if (this.#alone >= PATIENCE && !this.#everyVersion) {
      const group = this.#groupBeginningAt(this.#nextAt)
      if (group >= 0) {
        this.#proceed(group)
        return
      }
    }
    this.#advance(true)
  }

  seekToLast(): void {
    const last = this.#walk.partitionCount - 1
    if (last < 0) return
    const partition = this.#walk.partition(last, this.#mode)
    this.#enter(last, partition, partition.count - 1)
    this.#begin()
    this.#retreat(this.#block!.restartCount)
  }

  seekBefore(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#enterBlockOf(bytes, start, end)) return
    const group = lastRestartAtOrBefore(this.#block!, bytes, start, end)
    const entries = this.#decodeGroups(group, group + 1)
    let index = entries.count - 1
    while (
      index >= 0 &&
      compareBytes(entries.keyBytes, entries.keyStartOf(index), entries.keyEndOf(index), bytes, start, end) >= 0
    ) {
      index--
    }
    if (index >= 0) this.#showOfGroup(index)
    else this.#retreat(group)
  }

  prev(): void {
    if (this.#block === undefined) {
      this.#showOfGroup(this.#entries!.index)
      this.#enter(this.#partitionOrdinal, this.#partition!, this.#blockOrdinal)
    }
    if (this.#group < 0) {
      const group = groupOf(this.#block!, this.#entryAt)
      const entries = this.#decodeGroups(group, group + 1)
      let index = 0
      while (entries.entryAt(index) < this.#entryAt) index++
      entries.index = index
    }
    const { index } = this.#entries!
    if (index > 0) {
      this.#showOfGroup(index - 1)
    } else {
      this.#isLong = true
      this.#entries!.isBackwards = true
      this.#retreat(this.#group)
    }
  }

  /** To the one block that can hold the key; false in a table without entries. */
  #enterBlockOf(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#walk.partitionCount === 0) return false
    const ordinal = this.#walk.partitionOf(bytes, start, end)
    const partition = this.#walk.partition(ordinal, this.#mode)
    this.#enter(ordinal, partition, partition.find(bytes, start, end))
    this.#begin()
    return true
  }

  /** A walk begins here; how far it goes is not known. */
  #begin(): void {
    this.#alone = 0
    this.#isLong = false
  }

  /** To before the first entry of a block. */
  #enter(partitionOrdinal: number, partition: IndexNode, blockOrdinal: number): void {
    const block = this.#walk.block(partition, blockOrdinal, this.#mode, this.#ahead)
    this.#partitionOrdinal = partitionOrdinal
    this.#partition = partition
    this.#blockOrdinal = blockOrdinal
    this.#block = block
    this.#basePosition = block.basePosition
    this.#nextAt = 0
    this.#keyLength = -1
    this.#group = -1
  }

  /** To the next entry to be shown, in this block or a later one; `shown` says that versions of the last key do not count. */
  #advance(shown: boolean): void {
    while (!this.#advanceInBlock(shown)) {
      if (!this.#enterNext()) {
        this.valid = false
        return
      }
    }
    this.#alone++
  }

  /** The walk takes whole groups from here on, forwards. */
  #goOn(): void {
    this.#isLong = true
    this.#entries ??= EntryGroup.take()
    this.#entries.isBackwards = false
  }

  /** To the first entry to be shown from a group of this block on, in this block or a later one. */
  #proceed(group: number): void {
    this.#goOn()
    for (;;) {
      while (group < this.#block!.restartCount) {
        const end = this.#reach(group, 1)
        if (this.#decodeGroups(group, end).count > 0) {
          this.#showOfGroup(0)
          return
        }
        group = end
      }
      if (!this.#enterNext()) {
        this.valid = false
        return
      }
      group = 0
    }
  }

  /** To before the first entry of the block behind this one; false at the end of the table. */
  #enterNext(): boolean {
    if (this.#blockOrdinal + 1 < this.#partition!.count) {
      this.#enter(this.#partitionOrdinal, this.#partition!, this.#blockOrdinal + 1)
      return true
    }
    const ordinal = this.#partitionOrdinal + 1
    if (ordinal === this.#walk.partitionCount) return false
    this.#enter(ordinal, this.#walk.partition(ordinal, this.#mode), 0)
    return true
  }

  #advanceInBlock(shown: boolean): boolean {
    const block = this.#block!
    const bytes = block.bytes
    const end = block.entriesEnd
    let at = this.#nextAt
    let keyLength = this.#keyLength
    while (at < end) {
      const entryAt = at
      let shared = bytes[at]!
      let unshared = bytes[at + 1]!
      let valueLength = bytes[at + 2]!
      if ((shared | unshared | valueLength) < 128) {
        at += 3
      } else {
        shared = varint.read(bytes, at)
        unshared = varint.read(bytes, varint.end)
        valueLength = varint.read(bytes, varint.end)
        at = varint.end
      }
      const head = bytes[at++]!
      const afterHead = at
      const suffix = suffixStart(head, at)
      const valueStart = suffix + unshared
      at = valueStart + valueLength
      if (unshared === 0 && shared === keyLength) {
        if (shown && !this.#everyVersion) continue
      } else {
        keyLength = shared + unshared
        if (keyLength > this.#key.length) this.#growKey(keyLength)
        const key = this.#key
        for (let i = 0; i < unshared; i++) key[shared + i] = bytes[suffix + i]!
        shown = false
      }
      if (this.#checksPositions && entryPosition(bytes, head, afterHead, block.basePosition) >= this.#limit) continue
      this.#nextAt = at
      this.#keyLength = keyLength
      this.#entryAt = entryAt
      this.#afterHead = afterHead
      this.keyBytes = this.#key
      this.keyStart = 0
      this.keyEnd = keyLength
      this.valueBytes = bytes
      this.valueStart = valueStart
      this.valueEnd = at
      this.valid = true
      return true
    }
    this.#nextAt = end
    this.#keyLength = keyLength
    return false
  }

  /** Goes over the entries of the block whose key is below the given one; `#key` follows. See `findInBlock` for how. */
  #skipBelow(target: Uint8Array, start: number, end: number): void {
    const block = this.#block!
    const bytes = block.bytes
    const group = lastRestartAtOrBefore(block, target, start, end)
    const groupEnd = block.restart(group + 1)
    const targetLength = end - start
    let at = block.restart(group)
    let matched = 0
    let keyLength = -1
    while (at < groupEnd) {
      const entryAt = at
      let shared = bytes[at]!
      let unshared = bytes[at + 1]!
      let valueLength = bytes[at + 2]!
      if ((shared | unshared | valueLength) < 128) {
        at += 3
      } else {
        shared = varint.read(bytes, at)
        unshared = varint.read(bytes, varint.end)
        valueLength = varint.read(bytes, varint.end)
        at = varint.end
      }
      const suffix = suffixStart(bytes[at]!, at + 1)
      const length = shared + unshared
      if (shared <= matched) {
        const stop = Math.min(length, targetLength)
        const bias = suffix - shared
        let i = shared
        while (i < stop && bytes[bias + i] === target[start + i]) i++
        if (i < stop ? bytes[bias + i]! > target[start + i]! : length >= targetLength) {
          this.#nextAt = entryAt
          this.#keyLength = keyLength
          return
        }
        matched = i
      }
      if (length > this.#key.length) this.#growKey(length)
      const key = this.#key
      for (let i = 0; i < unshared; i++) key[shared + i] = bytes[suffix + i]!
      keyLength = length
      at = suffix + unshared + valueLength
    }
    this.#nextAt = groupEnd
    this.#keyLength = keyLength
  }

  /** To the last entry to be shown before a group of this block, in this block or an earlier one. */
  #retreat(group: number): void {
    for (;;) {
      while (group > 0) {
        const end = group
        group = this.#isLong ? this.#reach(end, -1) : end - 1
        const entries = this.#decodeGroups(group, end)
        if (entries.count > 0) {
          this.#showOfGroup(entries.count - 1)
          return
        }
      }
      if (this.#blockOrdinal > 0) {
        this.#enter(this.#partitionOrdinal, this.#partition!, this.#blockOrdinal - 1)
      } else if (this.#partitionOrdinal > 0) {
        const ordinal = this.#partitionOrdinal - 1
        const partition = this.#walk.partition(ordinal, this.#mode)
        this.#enter(ordinal, partition, partition.count - 1)
      } else {
        this.valid = false
        return
      }
      group = this.#block!.restartCount
    }
  }

  /** Leaves the cursor so that going back once more goes to before these groups. */
  #decodeGroups(group: number, end: number): EntryGroup {
    const block = this.#block!
    this.#entries ??= EntryGroup.take()
    this.#entries.isLong = this.#isLong
    this.#entries.decode(block, block.restart(group), block.restart(end), this.#limit)
    this.#group = group
    this.#groupEnd = end
    return this.#entries
  }

  /** How far the groups go from one on that are taken apart at once: one at least, and as many as fit. */
  #reach(from: number, step: 1 | -1): number {
    const block = this.#block!
    const start = block.restart(from)
    const last = step > 0 ? block.restartCount : 0
    if (Math.abs(block.restart(last) - start) <= LONGEST_BYTES) return last
    let to = from + step
    while (to !== last && Math.abs(block.restart(to + step) - start) <= LONGEST_BYTES) to += step
    return to
  }

  /** The group that begins at a place of the block, its end included; -1 where none does. */
  #groupBeginningAt(at: number): number {
    const block = this.#block!
    if (at === block.entriesEnd) return block.restartCount
    if (block.bytes[at] !== 0) return -1
    const group = groupOf(block, at)
    return block.restart(group) === at ? group : -1
  }

  #showOfGroup(index: number): void {
    const entries = this.#entries!
    entries.index = index
    this.#entryAt = entries.entryAt(index)
    this.#afterHead = entries.afterHead(index)
    this.keyBytes = entries.keyBytes
    this.keyStart = entries.keyStartOf(index)
    this.keyEnd = entries.keyEndOf(index)
    this.valueBytes = entries.valueBytes
    this.valueStart = entries.valueStartOf(index)
    this.valueEnd = entries.valueEndOf(index)
    this.valid = true
  }

  #growKey(length: number): void {
    const larger = new Uint8Array(Math.max(SHORTEST_KEY_ROOM, length * 2))
    larger.set(this.#key)
    this.#key = larger
  }
}

/** The group in which an entry stands. */
function groupOf(block: DataBlock, entryAt: number): number {
  let low = 0
  let high = block.restartCount - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (block.restart(middle) <= entryAt) low = middle
    else high = middle - 1
  }
  return low
}
