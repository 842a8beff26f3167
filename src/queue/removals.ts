import { assert } from '../bytes/errors.js'
import type { Aside, AsideMessage } from './aside.js'
import type { Change } from './change.js'
import type { Departures } from './departures.js'
import { type Entry, encodeEntry, entryLane, newEntry } from './entry.js'
import type { Handout } from './handout.js'
import { Lane } from './lane.js'
import type { FoundLetter } from './letter.js'
import type { StoredMessage } from './message-format.js'
import { entryKey, KIND_ENTRY, KIND_RETRY, KIND_SCHEDULED, kindRange } from './state-keys.js'
import type { Stock } from './stock.js'

/** What leaves without having been handed out, because somebody wants it so. */
export class Removals {
  private readonly stock: Stock
  private readonly departures: Departures
  private readonly handout: Handout

  constructor(stock: Stock, departures: Departures, handout: Handout) {
    this.stock = stock
    this.departures = departures
    this.handout = handout
  }

  /** Removes the oldest message that is not in flight, as part of a commit. Returns its size, undefined where there is none. */
  dropOldest(change: Change): number | undefined {
    const { stock } = this
    const { loose } = stock
    while (loose.first !== undefined && loose.first.state !== 'loose') loose.pop()
    let oldest: Lane<Entry> | Entry | undefined
    let sentAt = Number.POSITIVE_INFINITY
    for (const entry of loose.values()) {
      if (entry.state !== 'loose' || entry.sentAt >= sentAt) continue
      oldest = entry
      sentAt = entry.sentAt
    }
    for (const lane of stock.lanes) {
      const message = lane.hasNext ? (lane.head?.message ?? lane.log.at(lane.cursor)) : undefined
      if (message === undefined || message.sentAt >= sentAt) continue
      oldest = lane
      sentAt = message.sentAt
    }
    if (oldest === undefined) return undefined
    change.touch(stock)
    stock.tally.dropped++
    if (oldest instanceof Lane) return this.dropHead(change, oldest)
    oldest.stored ??= stock.messageOf(oldest)
    this.departures.leave(change, oldest)
    return oldest.size
  }

  /**
   * A dead letter of a queue that is not in flight. Letters of others at the head are passed over, by a commit of their own ('passed'):
   * they are handed out as before.
   */
  findLetter(queue: string): FoundLetter | 'passed' | undefined {
    const { stock } = this
    for (const entry of stock.entries()) {
      if (entry.state !== 'loose' && entry.state !== 'waiting') continue
      const stored = stock.messageOf(entry)
      if (stored.history?.deadLetter?.queue !== queue) continue
      const id = stock.idOf(entry, stored)
      const remove = (change: Change): void => {
        this.leaveFromRest(change, entry, stored)
      }
      return { id, stored, remove }
    }
    for (const aside of [stock.retries, stock.scheduled]) {
      const item = letterIn(aside, queue)
      if (item === undefined) continue
      const id = item.message.history!.id
      return { id, stored: item.message, remove: (change) => this.removeAside(change, aside, item) }
    }
    for (const { lane, order, offset, size } of stock.backlog.each()) {
      const stored = lane.log.at(offset)
      if (stored?.history?.deadLetter?.queue !== queue) continue
      return {
        id: stored.history.id,
        stored,
        remove: (change) => this.removePassed(change, lane, order, offset, size, stored),
      }
    }
    const lane = stock.lanes.find((each) => each.hasNext)
    const stored = lane?.head?.message
    if (lane === undefined || stored === undefined) return undefined
    if (stored.history?.deadLetter?.queue === queue) {
      return { id: stored.history.id, stored, remove: (change) => this.dropHead(change, lane) }
    }
    this.passHead(lane)
    return 'passed'
  }

  /** A message that waits for its group leaves the line; one that is loose is found gone when its turn comes. */
  private leaveFromRest(change: Change, entry: Entry, stored: StoredMessage): void {
    const { orders, loose } = this.stock
    const wasWaiting = orders.leave(entry)
    entry.stored = stored
    if (wasWaiting) {
      change.onRefused(() => {
        if (orders.has(entry.order!)) {
          orders.wait(entry)
          return
        }
        // Whom it waited for is gone by now.
        orders.begin(entry.order!)
        entry.state = 'loose'
        loose.push(entry)
      })
    }
    this.departures.leave(change, entry, wasWaiting)
  }

  private removePassed(
    change: Change,
    lane: Lane<Entry>,
    order: string,
    offset: number,
    size: number,
    stored: StoredMessage,
  ): void {
    const { stock } = this
    stock.backlog.remove(change, lane, order, offset, size)
    stock.forgetDeath(stored)
    change.onCommitted(() => this.departures.freed(lane))
  }

