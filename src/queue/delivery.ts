import { assert, corruption, invalid, SiltstoneError } from '../bytes/errors.js'
import { creationByteBound } from '../store/record-writer.js'
import { Aside, type AsideMessage, asideByteBound } from './aside.js'
import { type Change, commitChange, type Ledger } from './change.js'
import { announce } from './channels.js'
import { Deadlines } from './deadlines.js'
import { decodeEntry, ENTRY_BYTE_BOUND, type Entry, encodeEntry, entryLane, goesBefore } from './entry.js'
import { Expiries } from './expiries.js'
import { Heap } from './heap.js'
import { Lane } from './lane.js'
import type { FoundLetter } from './letter.js'
import type { StoredMessage } from './message-format.js'
import { MessageLog } from './message-log.js'
import { decodeMeter, emptyTally, encodeMeter, type LaneFigures, meterByteBound, type Tally } from './meter.js'
import type { Office } from './office.js'
import { Orders } from './orders.js'
import { changedRules, type QueueRules, type Rules } from './rules.js'
import {
  ASIDE_LANE,
  entryKey,
  entryOffset,
  KIND_ENTRY,
  KIND_METER,
  KIND_RETRY,
  KIND_RULES,
  KIND_SCHEDULED,
  kindRange,
  laneOf,
  stateKey,
} from './state-keys.js'

/** Of one commit that hands messages out: how many it may pass over besides. */
export const MOST_PASSED = 64
// Messages that wait in memory for their group. Behind so many the queue does not look for other groups; SQS stops at 20,000.
const MOST_WAITING = 100_000
// Looking for tables that can be dropped costs 1 us; so many messages are a small table.
const TRIM_STEP = 4096
// The one order of a strict queue.
const STRICT = ''

/** Whether a message at the head is handed out at all. */
export type Filter = (message: StoredMessage, offset: number) => boolean

/** What a delivery is made of. */
export interface DeliveryParts {
  readonly post: Office
  readonly name: string
  readonly number: number
  readonly rules: Rules
  /** Whether name and rules stand on disk like that. */
  readonly recorded: boolean
  /** The run of a topic, for a subscription; a queue has runs of its own. */
  readonly source: MessageLog | undefined
  /** Where dead letters go, by its name. */
  queueOfLetters(name: string): Delivery
}

/**
 * What is to be handed out, in which order, and what became of it: the one state of a queue or a subscription, whoever uses it.
 *
 * On disk it is a cursor a lane, an entry for each message before the cursor that is not gone, what was set aside, and the figures
 * (`state-keys.ts`). So it is rebuilt in the time that what is in flight takes, however much waits; and a message costs
 * one entry when it is handed out and one deletion when it is gone, both of which die in memory when they are near each other.
 */
export class Delivery implements Ledger {
  readonly name: string
  readonly number: number
  readonly post: Office
  /** In order of priority, the highest first. */
  readonly lanes: Lane<Entry>[] = []
  readonly scheduled: Aside
  readonly retries: Aside
  tally: Tally = emptyTally()
  rules: Rules
  /** Whether name and rules are as they stand on disk. */
  private recorded: boolean
  /** Entries of messages that were set aside. */
  private readonly asideEntries = new Map<number, Entry>()
  /** To be handed out before what nobody looked at yet: given back, or free because their group is. */
  private readonly loose = new Heap<Entry>(goesBefore)
  private readonly deadlines = new Deadlines()
  /** Groups that have a message under way, and who waits for them. */
  private readonly orders = new Orders()
  /** Entries that are not gone. */
  private liveCount = 0
  private liveBytes = 0
  private inFlightCount = 0
  private readonly expiries: Expiries
  private trimChecked = 0
  /** Whether what comes next could not be told without the disk. */
  private isUnsure = false
  /** Whether the last `take` may have left something behind that could be handed out. */
  stoppedEarly = false
  /** The run of a topic; a queue has runs of its own. */
  private readonly source: MessageLog | undefined
  private readonly queueOfLetters: (name: string) => Delivery
  /** Something can be handed out that could not before. */
  onReady: () => void = () => {}
  /** There may be room for messages that did not fit. */
  onRoom: () => void = () => {}

  constructor(parts: DeliveryParts) {
    const { post, name, number, rules, recorded, source, queueOfLetters } = parts
    this.post = post
    this.name = name
    this.number = number
    this.rules = rules
    this.recorded = recorded
    this.source = source
    this.queueOfLetters = queueOfLetters
    this.scheduled = new Aside(post.reader, number, KIND_SCHEDULED)
    this.retries = new Aside(post.reader, number, KIND_RETRY)
    this.expiries = new Expiries(post.reader, number)
    source?.watch(() => this.onReady())
  }

  /** Where its dead letters go; undefined where nothing is kept. */
  get deadLetters(): Delivery | undefined {
    const { deadLetter } = this.rules
    return deadLetter === false ? undefined : this.queueOfLetters(deadLetter)
  }

