import type { Acknowledgeable, BatchPart } from '../store/batch-part.js'
import { checked, flag } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import type { Entry } from './entry.js'
import type { Mailbox, NackOptions } from './mailbox.js'
import type { DeadLetter, StoredMessage } from './message-format.js'

/**
 * A message that was received. It is yours until it is settled or its visibility timeout ends; after that somebody else may have it,
 * and settling it is refused with `SILT_STALE_RECEIPT`.
 *
 * @example
 * for (const message of await db.queue('payments').receive({ max: 10 })) {
 *   await db.batch().put('paid:7', 'yes').ack(message).write() // the effect and the end of the message are one commit
 * }
 */
export class Message<T = unknown> implements Acknowledgeable {
  /** The same over all deliveries, and where it goes when it dies. */
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
  /** Grows with every delivery of the queue: a store that remembers the highest one it saw can refuse a consumer that woke up late. */
  readonly fence: number
  /** Where and why it died, for one that is received from a dead-letter queue. */
  readonly deadLetter: DeadLetter | undefined
  /** @internal */
  readonly entry: Entry
  /** @internal */
  readonly mailbox: Mailbox
  private acked: Promise<void> | undefined

  /** @internal Messages come from `receive` and `consume`. */
  constructor(mailbox: Mailbox, entry: Entry, stored: StoredMessage, body: T) {
    this.mailbox = mailbox
    this.entry = entry
    this.id = mailbox.delivery.stock.idOf(entry, stored)
    this.body = body
    this.headers = stored.headers()
    this.group = stored.group
    this.priority = entry.priority
    this.attempts = entry.attempts
    this.sentAt = stored.sentAt
    this.fence = entry.fence
    this.deadLetter = stored.history?.deadLetter
  }

  /** Whether it was acknowledged or given back, or is not yours any more. */
  get isSettled(): boolean {
    return this.entry.state !== 'in-flight' || this.entry.fence !== this.fence
  }

  /** It is done with: resolved, it will not be handed out again. */
  ack(options?: WriteOptions): Promise<void> {
    try {
      if (options !== undefined) checked(options, { sync: flag }, 'ack')
    } catch (error) {
      return Promise.reject(error)
    }
    this.acked ??= this.mailbox.ackAll([this], options?.sync).catch((error) => {
      this.acked = undefined
      throw error
    })
    return this.acked
  }

  /**
   * It could not be handled: it is tried again after the delay, or dies when it was tried `maxAttempts` times.
   *
   * @example
   * await message.nack({ delay: 5000, reason: 'the bank is closed' })
   */
  async nack(options: NackOptions = {}): Promise<void> {
    return this.mailbox.nack(this, options)
  }

  /** Keeps it for so many milliseconds from now on. */
  extend(ms: number): void {
    this.mailbox.extend(this, ms)
  }

  /** Nobody has looked at it: as if it had never been handed out. @internal */
  release(): void {
    if (!this.isSettled) this.mailbox.dispatcher.release(this.entry)
  }

  /** @internal */
  partOfAck(): BatchPart {
    return this.mailbox.ackPart(this)
  }
}
