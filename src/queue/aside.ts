import { assert } from '../bytes/errors.js'
import { getU16, getU32, putU16, putU32, putVarint, varintLength } from '../bytes/integers.js'
import { putText } from '../bytes/text.js'
import type { Change } from './change.js'
import { MOST_ATTEMPTS } from './entry.js'
import { StoredMessage } from './message-format.js'
import { asideKey, asideNumber, dueOf, kindRange } from './state-keys.js'
import { EntryReader } from './stored-bytes.js'
import type { TreeReader } from './tree-reader.js'

/*
 * Messages that wait for a time: those that were sent with a delay, and those that failed and are tried again later. They stand in the
 * state tree in the order of their due times, so that the lanes they left can be trimmed, however many years they wait. The value,
 * never to change within format version 1:
 *
 *   +----------+----------+--------------+-------------+---------+
 *   | priority | attempts | id           | reason      | message |
 *   | i16      | u32      | varint, text | varint,text | rest    |
 *   +----------+----------+--------------+-------------+---------+
 *
 *   id       of a message that had one before; empty where it follows from the number in the key
 *   reason   why its last delivery failed
 */

/** A message that waits, or waited, for its time. */
export interface AsideMessage {
  readonly due: number
  readonly number: number
  readonly priority: number
  readonly attempts: number
  readonly id: string
  readonly reason: string
  readonly message: StoredMessage
}

const HEAD_BYTES = 6

function encodeAside({ priority, attempts, id, reason, message }: AsideMessage): Uint8Array {
  const idBytes = Buffer.byteLength(id)
  const reasonBytes = Buffer.byteLength(reason)
  const textBytes = varintLength(idBytes) + idBytes + varintLength(reasonBytes) + reasonBytes
  const bytes = new Uint8Array(HEAD_BYTES + textBytes + message.bytes.length)
  putU16(bytes, 0, priority)
  putU32(bytes, 2, Math.min(attempts, MOST_ATTEMPTS))
  let at = putText(bytes, putVarint(bytes, HEAD_BYTES, idBytes), id)
  at = putText(bytes, putVarint(bytes, at, reasonBytes), reason)
  assert(at === HEAD_BYTES + textBytes, 'what is set aside takes the room that was made for it')
  bytes.set(message.bytes, at)
  return bytes
}

const reader = new EntryReader('A message that waits')

function decodeAside(key: Uint8Array, bytes: Uint8Array): AsideMessage {
  reader.begin(bytes, HEAD_BYTES)
  const id = reader.text()
  const reason = reader.text()
  const { at } = reader
  return {
    due: dueOf(key),
    number: asideNumber(key),
    priority: (getU16(bytes, 0) << 16) >> 16,
    attempts: getU32(bytes, 2),
    id,
    reason,
    message: new StoredMessage(bytes.slice(at)),
  }
}

// So many are read at once; of those of them that are due, the one with the highest priority goes first.
const SLICE = 64
const FEW_AHEAD = 32

/** The messages of one queue that wait for their time, of one kind. */
export class Aside {
  readonly kind: number
  private readonly owner: number
  private readonly reader: TreeReader
  /** Read ahead, in the order of their due times. */
  private ahead: AsideMessage[] = []
  /** No message outside of `ahead` is before this key. */
  private from: Uint8Array
  /** There is nothing behind `ahead`. */
  private complete = false
  /** When those are due whose commit is on its way. */
  private readonly coming = new Map<number, number>()
  private appearances = 0
  /** Handed out, or on their way out, though they stand in the tree: not to be read again. */
  private readonly taken = new Set<number>()
  /** Due up to this time have been counted as due. */
  private countedUntil = -1
  private dueCount = 0
  private clearings = 0
  private era = 0

  constructor(reader: TreeReader, owner: number, kind: number) {
    this.reader = reader
    this.owner = owner
    this.kind = kind
    this.from = kindRange(owner, kind).start
  }

  /** Begins behind what is known to be gone; `taken` are numbers that have an entry. */
  load(from: number, taken: Iterable<number>): void {
    this.from = asideKey(this.owner, this.kind, from, 0)
    for (const number of taken) this.taken.add(number)
  }

  put(change: Change, item: AsideMessage): void {
    change.record.put(this.reader.state, asideKey(this.owner, this.kind, item.due, item.number), encodeAside(item))
    const { due, number } = item
    const { era } = this
    this.coming.set(number, due)
    change.onRefused(() => this.coming.delete(number))
    change.onCommitted(() => {
      this.coming.delete(number)
      // What was cleared meanwhile goes with the next commit.
      if (era === this.era) this.appeared(due, number)
    })
  }

  /** Takes it out of the tree. */
  remove(change: Change, due: number, number: number): void {
    change.record.del(this.reader.state, asideKey(this.owner, this.kind, due, number))
    change.onCommitted(() => this.taken.delete(number))
  }

