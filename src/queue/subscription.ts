import { invalid, SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import { describe } from '../store/encoding.js'
import { checkNames } from '../store/option-names.js'
import { checked, flag } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import type { Entry } from './entry.js'
import { offsetAt } from './follower.js'
import { type Handler, type StopOptions, stopTimeout } from './handler-loop.js'
import type { Mailbox } from './mailbox.js'
import { Message } from './message.js'
import type { StoredMessage } from './message-format.js'
import { type ReceiveOptions, startWorker, waitOptions } from './queue.js'
import type { Opened, Reader } from './reader.js'
import type { Rules } from './rules.js'
import type { StoredRun } from './stored-run.js'
import type { ConsumeOptions, Worker } from './worker.js'

/** Where to begin in a topic. */
export type From = 'earliest' | 'latest' | { offset: number } | { time: number }

/** Refuses what names no place of a topic. @internal */
export function checkPlace(to: unknown): void {
  if (to === 'earliest' || to === 'latest') return
  const isObject = typeof to === 'object' && to !== null
  const { offset, time } = (isObject ? to : {}) as { offset?: unknown; time?: unknown }
  if (isObject) checkNames(to, ['offset', 'time'], 'seek')
  if (typeof offset === 'number' && !Number.isNaN(offset) && time === undefined) return
  if (typeof time === 'number' && !Number.isNaN(time) && offset === undefined) return
  throw invalid(`A place to seek is 'earliest', 'latest', { offset } or { time }, not ${describe(to)}`)
}

/** A message of a topic: one of a queue, and where it stands. */
export class TopicMessage<T = unknown> extends Message<T> {
  /** Its place in the topic. */
  readonly offset: number

  /** @internal */
  constructor(
    mailbox: Mailbox,
    entry: Entry,
    stored: StoredMessage,
    body: T,
    offset: number,
    private readonly isDone: boolean,
  ) {
    super(mailbox, entry, stored, body)
    this.offset = offset
  }

  /** What it was published with; its messages stay in order. */
  get key(): string | undefined {
    return this.group
  }

  /** Acknowledged when it was handed out, in a subscription that delivers at most once. */
  override get isSettled(): boolean {
    return this.isDone || super.isSettled
  }

  override ack(options?: WriteOptions): Promise<void> {
    return this.isDone ? Promise.resolve() : super.ack(options)
  }
}

/** What a subscription makes of the messages of its topic. */
export interface SubscriptionReading<T, R> {
  /** 'at-least-once' (default): until it is acknowledged. 'at-most-once': acknowledged before it is handed out. */
  delivery?: 'at-least-once' | 'at-most-once'
  /**
   * What it does not want is done with. It is asked before every delivery; where it throws, that delivery has failed: the message is tried
   * again, and dies when it was tried `maxAttempts` times. It is never delivered unfiltered.
   */
  filter?: (message: TopicMessage<T>) => boolean
  /** What the body becomes. Where it throws, the delivery has failed, as with `filter`. */
  map?: (message: TopicMessage<T>) => R
}

/** What a filter said of a message. */
interface Verdict {
  readonly isWanted: boolean
  /** Why it could not say. */
  readonly failure: string | undefined
}

/**
 * One reader of a topic, however many consumers share its work. Loop over it, `receive` from it, or let it feed a function.
 *
 * @example
 * for await (const message of sub) {
 *   console.log(message.offset, message.body)
 *   await message.ack()
 *   if (sub.lag() === 0) break
 * }
 */
export class Subscription<T = unknown> implements AsyncIterable<TopicMessage<T>> {
  /** Its topic's name, a slash, and its own. */
  readonly name: string
  private readonly run: StoredRun
  private readonly mailbox: Mailbox
  private readonly reading: SubscriptionReading<unknown, T>
  private readonly reader: Reader<TopicMessage<T>>
  private readonly closing = new AbortController()
  private readonly held = new Set<TopicMessage<T>>()
  private readonly workers = new Set<Worker<TopicMessage<T>>>()
  private readonly onClosed: () => void
  private readonly detach: () => void
  /** What the filter said of messages that are on their way out: it is asked once for each delivery. */
  private readonly verdicts = new WeakMap<StoredMessage, Verdict>()

  /** @internal Subscriptions come from `topic.subscribe()`. */
  constructor(run: StoredRun, mailbox: Mailbox, reading: SubscriptionReading<unknown, T>, onClosed: () => void) {
    this.run = run
    this.mailbox = mailbox
    this.reading = reading
    this.name = mailbox.delivery.name
    this.onClosed = onClosed
    const { filter } = reading
    this.reader = {
      open: (entry, stored) => this.open(entry, stored),
      isAtMostOnce: reading.delivery === 'at-most-once',
      // What the filter fails at is handed out, and that delivery fails: so it is counted.
      filter: filter && ((stored, offset) => this.ask(filter, stored, offset).isWanted),
    }
    this.detach = mailbox.dispatcher.attach(this.reader as Reader<never>)
  }

  /** Takes messages, or waits for the first. */
  async receive(options: ReceiveOptions = {}): Promise<TopicMessage<T>[]> {
    this.checkOpen()
    const { max, waitMs, signal } = waitOptions(options)
    const { signal: closing } = this.closing
    const ends = signal === undefined ? closing : AbortSignal.any([signal, closing])
    const messages = await this.mailbox.dispatcher.receive(this.reader, { max, waitMs, signal: ends })
    for (const message of messages) this.hold(message)
    return messages
  }

  /** Feeds messages to a function, as with a queue. */
  consume(handler: Handler<TopicMessage<T>>, options: ConsumeOptions = {}): Worker<TopicMessage<T>> {
    this.checkOpen()
    const worker = startWorker(this.mailbox, this.reader, handler, options)
    this.workers.add(worker)
    return worker
  }

  /** One message after the other, for as long as the subscription is open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TopicMessage<T>, void, undefined> {
    const { signal } = this.closing
    while (!signal.aborted) {
      let messages: TopicMessage<T>[]
      try {
        messages = await this.receive({ wait: Number.POSITIVE_INFINITY })
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      yield* messages
    }
  }

  /** What holds for everybody who uses the subscription. */
  get rules(): Rules {
    return this.mailbox.delivery.rules
  }

  /** How many messages of the topic it has not done with yet. What the filter leaves out in front of the next one that it wants is done with. */
  lag(): number {
    this.checkOpen()
    this.mailbox.dispatcher.passUnwanted()
    return this.mailbox.delivery.stock.counts(this.mailbox.delivery.stock.time.now()).depth
  }

  /**
   * Goes to another place: back to replay, on to skip. What was handed out and not acknowledged is forgotten, its receipts are stale.
   *
   * @example
   * await sub.seek({ time: Date.now() - 3_600_000 })
   */
  async seek(to: { offset: number } | { time: number } | 'earliest' | 'latest', options?: WriteOptions): Promise<void> {
    this.checkOpen()
    const { delivery, dispatcher } = this.mailbox
    const { log } = this.run
    if (options !== undefined) checked(options, { sync: flag }, 'seek')
    checkPlace(to)
    const offset =
      to === 'earliest'
        ? log.first
        : to === 'latest'
          ? log.next
          : 'offset' in to
            ? to.offset
            : offsetAt(this.run, to.time)
    const place = Math.min(Math.max(Math.floor(offset), log.first), log.next)
    await delivery.stock.commit(options?.sync ?? this.run.post.sync, (change) => {
      delivery.removals.seek(change, place)
    })
    dispatcher.wake()
  }

  /** Ends its loops and workers, as `stop` does, and gives back what was not acknowledged. The cursor stays. */
  async close(options: StopOptions = {}): Promise<void> {
    stopTimeout(options, 0, 'close')
    const isFirst = !this.closing.signal.aborted
    this.closing.abort()
    await Promise.all([...this.workers].map((worker) => worker.stop(options)))
    if (!isFirst) return
    for (const message of this.held) if (!message.isSettled) this.mailbox.dispatcher.release(message.entry)
    this.held.clear()
    this.detach()
    this.onClosed()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private hold(message: TopicMessage<T>): void {
    if (this.reader.isAtMostOnce) return
    for (const each of this.held) {
      // Those in front were handed out first, and are done with first as a rule.
      if (!each.isSettled) break
      this.held.delete(each)
    }
    this.held.add(message)
  }

  private ask(filter: (message: TopicMessage) => boolean, stored: StoredMessage, offset: number): Verdict {
    const known = this.verdicts.get(stored)
    if (known !== undefined) return known
    let verdict: Verdict
    try {
      // Like every condition: what counts as true is wanted.
      verdict = { isWanted: Boolean(filter(this.preview(stored, offset))), failure: undefined }
    } catch (error) {
      verdict = { isWanted: true, failure: reasonOf(error) }
    }
    this.verdicts.set(stored, verdict)
    return verdict
  }

  private open(entry: Entry, stored: StoredMessage): Opened<TopicMessage<T>> {
    const offset = this.offsetOf(entry)
    const { filter, map } = this.reading
    const isDone = this.reader.isAtMostOnce === true
    if (filter !== undefined) {
      const { isWanted, failure } = this.ask(filter, stored, offset)
      if (failure !== undefined) return { failure, isFatal: false }
      if (!isWanted) return { isUnwanted: true }
    }
    try {
      const original = this.make(entry, stored, stored.body(), offset, isDone)
      if (map === undefined) return { message: original as TopicMessage<T> }
      return { message: this.make(entry, stored, map(original), offset, isDone) }
    } catch (error) {
      return { failure: reasonOf(error), isFatal: false }
    }
  }

  private preview(stored: StoredMessage, offset: number): TopicMessage {
    const [lane] = this.mailbox.delivery.stock.lanes
    const { sentAt, expiresAt, size } = stored
    const entry: Entry = {
      lane,
      offset,
      kind: 0,
      due: 0,
      priority: 0,
      sentAt,
      expiresAt,
      size,
      order: undefined,
      attempts: 1,
      state: 'loose',
      fence: 0,
      deadline: 0,
      reason: '',
      stored: undefined,
      isBacklogged: false,
      id: '',
    }
    return this.make(entry, stored, stored.body(), offset, false)
  }

  private make<B>(entry: Entry, stored: StoredMessage, body: B, offset: number, isDone: boolean): TopicMessage<B> {
    return new TopicMessage<B>(this.mailbox, entry, stored, body, offset, isDone)
  }

  /** A message that is tried again stands elsewhere, and is still called by its offset. */
  private offsetOf(entry: Entry): number {
    return entry.lane === undefined ? Number(this.mailbox.delivery.stock.idOf(entry)) : entry.offset
  }

  private checkOpen(): void {
    this.run.log.checkOpen()
    if (!this.closing.signal.aborted) return
    throw new SiltstoneError('SILT_NOT_OPEN', `The subscription '${this.name}' is closed; subscribe again`)
  }
}
