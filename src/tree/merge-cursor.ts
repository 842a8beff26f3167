import { compareBytes } from '../bytes/compare.js'
import type { Cursor } from '../bytes/cursor.js'
import type { EpochMs, Position } from '../bytes/units.js'

const EMPTY = new Uint8Array(0)

/**
 * Merges cursors over all versions into one: keys ascending, within a key the newest version first. Forward only, which is
 * how compaction reads.
 *
 * A tree of losers: every inner node keeps who lost there, so a step compares once per level of the tree, log2 of the sources,
 * and only along the path of the source that moved. The keys under comparison are kept beside each other, so that the
 * comparisons see arrays instead of cursors of many shapes.
 */
export class MergeCursor implements Cursor {
  valid = false
  keyBytes: Uint8Array = EMPTY
  keyStart = 0
  keyEnd = 0

  private readonly sources: readonly Cursor[]
  private readonly bytes: Uint8Array[]
  private readonly starts: Int32Array
  private readonly ends: Int32Array
  /** -1 once a source has ended. */
  private readonly positions: Float64Array
  /** Place 0: the winner. Places 1 to count - 1: the loser at that node; the leaves are the places from count on. */
  private readonly losers: Int32Array
  private winner = 0

  constructor(sources: readonly Cursor[]) {
    const count = sources.length
    this.sources = sources
    this.bytes = sources.map(() => EMPTY)
    this.starts = new Int32Array(count)
    this.ends = new Int32Array(count)
    this.positions = new Float64Array(count)
    this.losers = new Int32Array(count)
  }

  get kind(): number {
    return this.sources[this.winner]!.kind
  }

  get position(): Position {
    return this.positions[this.winner]!
  }

  get expiresAt(): EpochMs {
    return this.sources[this.winner]!.expiresAt
  }

  get valueBytes(): Uint8Array {
    return this.sources[this.winner]!.valueBytes
  }

  get valueStart(): number {
    return this.sources[this.winner]!.valueStart
  }

  get valueEnd(): number {
    return this.sources[this.winner]!.valueEnd
  }

  seekToFirst(): void {
    for (const source of this.sources) source.seekToFirst()
    this.playAll()
  }

  seek(bytes: Uint8Array, start: number, end: number): void {
    for (const source of this.sources) source.seek(bytes, start, end)
    this.playAll()
  }

  seekToLast(): never {
    throw new Error('A merge of all versions only goes forward')
  }

  seekBefore(): never {
    throw new Error('A merge of all versions only goes forward')
  }

  prev(): never {
    throw new Error('A merge of all versions only goes forward')
  }

  next(): void {
    const { losers } = this
    let winner = this.winner
    this.sources[winner]!.next()
    this.read(winner)
    for (let node = (winner + losers.length) >> 1; node > 0; node >>= 1) {
      const loser = losers[node]!
      if (this.isBefore(loser, winner)) {
        losers[node] = winner
        winner = loser
      }
    }
    this.show(winner)
  }

  private playAll(): void {
    const count = this.sources.length
    if (count === 0) return
    for (let i = 0; i < count; i++) this.read(i)
    const winners = new Int32Array(count * 2)
    for (let i = 0; i < count; i++) winners[count + i] = i
    for (let node = count - 1; node > 0; node--) {
      const left = winners[node * 2]!
      const right = winners[node * 2 + 1]!
      const leftFirst = this.isBefore(left, right)
      winners[node] = leftFirst ? left : right
      this.losers[node] = leftFirst ? right : left
    }
    this.show(count === 1 ? 0 : winners[1]!)
  }

  private read(source: number): void {
    const cursor = this.sources[source]!
    if (!cursor.valid) {
      this.positions[source] = -1
      return
    }
    this.bytes[source] = cursor.keyBytes
    this.starts[source] = cursor.keyStart
    this.ends[source] = cursor.keyEnd
    this.positions[source] = cursor.position
  }

  private isBefore(a: number, b: number): boolean {
    const { positions, bytes, starts, ends } = this
    const position = positions[a]!
    if (position < 0) return false
    if (positions[b]! < 0) return true
    const order = compareBytes(bytes[a]!, starts[a]!, ends[a]!, bytes[b]!, starts[b]!, ends[b]!)
    return order !== 0 ? order < 0 : position > positions[b]!
  }

  private show(winner: number): void {
    this.winner = winner
    this.valid = this.positions[winner]! >= 0
    this.keyBytes = this.bytes[winner]!
    this.keyStart = this.starts[winner]!
    this.keyEnd = this.ends[winner]!
  }
}

/** To the first entry that a trim point leaves, where there is one. */
export function toFirstNeeded(cursor: Cursor, trimmedBefore: Uint8Array | undefined): void {
  if (trimmedBefore === undefined) cursor.seekToFirst()
  else cursor.seek(trimmedBefore, 0, trimmedBefore.length)
}
