import type { Clock } from '../bytes/clock.js'
import { SiltstoneError } from '../bytes/errors.js'
import { holdProcess } from '../store/keep-alive.js'

/** A handler, and what becomes of its result. */
export type Handler<M> = (message: M) => unknown

/** After a failure of the store the loop asks again: it may be out of space, and have some later. */
const RETRY_MS = 1000

/**
 * Feeds messages to a handler: so many at once, held in advance up to a capacity, each settled by what the handler does with it. Where
 * messages come from and how they are settled is for those who extend it to say.
 */
export abstract class HandlerLoop<M extends { readonly isSettled: boolean }> {
  private readonly handler: Handler<M>
  private readonly concurrency: number
  private readonly capacity: number
  private readonly clock: Clock
  private readonly stopping = new AbortController()
  /** Received, and waiting for a handler. */
  private readonly held: M[] = []
  private readonly running = new Set<M>()
  private wakeLoop: (() => void) | undefined
  private onIdle: (() => void) | undefined
  private cancelExtension: (() => void) | undefined
  private stopped: Promise<void> | undefined
  private looped: Promise<void> | undefined

  constructor(handler: Handler<M>, concurrency: number, prefetch: number, clock: Clock) {
    this.handler = handler
    this.concurrency = concurrency
    this.capacity = Math.max(concurrency, prefetch)
    this.clock = clock
  }

  /** Up to `max` messages as soon as there are any. */
  protected abstract receive(max: number, signal: AbortSignal): Promise<readonly M[]>
  /** They are held from here on. */
  protected abstract hold(messages: readonly M[]): void
  /** Whether somebody else has a message that was held. */
  protected abstract isLost(message: M): boolean
  protected abstract acknowledge(message: M): Promise<void>
  /** Its handler failed. Should giving it back fail too, the visibility timeout does it. */
  protected abstract giveBack(message: M, reason: string): Promise<void>
  /** No handler has seen it. */
  protected abstract release(message: M): void
  /** Gives a message that is held the time of a new delivery. */
  protected abstract extend(message: M): void
  /** How long a delivery may take. */
  protected abstract get visibilityTimeoutMs(): number

  /** To be called once, when everything is there that `receive` needs. */
  protected start(): void {
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

  protected async end(): Promise<void> {
    this.stopping.abort()
    this.wakeLoop?.()
    await this.looped
    for (const message of this.held.splice(0)) this.release(message)
    if (this.running.size > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve
      })
    }
    this.cancelExtension?.()
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
        const messages = await this.receive(free, signal)
        this.hold(messages)
        for (const message of messages) this.held.push(message)
      } catch (error) {
        if (signal.aborted || isFinal(error)) return
        await this.pause()
        continue
      }
      this.extendLater()
      this.startHandlers()
    }
  }

  private startHandlers(): void {
    while (this.running.size < this.concurrency && !this.stopping.signal.aborted) {
      const message = this.held.shift()
      if (message === undefined) return
      if (this.isLost(message)) continue
      this.running.add(message)
      void this.handle(message)
    }
  }

  private async handle(message: M): Promise<void> {
    try {
      await this.handler(message)
      if (!message.isSettled) await this.acknowledge(message)
    } catch (error) {
      if (!message.isSettled) await this.giveBack(message, error instanceof Error ? error.message : String(error))
    } finally {
      this.running.delete(message)
      this.wakeLoop?.()
      this.startHandlers()
      if (this.running.size === 0) this.onIdle?.()
    }
  }

  /** What is held is extended half-way through its visibility timeout, for as long as it takes. */
  private extendLater(): void {
    if (this.cancelExtension !== undefined) return
    this.cancelExtension = this.clock.after(Math.max(1, this.visibilityTimeoutMs / 2), () => {
      this.cancelExtension = undefined
      const all = [...this.running, ...this.held]
      for (const message of all) if (!message.isSettled) this.extend(message)
      if (all.length > 0) this.extendLater()
    })
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(RETRY_MS, resolve)
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
