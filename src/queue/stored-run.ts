import { getU64, putU64 } from '../bytes/integers.js'
import type { Change, Ledger } from './change.js'
import { MessageLog } from './message-log.js'
import type { Office } from './office.js'
import { KIND_METER, stateKey } from './state-keys.js'

/*
 * The run of messages of a log or a topic, and what is remembered of it: 24 bytes under its meter key (state-keys.ts), written when
 * the trim point moves. Little-endian, never to change within format version 1.
 *
 *   0         8         16
 *   +---------+---------+--------------+
 *   | first   | next    | bytes before |
 *   | u64     | u64     | next, u64    |
 *   +---------+---------+--------------+
 */

const RECORD_BYTES = 24
/** Room that the record and the name take at most, besides the name's length. */
const RECORD_BYTE_BOUND = 256

export class StoredRun implements Ledger {
  readonly name: string
  readonly number: number
  readonly log: MessageLog
  readonly post: Office
  private readonly kind: 'log' | 'topic'
  private recorded = false
  private firstIssued = 0
  /** Ends whoever follows it. */
  readonly closing = new AbortController()

  constructor(post: Office, kind: 'log' | 'topic', name: string, number: number) {
    this.post = post
    this.kind = kind
    this.name = name
    this.number = number
    this.log = new MessageLog(post.engine, `${kind}/${number}`)
    const bytes = post.reader.get(stateKey(number, KIND_METER))
    if (bytes === undefined) return
    this.recorded = true
    this.firstIssued = getU64(bytes, 0)
    this.log.load(this.firstIssued, getU64(bytes, 8), getU64(bytes, 16))
    if (this.log.hasDeadTables) this.log.dropTables(this.firstIssued)
  }

  /** Where the trim point is, the commit that moves it counted though it may be on its way. */
  get first(): number {
    return this.firstIssued
  }

  /** Room that `touch` takes in a record. */
  get figuresByteBound(): number {
    return RECORD_BYTE_BOUND + this.name.length * 6 + this.post.creationByteBound + this.log.creationByteBound
  }

  /** Appends a message; the first one also writes down the name. */
  append(change: Change, message: Uint8Array): number {
    if (!this.recorded) change.touch(this)
    return this.log.append(change, message)
  }

  /** Moves the trim point, as part of a commit. */
  trim(change: Change, first: number): void {
    if (first <= this.firstIssued) return
    change.touch(this)
    this.firstIssued = first
    change.onCommitted(() => {
      this.log.trim(first)
      if (this.log.hasDeadTables) this.post.sweeper.add(this.log, this)
    })
  }

  save(): { first: number; recorded: boolean } {
    return { first: this.firstIssued, recorded: this.recorded }
  }

  restore({ first, recorded }: { first: number; recorded: boolean }): void {
    this.firstIssued = first
    this.recorded = recorded
  }

  writeFigures(change: Change): void {
    if (!this.recorded) this.post.recordName(change, this.kind, this.name, this.number)
    this.recorded = true
    const bytes = new Uint8Array(RECORD_BYTES)
    putU64(bytes, 0, this.firstIssued)
    putU64(bytes, 8, this.log.next)
    putU64(bytes, 16, this.log.totalBytes)
    change.record.put(this.post.state, stateKey(this.number, KIND_METER), bytes)
  }

  close(): void {
    this.closing.abort()
  }
}
