import { SiltstoneError } from '../bytes/errors.js'
import { holdProcess } from '../store/keep-alive.js'
import type { Reader } from './dispatcher.js'
import type { Mailbox } from './mailbox.js'
import type { Message } from './message.js'

/** What `consume` takes. */
export interface ConsumeOptions {
  /** How many handlers run at once (default 1). */
  concurrency?: number
  /** How many messages are held at once, those in handlers included (default: as many as run at once). */
  prefetch?: number
}

/** A handler, and what becomes of its result. */
export type Handler<M> = (message: M) => unknown

/** After a failure of the store the worker asks again: it may be out of space, and have some later. */
const RETRY_MS = 1000

/**
 * Feeds messages to a handler: acknowledges on return, gives back on throw, keeps what is being handled from being given to
 * somebody else.
 */
export class Worker<M extends Message> {
  private readonly mailbox: Mailbox
  private readonly reader: Reader<M>
  private readonly handler: Handler<M>
  private readonly concurrency: number
  private readonly capacity: number
  private readonly stopping = new AbortController()
  /** Received, and waiting for a handler. */
  private readonly held: M[] = []
  private readonly running = new Set<M>()
  private wakeLoop: (() => void) | undefined
  private onIdle: (() => void) | undefined
  private cancelExtension: (() => void) | undefined
  private stopped: Promise<void> | undefined
  private readonly looped: Promise<void>

  /** @internal Workers come from `consume`. */
  constructor(mailbox: Mailbox, reader: Reader<M>, handler: Handler<M>, concurrency: number, prefetch: number) {
    this.mailbox = mailbox
    this.reader = reader
    this.handler = handler
    this.concurrency = concurrency
    this.capacity = Math.max(concurrency, prefetch)
    mailbox.workers.add(this)
    const release = holdProcess()
    this.looped = this.loop().finally(release)
  }

  /** How many handlers run. */
  get active(): number {
    return this.running.size
  }

  /** Takes no more messages, gives back those that no handler has seen, and waits for the handlers that run. */
  stop(): Promise<void> {
    this.stopped ??= this.end()
    return this.stopped
  }

  private async end(): Promise<void> {
    this.stopping.abort()
    this.wakeLoop?.()
    await this.looped
    for (const message of this.held.splice(0)) {
      if (!message.isSettled) this.mailbox.dispatcher.release(message.entry)
    }
    if (this.running.size > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve
      })
    }
    this.cancelExtension?.()
    this.mailbox.workers.delete(this)
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      const free = this.capacity - this.held.length - this.running.size
      if (free <= 0) {
        await new Promise<void>((resolve) => {
          this.wakeLoop = resolve
        })
        continue
      }
      try {
        const wait = { max: free, waitMs: Number.POSITIVE_INFINITY, signal }
        this.hold(await this.mailbox.dispatcher.receive(this.reader, wait))
      } catch (error) {
        if (signal.aborted || isFinal(error)) return
        await this.pause()
        continue
      }
      this.extendLater()
      this.startHandlers()
    }
  }

  /** Its time counts from here: it was handed out some turns ago, and the loop may have stood still since. */
  private hold(messages: readonly M[]): void {
    const { delivery } = this.mailbox
    const deadline = delivery.post.clock.now() + delivery.rules.visibilityTimeout
    for (const message of messages) {
      if (!message.isSettled) delivery.extend(message.entry, deadline)
      this.held.push(message)
    }
  }

  private startHandlers(): void {
    while (this.running.size < this.concurrency && !this.stopping.signal.aborted) {
      const message = this.held.shift()
      if (message === undefined) return
      // Its time may have run out while it waited here, the machine having slept; somebody else has it then.
      if (message.isSettled && !this.reader.isAtMostOnce) continue
      this.running.add(message)
      this.handle(message)
    }
  }

  private async handle(message: M): Promise<void> {
    try {
      await this.handler(message)
      if (!message.isSettled) await this.mailbox.ackSoon(message)
    } catch (error) {
      await this.giveBack(message, error instanceof Error ? error.message : String(error))
    } finally {
      this.running.delete(message)
      this.wakeLoop?.()
      this.startHandlers()
      if (this.running.size === 0) this.onIdle?.()
    }
  }

  /** Should that fail, the visibility timeout does it. */
  private async giveBack(message: M, reason: string): Promise<void> {
    if (message.isSettled) return
    try {
      await this.mailbox.nack(message, { reason })
    } catch {
      // The store is full or closing; the message comes back by itself.
    }
  }

  /** What is held is extended half-way through its visibility timeout, for as long as it takes. */
  private extendLater(): void {
    if (this.cancelExtension !== undefined) return
    const { delivery } = this.mailbox
    const { clock } = delivery.post
    const { visibilityTimeout } = delivery.rules
    this.cancelExtension = clock.after(Math.max(1, visibilityTimeout / 2), () => {
      this.cancelExtension = undefined
      for (const message of [...this.running, ...this.held]) {
        if (!message.isSettled) delivery.extend(message.entry, clock.now() + delivery.rules.visibilityTimeout)
      }
      if (this.running.size + this.held.length > 0) this.extendLater()
    })
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.mailbox.delivery.post.clock.after(RETRY_MS, resolve)
      this.wakeLoop = () => {
        cancel()
        resolve()
      }
    })
  }
}

function isFinal(error: unknown): boolean {
  const { code } = error as Partial<SiltstoneError>
  return (
    error instanceof SiltstoneError && (code === 'SILT_NOT_OPEN' || code === 'SILT_FAILED' || code === 'SILT_READ_ONLY')
  )
}
