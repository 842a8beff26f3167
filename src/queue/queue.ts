import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { BatchPart, MessageOptions, MessageTarget } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { checkName } from '../store/name.js'
import { checkNames, requireObject } from '../store/option-names.js'
import { checked, flag, signal, whole } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import { type Draft, draftMessage } from './draft.js'
import type { Entry } from './entry.js'
import type { Handler } from './handler-loop.js'
import type { SendResult } from './intake.js'
import type { Mailbox } from './mailbox.js'
import { Message } from './message.js'
import type { DeadLetter, StoredMessage } from './message-format.js'
import { peek } from './peek.js'
import { RateLimiter } from './rate-limiter.js'
import type { Opened, Reader } from './reader.js'
import { redriveLetters } from './redrive.js'
import type { Repetition, Repetitions, When } from './repetition.js'
import { milliseconds, type QueueOptions, type Rules } from './rules.js'
import { Signer } from './signature.js'
import { type ConsumeOptions, loopSettings, Worker } from './worker.js'

/** What `send` takes. */
export interface SendOptions extends MessageOptions, WriteOptions {
  /** With `overflow: 'block'`: milliseconds to wait for room (default: the queue's `blockTimeout`), then `SILT_TIMEOUT`. */
  timeout?: number
}

/** One message of `sendMany`. */
export interface SendItem<T> extends MessageOptions {
  /** What is sent: bytes, text, or what JSON holds. */
  body: T
}

/** What `receive` takes. */
export interface ReceiveOptions {
  /** At most so many messages (default 1). */
  max?: number
  /** Milliseconds to wait where there is none (default 0: not at all; Infinity: until there is one). */
  wait?: number
  /** Ends the wait when it aborts, with its reason. */
  signal?: AbortSignal
}

/** A message that was looked at and not taken. */
export interface PeekedMessage<T> {
  /** The same over all deliveries. */
  readonly id: string
  /** What was sent. */
  readonly body: T
  /** What was sent beside the body. */
  readonly headers: Record<string, unknown>
  /** Whose messages keep their order under `ordering: 'group'`. */
  readonly group: string | undefined
  /** Higher ones are handed out first. */
  readonly priority: number
  /** How often it was handed out. */
  readonly attempts: number
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt: number
  /** Where and why it died, in a dead-letter queue. */
  readonly deadLetter: DeadLetter | undefined
}

/**
 * Figures of a queue. `depth` is `ready + delayed + inFlight`; and what was `sent` is in it or was acked, has expired, was dropped,
 * dead-lettered or purged. The counts begin with the making of the queue and outlive reopening.
 */
export interface QueueStats {
  /** Messages that are in the queue. */
  readonly depth: number
  /** Those that could be handed out now. */
  readonly ready: number
  /** Those that wait for their time: sent with a delay, or failed and to be tried again. */
  readonly delayed: number
  /** Those that were handed out and are not settled. */
  readonly inFlight: number
  /** What died here and lies in the dead-letter queue. */
  readonly dead: number
  /** Milliseconds since the oldest message that is ready or in flight was sent; 0 without any. */
  readonly oldestAge: number
  /** Bytes of the messages in `depth`. */
  readonly bytes: number
  /** Messages that came in. */
  readonly sent: number
  /** Messages that were handed out, each time counted. */
  readonly received: number
  /** Messages that were acknowledged. */
  readonly acked: number
  /** Of `received`: those that were handed out before. */
  readonly redelivered: number
  /** Messages that expired before anybody had them, or between two attempts. */
  readonly expired: number
  /** Messages that were not sent because one with their dedup id was. */
  readonly duplicates: number
  /** By `overflow: 'drop-oldest'`. */
  readonly dropped: number
  /** Messages that went to the dead-letter queue, or were given up where there is none. */
  readonly deadLettered: number
  /** Messages that `purge` removed. */
  readonly purged: number
}

const receiveChecks = { max: whole(1, 10_000, 'messages'), wait: milliseconds, signal }
const peekChecks = { max: receiveChecks.max }
const redriveMax = whole(0, Number.MAX_SAFE_INTEGER, 'messages')
const redriveChecks = {
  max: (value: unknown, name: string) => (value === Number.POSITIVE_INFINITY ? value : redriveMax(value, name)),
}