  // Opening.

  /** Takes up what the store holds of it. */
  load(): void {
    const { reader } = this.post
    const meter = reader.get(stateKey(this.number, KIND_METER))
    if (meter === undefined) return
    const { lanes, tally } = decodeMeter(meter)
    this.tally = tally
    for (const figures of lanes) this.loadLane(figures)
    this.loadAside()
    if (this.rules.ordering === 'group' || this.rules.ordering === 'strict') this.loadOrders()
    else for (const entry of this.entries()) this.loose.push(entry)
    this.expiries.load()
  }

  private loadLane({ priority, cursor, passedBytes, next, totalBytes, low }: LaneFigures): void {
    const log = this.source ?? this.newLog(priority)
    if (this.source === undefined) log.load(low, next, totalBytes)
    const lane = new Lane<Entry>(log, priority)
    lane.moveTo(cursor, passedBytes)
    lane.settledAt(cursor)
    this.lanes.push(lane)
    const start = entryKey(this.number, laneOf(priority), low)
    const end = entryKey(this.number, laneOf(priority), cursor)
    for (const { key, value } of this.post.reader.all({ start, end })) {
      const entry = decodeEntry(lane, entryOffset(key), value)
      lane.entries.set(entry.offset, entry)
      this.counted(entry, 1)
    }
    if (this.source !== undefined) return
    // What was written down of the first needed message is behind by one commit. Everything that is read when a store opens is on disk.
    log.trim(lane.low)
    if (log.hasDeadTables) log.dropTables(log.first)
  }

  private loadAside(): void {
    const start = entryKey(this.number, ASIDE_LANE, 0)
    for (const { key, value } of this.post.reader.all({ start, end: kindRange(this.number, KIND_ENTRY).end })) {
      const entry = decodeEntry(undefined, entryOffset(key), value)
      this.asideEntries.set(entry.offset, entry)
      this.counted(entry, 1)
    }
    this.scheduled.load(this.tally.scheduledFrom, this.asideEntries.keys())
    this.retries.load(this.tally.retriesFrom, this.asideEntries.keys())
  }

  /** Who is under way comes first, who was passed over waits behind. */
  private loadOrders(): void {
    for (const { message } of this.retries.each()) {
      const order = this.orderOf(message)
      if (order !== undefined) this.orders.begin(order)
    }
    const entries = [...this.entries()].sort((a, b) => Number(a.attempts === 0) - Number(b.attempts === 0))
    for (const entry of entries) {
      entry.order = this.orderOf(this.messageOf(entry))
      if (entry.order !== undefined && this.orders.has(entry.order)) this.orders.wait(entry)
      else {
        if (entry.order !== undefined) this.orders.begin(entry.order)
        this.loose.push(entry)
      }
    }
  }

  private *entries(): Generator<Entry> {
    for (const lane of this.lanes) yield* lane.entries.values()
    yield* this.asideEntries.values()
  }

  private newLog(priority: number): MessageLog {
    const log = new MessageLog(this.post.engine, `queue/${this.number}/${priority}`)
    log.watch(() => this.onReady())
    return log
  }

  // Figures.

  save(): Tally {
    return { ...this.tally }
  }

  restore(saved: Tally): void {
    this.tally = saved
  }

  writeFigures(change: Change): void {
    const { record } = change
    const { state } = this.post
    this.record(change)
    const { tally } = this
    tally.scheduledFrom = this.scheduled.durableFrom
    tally.retriesFrom = this.retries.durableFrom
    const lanes = this.lanes.map((lane) => ({
      priority: lane.priority,
      cursor: lane.cursor,
      passedBytes: lane.passedBytes,
      next: lane.log.next,
      totalBytes: lane.log.totalBytes,
      low: lane.low,
    }))
    record.put(state, stateKey(this.number, KIND_METER), encodeMeter(lanes, tally))
  }

  /** Writes name and rules where the disk does not have them. */
  private record(change: Change): void {
    if (this.recorded) return
    const { post, number } = this
    this.recorded = true
    change.onRefused(() => {
      this.recorded = false
    })
    post.recordName(change, this.source === undefined ? 'queue' : 'subscription', this.name, number)
    change.record.put(post.state, stateKey(number, KIND_RULES), JSON.stringify(this.rules))
  }

  /** Room that the figures take in a record. */
  get figuresByteBound(): number {
    const rules = this.recorded ? 0 : 1024 + this.name.length * 12
    return 64 + meterByteBound(this.lanes.length + 1, this.tally) + rules + creationByteBound(this.post.state)
  }

  get isRecorded(): boolean {
    return this.recorded
  }

  /** Commits what `make` changes of this queue, figures included. */
  commit(byteBound: number, sync: boolean, make: (change: Change) => void): Promise<void> {
    return commitChange(this.post.engine, byteBound + this.figuresByteBound, sync, (change) => {
      change.touch(this)
      make(change)
    })
  }

