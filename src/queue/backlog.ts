import type { Change, Ledger } from './change.js'
import { type Entry, passedEntry } from './entry.js'
import { Heap } from './heap.js'
import type { Lane } from './lane.js'
import type { StoredMessage } from './message-format.js'
import type { Tally } from './meter.js'
import type { Office } from './office.js'
import type { Orders } from './orders.js'
import { decodePassed, encodePassed, type Passed, senselessBacklog } from './passed.js'
import {
  backlogKey,
  backlogLane,
  backlogOffset,
  backlogOrder,
  backlogRange,
  behindOrder,
  KIND_BACKLOG,
  kindRange,
  laneOf,
} from './state-keys.js'

// So many of a group are at hand.
const FEW = 32
// So many groups are looked up in one go when a queue is opened; then others have a turn.
const GROUPS_AT_ONCE = 64

/** Those of one group in one lane, in their order: some at hand, the others from `from` to `last` in the tree. */
interface Line {
  readonly lane: Lane<Entry>
  readonly order: string
  ahead: Passed[]
  from: number
  last: number
}

function firstOf({ ahead, from, last }: Line): number {
  return ahead[0]?.offset ?? (from <= last ? from : Number.POSITIVE_INFINITY)
}

/** What it needs of the queue around it. */
interface BacklogGround extends Ledger {
  readonly post: Office
  readonly number: number
  readonly tally: Tally
  readonly lanes: readonly Lane<Entry>[]
  readonly orders: Orders
  onReady(): void
  onFreed(order: string): void
  counted(entry: Entry, by: 1 | -1): void
}

/** The messages of a queue that wait for their group. */
export class Backlog {
  private readonly stock: BacklogGround
  private readonly lines = new Map<string, Line[]>()
  /** Of each lane: which line has the first one. What has changed since is found out of date when it comes up. */
  private readonly firsts = new Map<Lane<Entry>, Heap<{ readonly offset: number; readonly line: Line }>>()
  /** Groups with none under way, whose next one has to be looked up. */
  private readonly asked = new Set<string>()
  private loaded = true
  private loading: Promise<void> | undefined
  /** Groups with nothing under way whose others wait in memory, until it is known which of all comes first. */
  private readonly undecided = new Set<string>()
  /** While it is not loaded: nothing stands before. */
  private readonly floors = new Map<Lane<Entry>, number>()
  /** Commits on their way that passed messages over: the tree does not show those yet. */
  private coming = 0
  private expected: Change | undefined
  private era = 0
  /** Became entries in memory and stand in the tree as passed over until they are handed out. */
  private loosened = 0
  private loosenedBytes = 0
  /** Removed by a commit that is on its way. */
  private readonly leaving = new Set<string>()

  constructor(stock: BacklogGround) {
    this.stock = stock
  }

  /** How many there are, those that have become entries not counted. */
  get count(): number {
    return this.stock.tally.backlogCount - this.loosened
  }

  get bytes(): number {
    return this.stock.tally.backlogBytes - this.loosenedBytes
  }

  /** Whether it is known which groups have something here. */
  get isLoaded(): boolean {
    return this.loaded
  }

  /** One of this group waits in memory, and may come behind what waits here. Requires: it is not loaded. */
  decideLater(order: string): void {
    this.undecided.add(order)
  }

  /** Whether the tree has to be asked before it is known which groups can go on. */
  get isStale(): boolean {
    return !this.isLoaded || (this.asked.size > 0 && this.coming === 0)
  }

  /** The store was opened: what there is is looked up when somebody receives. `low`: no needed message of the lane stands before it. */
  opened(lane: Lane<Entry>, low: number): void {
    if (this.stock.tally.backlogCount === 0) return
    this.loaded = false
    this.floors.set(lane, low)
    this.watch(lane)
  }

