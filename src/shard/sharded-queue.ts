import type { Clock } from '../bytes/clock.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { Handler } from '../queue/handler-loop.js'
import {
  type PeekedMessage,
  peekOptions,
  type QueueStats,
  type ReceiveOptions,
  redriveOptions,
  type SendItem,
  waitOptions,
} from '../queue/queue.js'
import { RateLimiter } from '../queue/rate-limiter.js'
import type { QueueOptions, Rules } from '../queue/rules.js'
import { type ConsumeOptions, loopSettings } from '../queue/worker.js'
import type { MessageOptions } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { keepAlive } from '../store/keep-alive.js'
import { checkNames, requireObject } from '../store/option-names.js'
import type { WriteOptions } from '../store/write-target.js'
import { nextCall } from './group-wait.js'
import type { Deliveries, HandedMessage, MailOperation, QueuePart, SentMessage } from './mail.js'
import { type MessageHome, receiptsOf, ShardedMessage } from './sharded-message.js'
import { ShardedWorker, type StoppableWorker } from './sharded-worker.js'

/** What sending to a queue over shards takes. */
export interface ShardedSendOptions extends MessageOptions, WriteOptions {
  /** With `overflow: 'block'`: milliseconds to wait for room. */
  timeout?: number
}

/** What queues, topics and logs need of their store. */
export interface MailHome {
  /** Whose they are. */
  readonly group: MessageHome
  readonly clock: Clock
  readonly sync: boolean
  /** Those that run. */
  readonly workers: Set<StoppableWorker>
}