  /** Other rules than before; they are written down with the next commit, and where there was one already at once. */
  changeRules(given: QueueRules): void {
    const rules = changedRules(this.rules, given)
    if (rules === this.rules) return
    if (rules.ordering !== this.rules.ordering && this.depth > 0) {
      throw invalid(
        `Queue '${this.name}' has ordering '${this.rules.ordering}' and holds ${this.depth} messages; the ordering can change when it is empty`,
      )
    }
    const wasRecorded = this.recorded
    this.rules = rules
    this.recorded = false
    // Should it fail, the next commit carries them.
    if (wasRecorded && this.post.isWritable) this.commit(0, false, () => {}).catch(() => {})
    this.onRoom()
  }

  /** Messages that wait, wait for their time, or are in flight. */
  get depth(): number {
    return this.waiting + this.liveCount + this.tally.asideCount
  }

  get bytes(): number {
    let bytes = this.liveBytes + this.tally.asideBytes
    for (const lane of this.lanes) bytes += lane.waitingBytes
    return bytes
  }

  /** Messages that nobody has looked at yet, without those that are known to have expired. */
  private get waiting(): number {
    let waiting = -this.expiries.expired
    for (const lane of this.lanes) waiting += lane.waiting
    return waiting
  }

  get inFlight(): number {
    return this.inFlightCount
  }

  /** What it holds, sorted by when it can be handed out. */
  counts(now: number): { depth: number; ready: number; delayed: number; inFlight: number } {
    this.expiries.count(now)
    const due = this.scheduled.countDue(now) + this.retries.countDue(now)
    const delayed = this.tally.asideCount - due
    const { depth, inFlightCount: inFlight } = this
    return { depth, ready: depth - delayed - inFlight, delayed, inFlight }
  }

  /** How many messages were ever sent to it. */
  get sent(): number {
    let sent = this.tally.asideSent
    for (const lane of this.lanes) sent += lane.log.next
    return sent
  }

  /** Of what died here: how many in that queue. */
  deathsIn(name: string): number {
    return this.tally.deaths[name] ?? 0
  }

  get expired(): number {
    return this.tally.expired + this.expiries.expired
  }

  /** When the oldest of those that could be handed out was sent; undefined without any. */
  get oldestSentAt(): number | undefined {
    let oldest = Number.POSITIVE_INFINITY
    for (const entry of this.entries()) if (entry.state !== 'gone') oldest = Math.min(oldest, entry.sentAt)
    for (const lane of this.lanes) {
      if (lane.hasNext) oldest = Math.min(oldest, (lane.head?.message ?? lane.log.at(lane.cursor))?.sentAt ?? oldest)
    }
    for (const aside of [this.scheduled, this.retries]) {
      const { first } = aside
      if (first !== undefined && first.due <= this.post.clock.now()) oldest = Math.min(oldest, first.message.sentAt)
    }
    return oldest === Number.POSITIVE_INFINITY ? undefined : oldest
  }

  // Coming in.

  /** Appends a message to the lane of its priority. Returns its id. */
  append(change: Change, priority: number, message: Uint8Array, expiresAt: number): string {
    let lane = this.lanes.find((each) => each.priority === priority)
    if (lane === undefined) {
      const behind = this.lanes.findIndex((each) => each.priority < priority)
      lane = new Lane<Entry>(this.newLog(priority), priority)
      this.lanes.splice(behind < 0 ? this.lanes.length : behind, 0, lane)
      change.touch(this)
    } else if (!this.recorded || lane.log.next === 0) change.touch(this)
    const offset = lane.log.append(change, message)
    if (expiresAt > 0) this.expiries.put(change, priority, offset, expiresAt)
    return idOf(lane, offset)
  }

  /** Room that `append` may take besides the message. */
  appendByteBound(priority: number): number {
    const lane = this.lanes.find((each) => each.priority === priority)
    const creation = lane === undefined ? 512 : lane.log.creationByteBound
    return creation + ENTRY_BYTE_BOUND
  }

  /** Puts a message where it waits for its time. Returns its id. */
  schedule(change: Change, due: number, priority: number, message: StoredMessage): string {
    change.touch(this)
    const { tally } = this
    const number = tally.asideNumber++
    tally.asideCount++
    tally.asideBytes += message.size
    tally.asideSent++
    this.scheduled.put(change, { due, number, priority, attempts: 0, id: '', reason: '', message })
    return `s${number}`
  }

  // Going out.

  /** Reads ahead where that takes no wait. Says whether it is known now which `count` messages come next. */
  fillResident(count: number): boolean {
    if (this.retries.isStale || this.scheduled.isStale) return false
    for (const lane of this.lanes) {
      if (!lane.fillResident(count)) return false
    }
    return true
  }