  /** A message waits for its group, as part of a commit. */
  pass(change: Change, lane: Lane<Entry>, offset: number, message: StoredMessage, order: string): void {
    const { stock } = this
    const { size, sentAt, expiresAt } = message
    const passed: Passed = { offset, size, sentAt, expiresAt, entry: undefined }
    const line = this.lineOf(lane, order)
    const { from, last } = line
    const isAhead = from > last && line.ahead.length < FEW
    if (isAhead) line.ahead.push(passed)
    else if (from > last) line.from = offset
    line.last = offset
    if (isAhead) line.from = offset + 1
    if (firstOf(line) === offset) this.moved(line)
    this.expect(change)
    const { era } = this
    change.onRefused(() => {
      if (era !== this.era) return
      // What was looked up meanwhile stays looked up.
      if (line.last === offset) line.last = last
      if (line.from === (isAhead ? offset + 1 : offset)) line.from = from
      if (isAhead) this.takeBack(line, passed)
      this.moved(line)
    })
    stock.tally.backlogCount++
    stock.tally.backlogBytes += size
    change.record.put(stock.post.state, this.keyOf(lane, order, offset), encodePassed(passed))
  }

  /** Counts each commit that passes some over once. */
  private expect(change: Change): void {
    if (this.expected === change) return
    this.expected = change
    this.coming++
    const arrived = (): void => {
      this.coming--
      if (this.asked.size > 0) this.stock.onReady()
    }
    change.onCommitted(arrived)
    change.onRefused(arrived)
  }

  /** The commit that passed it over was refused. */
  private takeBack(line: Line, passed: Passed): void {
    const at = line.ahead.indexOf(passed)
    if (at >= 0) line.ahead.splice(at, 1)
    const { entry } = passed
    if (entry === undefined) return
    this.unloosen(entry)
    entry.state = 'gone'
    line.lane.entries.delete(entry.offset)
    this.stock.counted(entry, -1)
    this.stock.onFreed(line.order)
  }

  /** The next one of a group, 'unknown' where the tree has to be asked for it. */
  first(order: string): { readonly lane: Lane<Entry>; readonly passed: Passed } | 'unknown' | undefined {
    let best: Line | undefined
    for (const line of this.lines.get(order) ?? []) {
      if (line.ahead.length === 0 && line.from > line.last) continue
      if (line.ahead.length === 0) return 'unknown'
      if (best === undefined || line.lane.priority > best.lane.priority) best = line
    }
    return best && { lane: best.lane, passed: best.ahead[0]! }
  }

  /** Its turn has come: it becomes an entry that can be handed out. */
  loosen(order: string, lane: Lane<Entry>): Entry {
    const line = this.lineOf(lane, order)
    const passed = line.ahead.shift()!
    const entry = passedEntry(lane, passed.offset, order, passed)
    passed.entry = entry
    this.moved(line)
    if (line.ahead.length === 0 && line.from > line.last) this.drop(line)
    this.loosened++
    this.loosenedBytes += entry.size
    lane.addLate(entry.offset, entry)
    this.stock.counted(entry, 1)
    return entry
  }

  /** It is handed out or leaves: from here on an entry stands for it in the tree, or nothing. */
  settle(change: Change, entry: Entry): void {
    if (!entry.isBacklogged) return
    const { stock } = this
    const { lane, order, offset, size } = entry
    change.touch(stock)
    this.discount(size)
    this.unloosen(entry)
    change.onRefused(() => {
      entry.isBacklogged = true
      this.loosened++
      this.loosenedBytes += size
    })
    change.record.del(stock.post.state, this.keyOf(lane!, order!, offset))
  }

  private discount(size: number): void {
    const { tally } = this.stock
    if (tally.backlogCount < 1 || tally.backlogBytes < size) throw senselessBacklog('there are more than were counted')
    tally.backlogCount--
    tally.backlogBytes -= size
  }

  private unloosen(entry: Entry): void {
    entry.isBacklogged = false
    this.loosened--
    this.loosenedBytes -= entry.size
  }

