import { invalid } from '../bytes/errors.js'
import { describe } from '../store/encoding.js'
import { checked, flag, signal } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import { commitChange } from './change.js'
import { follow, offsetAt, RunningTime } from './follower.js'
import { type EncodedBody, encodeBody, encodeMessage, putSentAt } from './message-format.js'
import type { StoredRun } from './stored-run.js'

/** One entry of a log. */
export interface LogEntry {
  /** Its place: one more than that of the entry in front of it. */
  readonly offset: number
  /** The bytes that were appended. */
  readonly body: Buffer
  /** When it was appended, in milliseconds since 1970; never before the entry in front of it. */
  readonly time: number
}

/** What `read` takes. */
export interface ReadLogOptions {
  /** The first offset, or a time (default: the first entry that is kept). */
  from?: number | { time: number } | 'earliest' | 'latest'
  /** At most so many entries. */
  limit?: number
  /** Go on with what is appended later (default false). */
  follow?: boolean
  /** Ends it when it aborts, with its reason. */
  signal?: AbortSignal
}

/** Figures of a log. */
export interface LogStats {
  /** The first offset that is kept. */
  readonly first: number
  /** The offset that the next entry gets. */
  readonly next: number
  /** Bytes of the entries that are kept. */
  readonly bytes: number
}

const wholeFrom0 = (value: unknown, name: string): unknown => {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 0)) return value
  throw invalid(`Option ${name} must be a whole number from 0 on, not ${describe(value)}`)
}

const from = (value: unknown): unknown => {
  if (value === 'earliest' || value === 'latest') return value
  if (typeof value === 'object' && typeof (value as { time?: unknown } | null)?.time === 'number') return value
  return wholeFrom0(value, 'from')
}

const readChecks = { from, limit: wholeFrom0, follow: flag, signal }
const trimChecks = { before: wholeFrom0, sync: flag }

/** The options of `read`, checked. @internal */
export function readLogOptions(options: ReadLogOptions): ReadLogOptions {
  return checked(options, readChecks, 'read')
}

/** The options of `trim`, checked. @internal */
export function trimOptions(options: { before: number } & WriteOptions): { before: number } & WriteOptions {
  const given = checked(options, trimChecks, 'trim') as unknown as typeof options
  wholeFrom0(given.before, 'before')
  return given
}

/**
 * A durable, append-only log of bytes.
 *
 * @example
 * const log = db.log('events')
 * const offset = await log.append('started')
 * for await (const { offset, body, time } of log.read({ from: 0 })) console.log(offset, time, body.toString())
 */
export class DurableLog {
  /** What it was asked for by. */
  readonly name: string
  private readonly run: StoredRun
  private readonly time: RunningTime

  /** @internal Logs come from `db.log()`. */
  constructor(run: StoredRun) {
    this.run = run
    this.name = run.name
    this.time = new RunningTime(run)
  }

  /** Appends bytes, or text as UTF-8. Returns their offset. */
  async append(body: Uint8Array | string, options?: WriteOptions): Promise<number> {
    const [offset] = await this.appendMany([body], options)
    return offset!
  }

  /** Appends several in one commit: all of them or none. Returns their offsets. */
  async appendMany(bodies: readonly (Uint8Array | string)[], options?: WriteOptions): Promise<number[]> {
    if (!Array.isArray(bodies)) throw invalid(`appendMany takes an array of bytes, not ${describe(bodies)}`)
    const { run } = this
    const { post } = run
    const { sync = post.sync } = checked(options ?? {}, { sync: flag }, 'append') as WriteOptions
    const messages = bodies.map(entryOf)
    if (messages.length === 0) return []
    let offsets: number[] = []
    await commitChange(post.engine, sync, (change) => {
      const sentAt = this.time.next(change, post.clock.now())
      offsets = messages.map((message) => {
        putSentAt(message, sentAt)
        return run.append(change, message)
      })
    })
    return offsets
  }

  /**
   * Walks over the log from an offset or a time on. Below the trim point it starts with the first entry that is kept.
   *
   * @example
   * for await (const { offset, body } of log.read({ from: 0, limit: 100 })) console.log(offset, body.toString())
   */
  async *read(options: ReadLogOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    const given = readLogOptions(options)
    const { run } = this
    run.log.checkOpen()
    const { from = 0, limit = Number.POSITIVE_INFINITY, follow: isFollowing = false, signal } = given
    const start = typeof from === 'number' ? from : this.offsetOf(from)
    for await (const { offset, message } of follow(run, { from: start, limit, follow: isFollowing, signal })) {
      yield { offset, body: message.body() as Buffer, time: message.sentAt }
    }
  }

  /** Everything before an offset is not needed any more. Returns when that is committed; the disk gets it back later. */
  async trim(options: { before: number } & WriteOptions): Promise<void> {
    const { before, sync } = trimOptions(options)
    const { run } = this
    const first = Math.min(before, run.log.visible)
    if (first <= run.first) return
    await commitChange(run.post.engine, sync ?? run.post.sync, (change) => run.trim(change, first))
  }

  /** Its figures now. */
  stats(): LogStats {
    const { log } = this.run
    log.checkOpen()
    return { first: log.first, next: log.visible, bytes: keptBytes(this.run) }
  }

  private offsetOf(from: 'earliest' | 'latest' | { time: number }): number {
    if (from === 'earliest') return 0
    return from === 'latest' ? this.run.log.visible : offsetAt(this.run, from.time)
  }
}

/** Bytes of the messages that are kept. */
export function keptBytes({ log }: StoredRun): number {
  return log.first >= log.next ? 0 : log.totalBytes - log.bytesBefore(log.first)
}

/** An entry whose time is set when it is appended. */
function entryOf(body: Uint8Array | string): Uint8Array {
  if (typeof body !== 'string' && !ArrayBuffer.isView(body)) {
    throw invalid(`An entry of a log is bytes or text, not ${describe(body)}`)
  }
  const bytes: EncodedBody = encodeBody(typeof body === 'string' ? Buffer.from(body) : body)
  return encodeMessage({
    sentAt: 0,
    expiresAt: 0,
    group: undefined,
    headers: undefined,
    history: undefined,
    signature: undefined,
    body: bytes,
  })
}
