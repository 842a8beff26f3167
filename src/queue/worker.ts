import { checked, whole } from '../store/options.js'
import { type Handler, HandlerLoop, type LoopSettings } from './handler-loop.js'
import type { Mailbox } from './mailbox.js'
import type { Message } from './message.js'
import type { Reader } from './reader.js'
import { milliseconds } from './rules.js'

/** What `consume` takes. */
export interface ConsumeOptions {
  /** How many handlers run at once (default 1). */
  concurrency?: number
  /** How many messages are held at once, those in handlers included (default: as many as run at once). */
  prefetch?: number
  /**
   * Milliseconds that a handler may take (default: as long as it takes). When they are over its signal is aborted, its message is given
   * back with its attempt counted, its place is free, and what it does later comes to nothing.
   */
  timeout?: number
}

const consumeChecks = {
  concurrency: whole(1, 10_000, 'handlers'),
  prefetch: whole(1, 10_000, 'messages'),
  timeout: (value: unknown, name: string) => (value === Number.POSITIVE_INFINITY ? value : milliseconds(value, name)),
}

/** The options of `consume`, checked. @internal */
export function loopSettings(options: ConsumeOptions): LoopSettings {
  const given = checked(options, consumeChecks, 'consume') as ConsumeOptions
  const { concurrency = 1, prefetch = concurrency, timeout = Number.POSITIVE_INFINITY } = given
  return { concurrency, prefetch, timeout }
}

/**
 * Feeds messages to a handler: acknowledges on return, gives back on throw, keeps what is being handled from being given to
 * somebody else.
 */
export class Worker<M extends Message> extends HandlerLoop<M> {
  private readonly mailbox: Mailbox
  private readonly reader: Reader<M>

  /** @internal Workers come from `consume`. */
  constructor(mailbox: Mailbox, reader: Reader<M>, handler: Handler<M>, settings: LoopSettings) {
    super(handler, settings, mailbox.delivery.post.clock)
    this.mailbox = mailbox
    this.reader = reader
    mailbox.workers.add(this)
    this.start()
  }

  protected override async end(): Promise<void> {
    await super.end()
    this.mailbox.workers.delete(this)
  }

  protected receive(max: number, signal: AbortSignal): Promise<readonly M[]> {
    return this.mailbox.dispatcher.receive(this.reader, { max, waitMs: Number.POSITIVE_INFINITY, signal })
  }

  /** Its time counts from here: it was handed out some turns ago, and the loop may have stood still since. */
  protected hold(messages: readonly M[]): void {
    const { delivery } = this.mailbox
    const deadline = delivery.stock.time.now() + delivery.rules.visibilityTimeout
    for (const message of messages) if (!message.isSettled) delivery.extend(message.entry, deadline)
  }

  /** Its time may have run out while it waited here, the machine having slept. */
  protected isLost(message: M): boolean {
    return message.isSettled && !this.reader.isAtMostOnce
  }

  protected acknowledge(message: M): Promise<void> {
    return this.mailbox.ackSoon(message)
  }

  protected async giveBack(message: M, reason: string): Promise<void> {
    try {
      await this.mailbox.nack(message, { reason })
    } catch {
      // The store is full or closing; the message comes back by itself.
    }
  }

  protected release(message: M): void {
    message.release()
  }

  protected extend(message: M): void {
    const { delivery } = this.mailbox
    delivery.extend(message.entry, delivery.stock.time.now() + delivery.rules.visibilityTimeout)
  }

  protected get visibilityTimeoutMs(): number {
    return this.mailbox.delivery.rules.visibilityTimeout
  }
}
