import type { Entry, WalkCursor } from '../bytes/cursor.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { firstRangeEndingAfter, type KeyRange } from './key-range.js'

const EMPTY = new Uint8Array(0)

/**
 * One walk over tables that stand behind each other in key order, as in a level from 1 on. A table is opened when the walk
 * comes to it, so a short scan of a level with thousands of tables opens one or two.
 *
 * Invariant: where opening the next table throws, the walk stands at the end of the one before it with `current` no longer
 * valid, and a repeated call goes on from there.
 */
export class LevelCursor implements WalkCursor {
  expected = 0
  most = 0
  private readonly ranges: readonly KeyRange[]
  private readonly openTable: (index: number) => WalkCursor
  private current: WalkCursor | undefined
  private index = 0

  /** `openTable` makes a cursor for the table with that index. */
  constructor(ranges: readonly KeyRange[], openTable: (index: number) => WalkCursor) {
    this.ranges = ranges
    this.openTable = openTable
  }

  get valid(): boolean {
    return this.current?.valid ?? false
  }

  get keyBytes(): Uint8Array {
    return this.current?.keyBytes ?? EMPTY
  }

  get keyStart(): number {
    return this.current!.keyStart
  }

  get keyEnd(): number {
    return this.current!.keyEnd
  }

  get kind(): number {
    return this.current!.kind
  }

  get position(): Position {
    return this.current!.position
  }

  get expiresAt(): EpochMs {
    return this.current!.expiresAt
  }

  get valueBytes(): Uint8Array {
    return this.current?.valueBytes ?? EMPTY
  }

  get valueStart(): number {
    return this.current!.valueStart
  }

  get valueEnd(): number {
    return this.current!.valueEnd
  }

  get entry(): Entry {
    return this.current!.entry
  }

  release(): void {
    this.current?.release()
  }

  seekToFirst(): void {
    this.current = undefined
    this.index = -1
    this.settleForward()
  }

  seekToLast(): void {
    this.current = undefined
    this.index = this.ranges.length
    this.settleBackward()
  }

  seek(bytes: Uint8Array, start: number, end: number): void {
    const index = firstRangeEndingAfter(this.ranges, bytes, start, end)
    if (index === this.ranges.length) {
      this.current = undefined
      return
    }
    const cursor = this.cursorAt(index)
    cursor.expected = this.expected
    cursor.most = this.most
    cursor.seek(bytes, start, end)
    this.index = index
    this.current = cursor
    this.settleForward()
  }

  seekBefore(bytes: Uint8Array, start: number, end: number): void {
    const index = firstRangeEndingAfter(this.ranges, bytes, start, end)
    if (index === this.ranges.length) {
      this.seekToLast()
      return
    }
    const cursor = this.cursorAt(index)
    cursor.seekBefore(bytes, start, end)
    this.index = index
    this.current = cursor
    this.settleBackward()
  }

  next(): void {
    if (this.current!.valid) this.current!.next()
    this.settleForward()
  }

  prev(): void {
    if (this.current!.valid) this.current!.prev()
    this.settleBackward()
  }

  private settleForward(): void {
    while (!this.valid && this.index + 1 < this.ranges.length) {
      const cursor = this.openTable(this.index + 1)
      cursor.seekToFirst()
      this.index++
      this.current?.release()
      this.current = cursor
    }
  }

  private settleBackward(): void {
    while (!this.valid && this.index > 0) {
      const cursor = this.openTable(this.index - 1)
      cursor.seekToLast()
      this.index--
      this.current?.release()
      this.current = cursor
    }
  }

  private cursorAt(index: number): WalkCursor {
    return this.current !== undefined && this.index === index ? this.current : this.openTable(index)
  }
}
