import { assert, corruption } from '../bytes/errors.js'
import { Aside } from './aside.js'
import { Backlog } from './backlog.js'
import { type Change, commitChange, type Ledger } from './change.js'
import { Deadlines } from './deadlines.js'
import { decodeEntry, type Entry, goesBefore, idIn } from './entry.js'
import { Expiries } from './expiries.js'
import { Heap } from './heap.js'
import { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import { MessageLog } from './message-log.js'
import { decodeMeter, emptyTally, encodeMeter, type LaneFigures, type Tally } from './meter.js'
import type { Office } from './office.js'
import { Orders, STRICT } from './orders.js'
import { QueueTime } from './queue-time.js'
import type { Registration } from './registration.js'
import type { Rules } from './rules.js'
import {
  ASIDE_LANE,
  entryKey,
  entryOffset,
  KIND_ENTRY,
  KIND_METER,
  KIND_RETRY,
  KIND_SCHEDULED,
  kindRange,
  laneOf,
  stateKey,
} from './state-keys.js'

/**
 * What a queue or a subscription holds, and where each message of it stands.
 *
 * On disk it is a cursor a lane, an entry for each message before the cursor that is not gone, what was set aside, and the figures
 * (`state-keys.ts`). So it is rebuilt in the time that what is in flight takes, however much waits; and a message costs
 * one entry when it is handed out and one deletion when it is gone, both of which die in memory when they are near each other.
 */
export class Stock implements Ledger {
  readonly post: Office
  readonly name: string
  readonly number: number
  readonly registration: Registration
  /** The run of a topic, for a subscription; a queue has runs of its own. */
  readonly source: MessageLog | undefined
  /** In order of priority, the highest first. */
  readonly lanes: Lane<Entry>[] = []
  readonly scheduled: Aside
  readonly retries: Aside
  tally: Tally = emptyTally()
  /** Entries of messages that were set aside. */
  readonly asideEntries = new Map<number, Entry>()
  /** To be handed out before what nobody looked at yet: given back, or free because their group is. */
  readonly loose = new Heap<Entry>(goesBefore)
  readonly deadlines = new Deadlines()
  /** Groups that have a message under way, and who waits for them. */
  readonly orders = new Orders()
  /** Messages whose group was busy when the cursor passed them. */
  readonly backlog: Backlog
  readonly expiries: Expiries
  readonly time: QueueTime
  inFlight = 0
  /** Entries that are not gone. */
  private liveCount = 0
  private liveBytes = 0
  /** Something can be handed out that could not before. */
  onReady: () => void = () => {}
  /** The next message of a group is free. */
  onFreed: (order: string) => void = () => {}
  /** There may be room for messages that did not fit. */
  onRoom: () => void = () => {}

  constructor(registration: Registration, source: MessageLog | undefined) {
    const { post, name, number } = registration
    this.post = post
    this.name = name
    this.number = number
    this.registration = registration
    this.source = source
    this.scheduled = new Aside(post.reader, number, KIND_SCHEDULED)
    this.retries = new Aside(post.reader, number, KIND_RETRY)
    this.expiries = new Expiries(post.reader, number)
    this.backlog = new Backlog(this)
    this.time = new QueueTime(post.clock)
    source?.watch(() => this.onReady())
  }

  get rules(): Rules {
    return this.registration.rules
  }

  /** Takes up what the store holds of it. */
  load(): void {
    const { reader } = this.post
    const meter = reader.get(stateKey(this.number, KIND_METER))
    if (meter === undefined) return
    const { lanes, tally } = decodeMeter(meter)
    this.tally = tally
    // An earlier version did not write it down.
    if (tally.time > 0) this.time.resume(tally)
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
    this.backlog.opened(lane, low)
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
      else if (entry.order !== undefined && entry.attempts === 0 && !this.backlog.isLoaded) {
        this.orders.begin(entry.order)
        this.orders.wait(entry)
        this.backlog.decideLater(entry.order)
      } else {
        if (entry.order !== undefined) this.orders.begin(entry.order)
        this.loose.push(entry)
      }
    }
  }

  /** A subscription begins here. */
  begin(offset: number): void {
    const lane = new Lane<Entry>(this.source!, 0)
    lane.moveTo(offset, this.source!.bytesBefore(offset))
    this.lanes.push(lane)
  }

  *entries(): Generator<Entry> {
    for (const lane of this.lanes) yield* lane.entries.values()
    yield* this.asideEntries.values()
  }

  /** A run of messages of its own. */
  newLog(priority: number): MessageLog {
    const log = new MessageLog(this.post.engine, `queue/${this.number}/${priority}`)
    log.watch(() => this.onReady())
    return log
  }

  save(): Tally {
    return { ...this.tally }
  }

  restore(saved: Tally): void {
    this.tally = saved
  }

  writeFigures(change: Change): void {
    const { record } = change
    const { state } = this.post
    this.registration.write(change)
    const { tally } = this
    Object.assign(tally, this.time.mark())
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

  /** Commits what `make` changes of this queue, figures included. */
  commit(sync: boolean, make: (change: Change) => void): Promise<void> {
    return commitChange(this.post.engine, sync, (change) => {
      change.touch(this)
      make(change)
    })
  }

  /** Where the cursors are now is where they are once this commit is visible. */
  settleCursors(change: Change): void {
    for (const lane of this.lanes) {
      const { cursor } = lane
      change.onCommitted(() => lane.settledAt(cursor))
    }
  }

  /** Whether something waits for a time, and what was written down of the time is not of now. */
  get isTimeBehind(): boolean {
    const { tally, expiries, time } = this
    if (tally.asideCount === 0 && !expiries.any) return false
    const now = time.mark()
    return now.time !== tally.time || now.wall !== tally.wall
  }

  /** Messages that wait, wait for their time, or are in flight. */
  get depth(): number {
    return this.waiting + this.liveCount + this.tally.asideCount + this.backlog.count
  }

  get bytes(): number {
    let bytes = this.liveBytes + this.tally.asideBytes + this.backlog.bytes
    for (const lane of this.lanes) bytes += lane.waitingBytes
    return bytes
  }

  /** Messages that nobody has looked at yet, without those that are known to have expired. */
  private get waiting(): number {
    let waiting = -this.expiries.expired
    for (const lane of this.lanes) waiting += lane.waiting
    return waiting
  }

  /** What it holds, sorted by when it can be handed out. */
  counts(now: number): { depth: number; ready: number; delayed: number; inFlight: number } {
    this.expiries.count(now)
    const due = this.scheduled.countDue(now) + this.retries.countDue(now)
    const delayed = this.tally.asideCount - due
    const { depth, inFlight } = this
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

  /** What has expired is counted out, though nobody has looked at it. */
  countExpired(now: number): void {
    this.expiries.count(now)
  }

  /** When the oldest of those that could be handed out was sent; undefined without any. */
  get oldestSentAt(): number | undefined {
    let oldest = Number.POSITIVE_INFINITY
    for (const entry of this.entries()) if (entry.state !== 'gone') oldest = Math.min(oldest, entry.sentAt)
    for (const lane of this.lanes) {
      const floor = lane.floor()
      if (floor < lane.cursor) oldest = Math.min(oldest, lane.log.at(floor)?.sentAt ?? oldest)
      if (lane.hasNext) oldest = Math.min(oldest, (lane.head?.message ?? lane.log.at(lane.cursor))?.sentAt ?? oldest)
    }
    for (const aside of [this.scheduled, this.retries]) {
      const { first } = aside
      if (first !== undefined && first.due <= this.time.now()) oldest = Math.min(oldest, first.message.sentAt)
    }
    return oldest === Number.POSITIVE_INFINITY ? undefined : oldest
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

  /** An entry is there from here on, or is gone. */
  counted(entry: Entry, by: 1 | -1): void {
    this.liveCount += by
    this.liveBytes += by * entry.size
    assert(this.liveCount >= 0 && this.liveBytes >= 0, 'no more messages are gone than were there')
  }

  rememberDeath(queue: string): void {
    const { tally } = this
    tally.deaths = { ...tally.deaths, [queue]: (tally.deaths[queue] ?? 0) + 1 }
  }

  forgetDeath(message: StoredMessage | undefined): void {
    const queue = message?.history?.deadLetter?.queue
    if (queue === undefined) return
    const { [queue]: count = 0, ...others } = this.tally.deaths
    this.tally.deaths = count <= 1 ? others : { ...others, [queue]: count - 1 }
  }

  /** What a message must keep its order with. */
  orderOf(message: StoredMessage): string | undefined {
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
    return lane === undefined ? `s${offset}` : idIn(lane, offset)
  }
}
