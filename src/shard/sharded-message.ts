import { invalid } from '../bytes/errors.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { DeadLetter } from '../queue/message-format.js'
import type { WriteOptions } from '../store/write-target.js'
import type { Deliveries, HandedMessage, MailOperation, Receipt } from './mail.js'

/** A message that was received from a queue or a topic over shards; `Message` of a single store, with the same methods. */
export class ShardedMessage<T = unknown> {
  /** The same over all deliveries; the shard is in it. */
  readonly id: string
  /** What was sent. */
  readonly body: T
  /** What was sent beside the body. */
  readonly headers: Record<string, unknown>
  /** Whose messages keep their order under `ordering: 'group'`. */
  readonly group: string | undefined
  /** Higher ones are handed out first. */
  readonly priority: number
  /** How often it was handed out, this time included. */
  readonly attempts: number
  /** When it was sent, in milliseconds since 1970. */
  readonly sentAt: number
  /** Grows with every delivery on its shard. */
  readonly fence: number
  /** Where and why it died, for one that is received from a dead-letter queue. */
  readonly deadLetter: DeadLetter | undefined
  /** Of a topic's message: its place on its shard. */
  readonly offset: number | undefined
  /** @internal */
  readonly receipt: Receipt
  private readonly source: Deliveries
  private readonly home: unknown
  private settled = false

  /** @internal Messages come from `receive` and `consume`. */
  constructor(source: Deliveries, home: unknown, handed: HandedMessage, body: T) {
    const { id, headers, group, priority, attempts, sentAt, fence, deadLetter, offset, receipt } = handed
    this.id = id
    this.body = body
    this.headers = headers
    this.group = group
    this.priority = priority
    this.attempts = attempts
    this.sentAt = sentAt
    this.fence = fence
    this.deadLetter = deadLetter
    this.offset = offset
    this.receipt = receipt
    this.source = source
    this.home = home
  }

  /** What it was published with, of a topic's message. */
  get key(): string | undefined {
    return this.group
  }

  /** Whether it was acknowledged or given back through this object. */
  get isSettled(): boolean {
    return this.settled
  }

  /** It is done with: resolved, it will not be handed out again. */
  async ack(options: WriteOptions = {}): Promise<void> {
    await this.source.ack([this.receipt], options)
    this.settled = true
  }

  /** It could not be handled: it is tried again after the delay, or dies when it was tried `maxAttempts` times. */
  async nack(options: NackOptions = {}): Promise<void> {
    await this.source.nack(this.receipt, options)
    this.settled = true
  }

  /** Keeps it for so many milliseconds from now on. */
  async extend(ms: number): Promise<void> {
    await this.source.extend(this.receipt, ms)
  }

  /** It was settled with others. @internal */
  settle(): void {
    this.settled = true
  }

  /** @internal */
  mailOfAck(home: unknown): MailOperation {
    if (home !== this.home) throw invalid('A batch takes messages of its own store only')
    return { type: 'ack', receipt: this.receipt }
  }
}
