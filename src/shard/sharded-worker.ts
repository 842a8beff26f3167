import type { Clock } from '../bytes/clock.js'
import { SiltstoneError } from '../bytes/errors.js'
import type { ConsumeOptions, Handler } from '../queue/worker.js'
import { holdProcess } from '../store/keep-alive.js'
import type { ShardedMessage } from './sharded-message.js'

/** Where a worker gets its messages. */
export interface WorkSource<M> {
  receive(options: { max: number; wait: number; signal: AbortSignal }): Promise<M[]>
  release(message: M): void
}

/** After a failure of the store the worker asks again: it may be out of space, and have some later. */
const RETRY_MS = 1000

/** Feeds messages of all shards to a handler: acknowledges on return, gives back on throw, extends while it runs. */
export class ShardedWorker<M extends ShardedMessage> {
  private readonly source: WorkSource<M>
  private readonly handler: Handler<M>
  private readonly concurrency: number
  private readonly capacity: number
  private readonly clock: Clock
  private readonly extendMs: number
  private readonly stopping = new AbortController()
  private readonly held: M[] = []
  private readonly running = new Set<M>()
  private wake: (() => void) | undefined
  private cancelExtension: (() => void) | undefined
  private stopped: Promise<void> | undefined
  private readonly looped: Promise<void>

  /** @internal Workers come from `consume`. */
  constructor(
    source: WorkSource<M>,
    handler: Handler<M>,
    { concurrency = 1, prefetch = concurrency }: ConsumeOptions,
    clock: Clock,
    visibilityTimeoutMs: number,
  ) {
    this.source = source
    this.handler = handler
    this.concurrency = concurrency
    this.capacity = Math.max(concurrency, prefetch)
    this.clock = clock
    this.extendMs = visibilityTimeoutMs
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
    this.wake?.()
    await this.looped
    for (const message of this.held.splice(0)) this.source.release(message)
    while (this.running.size > 0) await this.woken()
    this.cancelExtension?.()
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      const free = this.capacity - this.held.length - this.running.size
      if (free <= 0) {
        await this.woken()
        continue
      }
      try {
        this.held.push(...(await this.source.receive({ max: free, wait: Number.POSITIVE_INFINITY, signal })))
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
      this.running.add(message)
      void this.handle(message)
    }
  }

  private async handle(message: M): Promise<void> {
    try {
      await this.handler(message)
      if (!message.isSettled) await message.ack()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      // Should that fail as well, the visibility timeout does it.
      if (!message.isSettled) await message.nack({ reason }).catch(() => {})
    } finally {
      this.running.delete(message)
      this.wake?.()
      this.startHandlers()
    }
  }

  /** What is held is extended half-way through its visibility timeout, for as long as it takes. */
  private extendLater(): void {
    if (this.cancelExtension !== undefined) return
    this.cancelExtension = this.clock.after(Math.max(1, this.extendMs / 2), () => {
      this.cancelExtension = undefined
      const all = [...this.running, ...this.held]
      for (const message of all) if (!message.isSettled) message.extend(this.extendMs).catch(() => {})
      if (all.length > 0) this.extendLater()
    })
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(RETRY_MS, resolve)
      this.wake = () => {
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