/** The options of `receive`, checked. @internal */
export function waitOptions(options: ReceiveOptions): { max: number; waitMs: number; signal: AbortSignal | undefined } {
  requireObject(options, 'receive')
  const { wait } = options
  const rest = wait === Number.POSITIVE_INFINITY ? { ...options, wait: undefined } : options
  const given = checked(rest, receiveChecks, 'receive') as ReceiveOptions
  return {
    max: given.max ?? 1,
    waitMs: wait === Number.POSITIVE_INFINITY ? wait : (given.wait ?? 0),
    signal: given.signal,
  }
}

/** Starts a worker. @internal */
export function startWorker<M extends Message>(
  mailbox: Mailbox,
  reader: Reader<M>,
  handler: Handler<M>,
  options: ConsumeOptions,
): Worker<M> {
  if (typeof handler !== 'function') throw invalid(`consume takes a function, not ${describe(handler)}`)
  const settings = loopSettings(options)
  mailbox.delivery.post.engine.checkWritable()
  return new Worker(mailbox, reader, handler, settings)
}

/**
 * A durable queue: each message is handed to one consumer, and again to another one until somebody acknowledges it.
 *
 * @example
 * const payments = db.queue<Payment>('payments', { ordering: 'group' })
 * await payments.send({ amount: 7 }, { group: 'customer:1', dedupId: 'payment:7' })
 * const worker = payments.consume(async (message) => charge(message.body), { concurrency: 4 })
 * await worker.stop()
 */
export class Queue<T = unknown> implements MessageTarget<T> {
  /** What it was asked for by. */
  readonly name: string
  private readonly mailbox: Mailbox
  private readonly signer: Signer | undefined
  private readonly limiter: RateLimiter | undefined
  private readonly repetitions: Repetitions
  private readonly reader: Reader<Message<T>>

  /** @internal Queues come from `db.queue()`. */
  constructor(
    mailbox: Mailbox,
    repetitions: Repetitions,
    { signingKey, rateLimit }: Pick<QueueOptions, 'signingKey' | 'rateLimit'>,
  ) {
    this.mailbox = mailbox
    this.repetitions = repetitions
    const { name, post } = mailbox.delivery
    this.name = name
    this.signer = signingKey === undefined ? undefined : new Signer(signingKey)
    this.limiter = rateLimit === undefined ? undefined : new RateLimiter(rateLimit, post.clock)
    this.reader = { open: (entry, stored) => this.open(entry, stored) }
  }

  /** What holds for everybody who uses the queue. */
  get rules(): Rules {
    return this.mailbox.delivery.rules
  }

  /** The rules, where they are written down. @internal */
  get recordedRules(): Rules | undefined {
    const { rules, stock } = this.mailbox.delivery
    return stock.registration.isRecorded ? rules : undefined
  }

  /**
   * Sends a message: bytes, text or anything that JSON holds.
   *
   * @example
   * const { id, duplicate } = await q.send({ order: 7 }, { dedupId: 'order:7', delay: 60_000, headers: { trace: 'a1' } })
   */
  async send(body: T, options?: SendOptions): Promise<SendResult> {
    const { sync, timeout, message } = splitSendOptions(options)
    const draft = this.draft(body, message)
    const [result] = await this.sendDrafts([draft], sync, timeout)
    return result!
  }

  /**
   * Sends many messages in one commit: all of them or none.
   *
   * @example
   * await q.sendMany([{ body: 'a' }, { body: 'b', priority: 9 }], { sync: true })
   */
  async sendMany(items: readonly SendItem<T>[], options?: WriteOptions & { timeout?: number }): Promise<SendResult[]> {
    if (!Array.isArray(items)) throw invalid(`sendMany takes an array of { body, …options }, not ${describe(items)}`)
    if (options !== undefined) checkNames(options, ['sync', 'timeout'], 'sendMany')
    const { sync, timeout } = splitSendOptions(options)
    const drafts = items.map((item) => {
      if (typeof item !== 'object' || item === null) {
        throw invalid(`sendMany takes items { body, …options }, not ${describe(item)}`)
      }
      const { body, ...message } = item as SendItem<T>
      return this.draft(body, message)
    })
    if (drafts.length === 0) return []
    return this.sendDrafts(drafts, sync, timeout)
  }

