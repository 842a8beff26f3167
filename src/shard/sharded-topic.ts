import { invalid, SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import { type Handler, type StopOptions, stopTimeout } from '../queue/handler-loop.js'
import { type ReceiveOptions, waitOptions } from '../queue/queue.js'
import { checkPlace } from '../queue/subscription.js'
import type { PublishOptions, SubscribeOptions } from '../queue/topic.js'
import { type ConsumeOptions, loopSettings } from '../queue/worker.js'
import { describe } from '../store/encoding.js'
import { checkName } from '../store/name.js'
import { checkNames, requireObject } from '../store/option-names.js'
import type { WriteOptions } from '../store/write-target.js'
import { noOffsets } from './group-subscription.js'
import type { HandedMessage, MailOperation, Receipt, RunFigures, SubscriptionPart, TopicPart } from './mail.js'
import { ShardedMessage } from './sharded-message.js'
import { type MailHome, receiveFrom } from './sharded-queue.js'
import { ShardedWorker } from './sharded-worker.js'

/** What `subscribe` takes: as with one store, without places by offset, which every shard counts for itself. */
export interface ShardedSubscribeOptions<T, R = T> extends Omit<SubscribeOptions<T, R>, 'from' | 'filter' | 'map'> {
  /** Where a subscription that is new begins (default 'latest'). Offsets are of one shard each, so none is taken. */
  from?: 'earliest' | 'latest' | { time: number }
  /** What it does not want is done with. Where it throws, the delivery has failed; the message is never delivered unfiltered. */
  filter?: (message: ShardedMessage<T>) => boolean
  /** What the body becomes. Where it throws, the delivery has failed. */
  map?: (message: ShardedMessage<T>) => R
}

// So many are looked at for what comes next.
const LOOK_AHEAD = 16

/**
 * A topic dealt out over shards by the keys of its messages; `Topic` of a single store, with the same methods. The order of a key
 * holds, for every subscription and every replay.
 *
 * @example
 * const orders = store.topic('orders')
 * await orders.publish({ id: 7 }, { key: 'customer:1' })
 * const billing = orders.subscribe('billing', { from: 'earliest' })
 * for (const message of await billing.receive({ max: 10 })) await message.ack()
 * await billing.close()
 */
export class ShardedTopic<T = unknown> {
  /** What it was asked for by. */
  readonly name: string
  private readonly part: TopicPart
  private readonly home: MailHome

  /** @internal Topics come from `store.topic()`. */
  constructor(name: string, part: TopicPart, home: MailHome) {
    this.name = name
    this.part = part
    this.home = home
  }

  /** Appends a message on the shard of its key, or of the topic's name where it has none. */
  async publish(body: T, options: PublishOptions = {}): Promise<{ id: string; offset: number }> {
    requireObject(options, 'publish')
    const { sync, ...message } = options
    const [published] = await this.publishMany([{ body, ...message }], sync === undefined ? {} : { sync })
    return published!
  }

  /** Appends many in one commit; those of several shards only with `{ atomic: false }`. */
  async publishMany(
    items: readonly ({ body: T } & Omit<PublishOptions, 'sync'>)[],
    options: WriteOptions & { atomic?: boolean } = {},
  ): Promise<{ id: string; offset: number }[]> {
    if (!Array.isArray(items)) throw invalid(`publishMany takes an array of { body, …options }, not ${describe(items)}`)
    checkNames(options, ['sync', 'atomic'], 'publishMany')
    for (const item of items) {
      if (typeof item !== 'object' || item === null) {
        throw invalid(`publishMany takes items { body, …options }, not ${describe(item)}`)
      }
    }
    if (items.length === 0) return []
    return this.part.publishMany(items, { sync: this.home.sync, ...options })
  }

  /** A durable subscription, with a cursor on every shard. */
  subscribe<R = T>(name: string, options: ShardedSubscribeOptions<T, R> = {}): ShardedSubscription<R> {
    checkName(name, 'subscription')
    requireObject(options, 'subscribe')
    const { filter, map, ...rest } = options
    for (const [option, value] of Object.entries({ filter, map })) {
      if (value !== undefined && typeof value !== 'function') {
        throw invalid(`Option ${option} must be a function, not ${describe(value)}`)
      }
    }
    const { from } = rest
    if (typeof from === 'object' && from !== null && 'offset' in from) throw noOffsets()
    const part = this.part.subscribe(name, rest as SubscribeOptions<unknown>)
    const reading = { filter, map } as Reading<R>
    const isAtMostOnce = rest.delivery === 'at-most-once'
    return new ShardedSubscription<R>(`${this.name}/${name}`, part, this.home, reading, isAtMostOnce)
  }

  /** The names of the subscriptions that are kept. */
  subscriptionNames(): string[] {
    return this.part.subscriptionNames()
  }

  /** Forgets a subscription and its cursors. Says whether it was there. */
  async unsubscribe(name: string, options: WriteOptions = {}): Promise<boolean> {
    checkNames(options, ['sync'], 'unsubscribe')
    return this.part.unsubscribe(name, options)
  }

  /** Messages that no shard keeps any more, all that were published, and the bytes of those in between. */
  stats(): RunFigures {
    return this.part.stats()
  }

  /** @internal */
  mailOf(body: T, options: PublishOptions | undefined, home: unknown): MailOperation {
    if (home !== this.home.group) throw invalid('A batch takes messages of its own store only')
    return { type: 'publish', topic: this.name, body, message: options ?? {} }
  }
}

interface Reading<R> {
  readonly filter: ((message: ShardedMessage) => boolean) | undefined
  readonly map: ((message: ShardedMessage) => R) | undefined
}

/** One reader of a topic over shards, however many consumers share its work. */
export class ShardedSubscription<T = unknown> implements AsyncIterable<ShardedMessage<T>> {
  /** Its topic's name, a slash, and its own. */
  readonly name: string
  private readonly part: SubscriptionPart
  private readonly home: MailHome
  private readonly reading: Reading<T>
  private readonly isAtMostOnce: boolean
  private readonly closing = new AbortController()
  private readonly workers = new Set<ShardedWorker<ShardedMessage<T>>>()

  /** @internal Subscriptions come from `topic.subscribe()`. */
  constructor(name: string, part: SubscriptionPart, home: MailHome, reading: Reading<T>, isAtMostOnce: boolean) {
    this.name = name
    this.part = part
    this.home = home
    this.reading = reading
    this.isAtMostOnce = isAtMostOnce
  }

  /** Takes messages, or waits for the first. */
  async receive(options: ReceiveOptions = {}): Promise<ShardedMessage<T>[]> {
    this.checkOpen()
    // Refused before the signal becomes one of two.
    const { signal } = waitOptions(options)
    const ends = signal === undefined ? this.closing.signal : AbortSignal.any([signal, this.closing.signal])
    for (;;) {
      const handed = await receiveFrom(this.part, { ...options, signal: ends })
      const messages = (await Promise.all(handed.map((each) => this.open(each)))).filter((each) => each !== undefined)
      // Those that the filter did not want do not end the wait.
      if (messages.length > 0 || handed.length === 0) return messages
    }
  }

  /** Feeds messages to a function, as with a queue. */
  consume(handler: Handler<ShardedMessage<T>>, options: ConsumeOptions = {}): ShardedWorker<ShardedMessage<T>> {
    this.checkOpen()
    if (typeof handler !== 'function') throw invalid(`consume takes a function, not ${describe(handler)}`)
    const source = {
      receive: (wait: ReceiveOptions) => this.receive(wait),
      release: (message: ShardedMessage<T>) => {
        if (!this.isAtMostOnce) this.part.release([message.receipt])
      },
    }
    const visibilityMs = this.part.rules().visibilityTimeout
    const worker = new ShardedWorker(source, handler, loopSettings(options), this.home, visibilityMs)
    this.workers.add(worker)
    return worker
  }

  /** One message after the other, for as long as the subscription is open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ShardedMessage<T>, void, undefined> {
    const { signal } = this.closing
    while (!signal.aborted) {
      try {
        for (const message of await this.receive({ wait: Number.POSITIVE_INFINITY })) {
          await this.passUnwanted()
          yield message
        }
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
    }
  }

  /** How many messages of the topic it has not done with yet. */
  lag(): number {
    this.checkOpen()
    return this.part.lag()
  }

  /** Goes to another place on every shard: back to replay, on to skip. An offset names no place here. */
  async seek(to: { time: number } | 'earliest' | 'latest', options: WriteOptions = {}): Promise<void> {
    this.checkOpen()
    checkNames(options, ['sync'], 'seek')
    checkPlace(to)
    await this.part.seek(to, options)
  }

  /** Ends its loops and workers and gives back what was not acknowledged. The cursors stay. */
  async close(options: StopOptions = {}): Promise<void> {
    stopTimeout(options, 0, 'close')
    const isFirst = !this.closing.signal.aborted
    this.closing.abort()
    await Promise.all([...this.workers].map((worker) => worker.stop(options)))
    if (isFirst) await this.part.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * What the filter leaves out is done with up to the next message that it wants, so that `lag` in the loop says whether there is more to
   * come. Those that it wants are as if they had never been handed out.
   */
  private async passUnwanted(): Promise<void> {
    const { filter } = this.reading
    if (filter === undefined || this.isAtMostOnce) return
    for (let isMore = true; isMore; ) {
      const handed = await receiveFrom(this.part, { max: LOOK_AHEAD })
      isMore = handed.length > 0
      const unwanted: Receipt[] = []
      const wanted: Receipt[] = []
      for (const each of handed) (this.isUnwanted(filter, each) ? unwanted : wanted).push(each.receipt)
      if (wanted.length > 0) isMore = false
      this.part.release(wanted)
      await this.part.ack(unwanted, { atomic: false } as WriteOptions)
    }
  }

  private isUnwanted(filter: (message: ShardedMessage) => boolean, handed: HandedMessage): boolean {
    try {
      return !filter(new ShardedMessage(this.part, this.home.group, handed, handed.body))
    } catch {
      // Its delivery will fail.
      return false
    }
  }

  private async open(handed: HandedMessage): Promise<ShardedMessage<T> | undefined> {
    const { filter, map } = this.reading
    const make = <B>(body: B): ShardedMessage<B> => new ShardedMessage(this.part, this.home.group, handed, body)
    const original = make(handed.body)
    if (this.isAtMostOnce) original.settle()
    try {
      if (filter !== undefined && !filter(original)) {
        if (!this.isAtMostOnce) await original.ack()
        return undefined
      }
      if (map === undefined) return original as ShardedMessage<T>
      const mapped = make(map(original))
      if (this.isAtMostOnce) mapped.settle()
      return mapped
    } catch (error) {
      // It fails like a handler that throws: tried again, and dead after so many times.
      const reason = reasonOf(error)
      if (!this.isAtMostOnce) await original.nack({ reason })
      return undefined
    }
  }

  private checkOpen(): void {
    if (!this.closing.signal.aborted) return
    throw new SiltstoneError('SILT_NOT_OPEN', `The subscription '${this.name}' is closed; subscribe again`)
  }
}