  /** The next one of this group is looked up. */
  ask(order: string): void {
    this.asked.add(order)
  }

  /** Looks up what is not at hand; a group that may go on is passed to `freed`. */
  async fill(freed: (order: string) => void): Promise<void> {
    if (!this.isLoaded) {
      this.loading ??= this.load(freed).finally(() => {
        this.loading = undefined
      })
      await this.loading
    }
    for (const order of [...this.asked]) {
      for (const line of this.lines.get(order) ?? []) if (!(await this.read(line))) return
      if (this.asked.delete(order)) freed(order)
    }
  }

  private async read(line: Line): Promise<boolean> {
    const { era } = this
    const { lane, order, from, last } = line
    if (line.ahead.length > 0 || from > last || this.coming > 0) return this.coming === 0
    const range = { start: this.keyOf(lane, order, from), end: this.keyOf(lane, order, last + 1) }
    const found = await this.stock.post.reader.slice(range, FEW)
    if (era !== this.era || line.from !== from || line.ahead.length > 0) return false
    for (const { key, value } of found) {
      const offset = backlogOffset(key)
      if (!this.leaving.has(nameOf(lane, offset))) line.ahead.push(decodePassed(offset, value))
    }
    // What was passed over meanwhile stands behind `last`.
    line.from = found.length < FEW ? last + 1 : backlogOffset(found.at(-1)!.key) + 1
    this.moved(line)
    return true
  }

  /** Finds out which groups there are: one look for each, however many messages it has. */
  private async load(freed: (order: string) => void): Promise<void> {
    const { stock, era } = this
    const { reader } = stock.post
    let left = GROUPS_AT_ONCE
    for (const lane of [...stock.lanes]) {
      const { start, end } = backlogRange(stock.number, laneOf(lane.priority))
      for (let at = start; ; ) {
        const [entry] = await reader.slice({ start: at, end }, 1)
        if (era !== this.era) return
        if (entry === undefined) break
        const order = backlogOrder(entry.key)
        const line = this.lineOf(lane, order)
        line.from = backlogOffset(entry.key)
        line.last = lane.cursor - 1
        if (line.from > line.last) throw senselessBacklog('one was passed over that is still to come')
        this.moved(line)
        at = behindOrder(entry.key)
        if (--left > 0) continue
        left = GROUPS_AT_ONCE
        await new Promise((resolve) => setImmediate(resolve))
        if (era !== this.era) return
      }
    }
    this.loaded = true
    this.floors.clear()
    // Where one is under way the others wait for it; the end of that one asks for them.
    const free = new Set(this.undecided)
    for (const order of this.lines.keys()) {
      if (stock.orders.has(order)) continue
      stock.orders.begin(order)
      free.add(order)
    }
    this.undecided.clear()
    for (const order of free) freed(order)
  }

  /** Those that wait, one after the other, on this thread, in no order. */
  *each(): Generator<{
    readonly lane: Lane<Entry>
    readonly order: string
    readonly offset: number
    readonly size: number
  }> {
    const { stock } = this
    if (this.count === 0) return
    for (const { key, value } of stock.post.reader.each(kindRange(stock.number, KIND_BACKLOG))) {
      const offset = backlogOffset(key)
      const lane = stock.lanes.find((each) => laneOf(each.priority) === backlogLane(key))
      if (lane === undefined || lane.entries.has(offset) || this.leaving.has(nameOf(lane, offset))) continue
      yield { lane, order: backlogOrder(key), offset, size: decodePassed(offset, value).size }
    }
  }

  /** Whether this one waits, as far as the tree shows. */
  has(lane: Lane<Entry>, order: string, offset: number): boolean {
    return !lane.entries.has(offset) && this.stock.post.reader.has(this.keyOf(lane, order, offset))
  }

