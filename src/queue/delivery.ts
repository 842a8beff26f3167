import { invalid } from '../bytes/errors.js'
import type { Change } from './change.js'
import { Departures } from './departures.js'
import { type Entry, idIn } from './entry.js'
import { Handout } from './handout.js'
import { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import type { MessageLog } from './message-log.js'
import type { Office } from './office.js'
import type { Registration } from './registration.js'
import { Removals } from './removals.js'
import { changedRules, type QueueRules, type Rules } from './rules.js'
import { Stock } from './stock.js'

/**
 * What is to be handed out, in which order, and what became of it: the one state of a queue or a subscription, whoever uses it. What it
 * holds is its stock; what hands out, what ends a delivery and what removes by hand all work on that.
 */
export class Delivery {
  readonly post: Office
  readonly name: string
  readonly number: number
  readonly stock: Stock
  readonly departures: Departures
  readonly handout: Handout
  readonly removals: Removals
  private readonly registration: Registration
  private readonly queueOfLetters: (name: string) => Delivery

  /** `source`: the run of a topic, for a subscription. `queueOfLetters`: where dead letters go, by its name. */
  constructor(registration: Registration, source: MessageLog | undefined, queueOfLetters: (name: string) => Delivery) {
    const { post, name, number } = registration
    this.post = post
    this.name = name
    this.number = number
    this.registration = registration
    this.queueOfLetters = queueOfLetters
    this.stock = new Stock(registration, source)
    this.departures = new Departures(this.stock)
    this.handout = new Handout(this.stock, this.departures)
    this.removals = new Removals(this.stock, this.departures, this.handout)
  }

  get rules(): Rules {
    return this.registration.rules
  }

  /** Where its dead letters go; undefined where nothing is kept. */
  get deadLetters(): Delivery | undefined {
    const { deadLetter } = this.rules
    return deadLetter === false ? undefined : this.queueOfLetters(deadLetter)
  }

  /** Appends a message to the lane of its priority. Returns its id. */
  append(change: Change, priority: number, message: Uint8Array, expiresAt: number): string {
    const { stock } = this
    let lane = stock.lanes.find((each) => each.priority === priority)
    if (lane === undefined) {
      const behind = stock.lanes.findIndex((each) => each.priority < priority)
      lane = new Lane<Entry>(stock.newLog(priority), priority)
      stock.lanes.splice(behind < 0 ? stock.lanes.length : behind, 0, lane)
      const made = lane
      change.onRefused(() => stock.lanes.splice(stock.lanes.indexOf(made), 1))
      change.touch(stock)
    } else if (!stock.registration.isRecorded || lane.log.next === 0) change.touch(stock)
    const offset = lane.log.append(change, message)
    if (expiresAt > 0) stock.expiries.put(change, priority, offset, expiresAt)
    return idIn(lane, offset)
  }

  /** Puts a message where it waits for its time. Returns its id. */
  schedule(change: Change, due: number, priority: number, message: StoredMessage): string {
    const { stock } = this
    change.touch(stock)
    const { tally } = stock
    const number = tally.asideNumber++
    tally.asideCount++
    tally.asideBytes += message.size
    tally.asideSent++
    stock.scheduled.put(change, { due, number, priority, attempts: 0, id: '', reason: '', message })
    return `s${number}`
  }

  /** Those in flight whose time is over. */
  overdue(now: number): Entry[] {
    return this.stock.deadlines.overdue(now)
  }

  /** Gives the holder of a message more time. */
  extend(entry: Entry, deadline: number): void {
    this.stock.deadlines.extend(entry, deadline)
  }

  /** When there is something to do though nothing happens; undefined: never. */
  nextEvent(now: number): number | undefined {
    const { stock } = this
    let { next } = stock.deadlines
    for (const aside of [stock.retries, stock.scheduled]) {
      const due = aside.nextDue
      // What is due already waits for a consumer, not for the clock.
      if (due !== undefined && due > now) next = Math.min(next, due)
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Rules that somebody gives it; they are written down at once, unless they stand there already. */
  changeRules(given: QueueRules): void {
    const { registration, stock } = this
    const before = registration.rules
    const rules = changedRules(before, given)
    const { isRecorded, isBehind } = registration
    // What was given before and refused is written down with whatever is asked for next, be it nothing new.
    if (rules === before && (isRecorded || (Object.keys(given).length === 0 && !isBehind))) return
    if (rules.ordering !== before.ordering && stock.depth > 0) {
      throw invalid(
        `Queue '${this.name}' has ordering '${before.ordering}' and holds ${stock.depth} messages; the ordering can change when it is empty`,
      )
    }
    this.post.engine.checkWritable()
    const takeBack = registration.remember()
    registration.rules = rules
    try {
      // Should it be refused later, the next commit carries them, or the closing of the store.
      stock.commit(this.post.sync, () => {}).catch(() => {})
    } catch (error) {
      takeBack()
      throw error
    }
    stock.onRoom()
  }
}