/** Waits for messages of any shard, until the signal says otherwise. @internal */
export async function receiveFrom(source: Deliveries, options: ReceiveOptions): Promise<HandedMessage[]> {
  const { max, waitMs, signal } = waitOptions(options)
  signal?.throwIfAborted()
  const call = nextCall()
  const cancel = (): void => source.cancel(call)
  signal?.addEventListener('abort', cancel)
  try {
    const received = source.receive({ call, max, waitMs })
    const messages = await (waitMs > 0 ? keepAlive(received) : received)
    if (signal?.aborted) {
      source.release(messages.map(({ receipt }) => receipt))
      throw signal.reason
    }
    return messages
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/**
 * A queue dealt out over shards by the groups of its messages; `Queue` of a single store, with the same methods. The order of a group
 * holds, between groups there is none.
 *
 * @example
 * const payments = store.queue('payments', { ordering: 'group' })
 * await payments.send({ amount: 7 }, { group: 'customer:1', dedupId: 'payment:7' })
 * const [message] = await payments.receive({ wait: 1000 })
 * await message?.ack()
 */
export class ShardedQueue<T = unknown> {
  /** What it was asked for by. */
  readonly name: string
  private readonly part: QueuePart
  private readonly home: MailHome
  private readonly signingKey: QueueOptions['signingKey']
  private readonly limiter: RateLimiter | undefined

  /** @internal Queues come from `store.queue()`. */
  constructor(name: string, part: QueuePart, home: MailHome, { signingKey, rateLimit }: QueueOptions) {
    this.name = name
    this.part = part
    this.home = home
    this.signingKey = signingKey
    this.limiter = rateLimit === undefined ? undefined : new RateLimiter(rateLimit, home.clock)
  }

  /** What holds for everybody who uses the queue; limits hold for each shard's part. */
  get rules(): Rules {
    return this.part.rules()
  }

  /** Sends a message to the shard of its group. */
  async send(body: T, options: ShardedSendOptions = {}): Promise<SentMessage> {
    requireObject(options, 'send')
    const { sync, timeout, ...message } = options
    const rest = { ...(sync === undefined ? {} : { sync }), ...(timeout === undefined ? {} : { timeout }) }
    const [sent] = await this.sendMany([{ body, ...message }], rest)
    return sent!
  }

  /** Sends many messages in one commit; those of several shards only with `{ atomic: false }`. */
  async sendMany(
    items: readonly SendItem<T>[],
    options: WriteOptions & { timeout?: number; atomic?: boolean } = {},
  ): Promise<SentMessage[]> {
    if (!Array.isArray(items)) throw invalid(`sendMany takes an array of { body, …options }, not ${describe(items)}`)
    checkNames(options, ['sync', 'timeout', 'atomic'], 'sendMany')
    for (const item of items) {
      if (typeof item !== 'object' || item === null) {
        throw invalid(`sendMany takes items { body, …options }, not ${describe(item)}`)
      }
    }
    if (items.length === 0) return []
    await this.slowDown(items.length)
    return this.part.sendMany(items, { sync: this.home.sync, ...options })
  }

  /** Takes messages of all shards in turn, or waits for the first. */
  async receive(options: ReceiveOptions = {}): Promise<ShardedMessage<T>[]> {
    const messages = await receiveFrom(this.part, options)
    return messages.map((each) => new ShardedMessage<T>(this.part, this.home.group, each, each.body as T))
  }

  /**
   * Feeds messages to a function: acknowledged when it returns, given back when it throws.
   *
   * @example
   * const worker = store.queue('payments').consume(async (message) => console.log(message.body), { concurrency: 8 })
   * await worker.stop()
   */
  consume(handler: Handler<ShardedMessage<T>>, options: ConsumeOptions = {}): ShardedWorker<ShardedMessage<T>> {
    if (typeof handler !== 'function') throw invalid(`consume takes a function, not ${describe(handler)}`)
    const source = {
      receive: (wait: ReceiveOptions) => this.receive(wait),
      release: (message: ShardedMessage<T>) => this.part.release([message.receipt]),
    }
    return new ShardedWorker(source, handler, loopSettings(options), this.home, this.rules.visibilityTimeout)
  }

  /** Acknowledges several messages in one commit; those of several shards only with `{ atomic: false }`. */
  async ackMany(
    messages: readonly ShardedMessage<T>[],
    options: WriteOptions & { atomic?: boolean } = {},
  ): Promise<void> {
    checkNames(options, ['sync', 'atomic'], 'ackMany')
    const receipts = receiptsOf(messages, this.part, this.home.group, this.name)
    await this.part.ack(receipts, { sync: this.home.sync, ...options })
    for (const message of messages) message.settle()
  }

  /** Figures of all shards together. */
  stats(): QueueStats {
    return this.part.stats()
  }

  /** Messages that come next on their shards, without taking them. */
  async peek(options: { max?: number } = {}): Promise<PeekedMessage<T>[]> {
    return (await this.part.peek(peekOptions(options).max)) as PeekedMessage<T>[]
  }

  /** Removes every message. Returns how many there were. */
  async purge(options: WriteOptions = {}): Promise<number> {
    checkNames(options, ['sync'], 'purge')
    return this.part.purge(options)
  }

  /** Brings back what died in this queue, on the shard where it died. Returns how many that were. */
  async redrive(options: { max?: number } = {}): Promise<number> {
    return this.part.redrive(redriveOptions(options).max)
  }

  /** Hands out nothing until `resume`. Sending goes on. */
  pause(): void {
    this.part.pause()
  }

  /** Hands out messages again. */
  resume(): void {
    this.part.resume()
  }

  /** A repetition belongs to one store. */
  async repeat(): Promise<never> {
    throw new SiltstoneError(
      'SILT_NOT_SUPPORTED',
      'A queue over shards sends nothing by itself: keep repetitions in a store opened with open(), and send from there',
    )
  }

  /** @internal */
  mailOf(body: T, options: MessageOptions | undefined, home: unknown): MailOperation {
    if (home !== this.home.group) throw invalid('A batch takes messages of its own store only')
    this.limiter?.take(1)
    const { signingKey, name } = this
    const rules = signingKey === undefined ? {} : { signingKey }
    return { type: 'send', queue: name, options: rules, body, message: options ?? {} }
  }

  private async slowDown(count: number): Promise<void> {
    const { limiter } = this
    if (limiter === undefined) return
    if (this.rules.overflow === 'reject') {
      if (limiter.tryTake(count)) return
      throw new SiltstoneError(
        'SILT_FULL',
        `Queue '${this.name}' takes no more messages for now: the rate limit of this handle is used up. Send again later`,
      )
    }
    const waitMs = limiter.take(count)
    if (waitMs > 0) await new Promise<void>((resolve) => void this.home.clock.after(waitMs, resolve))
  }
}
