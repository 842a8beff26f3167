import type { AsideMessage } from './aside.js'
import type { Change } from './change.js'
import type { Departures } from './departures.js'
import { type Entry, encodeEntry, entryLane, hasExpired, idIn, newEntry } from './entry.js'
import type { Heap } from './heap.js'
import { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import { STRICT } from './orders.js'
import { entryKey } from './state-keys.js'
import type { Stock } from './stock.js'

/** Of one commit that hands messages out: how many it may pass over besides. */
export const MOST_PASSED = 64

/** Whether a message at the head is handed out at all. */
export type Filter = (message: StoredMessage, offset: number) => boolean

/** What is handed out, and in which order. */
export class Handout {
  private readonly stock: Stock
  private readonly departures: Departures
  /** Whether what comes next could not be told without the disk. */
  private isUnsure = false
  /** Whether the last `take` may have left something behind that could be handed out. */
  stoppedEarly = false

  constructor(stock: Stock, departures: Departures) {
    this.stock = stock
    this.departures = departures
  }

  /** Reads ahead where that takes no wait. Says whether it is known now which `count` messages come next. */
  fillResident(count: number): boolean {
    const { stock } = this
    if (stock.retries.isStale || stock.scheduled.isStale || stock.backlog.isStale) return false
    for (const lane of stock.lanes) {
      if (!lane.fillResident(count)) return false
    }
    return true
  }

  /** Reads ahead, from the disk if need be. */
  async fill(count: number): Promise<void> {
    const { stock } = this
    if (stock.retries.isStale) await stock.retries.fill()
    if (stock.scheduled.isStale) await stock.scheduled.fill()
    if (stock.backlog.isStale) await stock.backlog.fill((order) => this.departures.release(order))
    for (const lane of stock.lanes) {
      if (!lane.fillResident(count)) await lane.fill()
    }
  }

  /** Whether there is anything to be handed out, or passed over. Requires: `fillResident` said yes, or `fill` is done. */
  hasNext(now: number): boolean {
    return this.nextSource(now, this.stock.rules.ordering === 'strict' && this.stock.orders.has(STRICT)) !== undefined
  }

  /**
   * Takes up to `max` messages to be handed out, the ones that come first, as part of a commit. Passes over what has expired, what the
   * filter leaves out, and what waits for its group; `dying` gets those that were handed out too often.
   */
  take(change: Change, max: number, now: number, filter: Filter | undefined, dying: Entry[]): Entry[] {
    const { stock } = this
    const taken: Entry[] = []
    const cursors = stock.lanes.map((lane) => [lane, lane.cursor, lane.passedBytes] as const)
    change.onRefused(() => {
      for (const [lane, cursor, passedBytes] of cursors) lane.moveTo(cursor, passedBytes)
    })
    const isStrict = stock.rules.ordering === 'strict'
    for (let passed = 0; taken.length < max && passed < MOST_PASSED; ) {
      const isBusy = isStrict && stock.orders.has(STRICT)
      const next = this.nextSource(now, isBusy)
      this.stoppedEarly = true
      if (next === undefined) {
        this.stoppedEarly = this.isUnsure
        break
      }
      let entry: Entry | undefined
      if (next === stock.loose) entry = this.takeLoose(change, now)
      else if (next instanceof Lane) entry = this.takeHead(change, next, now, filter)
      else entry = this.takeAside(change, next as AsideMessage, now)
      if (entry === undefined) {
        passed++
        continue
      }
      if (entry.attempts >= stock.rules.maxAttempts) {
        dying.push(entry)
        passed++
        continue
      }
      this.handOut(change, entry, now)
      taken.push(entry)
    }
    stock.settleCursors(change)
    return taken
  }

  /** Where the message that comes next is: the highest priority; of equals what was under way before, what is due, what waits. */
  private nextSource(now: number, isBusy: boolean): Heap<Entry> | AsideMessage | Lane<Entry> | undefined {
    const { stock } = this
    const { loose } = stock
    this.isUnsure = false
    if (stock.backlog.isStale) return this.unsure()
    while (loose.first !== undefined && loose.first.state !== 'loose') loose.pop()
    let best: Heap<Entry> | AsideMessage | Lane<Entry> | undefined = loose.first === undefined ? undefined : loose
    let priority = loose.first?.priority ?? Number.NEGATIVE_INFINITY
    for (const aside of isBusy ? [stock.retries] : [stock.retries, stock.scheduled]) {
      // What it holds may come first; it has to be asked before anything else goes.
      if (aside.isStale) return this.unsure()
      const item = aside.best(now)
      if (item !== undefined && item.priority > priority) {
        best = item
        priority = item.priority
      }
    }
    if (isBusy) return best
    for (const lane of stock.lanes) {
      if (lane.priority <= priority) break
      if (!lane.hasNext) continue
      return lane.head !== undefined || lane.fillResident(1) ? lane : this.unsure()
    }
    return best
  }

  private unsure(): undefined {
    this.isUnsure = true
    return undefined
  }

  private takeLoose(change: Change, now: number): Entry | undefined {
    const entry = this.stock.loose.pop()!
    change.onRefused(() => {
      if (entry.state === 'loose') this.stock.loose.push(entry)
    })
    const { lane } = entry
    if (lane !== undefined && entry.offset < lane.log.first) {
      // Its topic has not kept it.
      this.departures.leave(change, entry)
      return undefined
    }
    if (!hasExpired(entry, now)) return entry
    this.departures.expire(change, entry)
    return undefined
  }

  private takeHead(change: Change, lane: Lane<Entry>, now: number, filter: Filter | undefined): Entry | undefined {
    const { stock } = this
    const { offset, message } = lane.head!
    const { expiresAt } = message
    lane.pass()
    if (expiresAt > 0) stock.expiries.forget(change, lane.priority, offset, expiresAt)
    if (expiresAt > 0 && expiresAt <= now) {
      stock.tally.expired++
      stock.forgetDeath(message)
      change.onCommitted(() => this.departures.freed(lane))
      change.announce('expire', () => ({ queue: stock.name, id: idIn(lane, offset) }))
      return undefined
    }
    if (filter?.(message, offset) === false) {
      change.onCommitted(() => this.departures.freed(lane))
      return undefined
    }
    if (this.passBusy(change, lane, offset, message)) return undefined
    const entry = newEntry(lane, offset, 0, 0, lane.priority, message)
    lane.entries.set(offset, entry)
    change.onRefused(() => {
      lane.entries.delete(offset)
      entry.state = 'gone'
    })
    return this.admit(change, entry, false)
  }

  private takeAside(change: Change, item: AsideMessage, now: number): Entry | undefined {
    const { stock } = this
    const { due, number, priority, attempts, id, reason, message } = item
    const isRetry = stock.retries.best(now) === item
    const aside = isRetry ? stock.retries : stock.scheduled
    aside.take(change, item)
    stock.tally.asideCount--
    stock.tally.asideBytes -= message.size
    const entry = newEntry(undefined, number, aside.kind, due, priority, message)
    entry.attempts = attempts
    entry.reason = reason
    entry.id = id
    stock.asideEntries.set(number, entry)
    change.onRefused(() => {
      stock.asideEntries.delete(number)
      entry.state = 'gone'
    })
    const admitted = this.admit(change, entry, isRetry)
    if (admitted === undefined || !hasExpired(entry, now)) return admitted
    this.departures.expire(change, entry)
    return undefined
  }

  /** Passes over a message whose group has one under way. Says whether it did. */
  passBusy(change: Change, lane: Lane<Entry>, offset: number, message: StoredMessage): boolean {
    const { stock } = this
    const order = stock.orderOf(message)
    if (order === undefined || !stock.orders.has(order)) return false
    stock.backlog.pass(change, lane, offset, message, order)
    return true
  }

  /** A message comes under way, or waits for its group, which the retry of one of its messages has never left. */
  admit(change: Change, entry: Entry, isRetry: boolean): Entry | undefined {
    const { stock } = this
    stock.counted(entry, 1)
    change.onRefused(() => stock.counted(entry, -1))
    const order = stock.orderOf(entry.stored!)
    entry.order = order
    if (order === undefined || isRetry) return entry
    if (!stock.orders.has(order)) {
      stock.orders.begin(order)
      change.onRefused(() => stock.orders.forget(order))
      return entry
    }
    stock.orders.wait(entry)
    change.onRefused(() => stock.orders.leave(entry))
    change.record.put(stock.post.state, entryKey(stock.number, entryLane(entry), entry.offset), encodeEntry(entry))
    return undefined
  }

  private handOut(change: Change, entry: Entry, now: number): void {
    const { stock } = this
    const { tally } = stock
    const before = entry.attempts
    // It may have to be read, which may fail.
    entry.stored = stock.messageOf(entry)
    stock.backlog.settle(change, entry)
    entry.attempts++
    entry.fence = ++tally.fence
    entry.deadline = now + stock.rules.visibilityTimeout
    entry.state = 'in-flight'
    stock.inFlight++
    tally.received++
    if (entry.attempts > 1) tally.redelivered++
    change.onRefused(() => {
      entry.attempts = before
      entry.fence = 0
      // Its time may have ended before the disk said no.
      if (entry.state === 'in-flight') stock.inFlight--
      entry.state = 'loose'
    })
    change.record.put(stock.post.state, entryKey(stock.number, entryLane(entry), entry.offset), encodeEntry(entry))
    change.onCommitted(() => stock.deadlines.add(entry))
  }

  /** Passes over those at the head that are not wanted, as part of a commit, while more are at hand; at most so many. */
  passUnwanted(change: Change, lane: Lane<Entry>, isUnwanted: Filter, most: number): void {
    const { cursor, passedBytes } = lane
    change.onRefused(() => lane.moveTo(cursor, passedBytes))
    for (let left = most; left > 0 && lane.head !== undefined; left--) {
      if (!isUnwanted(lane.head.message, lane.head.offset)) break
      lane.pass()
    }
    change.onCommitted(() => this.departures.freed(lane))
    this.stock.settleCursors(change)
  }

  /** Takes messages that have expired off the heads of the lanes, as part of a commit. Whether there may be more. */
  sweep(change: Change, now: number): boolean {
    const { stock } = this
    let passed = 0
    for (const lane of stock.lanes) {
      while (lane.hasNext && (lane.head !== undefined || lane.fillResident(1))) {
        const { expiresAt } = lane.head!.message
        if (expiresAt === 0 || expiresAt > now) break
        if (passed++ === MOST_PASSED) {
          stock.settleCursors(change)
          return true
        }
        const { cursor, passedBytes } = lane
        change.onRefused(() => lane.moveTo(cursor, passedBytes))
        this.takeHead(change, lane, now, undefined)
      }
    }
    stock.settleCursors(change)
    return false
  }
}
