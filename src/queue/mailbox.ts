import { invalid, SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import { type BatchPart, checkReceivedFrom } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { checked, flag } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import { type Change, changePart, commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import { Dispatcher } from './dispatcher.js'
import type { Entry } from './entry.js'
import type { StopOptions } from './handler-loop.js'
import { Intake } from './intake.js'
import { milliseconds } from './rules.js'

/** A receipt: of which queue, which message, and which of its deliveries. */
export interface Receipt {
  readonly mailbox: Mailbox
  readonly entry: Entry
  readonly fence: number
}

/** What giving a message back takes. */
export interface NackOptions extends WriteOptions {
  /** Milliseconds until it is tried again (default: the queue's backoff). */
  delay?: number
  /** Why; it goes along when the message dies. */
  reason?: string
}

const reason = (value: unknown): unknown => reasonOf(value)
const nackChecks = { delay: milliseconds, reason, sync: flag }

/** A queue or a subscription as its handles share it: the way in, what waits, the way out, and how a delivery ends. */
export class Mailbox {
  readonly delivery: Delivery
  readonly dispatcher: Dispatcher
  readonly intake: Intake
  /** What works on it in this process. */
  readonly workers = new Set<{ stop(options: StopOptions): Promise<void> }>()
  private soon: Receipt[] = []
  private soonDone: Promise<void> | undefined

  constructor(delivery: Delivery) {
    this.delivery = delivery
    this.dispatcher = new Dispatcher(delivery)
    this.intake = new Intake(delivery)
    this.intake.onExpiring = () => this.dispatcher.armSweep()
  }

  /** Acknowledges messages in one commit: all of them, or none where one of the receipts is stale. */
  async ackAll(receipts: readonly Receipt[], sync = this.delivery.post.sync): Promise<void> {
    if (receipts.length === 0) return
    const { delivery } = this
    await commitChange(delivery.post.engine, sync, (change) => this.encodeAcks(change, receipts))
  }

  /**
   * Throws where a receipt is not one of a delivery of this queue that is under way. Every way to settle a message comes by here: a
   * receipt that got through would remove the message that happens to have the same number.
   */
  private check(receipt: Receipt): void {
    const { delivery } = this
    const { name, post } = delivery
    const { mailbox, entry, fence } = (receipt ?? {}) as Partial<Receipt>
    if (!(mailbox instanceof Mailbox) || entry === undefined || fence === undefined) {
      throw invalid(`What is settled is a message that was received from '${name}', not ${describe(receipt)}`)
    }
    if (mailbox !== this) {
      const { delivery: other } = mailbox
      checkReceivedFrom(post.engine, other.post.engine)
      throw invalid(
        `A message of '${other.name}' cannot be settled with '${name}'; settle it itself, or with what it was received from`,
      )
    }
    delivery.departures.checkReceipt(entry, fence)
  }

  private encodeAcks(change: Change, receipts: readonly Receipt[]): void {
    const { delivery } = this
    for (const receipt of receipts) this.check(receipt)
    for (const { entry, fence } of receipts) {
      // One that is there twice is stale the second time.
      delivery.departures.checkReceipt(entry, fence)
      change.announce('ack', () => ({ queue: delivery.name, id: delivery.stock.idOf(entry), attempts: entry.attempts }))
      delivery.departures.acknowledge(change, entry)
    }
  }

  /** Acknowledges together with others of this turn; a receipt that has gone stale meanwhile is nobody's concern. */
  ackSoon(receipt: Receipt): Promise<void> {
    this.soon.push(receipt)
    this.soonDone ??= Promise.resolve().then(() => {
      const receipts = this.soon.filter(({ entry, fence }) => entry.state === 'in-flight' && entry.fence === fence)
      this.soon = []
      this.soonDone = undefined
      return this.ackAll(receipts)
    })
    return this.soonDone
  }

  /** The acknowledgement as part of a batch. */
  ackPart(receipt: Receipt): BatchPart {
    return changePart(this.delivery.post.engine, (change) => this.encodeAcks(change, [receipt]))
  }

  nack(receipt: Receipt, options: NackOptions): Promise<void> {
    const given = checked(options, nackChecks, 'nack') as NackOptions
    this.checkOpen()
    this.check(receipt)
    return this.dispatcher.fault(receipt.entry, given.delay, given.reason ?? 'it was given back', given.sync)
  }

  extend(receipt: Receipt, ms: number): void {
    milliseconds(ms, 'ms')
    this.checkOpen()
    this.check(receipt)
    this.delivery.extend(receipt.entry, this.delivery.stock.time.now() + ms)
    this.dispatcher.wake()
  }

  /** Removes everything. Returns how many messages that were. */
  async purge(sync = this.delivery.post.sync): Promise<number> {
    const { delivery } = this
    let count = 0
    delivery.stock.countExpired(delivery.stock.time.now())
    await delivery.stock.commit(sync, (change) => {
      count = delivery.removals.purge(change)
    })
    return count
  }

  /** Lets the handlers that run come to their end, for as long as the options say. */
  async stopWorkers(options: StopOptions): Promise<void> {
    await Promise.all([...this.workers].map((worker) => worker.stop(options)))
  }

  close(error: unknown): void {
    this.dispatcher.close(error)
    this.intake.close(error)
  }

  private checkOpen(): void {
    const { post } = this.delivery
    post.engine.checkOpen()
    if (post.isWritable) return
    throw new SiltstoneError(
      'SILT_READ_ONLY',
      'The store was opened with { readOnly: true }; open it without to settle',
    )
  }
}
