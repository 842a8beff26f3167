import { getU64, putU64 } from '../bytes/integers.js'
import type { Change, Ledger } from './change.js'
import { MessageLog } from './message-log.js'
import type { Office } from './office.js'
import type { Retention } from './retention.js'
import { KIND_METER, KIND_RULES, stateKey } from './state-keys.js'
import { senseless } from './stored-bytes.js'

/*
 * The run of messages of a log or a topic, and what is remembered of it: 24 bytes under its meter key (state-keys.ts), written when
 * the trim point moves. Little-endian, never to change within format version 1. Of a topic also the retention that it was given, as JSON
 * { age?, bytes?, count? } under its rules key, written when it is given.
 *
 *   0         8         16
 *   +---------+---------+--------------+
 *   | first   | next    | bytes before |
 *   | u64     | u64     | next, u64    |
 *   +---------+---------+--------------+
 */

const RECORD_BYTES = 24

export class StoredRun implements Ledger {
  readonly name: string
  readonly number: number
  readonly log: MessageLog
  readonly post: Office
  private readonly kind: 'log' | 'topic'
  private recorded = false
  private firstIssued = 0
  private kept: Retention = {}
  private isKeptRecorded = true
  /** Ends whoever follows it. */
  readonly closing = new AbortController()

  constructor(post: Office, kind: 'log' | 'topic', name: string, number: number) {
    this.post = post
    this.kind = kind
    this.name = name
    this.number = number
    this.log = new MessageLog(post.engine, `${kind}/${number}`)
    const retention = post.reader.get(stateKey(number, KIND_RULES))
    if (retention !== undefined) this.kept = JSON.parse(Buffer.from(retention).toString()) as Retention
    const bytes = post.reader.get(stateKey(number, KIND_METER))
    if (bytes === undefined) return
    const figures = bytes.length < RECORD_BYTES ? [] : [0, 8, 16].map((offset) => getU64(bytes, offset))
    const [first, next, bytesBefore] = figures
    if (!figures.every(Number.isSafeInteger) || !(first! <= next!)) {
      throw senseless(`The figures of ${kind} '${name}'`, 0, 'they are none')
    }
    this.recorded = true
    this.firstIssued = first!
    this.log.load(first!, next!, bytesBefore!)
    if (this.log.hasDeadTables) this.log.dropTables(this.firstIssued)
  }

  /** Where the trim point is, the commit that moves it counted though it may be on its way. */
  get first(): number {
    return this.firstIssued
  }

  /** How much of it is kept, as it was given last. */
  get retention(): Retention {
    return this.kept
  }

  /** It is written down with the next commit. */
  set retention(retention: Retention) {
    this.kept = retention
    this.isKeptRecorded = false
  }

  /** Whether what was given stands in the store, or is on its way there. */
  get isRetentionRecorded(): boolean {
    return this.isKeptRecorded
  }

  /** It was not given, after all. */
  takeBackRetention(before: Retention, wasRecorded: boolean): void {
    this.kept = before
    this.isKeptRecorded = wasRecorded
  }

  /** Appends a message; the first one also writes down the name. */
  append(change: Change, message: Uint8Array): number {
    if (!this.recorded || !this.isKeptRecorded) change.touch(this)
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
    if (!this.isKeptRecorded) {
      this.isKeptRecorded = true
      change.onRefused(() => {
        this.isKeptRecorded = false
      })
      change.record.put(this.post.state, stateKey(this.number, KIND_RULES), JSON.stringify(this.kept))
    }
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
