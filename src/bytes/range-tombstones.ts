import { compareBytes, compareKeys } from './compare.js'
import { putVarint, VarintReader, varintLength } from './integers.js'
import type { Position } from './units.js'

/*
 * Range tombstones as bytes: fragments in key order, the form in which a table keeps them and a thread hands them to another.
 *
 *   +----------------+------------+------------+-----
 *   | fragment count | fragment 0 | fragment 1 | …
 *   | varint         |            |            |
 *   +----------------+------------+------------+-----
 *
 * A fragment:
 *
 *   +--------------+-------+------------------+-------+----------------+--------------+-------------------------+-----
 *   | start length | start | end length + 1   | end   | position count | newest       | how far the next lies   | …
 *   | varint       |       | (0: unbounded)   |       | varint         | varint       | below it, varint        |
 *   +--------------+-------+------------------+-------+----------------+--------------+-------------------------+-----
 */

/**
 * The deleted key ranges of a memtable or a table: `[start, end)` at a position hides every older version in between.
 *
 * Kept as fragments: ranges that do not overlap, in key order, each with the positions of all tombstones that cover it, newest
 * first. One binary search then answers what would otherwise need a look at every tombstone. A snapshot may see an older
 * tombstone and not the newest, so no position is dropped here.
 *
 * Adding touches only the fragments that the new range overlaps. The arrays move at most one pointer per fragment behind
 * them, 2 us at ten thousand fragments; ranges that repeat or stand side by side, which is what `clear` and trimming
 * write, never split anything.
 */
export class RangeTombstones {
  #starts: Uint8Array[] = []
  /** `undefined` only in the last fragment: up to the end of all keys. */
  #ends: (Uint8Array | undefined)[] = []
  /** Invariant: per fragment never empty, strictly descending. Lists may be shared between fragments and are never changed. */
  #positions: (readonly Position[])[] = []

  /** How many fragments there are; 0 means that nothing is covered. */
  get size(): number {
    return this.#starts.length
  }

  fragmentStart(index: number): Uint8Array {
    return this.#starts[index]!
  }

  /** The first key behind the fragment; `undefined` where it has no end. */
  fragmentEnd(index: number): Uint8Array | undefined {
    return this.#ends[index]
  }

  /** Newest first. */
  fragmentPositions(index: number): readonly Position[] {
    return this.#positions[index]!
  }

  /** Adds one tombstone; an empty range adds nothing. Keeps `start` and `end`, which must not change afterwards. */
  add(start: Uint8Array, end: Uint8Array | undefined, position: Position): void {
    this.#cover(start, end, [position])
  }

  /** Adds all tombstones of another. */
  addAll(other: RangeTombstones): void {
    for (let i = 0; i < other.size; i++) this.#cover(other.#starts[i]!, other.#ends[i], other.#positions[i]!)
  }