  private removeAside(change: Change, aside: Aside, item: AsideMessage): void {
    const { stock } = this
    change.touch(stock)
    aside.take(change, item)
    aside.remove(change, item.due, item.number)
    stock.tally.asideCount--
    stock.tally.asideBytes -= item.message.size
    stock.forgetDeath(item.message)
    const order = aside === stock.retries ? stock.orderOf(item.message) : undefined
    change.onCommitted(() => {
      this.departures.release(order)
      this.departures.freed(undefined)
    })
  }

  /** The head becomes an entry that nobody has been handed yet. */
  private passHead(lane: Lane<Entry>): void {
    const { stock } = this
    const { offset, message } = lane.head!
    const { cursor, passedBytes } = lane
    stock
      .commit(false, (change) => {
        const entry = newEntry(lane, offset, 0, 0, lane.priority, message)
        if (lane.head?.offset === offset) lane.pass()
        else lane.moveTo(offset + 1, lane.log.totalOf(message))
        change.onRefused(() => lane.moveTo(cursor, passedBytes))
        stock.settleCursors(change)
        if (this.handout.passBusy(change, lane, offset, message)) return
        lane.entries.set(offset, entry)
        change.onRefused(() => {
          lane.entries.delete(offset)
          entry.state = 'gone'
        })
        if (this.handout.admit(change, entry, false) === undefined) return
        change.record.put(stock.post.state, entryKey(stock.number, entryLane(entry), offset), encodeEntry(entry))
        stock.loose.push(entry)
      })
      .catch(() => {})
  }

  private dropHead(change: Change, lane: Lane<Entry>): number {
    const { stock } = this
    const { cursor, passedBytes } = lane
    const message = lane.head?.message ?? lane.log.at(cursor)!
    change.onRefused(() => lane.moveTo(cursor, passedBytes))
    if (lane.head !== undefined) lane.pass()
    else lane.moveTo(cursor + 1, lane.log.totalOf(message))
    if (message.expiresAt > 0) stock.expiries.forget(change, lane.priority, cursor, message.expiresAt)
    stock.forgetDeath(message)
    stock.settleCursors(change)
    change.onCommitted(() => this.departures.freed(lane))
    return message.size
  }

  /** Removes everything, what is in flight included. Returns how many that were. */
  purge(change: Change): number {
    const { stock } = this
    const { post, number, depth } = stock
    change.touch(stock)
    for (const entry of stock.entries()) this.discard(change, entry)
    for (const lane of stock.lanes) {
      const { cursor, passedBytes } = lane
      lane.moveTo(lane.log.next, lane.log.totalBytes)
      change.onRefused(() => lane.moveTo(cursor, passedBytes))
      change.onCommitted(() => this.departures.freed(lane))
    }
    for (const kind of [KIND_ENTRY, KIND_SCHEDULED, KIND_RETRY]) {
      change.record.clear(post.state, kindRange(number, kind))
    }
    const { tally } = stock
    tally.expired += stock.expiries.clear(change)
    tally.purged += depth
    tally.asideCount = 0
    tally.asideBytes = 0
    tally.deaths = {}
    stock.settleCursors(change)
    this.forgetAll(change)
    change.onCommitted(() => {
      stock.onRoom()
      stock.onReady()
    })
    return depth
  }

  /** Nothing of what was under way counts any more. */
  private forgetAll(change: Change): void {
    const { stock } = this
    const { loose } = stock
    const wereLoose = [...loose.values()]
    const restoreOrders = stock.orders.clear()
    loose.clear()
    // Before anything is added to the commit, each of which may be what it is refused for.
    change.onRefused(() => {
      restoreOrders()
      for (const entry of wereLoose) loose.push(entry)
    })
    stock.backlog.clear(change)
    stock.scheduled.clear(change)
    stock.retries.clear(change)
  }

  private discard(change: Change, entry: Entry): void {
    const { stock } = this
    const { state, lane, offset } = entry
    if (state === 'gone') return
    entry.state = 'gone'
    if (state === 'in-flight') stock.inFlight--
    stock.counted(entry, -1)
    change.onRefused(() => {
      entry.state = state
      if (state === 'in-flight') stock.inFlight++
      stock.counted(entry, 1)
    })
    change.onCommitted(() => {
      entry.stored = undefined
      if (lane === undefined) stock.asideEntries.delete(offset)
      else lane.entries.delete(offset)
    })
  }

  /** Puts the cursor of a subscription somewhere else: whatever was under way is forgotten. */
  seek(change: Change, offset: number): void {
    const { stock } = this
    assert(stock.source !== undefined, 'only a subscription can go back')
    const { tally } = stock
    const { purged } = tally
    this.purge(change)
    tally.purged = purged
    const lane = stock.lanes[0]!
    lane.moveTo(offset, stock.source.bytesBefore(offset))
    stock.settleCursors(change)
  }
}

function letterIn(aside: Aside, queue: string): AsideMessage | undefined {
  for (const item of aside.each()) if (item.message.history?.deadLetter?.queue === queue) return item
  return undefined
}