  /** Reads ahead, from the disk if need be. */
  async fill(count: number): Promise<void> {
    if (this.retries.isStale) await this.retries.fill()
    if (this.scheduled.isStale) await this.scheduled.fill()
    for (const lane of this.lanes) {
      if (!lane.fillResident(count)) await lane.fill()
    }
  }

  /** Whether there is anything to be handed out, or passed over. Requires: `fillResident` said yes, or `fill` is done. */
  hasNext(now: number): boolean {
    return this.nextSource(now, this.rules.ordering === 'strict' && this.orders.has(STRICT)) !== undefined
  }

  /** Room that handing out so many messages may take in a record. */
  static takeByteBound(max: number): number {
    return (max + MOST_PASSED) * ENTRY_BYTE_BOUND * 2
  }

  /**
   * Takes up to `max` messages to be handed out, the ones that come first, as part of a commit. Passes over what has expired, what the
   * filter leaves out, and what waits for its group; `dying` gets those that were handed out too often.
   */
  take(change: Change, max: number, now: number, filter: Filter | undefined, dying: Entry[]): Entry[] {
    const taken: Entry[] = []
    const cursors = this.lanes.map((lane) => [lane, lane.cursor, lane.passedBytes] as const)
    change.onRefused(() => {
      for (const [lane, cursor, passedBytes] of cursors) lane.moveTo(cursor, passedBytes)
    })
    const isStrict = this.rules.ordering === 'strict'
    for (let passed = 0; taken.length < max && passed < MOST_PASSED; ) {
      const isBusy = isStrict && this.orders.has(STRICT)
      const next = this.nextSource(now, isBusy)
      this.stoppedEarly = true
      if (next === undefined) {
        this.stoppedEarly = this.isUnsure
        break
      }
      let entry: Entry | undefined
      if (next === this.loose) entry = this.takeLoose(change, now)
      else if (next instanceof Lane) entry = this.takeHead(change, next, now, filter)
      else entry = this.takeAside(change, next as AsideMessage, now)
      if (entry === undefined) {
        passed++
        continue
      }
      if (entry.attempts >= this.rules.maxAttempts) {
        dying.push(entry)
        passed++
        continue
      }
      this.handOut(change, entry, now)
      taken.push(entry)
    }
    this.settleCursors(change)
    return taken
  }

  /** Where the cursors are now is where they are once this commit is visible. */
  private settleCursors(change: Change): void {
    for (const lane of this.lanes) {
      const { cursor } = lane
      change.onCommitted(() => lane.settledAt(cursor))
    }
  }