  private async sendDrafts(
    drafts: readonly Draft[],
    sync = this.defaultSync,
    timeout = this.rules.blockTimeout,
  ): Promise<SendResult[]> {
    const { limiter } = this
    if (limiter === undefined) return this.mailbox.intake.send(drafts, sync, timeout)
    await this.slowDown(drafts.length)
    try {
      return await this.mailbox.intake.send(drafts, sync, timeout)
    } catch (error) {
      limiter.giveBack(drafts.length)
      throw error
    }
  }

  /**
   * Takes messages, or waits for the first: woken when one comes, never looking again and again.
   *
   * @example
   * await q.send({ order: 8 })
   * const messages = await q.receive({ max: 10, wait: 20_000 })
   */
  async receive(options: ReceiveOptions = {}): Promise<Message<T>[]> {
    const wait = waitOptions(options)
    this.engine.checkWritable()
    return this.mailbox.dispatcher.receive(this.reader, wait)
  }

  /**
   * Feeds messages to a function: acknowledged when it returns, given back when it throws, kept from others for as long as it runs, or
   * for `timeout` at most. `signal` is aborted when that is over, and when the worker is stopped.
   *
   * @example
   * const worker = q.consume(async ({ body }, { signal }) => console.log(body, signal.aborted), { concurrency: 8, timeout: 60_000 })
   * await worker.stop({ timeout: 5000 })
   */
  consume(handler: Handler<Message<T>>, options: ConsumeOptions = {}): Worker<Message<T>> {
    return startWorker(this.mailbox, this.reader, handler, options)
  }

  /** Acknowledges several messages of this queue in one commit; where one of the receipts is stale, none of them. */
  async ackMany(messages: readonly Message<T>[], options?: WriteOptions): Promise<void> {
    checkMessages(messages, Message)
    if (options !== undefined) checked(options, writeChecks, 'ackMany')
    return this.mailbox.ackAll(messages, options?.sync)
  }

  /** Figures that add up, see `QueueStats`. */
  stats(): QueueStats {
    this.engine.checkOpen()
    const { delivery } = this.mailbox
    const { stock } = delivery
    const now = delivery.post.clock.now()
    const counts = stock.counts(stock.time.now())
    const oldest = stock.oldestSentAt
    const { received, acked, redelivered, duplicates, dropped, deadLettered, purged } = stock.tally
    return {
      ...counts,
      dead: delivery.deadLetters?.stock.deathsIn(this.name) ?? 0,
      oldestAge: oldest === undefined ? 0 : Math.max(0, now - oldest),
      bytes: stock.bytes,
      sent: stock.sent,
      received,
      acked,
      redelivered,
      expired: stock.expired,
      duplicates,
      dropped,
      deadLettered,
      purged,
    }
  }

  /** The messages that come next, without taking them. */
  async peek(options: { max?: number } = {}): Promise<PeekedMessage<T>[]> {
    const { max } = peekOptions(options)
    this.engine.checkOpen()
    const { delivery } = this.mailbox
    const found = await peek(delivery.stock, max, delivery.stock.time.now())
    return found.map(({ message, id, attempts, priority }) => ({
      id,
      body: message.body() as T,
      headers: message.headers(),
      group: message.group,
      priority,
      attempts,
      sentAt: message.sentAt,
      deadLetter: message.history?.deadLetter,
    }))
  }

  /** Removes every message, those in flight included, whose receipts are stale then. Returns how many there were. */
  async purge(options?: WriteOptions): Promise<number> {
    if (options !== undefined) checked(options, writeChecks, 'purge')
    return this.mailbox.purge(options?.sync)
  }

  /**
   * Brings back what died in this queue, oldest first and past every limit, with its attempts at 0. Returns how many that were.
   *
   * @example
   * await q.redrive({ max: 100 })
   */
  async redrive(options: { max?: number } = {}): Promise<number> {
    return redriveLetters(this.mailbox.delivery, redriveOptions(options).max)
  }

  /** Hands out nothing, to anybody in this process, until `resume`. Sending goes on. */
  pause(): void {
    this.mailbox.dispatcher.pause()
  }

  /** Hands out messages again. */
  resume(): void {
    this.mailbox.dispatcher.resume()
  }

  /** Whether `pause` holds it. */
  get isPaused(): boolean {
    return this.mailbox.dispatcher.isPaused
  }