  /** It goes without having been handed out. */
  remove(change: Change, lane: Lane<Entry>, order: string, offset: number, size: number): void {
    const { stock } = this
    change.touch(stock)
    this.discount(size)
    const name = nameOf(lane, offset)
    const line = this.lines.get(order)?.find((each) => each.lane === lane)
    const at = line?.ahead.findIndex((each) => each.offset === offset) ?? -1
    const [passed] = at < 0 ? [] : line!.ahead.splice(at, 1)
    if (line !== undefined) this.moved(line)
    this.leaving.add(name)
    change.record.del(stock.post.state, this.keyOf(lane, order, offset))
    change.onCommitted(() => this.leaving.delete(name))
    change.onRefused(() => {
      this.leaving.delete(name)
      if (passed === undefined || line === undefined) return
      line.ahead.push(passed)
      line.ahead.sort((a, b) => a.offset - b.offset)
      this.moved(line)
    })
  }

  /** All of them go. */
  clear(change: Change): void {
    const { stock, isLoaded, loosened, loosenedBytes } = this
    const lines = [...this.lines]
    const asked = [...this.asked]
    const undecided = [...this.undecided]
    const floors = [...this.floors]
    this.era++
    this.lines.clear()
    for (const heap of this.firsts.values()) heap.clear()
    this.asked.clear()
    this.undecided.clear()
    this.floors.clear()
    this.loaded = true
    this.loosened = 0
    this.loosenedBytes = 0
    stock.tally.backlogCount = 0
    stock.tally.backlogBytes = 0
    change.onRefused(() => {
      this.era++
      for (const [order, each] of lines) this.lines.set(order, each)
      for (const [, each] of lines) for (const line of each) this.moved(line)
      for (const order of asked) this.asked.add(order)
      for (const order of undecided) this.undecided.add(order)
      for (const [lane, floor] of floors) this.floors.set(lane, floor)
      this.loaded = isLoaded
      this.loosened = loosened
      this.loosenedBytes = loosenedBytes
    })
    change.record.clear(stock.post.state, kindRange(stock.number, KIND_BACKLOG))
  }

  private lineOf(lane: Lane<Entry>, order: string): Line {
    let lines = this.lines.get(order)
    if (lines === undefined) this.lines.set(order, (lines = []))
    let line = lines.find((each) => each.lane === lane)
    if (line === undefined) lines.push((line = { lane, order, ahead: [], from: 0, last: -1 }))
    this.watch(lane)
    return line
  }

  private drop(line: Line): void {
    const lines = this.lines.get(line.order)!.filter((each) => each !== line)
    if (lines.length === 0) this.lines.delete(line.order)
    else this.lines.set(line.order, lines)
  }

  /** The first of a line is another one. */
  private moved(line: Line): void {
    const offset = firstOf(line)
    if (offset === Number.POSITIVE_INFINITY) return
    const heap = this.firsts.get(line.lane)!
    if (heap.size > FEW && heap.size > this.lines.size * 4) {
      // What is out of date behind one that waits for long never comes up.
      const current = heap.values().filter((each) => firstOf(each.line) === each.offset)
      heap.clear()
      for (const each of current) heap.push(each)
    }
    heap.push({ offset, line })
  }

  /** What waits in a lane is needed, and what stands behind it. */
  private watch(lane: Lane<Entry>): void {
    if (this.firsts.has(lane)) return
    const heap = new Heap<{ readonly offset: number; readonly line: Line }>((a, b) => a.offset < b.offset)
    this.firsts.set(lane, heap)
    lane.floor = () => {
      while (heap.first !== undefined && firstOf(heap.first.line) !== heap.first.offset) heap.pop()
      return Math.min(heap.first?.offset ?? Number.POSITIVE_INFINITY, this.floors.get(lane) ?? Number.POSITIVE_INFINITY)
    }
  }

  private keyOf(lane: Lane<Entry>, order: string, offset: number): Uint8Array {
    return backlogKey(this.stock.number, laneOf(lane.priority), order, offset)
  }
}

function nameOf(lane: Lane<Entry>, offset: number): string {
  return `${lane.priority}/${offset}`
}