  /** The fragment that a key lies in, or -1. */
  fragmentAt(key: Uint8Array, start: number, end: number): number {
    if (this.#starts.length === 0) return -1
    const fragment = this.#lastStartingAtOrBefore(key, start, end)
    if (fragment < 0) return -1
    const fragmentEnd = this.#ends[fragment]
    const isBehind = fragmentEnd !== undefined && compareBytes(fragmentEnd, 0, fragmentEnd.length, key, start, end) <= 0
    return isBehind ? -1 : fragment
  }

  /** The newest tombstone below `limit` that covers the key, or 0. */
  coveringPosition(key: Uint8Array, start: number, end: number, limit: Position): Position {
    const fragment = this.fragmentAt(key, start, end)
    if (fragment < 0) return 0
    const positions = this.#positions[fragment]!
    for (let i = 0; i < positions.length; i++) if (positions[i]! < limit) return positions[i]!
    return 0
  }

  /** Only the tombstones below a position. */
  below(limit: Position): RangeTombstones {
    const older = new RangeTombstones()
    for (let i = 0; i < this.size; i++) {
      const positions = this.#positions[i]!.filter((position) => position < limit)
      if (positions.length > 0) older.#cover(this.#starts[i]!, this.#ends[i], positions)
    }
    return older
  }

  /** The part between two keys, the first inclusive, the second exclusive; `undefined` stands for either end of all keys. */
  clip(start: Uint8Array | undefined, end: Uint8Array | undefined): RangeTombstones {
    const part = new RangeTombstones()
    for (let i = 0; i < this.size; i++) {
      const from = start !== undefined && compareKeys(this.#starts[i]!, start) < 0 ? start : this.#starts[i]!
      const to = lowerEnd(this.#ends[i], end)
      if (to !== undefined && compareKeys(from, to) >= 0) continue
      part.#starts.push(from)
      part.#ends.push(to)
      part.#positions.push(this.#positions[i]!)
    }
    return part
  }

  encode(): Uint8Array {
    let length = varintLength(this.size)
    for (let i = 0; i < this.size; i++) length += this.#fragmentBytes(i)
    const bytes = new Uint8Array(length)
    let at = putVarint(bytes, 0, this.size)
    for (let i = 0; i < this.size; i++) {
      const start = this.#starts[i]!
      const end = this.#ends[i]
      const positions = this.#positions[i]!
      at = putVarint(bytes, at, start.length)
      bytes.set(start, at)
      at = putVarint(bytes, at + start.length, end === undefined ? 0 : end.length + 1)
      if (end !== undefined) {
        bytes.set(end, at)
        at += end.length
      }
      at = putVarint(bytes, at, positions.length)
      at = putVarint(bytes, at, positions[0]!)
      for (let p = 1; p < positions.length; p++) at = putVarint(bytes, at, positions[p - 1]! - positions[p]!)
    }
    return bytes
  }

  /** Reads what `encode` wrote into keys of its own. Throws a plain `Error` where the bytes are not that. */
  static decode(bytes: Uint8Array, start: number, end: number): RangeTombstones {
    const tombstones = new RangeTombstones()
    const varint = new VarintReader()
    let at = start
    const number = (): number => {
      const value = varint.read(bytes, at)
      at = varint.end
      if (at > end || !Number.isSafeInteger(value)) throw new Error('range tombstones end in the middle of a number')
      return value
    }
    const key = (length: number): Uint8Array => {
      if (length > end - at) throw new Error('range tombstones end in the middle of a key')
      const copy = bytes.slice(at, at + length)
      at += length
      return copy
    }
    let previousEnd: Uint8Array | undefined = EMPTY
    for (let left = number(); left > 0; left--) {
      const fragmentStart = key(number())
      const endLength = number()
      const fragmentEnd = endLength === 0 ? undefined : key(endLength - 1)
      if (previousEnd === undefined || compareKeys(previousEnd, fragmentStart) > 0) {
        throw new Error('range tombstones are out of order')
      }
      if (fragmentEnd !== undefined && compareKeys(fragmentStart, fragmentEnd) >= 0) {
        throw new Error('a range tombstone ends before it starts')
      }
      const positionCount = number()
      if (positionCount === 0 || positionCount > end - at) {
        throw new Error('a range tombstone has no believable number of positions')
      }
      const positions = [number()]
      for (let p = 1; p < positionCount; p++) {
        const lower = positions[p - 1]! - number()
        if (lower < 0 || lower === positions[p - 1]) throw new Error('positions of a range tombstone do not descend')
        positions.push(lower)
      }
      tombstones.#starts.push(fragmentStart)
      tombstones.#ends.push(fragmentEnd)
      tombstones.#positions.push(positions)
      previousEnd = fragmentEnd
    }
    if (at !== end) throw new Error('range tombstones are followed by something else')
    return tombstones
  }

  #fragmentBytes(index: number): number {
    const start = this.#starts[index]!
    const end = this.#ends[index]
    const positions = this.#positions[index]!
    let length =
      varintLength(start.length) + start.length + varintLength(positions.length) + varintLength(positions[0]!)
    length += end === undefined ? 1 : varintLength(end.length + 1) + end.length
    for (let p = 1; p < positions.length; p++) length += varintLength(positions[p - 1]! - positions[p]!)
    return length
  }

  #lastStartingAtOrBefore(key: Uint8Array, start: number, end: number): number {
    let low = -1
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const candidate = this.#starts[middle]!
      if (compareBytes(candidate, 0, candidate.length, key, start, end) <= 0) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Replaces the fragments that overlap `[start, end)` by their parts outside and inside, the gaps between them filled. */
  #cover(start: Uint8Array, end: Uint8Array | undefined, added: readonly Position[]): void {
    if (end !== undefined && compareKeys(start, end) >= 0) return
    let first = Math.max(0, this.#lastStartingAtOrBefore(start, 0, start.length))
    if (first < this.size && endsAtOrBefore(this.#ends[first], start)) first++

    const starts: Uint8Array[] = []
    const ends: (Uint8Array | undefined)[] = []
    const positions: (readonly Position[])[] = []
    const put = (from: Uint8Array, to: Uint8Array | undefined, list: readonly Position[]): void => {
      starts.push(from)
      ends.push(to)
      positions.push(list)
    }

    let uncovered: Uint8Array | undefined = start
    let next = first
    while (next < this.size && uncovered !== undefined && !endsAtOrBefore(end, this.#starts[next]!)) {
      const fragmentStart = this.#starts[next]!
      const fragmentEnd = this.#ends[next]
      const fragmentPositions = this.#positions[next]!
      const order = compareKeys(fragmentStart, uncovered)
      if (order < 0) put(fragmentStart, uncovered, fragmentPositions)
      if (order > 0) put(uncovered, fragmentStart, added)
      const insideStart: Uint8Array = order > 0 ? fragmentStart : uncovered
      const insideEnd = lowerEnd(fragmentEnd, end)
      put(insideStart, insideEnd, mergeDescending(fragmentPositions, added))
      if (insideEnd !== undefined && (fragmentEnd === undefined || compareKeys(insideEnd, fragmentEnd) < 0)) {
        put(insideEnd, fragmentEnd, fragmentPositions)
      }
      uncovered = insideEnd
      next++
    }
    if (uncovered !== undefined && (end === undefined || compareKeys(uncovered, end) < 0)) put(uncovered, end, added)

    this.#starts = replaced(this.#starts, first, next, starts)
    this.#ends = replaced(this.#ends, first, next, ends)
    this.#positions = replaced(this.#positions, first, next, positions)
  }
}

const EMPTY = new Uint8Array(0)

/** The list with `[from, to)` replaced: in place while the arguments of a call can carry the new items, else rebuilt. */
function replaced<T>(list: T[], from: number, to: number, items: T[]): T[] {
  if (items.length > 1000) return list.slice(0, from).concat(items, list.slice(to))
  list.splice(from, to - from, ...items)
  return list
}

function endsAtOrBefore(end: Uint8Array | undefined, key: Uint8Array): boolean {
  return end !== undefined && compareKeys(end, key) <= 0
}

function lowerEnd(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return compareKeys(a, b) <= 0 ? a : b
}

function mergeDescending(a: readonly Position[], b: readonly Position[]): readonly Position[] {
  const merged: Position[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const next = j === b.length || (i < a.length && a[i]! >= b[j]!) ? a[i]! : b[j]!
    if (a[i] === next) i++
    if (b[j] === next) j++
    merged.push(next)
  }
  return merged
}
