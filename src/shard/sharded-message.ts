import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { DeadLetter } from '../queue/message-format.js'
import { describe } from '../store/encoding.js'
import { checkNames } from '../store/option-names.js'
import type { WriteOptions } from '../store/write-target.js'
import type { Deliveries, HandedMessage, MailOperation, Receipt } from './mail.js'

/** The store of a message. */
export interface MessageHome {
  /** The id of the sharded store, the same at every opening. */
  readonly storeId: string
}

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
  private readonly home: MessageHome
  private settled = false

  /** @internal Messages come from `receive` and `consume`. */
  constructor(source: Deliveries, home: MessageHome, handed: HandedMessage, body: T) {
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
    checkNames(options, ['sync'], 'ack')
    await this.source.ack([this.receipt], options)
    this.settled = true
  }

  /** It could not be handled: it is tried again after the delay, or dies when it was tried `maxAttempts` times. */
  async nack(options: NackOptions = {}): Promise<void> {
    checkNames(options, ['delay', 'reason', 'sync'], 'nack')
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

  /** Throws where it was received from another store, or before this one was opened again. */
  private checkHome(home: MessageHome): void {
    if (home === this.home) return
    if (home.storeId !== this.home.storeId) {
      throw invalid('A message is settled in the store that it was received from, and this one is of another store')
    }
    throw new SiltstoneError(
      'SILT_STALE_RECEIPT',
      'This message was received before the store was opened again, and closing gave it back; receive it again to settle it',
    )
  }

  /** Its receipt, for what it was received from. @internal */
  receiptFor(source: Deliveries, home: MessageHome, name: string): Receipt {
    this.checkHome(home)
    if (source === this.source) return this.receipt
    throw invalid(`A message of another queue or topic cannot be settled with '${name}'; settle it itself`)
  }

  /** @internal */
  mailOfAck(home: MessageHome): MailOperation {
    this.checkHome(home)
    return { type: 'ack', receipt: this.receipt }
  }
}

/** The receipts of messages that were received from one place; throws where one was not. @internal */
export function receiptsOf(messages: unknown, source: Deliveries, home: MessageHome, name: string): Receipt[] {
  if (!Array.isArray(messages)) throw invalid(`ackMany takes an array of messages, not ${describe(messages)}`)
  return messages.map((message) => {
    if (message instanceof ShardedMessage) return message.receiptFor(source, home, name)
    throw invalid(`What is settled is a message that was received from '${name}', not ${describe(message)}`)
  })
}
