import type { Reader } from './dispatcher.js'
import { type Handler, HandlerLoop } from './handler-loop.js'
import type { Mailbox } from './mailbox.js'
import type { Message } from './message.js'

/** What `consume` takes. */
export interface ConsumeOptions {
  /** How many handlers run at once (default 1). */
  concurrency?: number
  /** How many messages are held at once, those in handlers included (default: as many as run at once). */
  prefetch?: number
}

/**
 * Feeds messages to a handler: acknowledges on return, gives back on throw, keeps what is being handled from being given to
 * somebody else.
 */
export class Worker<M extends Message> extends HandlerLoop<M> {
  private readonly mailbox: Mailbox
  private readonly reader: Reader<M>

  /** @internal Workers come from `consume`. */
  constructor(mailbox: Mailbox, reader: Reader<M>, handler: Handler<M>, concurrency: number, prefetch: number) {
    super(handler, concurrency, prefetch, mailbox.delivery.post.clock)
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
    const deadline = delivery.post.clock.now() + delivery.rules.visibilityTimeout
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
    delivery.extend(message.entry, delivery.post.clock.now() + delivery.rules.visibilityTimeout)
  }

  protected get visibilityTimeoutMs(): number {
    return this.mailbox.delivery.rules.visibilityTimeout
  }
}