  /** Where the message that comes next is: the highest priority; of equals what was under way before, what is due, what waits. */
  private nextSource(now: number, isBusy: boolean): Heap<Entry> | AsideMessage | Lane<Entry> | undefined {
    const { loose } = this
    this.isUnsure = false
    while (loose.first !== undefined && loose.first.state !== 'loose') loose.pop()
    let best: Heap<Entry> | AsideMessage | Lane<Entry> | undefined = loose.first === undefined ? undefined : loose
    let priority = loose.first?.priority ?? Number.NEGATIVE_INFINITY
    for (const aside of isBusy ? [this.retries] : [this.retries, this.scheduled]) {
      // What it holds may come first; it has to be asked before anything else goes.
      if (aside.isStale) return this.unsure()
      const item = aside.best(now)
      if (item !== undefined && item.priority > priority) {
        best = item
        priority = item.priority
      }
    }
    if (isBusy || this.orders.waitingCount >= MOST_WAITING) return best
    for (const lane of this.lanes) {
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
    const entry = this.loose.pop()!
    change.onRefused(() => {
      if (entry.state === 'loose') this.loose.push(entry)
    })
    if (!this.hasExpired(entry, now)) return entry
    this.expire(change, entry)
    return undefined
  }

  private takeHead(change: Change, lane: Lane<Entry>, now: number, filter: Filter | undefined): Entry | undefined {
    const { offset, message } = lane.head!
    const { expiresAt } = message
    lane.pass()
    if (expiresAt > 0) this.expiries.forget(change, lane.priority, offset, expiresAt)
    if (expiresAt > 0 && expiresAt <= now) {
      this.tally.expired++
      this.forgetDeath(message)
      change.onCommitted(() => this.freed(lane))
      announce('expire', () => ({ queue: this.name, id: idOf(lane, offset) }))
      return undefined
    }
    if (filter?.(message, offset) === false) {
      change.onCommitted(() => this.freed(lane))
      return undefined
    }
    const entry = newEntry(lane, offset, 0, 0, lane.priority, message)
    lane.entries.set(offset, entry)
    change.onRefused(() => {
      lane.entries.delete(offset)
      entry.state = 'gone'
    })
    return this.admit(change, entry, false)
  }

  private takeAside(change: Change, item: AsideMessage, now: number): Entry | undefined {
    const { due, number, priority, attempts, id, reason, message } = item
    const isRetry = this.retries.best(now) === item
    const aside = isRetry ? this.retries : this.scheduled
    aside.take(change, item)
    this.tally.asideCount--
    this.tally.asideBytes -= message.size
    const entry = newEntry(undefined, number, aside.kind, due, priority, message)
    entry.attempts = attempts
    entry.reason = reason
    entry.id = id
    this.asideEntries.set(number, entry)
    change.onRefused(() => {
      this.asideEntries.delete(number)
      entry.state = 'gone'
    })
    const admitted = this.admit(change, entry, isRetry)
    if (admitted === undefined || !this.hasExpired(entry, now)) return admitted
    this.expire(change, entry)
    return undefined
  }

  /** A message comes under way, or waits for its group, which the retry of one of its messages has never left. */
  private admit(change: Change, entry: Entry, isRetry: boolean): Entry | undefined {
    this.counted(entry, 1)
    change.onRefused(() => this.counted(entry, -1))
    const order = this.orderOf(entry.stored!)
    entry.order = order
    if (order === undefined || isRetry) return entry
    if (!this.orders.has(order)) {
      this.orders.begin(order)
      change.onRefused(() => this.orders.forget(order))
      return entry
    }
    this.orders.wait(entry)
    change.record.put(this.post.state, entryKey(this.number, entryLane(entry), entry.offset), encodeEntry(entry))
    change.onRefused(() => this.orders.leave(entry))
    return undefined
  }

  private handOut(change: Change, entry: Entry, now: number): void {
    const { tally } = this
    const before = entry.attempts
    entry.attempts++
    entry.fence = ++tally.fence
    entry.deadline = now + this.rules.visibilityTimeout
    entry.state = 'in-flight'
    entry.stored = this.messageOf(entry)
    this.inFlightCount++
    tally.received++
    if (entry.attempts > 1) tally.redelivered++
    change.record.put(this.post.state, entryKey(this.number, entryLane(entry), entry.offset), encodeEntry(entry))
    this.deadlines.add(entry)
    change.onRefused(() => {
      entry.attempts = before
      entry.fence = 0
      // Its time may have ended before the disk said no.
      if (entry.state === 'in-flight') this.inFlightCount--
      entry.state = 'loose'
    })
  }

  /** What a message must keep its order with. */
  private orderOf(message: StoredMessage): string | undefined {
    const { ordering } = this.rules
    return ordering === 'group' ? message.group : ordering === 'strict' ? STRICT : undefined
  }

  /** The message of an entry, waiting for the disk if it must. */
  messageOf(entry: Entry): StoredMessage {
    const { lane, kind, due, offset, stored } = entry
    if (stored !== undefined) return stored
    if (lane === undefined) {
      const item = (kind === KIND_RETRY ? this.retries : this.scheduled).at(due, offset)
      if (item !== undefined) {
        entry.id = item.id
        return item.message
      }
    } else {
      const message = lane.log.at(offset)
      if (message !== undefined) return message
    }
    throw corruption(this.name, offset, 'a message that was never acknowledged is not there')
  }

  /** The id it was sent under. Requires: its message was at hand at least once. */
  idOf({ lane, offset, stored: own, id }: Entry, stored = own): string {
    if (stored?.history !== undefined) return stored.history.id
    if (id !== '') return id
    return lane === undefined ? `s${offset}` : idOf(lane, offset)
  }

  // The end of a delivery.

  /** Throws where a receipt is not the one of the delivery under way. */
  checkReceipt(entry: Entry, fence: number): void {
    if (entry.state === 'in-flight' && entry.fence === fence) return
    throw new SiltstoneError(
      'SILT_STALE_RECEIPT',
      `This message of '${this.name}' is not yours any more: its visibility timeout ended, or it was settled already; whoever has it now settles it`,
    )
  }

  /** Room that the leaving of a message takes in a record. */
  static readonly leaveByteBound = ENTRY_BYTE_BOUND * 2

  /** A message is gone from here. */
  leave(change: Change, entry: Entry, keepsOrder = false): void {
    change.touch(this)
    const { lane, kind, offset } = entry
    const { state } = entry
    change.record.del(this.post.state, entryKey(this.number, entryLane(entry), offset))
    if (lane === undefined) (kind === KIND_RETRY ? this.retries : this.scheduled).remove(change, entry.due, offset)
    this.forgetDeath(entry.stored)
    entry.state = 'gone'
    if (state === 'in-flight') this.inFlightCount--
    this.counted(entry, -1)
    change.onRefused(() => {
      entry.state = state
      if (state === 'in-flight') this.inFlightCount++
      this.counted(entry, 1)
    })
    change.onCommitted(() => {
      entry.stored = undefined
      if (lane === undefined) this.asideEntries.delete(offset)
      else lane.entries.delete(offset)
      if (!keepsOrder) this.release(entry.order)
      this.freed(lane)
    })
  }

  /** Counts it as acknowledged. */
  acknowledge(change: Change, entry: Entry): void {
    change.touch(this)
    this.tally.acked++
    this.leave(change, entry)
  }

  /** Sets it aside until it is tried again. */
  postpone(change: Change, entry: Entry, due: number, reason: string): void {
    const stored = this.messageOf(entry)
    const id = this.idOf(entry)
    this.leave(change, entry, true)
    const { tally } = this
    if (stored.history?.deadLetter !== undefined) this.rememberDeath(stored.history.deadLetter.queue)
    const number = tally.asideNumber++
    tally.asideCount++
    tally.asideBytes += stored.size
    const { priority, attempts } = entry
    this.retries.put(change, { due, number, priority, attempts, id, reason, message: stored })
  }

  static postponeByteBound(stored: StoredMessage, reason: string): number {
    return Delivery.leaveByteBound + asideByteBound(stored.bytes, 'p-32768-9007199254740991', reason)
  }

  /** It is given back and can be handed out at once. What was written down when it was handed out stays true. */
  giveBack(entry: Entry, reason: string): void {
    this.inFlightCount--
    entry.state = 'loose'
    entry.fence = 0
    entry.reason = reason
    entry.stored = undefined
    this.loose.push(entry)
    this.onReady()
  }

  /** It was about to leave and stays after all. */
  putBack(entry: Entry): void {
    this.loose.push(entry)
  }

  /** It expired before anybody had it, or between two attempts. */
  expire(change: Change, entry: Entry): void {
    change.touch(this)
    this.tally.expired++
    entry.stored = this.messageOf(entry)
    const id = this.idOf(entry)
    this.leave(change, entry)
    announce('expire', () => ({ queue: this.name, id }))
  }

  hasExpired(entry: Entry, now: number): boolean {
    return entry.expiresAt > 0 && entry.expiresAt <= now
  }

  private counted(entry: Entry, by: 1 | -1): void {
    this.liveCount += by
    this.liveBytes += by * entry.size
  }

  /** The next message of a group is free. */
  private release(order: string | undefined): void {
    if (order === undefined) return
    const next = this.orders.release(order)
    if (next === undefined) return
    next.state = 'loose'
    this.loose.push(next)
  }

  /** Something is gone: its place can be used again. */
  private freed(lane: Lane<Entry> | undefined): void {
    if (lane !== undefined && this.source === undefined) this.trim(lane)
    this.onRoom()
    this.onReady()
  }

  private trim(lane: Lane<Entry>): void {
    const { log } = lane
    log.trim(lane.low)
    if (this.depth > 0 && log.first - this.trimChecked < TRIM_STEP && log.first >= this.trimChecked) return
    this.trimChecked = log.first
    if (log.hasDeadTables) this.post.sweeper.add(log, this)
  }

  // Deaths: which queue the dead letters in this one come from.

  rememberDeath(queue: string): void {
    const { tally } = this
    tally.deaths = { ...tally.deaths, [queue]: (tally.deaths[queue] ?? 0) + 1 }
  }

  private forgetDeath(message: StoredMessage | undefined): void {
    const queue = message?.history?.deadLetter?.queue
    if (queue === undefined) return
    const { [queue]: count = 0, ...others } = this.tally.deaths
    this.tally.deaths = count <= 1 ? others : { ...others, [queue]: count - 1 }
  }

  // Time.

  /** Those in flight whose time is over. */
  overdue(now: number): Entry[] {
    return this.deadlines.overdue(now)
  }

  /** Gives the holder of a message more time. */
  extend(entry: Entry, deadline: number): void {
    this.deadlines.extend(entry, deadline)
  }

  /** When there is something to do though nothing happens; undefined: never. */
  nextEvent(now: number): number | undefined {
    let { next } = this.deadlines
    for (const aside of [this.retries, this.scheduled]) {
      const due = aside.nextDue
      // What is due already waits for a consumer, not for the clock.
      if (due !== undefined && due > now) next = Math.min(next, due)
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** When the first message of a lane expires, though nobody may ever look at it; undefined where none does. */
  get nextExpiry(): number | undefined {
    if (!this.expiries.any || this.source !== undefined) return undefined
    let next = Number.POSITIVE_INFINITY
    for (const lane of this.lanes) {
      const message = lane.hasNext ? (lane.head?.message ?? lane.log.at(lane.cursor)) : undefined
      if (message !== undefined && message.expiresAt > 0) next = Math.min(next, message.expiresAt)
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Takes messages that have expired off the heads of the lanes, as part of a commit. Whether there may be more. */
  sweep(change: Change, now: number): boolean {
    let passed = 0
    for (const lane of this.lanes) {
      while (lane.hasNext && (lane.head !== undefined || lane.fillResident(1))) {
        const { expiresAt } = lane.head!.message
        if (expiresAt === 0 || expiresAt > now) break
        if (passed++ === MOST_PASSED) {
          this.settleCursors(change)
          return true
        }
        const { cursor, passedBytes } = lane
        change.onRefused(() => lane.moveTo(cursor, passedBytes))
        this.takeHead(change, lane, now, undefined)
      }
    }
    this.settleCursors(change)
    return false
  }

  /** What has expired is counted out, though nobody has looked at it. */
  countExpired(now: number): void {
    this.expiries.count(now)
  }

  // By hand.

  /** Removes the oldest message that is not in flight, as part of a commit. Returns its size, undefined where there is none. */
  dropOldest(change: Change): number | undefined {
    const { loose } = this
    while (loose.first !== undefined && loose.first.state !== 'loose') loose.pop()
    let oldest: Lane<Entry> | Entry | undefined
    let sentAt = Number.POSITIVE_INFINITY
    for (const entry of loose.values()) {
      if (entry.state !== 'loose' || entry.sentAt >= sentAt) continue
      oldest = entry
      sentAt = entry.sentAt
    }
    for (const lane of this.lanes) {
      const message = lane.hasNext ? (lane.head?.message ?? lane.log.at(lane.cursor)) : undefined
      if (message === undefined || message.sentAt >= sentAt) continue
      oldest = lane
      sentAt = message.sentAt
    }
    if (oldest === undefined) return undefined
    change.touch(this)
    this.tally.dropped++
    if (oldest instanceof Lane) return this.dropHead(change, oldest)
    oldest.stored ??= this.messageOf(oldest)
    this.leave(change, oldest)
    return oldest.size
  }

  /**
   * A dead letter of a queue that is not in flight. Letters of others at the head are passed over, by a commit of their own ('passed'):
   * they are handed out as before.
   */
  findLetter(queue: string): FoundLetter | 'passed' | undefined {
    for (const entry of this.entries()) {
      if (entry.state !== 'loose' && entry.state !== 'waiting') continue
      const stored = this.messageOf(entry)
      if (stored.history?.deadLetter?.queue !== queue) continue
      const id = this.idOf(entry, stored)
      const remove = (change: Change): void => {
        this.leaveFromRest(change, entry, stored)
      }
      return { id, stored, remove }
    }
    for (const aside of [this.retries, this.scheduled]) {
      const item = letterIn(aside, queue)
      if (item === undefined) continue
      const id = item.message.history!.id
      return { id, stored: item.message, remove: (change) => this.removeAside(change, aside, item) }
    }
    const lane = this.lanes.find((each) => each.hasNext)
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
    const { orders, loose } = this
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
    this.leave(change, entry, wasWaiting)
  }

  private removeAside(change: Change, aside: Aside, item: AsideMessage): void {
    change.touch(this)
    aside.take(change, item)
    aside.remove(change, item.due, item.number)
    this.tally.asideCount--
    this.tally.asideBytes -= item.message.size
    this.forgetDeath(item.message)
    const order = aside === this.retries ? this.orderOf(item.message) : undefined
    change.onCommitted(() => {
      this.release(order)
      this.freed(undefined)
    })
  }

  /** The head becomes an entry that nobody has been handed yet. */
  private passHead(lane: Lane<Entry>): void {
    const { offset, message } = lane.head!
    const { cursor, passedBytes } = lane
    const entry = newEntry(lane, offset, 0, 0, lane.priority, message)
    this.commit(ENTRY_BYTE_BOUND, false, (change) => {
      lane.pass()
      lane.entries.set(offset, entry)
      change.onRefused(() => {
        lane.entries.delete(offset)
        lane.moveTo(cursor, passedBytes)
      })
      this.settleCursors(change)
      if (this.admit(change, entry, false) === undefined) return
      change.record.put(this.post.state, entryKey(this.number, entryLane(entry), offset), encodeEntry(entry))
      this.loose.push(entry)
    }).catch(() => {})
  }

  private dropHead(change: Change, lane: Lane<Entry>): number {
    const { cursor, passedBytes } = lane
    const message = lane.head?.message ?? lane.log.at(cursor)!
    change.onRefused(() => lane.moveTo(cursor, passedBytes))
    if (lane.head !== undefined) lane.pass()
    else lane.moveTo(cursor + 1, message.total)
    if (message.expiresAt > 0) this.expiries.forget(change, lane.priority, cursor, message.expiresAt)
    this.forgetDeath(message)
    this.settleCursors(change)
    change.onCommitted(() => this.freed(lane))
    return message.size
  }

  /** Removes everything, what is in flight included. Returns how many that were. */
  purge(change: Change): number {
    const { post, number, depth } = this
    change.touch(this)
    for (const entry of this.entries()) this.discard(change, entry)
    for (const lane of this.lanes) {
      const { cursor, passedBytes } = lane
      lane.moveTo(lane.log.next, lane.log.totalBytes)
      change.onRefused(() => lane.moveTo(cursor, passedBytes))
      change.onCommitted(() => this.freed(lane))
    }
    for (const kind of [KIND_ENTRY, KIND_SCHEDULED, KIND_RETRY]) {
      change.record.clear(post.state, kindRange(number, kind))
    }
    const { tally } = this
    tally.expired += this.expiries.clear(change)
    tally.purged += depth
    tally.asideCount = 0
    tally.asideBytes = 0
    tally.deaths = {}
    this.settleCursors(change)
    this.forgetAll(change)
    change.onCommitted(() => {
      this.onRoom()
      this.onReady()
    })
    return depth
  }

  static readonly purgeByteBound = 400

  /** Nothing of what was under way counts any more. */
  private forgetAll(change: Change): void {
    const { loose } = this
    const wereLoose = [...loose.values()]
    const restoreOrders = this.orders.clear()
    loose.clear()
    this.scheduled.clear(change)
    this.retries.clear(change)
    change.onRefused(() => {
      restoreOrders()
      for (const entry of wereLoose) loose.push(entry)
    })
  }

  private discard(change: Change, entry: Entry): void {
    const { state, lane, offset } = entry
    if (state === 'gone') return
    entry.state = 'gone'
    if (state === 'in-flight') this.inFlightCount--
    this.counted(entry, -1)
    change.onRefused(() => {
      entry.state = state
      if (state === 'in-flight') this.inFlightCount++
      this.counted(entry, 1)
    })
    change.onCommitted(() => {
      entry.stored = undefined
      if (lane === undefined) this.asideEntries.delete(offset)
      else lane.entries.delete(offset)
    })
  }

  /** Puts the cursor of a subscription somewhere else: whatever was under way is forgotten. */
  seek(change: Change, offset: number): void {
    assert(this.source !== undefined, 'only a subscription can go back')
    const { tally } = this
    const { purged } = tally
    this.purge(change)
    tally.purged = purged
    const lane = this.lanes[0]!
    lane.moveTo(offset, this.source.bytesBefore(offset))
    this.settleCursors(change)
  }

  /** A subscription begins here. */
  begin(offset: number): void {
    const lane = new Lane<Entry>(this.source!, 0)
    lane.moveTo(offset, this.source!.bytesBefore(offset))
    this.lanes.push(lane)
  }

  /** What comes next, without taking it, up to `max`. */
  async peek(
    max: number,
    now: number,
  ): Promise<{ message: StoredMessage; id: string; attempts: number; priority: number }[]> {
    const found: { message: StoredMessage; id: string; attempts: number; priority: number }[] = []
    const entries = [...this.loose.values(), ...this.orders.entries()]
      .filter(({ state }) => state === 'loose' || state === 'waiting')
      .sort((a, b) => (goesBefore(a, b) ? -1 : 1))
    for (const entry of entries.slice(0, max)) {
      const message = this.messageOf(entry)
      const { attempts, priority } = entry
      found.push({ message, id: this.idOf(entry, message), attempts, priority })
    }
    for (const aside of [this.retries, this.scheduled]) {
      let left = max
      for (const { due, number, id, attempts, priority, message } of aside.each()) {
        if (due > now || left-- === 0) break
        found.push({ message, id: message.history?.id ?? (id || `s${number}`), attempts, priority })
      }
    }
    for (const lane of this.lanes) {
      const from = Math.max(lane.cursor, lane.log.first)
      for (const { offset, message } of await lane.log.slice(from, lane.log.visible, max, Number.POSITIVE_INFINITY)) {
        const id = message.history?.id ?? idOf(lane, offset)
        found.push({ message, id, attempts: 0, priority: lane.priority })
      }
    }
    return found
      .filter(({ message: { expiresAt } }) => expiresAt === 0 || expiresAt > now)
      .sort((a, b) => b.priority - a.priority)
      .slice(0, max)
  }
}

function letterIn(aside: Aside, queue: string): AsideMessage | undefined {
  for (const item of aside.each()) if (item.message.history?.deadLetter?.queue === queue) return item
  return undefined
}

function newEntry(
  lane: Lane<Entry> | undefined,
  offset: number,
  kind: number,
  due: number,
  priority: number,
  message: StoredMessage,
): Entry {
  return {
    lane,
    offset,
    kind,
    due,
    priority,
    sentAt: message.sentAt,
    expiresAt: message.expiresAt,
    size: message.size,
    order: undefined,
    attempts: 0,
    state: 'loose',
    fence: 0,
    deadline: 0,
    reason: '',
    stored: message,
    id: '',
  }
}

/** What a message in a lane is called. */
export function idOf(lane: Lane<Entry>, offset: number): string {
  return lane.priority === 0 ? String(offset) : `p${lane.priority}-${offset}`
}
