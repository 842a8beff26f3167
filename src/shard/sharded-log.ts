import { invalid } from '../bytes/errors.js'
import { type LogEntry, type LogStats, type ReadLogOptions, readLogOptions, trimOptions } from '../queue/durable-log.js'
import { describe } from '../store/encoding.js'
import { keepAlive } from '../store/keep-alive.js'
import { checkNames } from '../store/option-names.js'
import type { WriteOptions } from '../store/write-target.js'
import { nextCall } from './group-wait.js'
import type { LogPart } from './mail.js'
import type { MailHome } from './sharded-queue.js'

const SLICE = 256

/**
 * A durable, append-only log. It has one order, so it stands on one shard; a '{tag}' in its name decides on which.
 *
 * @example
 * const log = store.log('events')
 * const offset = await log.append('started')
 * for await (const entry of log.read({ from: offset })) console.log(entry.offset, entry.body.toString())
 */
export class ShardedLog {
  /** What it was asked for by. */
  readonly name: string
  private readonly part: LogPart
  private readonly home: MailHome

  /** @internal Logs come from `store.log()`. */
  constructor(name: string, part: LogPart, home: MailHome) {
    this.name = name
    this.part = part
    this.home = home
  }

  /** Appends bytes, or text as UTF-8. Returns their offset. */
  async append(body: Uint8Array | string, options?: WriteOptions): Promise<number> {
    const [offset] = await this.appendMany([body], options)
    return offset!
  }

  /** Appends several in one commit: all of them or none. */
  async appendMany(bodies: readonly (Uint8Array | string)[], options: WriteOptions = {}): Promise<number[]> {
    if (!Array.isArray(bodies)) throw invalid(`appendMany takes an array of bytes, not ${describe(bodies)}`)
    checkNames(options, ['sync'], 'append')
    return this.part.appendMany(bodies, { sync: this.home.sync, ...options })
  }

  /** Walks over the log from an offset or a time on. */
  async *read(options: ReadLogOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    const { limit = Number.POSITIVE_INFINITY, follow = false, signal, from = 0 } = readLogOptions(options)
    let left = limit
    let place: ReadLogOptions['from'] = from === 'latest' ? this.part.stats().next : from
    while (left > 0) {
      signal?.throwIfAborted()
      const entries = await this.part.slice({ from: place, limit: Math.min(left, SLICE) })
      for (const { offset, body, time } of entries) {
        signal?.throwIfAborted()
        place = offset + 1
        left--
        yield { offset, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength), time }
      }
      if (entries.length > 0) continue
      if (!follow) return
      await this.appended(typeof place === 'number' ? place : this.part.stats().next, signal)
    }
  }

  /** Everything before an offset is not needed any more. */
  async trim(options: { before: number } & WriteOptions): Promise<void> {
    return this.part.trim(trimOptions(options))
  }

  /** Its figures now. */
  stats(): LogStats {
    return this.part.stats()
  }

  private async appended(offset: number, signal: AbortSignal | undefined): Promise<void> {
    const call = nextCall()
    const cancel = (): void => this.part.cancel(call)
    signal?.addEventListener('abort', cancel)
    try {
      await keepAlive(this.part.appended(call, offset))
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }
}
