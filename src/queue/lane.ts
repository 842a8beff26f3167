import { corruption } from '../bytes/errors.js'
import { Heap } from './heap.js'
import type { MessageLog, PlacedMessage } from './message-log.js'

// Reading ahead begins small, because many reads are of the one message that just came, and grows while it goes on.
const FIRST_SLICE = 32
const LARGEST_SLICE = 1024
const SLICE_BYTES = 256 * 1024
// Up to so many messages are looked up one by one: a lookup in memory takes 1 us, a scan 3 us before it reads anything.
const FEW = 4

/**
 * A place in a run of messages from which they are handed out in order: everything before the cursor was handed out or passed over,
 * and what of that is not gone has an entry. A queue has one lane for each priority that was ever used, a subscription has one.
 */
export class Lane<Entry> {
  readonly log: MessageLog
  readonly priority: number
  /** The first message that was never looked at. */
  cursor = 0
  /** Bytes of all messages before the cursor. */
  passedBytes = 0
  /** Those before the cursor that are not gone and have an entry; but for late ones in ascending order, as the cursor passes them. */
  readonly entries = new Map<number, Entry>()
  /** Nothing before it waits without an entry. */
  floor: () => number = () => Number.POSITIVE_INFINITY
  /** Offsets of those that got their entry later than the cursor passed them. */
  private readonly late = new Heap<number>((a, b) => a < b)
  private ahead: PlacedMessage[] = []
  private aheadAt = 0
  private sliceSize = FIRST_SLICE
  private moves = 0
  private settledCursor = 0

  constructor(log: MessageLog, priority: number) {
    this.log = log
    this.priority = priority
  }

  /** Messages that were never looked at, those whose commit is on its way included. */
  get waiting(): number {
    return this.log.next - this.cursor
  }

  get waitingBytes(): number {
    return this.log.totalBytes - this.passedBytes
  }

  /** Whether there is a message at the cursor to be handed out. */
  get hasNext(): boolean {
    return this.cursor < this.log.visible
  }

  /** The message at the cursor, if it was read ahead. */
  get head(): PlacedMessage | undefined {
    return this.ahead[this.aheadAt]
  }

  /** The cursor goes past the head. */
  pass(): void {
    const { offset, message } = this.head!
    this.cursor = offset + 1
    this.passedBytes = this.log.totalOf(message)
    this.aheadAt++
    if (this.aheadAt === this.ahead.length) {
      this.ahead = []
      this.aheadAt = 0
    }
  }

  /** Puts the cursor somewhere; what was read ahead is forgotten. */
  moveTo(cursor: number, passedBytes: number): void {
    this.moves++
    this.cursor = cursor
    this.passedBytes = passedBytes
    this.ahead = []
    this.aheadAt = 0
  }

  /** Whether so many messages were read ahead, or all that there are. */
  has(count: number): boolean {
    return this.ahead.length - this.aheadAt >= Math.min(count, this.log.visible - this.cursor)
  }

  /** Reads ahead where that takes no wait. Says whether so many messages are at hand now, or all that there are. */
  fillResident(count: number): boolean {
    const { log } = this
    this.catchUp()
    if (this.has(count)) return true
    const from = this.behindAhead
    if (log.visible - from > FEW) return false
    for (let offset = from; offset < log.visible; offset++) {
      const message = log.atResident(offset)
      if (message === null) return false
      if (message === undefined) throw this.missing(offset)
      this.ahead.push({ offset, message })
    }
    return true
  }

  /** Reads ahead, from the disk if need be. */
  async fill(): Promise<void> {
    const { log } = this
    this.catchUp()
    const { moves } = this
    const from = this.behindAhead
    if (from >= log.visible) return
    const slice = await log.slice(from, log.visible, this.sliceSize, SLICE_BYTES)
    this.sliceSize = Math.min(this.sliceSize * 2, LARGEST_SLICE)
    // Somebody may have moved the cursor, or read ahead on the spot, meanwhile.
    if (this.moves !== moves || this.behindAhead !== from) return
    if (slice.length === 0 && from >= log.first) throw this.missing(from)
    this.ahead = [...this.ahead.slice(this.aheadAt), ...slice]
    this.aheadAt = 0
  }

  /** Reads the head, waiting for the disk if it must. Says whether there is one. */
  readHead(): boolean {
    this.catchUp()
    if (this.head !== undefined) return true
    const { log, cursor } = this
    if (cursor >= log.visible) return false
    const message = log.at(cursor)
    if (message === undefined) throw this.missing(cursor)
    this.ahead.push({ offset: cursor, message })
    return true
  }

  private get behindAhead(): number {
    const last = this.ahead.at(-1)
    return last === undefined ? this.cursor : last.offset + 1
  }

  /** Has read everything: the next time begins small again. */
  rest(): void {
    this.sliceSize = FIRST_SLICE
  }

  /** What retention has taken away is passed over. */
  private catchUp(): void {
    const { log } = this
    if (this.cursor < log.first) this.moveTo(log.first, log.bytesBefore(log.first))
  }

  private missing(offset: number): Error {
    return corruption(this.log.state.name.slice(1), offset, 'a message that was never acknowledged is not there')
  }

  /** The first message that is still needed, also if no commit that is on its way should come to be. */
  get low(): number {
    const { late, entries } = this
    let low = Math.min(this.cursor, this.settledCursor, this.floor())
    while (late.first !== undefined && !entries.has(late.first)) late.pop()
    if (late.first !== undefined) low = Math.min(low, late.first)
    for (const offset of entries.keys()) return Math.min(offset, low)
    return low
  }

  /** An entry of a message that the cursor has passed long ago. */
  addLate(offset: number, entry: Entry): void {
    this.entries.set(offset, entry)
    this.late.push(offset)
  }

  /** The commit that moved the cursor there is visible. */
  settledAt(cursor: number): void {
    this.settledCursor = cursor
  }
}
