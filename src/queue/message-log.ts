import { assert } from '../bytes/errors.js'
import type { Engine } from '../store/engine.js'
import { internalName } from '../store/internal-trees.js'
import type { TreeState } from '../store/tree-state.js'
import { getKeyU64, putKeyU64 } from './big-endian.js'
import type { Appendable, Change } from './change.js'
import { fullTotal, putTotal, StoredMessage } from './message-format.js'
import { senseless } from './stored-bytes.js'
import { TreeReader } from './tree-reader.js'

/*
 * A run of messages: a tree whose keys are offsets, eight bytes big-endian, from 0 on and without a gap. The values are messages in
 * the layout of message-format.ts. Its tables never overlap and are never merged but tiny ones ('fifo'); what lies below the trim
 * point is left out of tables that are written, and tables that hold nothing else are dropped unread. Nothing is ever deleted, so
 * there are no dead entries to be walked over.
 */

/** A message and where it stands. */
export interface PlacedMessage {
  readonly offset: number
  readonly message: StoredMessage
}

export class MessageLog implements Appendable {
  /** Where the next message goes, counting those whose commit is on its way. */
  next = 0
  /** Messages before this one are committed. */
  visible = 0
  /** Bytes of all messages that were ever appended. */
  totalBytes = 0
  /** Nobody needs what lies before it. */
  first = 0
  readonly state: TreeState
  private readonly engine: Engine
  private readonly reader: TreeReader
  private readonly key = new Uint8Array(8)
  private readonly watchers = new Set<() => void>()

  constructor(engine: Engine, name: string) {
    this.engine = engine
    this.state = engine.tree(internalName(name), { compaction: 'fifo' })
    this.reader = new TreeReader(engine, this.state)
  }

  /** Finds its end, given what was last written down of it: what was appended since is there to be seen. */
  load(first: number, next: number, totalBytes: number): void {
    this.first = first
    this.next = next
    this.totalBytes = totalBytes
    const last =
      this.state.tree === undefined ? undefined : this.reader.last({ start: offsetKey(next), end: undefined })
    if (last !== undefined) {
      this.next = offsetOf(last.key) + 1
      this.totalBytes = fullTotal(new StoredMessage(last.value).total, totalBytes)
    }
    this.visible = this.next
    // What a crash left in tables of what is not needed goes with the next flush.
    if (first > 0) this.state.trimmedBefore = offsetKey(first)
  }

  /** Appends a message and returns its offset. */
  append(change: Change, message: Uint8Array): number {
    const offset = this.next
    const totalBytes = this.totalBytes + message.length
    putTotal(message, totalBytes)
    change.record.put(this.state, offsetKey(offset), message)
    this.next = offset + 1
    this.totalBytes = totalBytes
    change.appended(this, message.length)
    return offset
  }

  show(count: number): void {
    this.visible += count
    assert(this.visible <= this.next, 'what is visible was appended')
    for (const wake of this.watchers) wake()
  }

  takeBack(count: number, bytes: number): void {
    this.next -= count
    this.totalBytes -= bytes
    assert(this.next >= this.visible, 'what is visible is never taken back')
  }

  /** Calls back when messages have become visible, until the returned function is called. */
  watch(wake: () => void): () => void {
    this.watchers.add(wake)
    return () => this.watchers.delete(wake)
  }

  /** A message, waiting for the disk if it must. */
  at(offset: number): StoredMessage | undefined {
    putKeyU64(this.key, 0, offset)
    const value = this.reader.get(this.key)
    return value && new StoredMessage(value)
  }

  /** A message where that takes no wait; `null` where the disk would have to be asked. */
  atResident(offset: number): StoredMessage | undefined | null {
    putKeyU64(this.key, 0, offset)
    const value = this.reader.getResident(this.key)
    return value && new StoredMessage(value)
  }

  /** Messages from an offset on, up to `limit` of them or the one that makes them `maxBytes`. */
  async slice(from: number, to: number, limit: number, maxBytes: number): Promise<PlacedMessage[]> {
    const entries = await this.reader.slice({ start: offsetKey(from), end: offsetKey(to) }, limit, maxBytes)
    return entries.map(({ key, value }) => ({ offset: offsetOf(key), message: new StoredMessage(value) }))
  }

  /** Bytes of the messages before an offset. */
  bytesBefore(offset: number): number {
    if (offset >= this.next) return this.totalBytes
    const message = offset >= this.first ? this.at(offset) : undefined
    return message === undefined ? 0 : this.totalOf(message) - message.size
  }

  /** Bytes of all messages up to and with this one. */
  totalOf(message: StoredMessage): number {
    return fullTotal(message.total, this.totalBytes)
  }

  /**
   * Nobody needs what lies before this offset any more, as of a commit that is visible. What memory holds of it never gets into a
   * table.
   */
  trim(first: number): void {
    if (first <= this.first) return
    this.first = first
    this.state.trimmedBefore = offsetKey(first)
  }

  /** Whether tables lie wholly below the trim point. */
  get hasDeadTables(): boolean {
    return this.state.tree?.holdsTableBefore(offsetKey(this.first)) ?? false
  }

  /** Drops tables that lie wholly before an offset. Requires: the commit that moved the trim point there is on disk. */
  dropTables(first: number): void {
    this.state.tree?.trim(offsetKey(first))
  }

  /** What the messages take on disk, roughly. */
  get diskBytes(): number {
    return this.state.approximateBytes({ start: new Uint8Array(0), end: undefined })
  }

  /** Whether the store still takes reads. */
  checkOpen(): void {
    this.engine.checkOpen()
  }
}

export function offsetKey(offset: number): Uint8Array {
  const key = new Uint8Array(8)
  putKeyU64(key, 0, offset)
  return key
}

/** The offset in a key that was read, which may be any bytes. */
function offsetOf(key: Uint8Array): number {
  const offset = key.length === 8 ? getKeyU64(key, 0) : Number.NaN
  if (!Number.isSafeInteger(offset)) throw senseless('The key of a message', 0, 'it is no offset')
  return offset
}
