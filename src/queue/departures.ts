import { assert, SiltstoneError } from '../bytes/errors.js'
import type { Change } from './change.js'
import { type Entry, entryLane, goesBefore, passedEntry } from './entry.js'
import type { Lane } from './lane.js'
import { entryKey, KIND_RETRY } from './state-keys.js'
import type { Stock } from './stock.js'

// Looking for tables that can be dropped costs 1 us; so many messages are a small table.
const TRIM_STEP = 4096

/** How the delivery of a message ends, and what its end sets free. */
export class Departures {
  private readonly stock: Stock
  private trimChecked = 0

  constructor(stock: Stock) {
    this.stock = stock
    stock.onFreed = (order) => this.release(order)
  }

  /** Throws where a receipt is not the one of the delivery under way. */
  checkReceipt(entry: Entry, fence: number): void {
    if (entry.state === 'in-flight' && entry.fence === fence) return
    throw new SiltstoneError(
      'SILT_STALE_RECEIPT',
      `This message of '${this.stock.name}' is not yours any more: its visibility timeout ended, or it was settled already; whoever has it now settles it`,
    )
  }

  /** Counts it as acknowledged. */
  acknowledge(change: Change, entry: Entry): void {
    change.touch(this.stock)
    this.stock.tally.acked++
    this.leave(change, entry)
  }

  /** A message is gone from here. */
  leave(change: Change, entry: Entry, keepsOrder = false): void {
    const { stock } = this
    change.touch(stock)
    stock.backlog.settle(change, entry)
    const { lane, kind, offset } = entry
    const { state } = entry
    change.record.del(stock.post.state, entryKey(stock.number, entryLane(entry), offset))
    if (lane === undefined) (kind === KIND_RETRY ? stock.retries : stock.scheduled).remove(change, entry.due, offset)
    stock.forgetDeath(entry.stored)
    entry.state = 'gone'
    if (state === 'in-flight') stock.inFlight--
    assert(stock.inFlight >= 0, 'no more messages are settled than are in flight')
    stock.counted(entry, -1)
    change.onRefused(() => {
      entry.state = state
      if (state === 'in-flight') stock.inFlight++
      // Whoever came upon it meanwhile has thrown it out as one that is gone.
      if (state === 'loose') stock.loose.push(entry)
      stock.counted(entry, 1)
    })
    change.onCommitted(() => {
      entry.stored = undefined
      if (lane === undefined) stock.asideEntries.delete(offset)
      else lane.entries.delete(offset)
      if (!keepsOrder) this.release(entry.order)
      this.freed(lane)
    })
  }

  /** Sets it aside until it is tried again. */
  postpone(change: Change, entry: Entry, due: number, reason: string): void {
    const { stock } = this
    const stored = stock.messageOf(entry)
    const id = stock.idOf(entry)
    this.leave(change, entry, true)
    const { tally } = stock
    if (stored.history?.deadLetter !== undefined) stock.rememberDeath(stored.history.deadLetter.queue)
    const number = tally.asideNumber++
    tally.asideCount++
    tally.asideBytes += stored.size
    const { priority, attempts } = entry
    stock.retries.put(change, { due, number, priority, attempts, id, reason, message: stored })
  }

  /** It is given back and can be handed out at once. What was written down when it was handed out stays true. */
  giveBack(entry: Entry, reason: string): void {
    const { stock } = this
    stock.inFlight--
    entry.state = 'loose'
    entry.fence = 0
    entry.reason = reason
    entry.stored = undefined
    stock.loose.push(entry)
    stock.onReady()
  }

  /** It was about to leave and stays after all. */
  putBack(entry: Entry): void {
    this.stock.loose.push(entry)
  }

  /** It expired before anybody had it, or between two attempts. */
  expire(change: Change, entry: Entry): void {
    const { stock } = this
    change.touch(stock)
    stock.tally.expired++
    entry.stored = stock.messageOf(entry)
    const id = stock.idOf(entry)
    this.leave(change, entry)
    change.announce('expire', () => ({ queue: stock.name, id }))
  }

  /** The next message of a group is free. */
  release(order: string | undefined): void {
    if (order === undefined) return
    const { orders, backlog, loose } = this.stock
    const passed = backlog.first(order)
    if (passed === 'unknown') {
      backlog.ask(order)
      return
    }
    const waiting = orders.first(order)
    let next: Entry | undefined
    if (
      passed !== undefined &&
      (waiting === undefined ||
        goesBefore(passedEntry(passed.lane, passed.passed.offset, order, passed.passed), waiting))
    ) {
      next = backlog.loosen(order, passed.lane)
    } else next = orders.release(order)
    if (next === undefined) return
    next.state = 'loose'
    loose.push(next)
  }

  /** Something is gone: its place can be used again. */
  freed(lane: Lane<Entry> | undefined): void {
    const { stock } = this
    if (lane !== undefined && stock.source === undefined) this.trim(lane)
    stock.onRoom()
    stock.onReady()
  }

  private trim(lane: Lane<Entry>): void {
    const { stock } = this
    const { log } = lane
    log.trim(lane.low)
    if (stock.depth > 0 && log.first - this.trimChecked < TRIM_STEP && log.first >= this.trimChecked) return
    this.trimChecked = log.first
    if (log.hasDeadTables) stock.post.sweeper.add(log, stock)
  }
}