  /**
   * Sends a message again and again, by a cron pattern or every so many milliseconds. It is stored with the queue, sends each time
   * once however often the process dies, and makes one message of all the times at which no process had the queue open.
   *
   * @example
   * await q.repeat('nightly', { cron: '0 3 * * *', timezone: 'Europe/Berlin' }, { job: 'report' })
   */
  async repeat(name: string, when: When, body: T, options?: MessageOptions & WriteOptions): Promise<Repetition> {
    const { sync, message } = splitSendOptions(options)
    checkName(name, 'repetition')
    if (this.signer !== undefined)
      throw new SiltstoneError(
        'SILT_NOT_SUPPORTED',
        'A repetition is not signed; send it from a handle without signingKey',
      )
    return this.repetitions.set(name, when, body, message ?? {}, sync ?? this.defaultSync)
  }

  /** Ends a repetition. Says whether there was one of that name. */
  async cancelRepeat(name: string, options?: WriteOptions): Promise<boolean> {
    if (options !== undefined) checked(options, writeChecks, 'cancelRepeat')
    return this.repetitions.remove(name, options?.sync ?? this.defaultSync)
  }

  /** The repetitions of the queue. */
  repeats(): Repetition[] {
    return this.repetitions.list()
  }

  /** @internal */
  partOfSend(body: T, options: MessageOptions | undefined): BatchPart {
    return this.mailbox.intake.part([this.draft(body, options)], this.limiter)
  }

  private get engine() {
    return this.mailbox.delivery.post.engine
  }

  private get defaultSync(): boolean {
    return this.mailbox.delivery.post.sync
  }

  private draft(body: T, options: MessageOptions | undefined): Draft {
    const { stock, rules } = this.mailbox.delivery
    return draftMessage(body, options, stock.time.mark(), rules.ttl, this.signer)
  }

  private async slowDown(count: number): Promise<void> {
    const { limiter } = this
    if (this.rules.overflow === 'reject') {
      if (limiter!.tryTake(count)) return
      throw new SiltstoneError(
        'SILT_FULL',
        `Queue '${this.name}' takes no more messages for now: the rate limit of this handle is used up. Send again later`,
      )
    }
    const waitMs = limiter!.take(count)
    if (waitMs > 0) await this.engine.pause(waitMs)
  }

  private open(entry: Entry, stored: StoredMessage): Opened<Message<T>> {
    if (this.signer !== undefined && !this.signer.verify(stored)) return { failure: 'signature', isFatal: true }
    return { message: new Message<T>(this.mailbox, entry, stored, stored.body() as T) }
  }
}

/** Refuses what is no list of messages that were received. @internal */
export function checkMessages(messages: unknown, kind: abstract new (...parts: never[]) => unknown): void {
  if (!Array.isArray(messages)) throw invalid(`ackMany takes an array of messages, not ${describe(messages)}`)
  const other = messages.find((message) => !(message instanceof kind))
  if (other === undefined && !messages.includes(undefined)) return
  throw invalid(`What is acknowledged is a message that was received, not ${describe(other)}`)
}

/** The options of `peek`, checked. @internal */
export function peekOptions(options: { max?: number }): { max: number } {
  return { max: 1, ...checked(options, peekChecks, 'peek') }
}

/** The options of `redrive`, checked: one that is undefined would bring back everything. @internal */
export function redriveOptions(options: { max?: number }): { max: number } {
  const given = checked(options, redriveChecks, 'redrive')
  if ('max' in options && options.max === undefined) {
    throw invalid('Option max of redrive is undefined; leave it out where all dead letters are meant')
  }
  return { max: Number.POSITIVE_INFINITY, ...given }
}

export const writeChecks = { sync: flag }
const syncChecks = { sync: flag, timeout: milliseconds }

function splitSendOptions(options: (MessageOptions & WriteOptions & { timeout?: number }) | undefined): {
  sync: boolean | undefined
  timeout: number | undefined
  message: MessageOptions | undefined
} {
  if (options === undefined) return { sync: undefined, timeout: undefined, message: undefined }
  if (typeof options !== 'object' || options === null) {
    throw invalid(`The options of send must be an object, not ${describe(options)}`)
  }
  const { sync, timeout, ...message } = options
  const isEndless = timeout === Number.POSITIVE_INFINITY
  const given = checked({ sync, timeout: isEndless ? undefined : timeout }, syncChecks, 'send') as SendOptions
  return { sync: given.sync, timeout: isEndless ? timeout : given.timeout, message }
}