  /** One more waits. What was read ahead stays right only in front of it. */
  private appeared(due: number, number: number): void {
    if (due <= this.countedUntil) this.dueCount++
    this.complete = false
    this.appearances++
    const key = asideKey(this.owner, this.kind, due, number)
    if (Buffer.compare(key, this.from) >= 0) return
    const first = this.ahead[0]
    this.from = first === undefined || due < first.due ? key : asideKey(this.owner, this.kind, first.due, first.number)
    this.ahead = []
  }

  /** Whether the tree has to be asked before `best` can tell. */
  get isStale(): boolean {
    return this.ahead.length < FEW_AHEAD && !this.complete
  }

  async fill(): Promise<void> {
    const { from } = this
    const range = { start: from, end: kindRange(this.owner, this.kind).end }
    // Those that are handed out stand in front of the others until they are gone.
    const limit = SLICE + this.taken.size
    const { appearances, era } = this
    const entries = await this.reader.slice(range, limit)
    // What has appeared meanwhile may stand among what was read, and would be passed over; what was cleared would come back.
    if (this.from !== from || appearances !== this.appearances || era !== this.era) return
    this.complete = entries.length < limit
    const last = entries.at(-1)
    if (last === undefined) return
    for (const { key, value } of entries) {
      if (!this.taken.has(asideNumber(key))) this.ahead.push(decodeAside(key, value))
    }
    this.from = asideKey(this.owner, this.kind, dueOf(last.key), asideNumber(last.key) + 1)
  }

  /** Of those that are due the one with the highest priority, if what was read ahead has one. */
  best(now: number): AsideMessage | undefined {
    let best: AsideMessage | undefined
    for (const item of this.ahead) {
      if (item.due > now) break
      if (best === undefined || item.priority > best.priority) best = item
    }
    return best
  }

  /** When the next one is due; undefined where none waits. Requires: not stale. */
  get nextDue(): number | undefined {
    return this.ahead[0]?.due
  }

  /** From here on the tree has to be read when the queue is opened again. */
  get durableFrom(): number {
    let from = this.ahead[0]?.due ?? dueOf(this.from)
    for (const due of this.coming.values()) from = Math.min(from, due)
    return from
  }

  /** One of those read ahead is handed out or done with. */
  take(change: Change, item: AsideMessage): void {
    this.ahead = this.ahead.filter((each) => each !== item)
    this.taken.add(item.number)
    if (item.due <= this.countedUntil) this.dueCount--
    change.onRefused(() => {
      // Those that are due may have been counted meanwhile, without this one.
      if (item.due <= this.countedUntil) this.dueCount++
      this.taken.delete(item.number)
      this.reread(item)
    })
  }

  /** Reads from this one on again. */
  private reread(item: AsideMessage): void {
    const key = asideKey(this.owner, this.kind, item.due, item.number)
    const first = this.ahead[0]
    const start = first !== undefined && first.due < item.due ? asideKey(this.owner, this.kind, first.due, 0) : key
    if (Buffer.compare(start, this.from) < 0) this.from = start
    this.ahead = []
    this.complete = false
  }

  /** All of them go. */
  clear(change: Change): void {
    this.ahead = []
    this.complete = true
    this.dueCount = 0
    // Until that is committed the tree shows them.
    this.clearings++
    this.era++
    change.onCommitted(() => {
      this.clearings--
    })
    change.onRefused(() => {
      this.clearings--
      this.ahead = []
      this.complete = false
      this.from = kindRange(this.owner, this.kind).start
      this.countedUntil = -1
    })
  }

  /** How many are due and not handed out. */
  countDue(now: number): number {
    if (now > this.countedUntil && this.clearings === 0) {
      const start = asideKey(this.owner, this.kind, this.countedUntil + 1, 0)
      for (const { key } of this.reader.each({ start, end: asideKey(this.owner, this.kind, now + 1, 0) })) {
        if (!this.taken.has(asideNumber(key))) this.dueCount++
      }
      this.countedUntil = now
    }
    return this.dueCount
  }

  /** One by its place, waiting for the disk if it must. */
  at(due: number, number: number): AsideMessage | undefined {
    const key = asideKey(this.owner, this.kind, due, number)
    const value = this.reader.get(key)
    return value && decodeAside(key, value)
  }

  /** Those that wait, in the order of their due times, on this thread, no further than is asked for. */
  *each(): Generator<AsideMessage, void, undefined> {
    if (this.clearings > 0) return
    const first = this.ahead[0]
    const start = first === undefined ? this.from : asideKey(this.owner, this.kind, first.due, first.number)
    for (const { key, value } of this.reader.each({ start, end: kindRange(this.owner, this.kind).end })) {
      if (!this.taken.has(asideNumber(key))) yield decodeAside(key, value)
    }
  }

  /** The one that is due first, though it may be in the future; on this thread. */
  get first(): AsideMessage | undefined {
    for (const item of this.ahead.length > 0 ? this.ahead : this.each()) return item
    return undefined
  }
}
