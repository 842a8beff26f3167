import type { Clock } from '../bytes/clock.js'
import { SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import { holdProcess, keepAlive } from '../store/keep-alive.js'
import { checked, flag } from '../store/options.js'
import { HandlerRun } from './handler-run.js'
import { milliseconds } from './rules.js'

/** What a handler gets beside its message. */
export interface HandlerContext {
  /** Aborted when the handler's time is over or its worker is stopped: whoever listens can end early. */
  readonly signal: AbortSignal
}

/** A handler, and what becomes of its result. */
export type Handler<M> = (message: M, context: HandlerContext) => unknown

/** What `stop` takes. */
export interface StopOptions {
  /**
   * Milliseconds that the handlers that run have left (default: the visibility timeout of their messages; Infinity: as long as they
   * take). A handler that is not done then is given up: its message is given back, and settling it is refused.
   */
  timeout?: number
  /** Gives the handlers that run up at once. */
  force?: boolean
}

/** How a loop feeds its handlers. */
export interface LoopSettings {
  /** How many handlers run at once. */
  readonly concurrency: number
  /** How many messages are held at once, those in handlers included. */
  readonly prefetch: number
  /** How long a handler may take. */
  readonly timeout: number
}

/** After a failure of the store the loop asks again: it may be out of space, and have some later. */
const RETRY_MS = 1000

const stopChecks = {
  timeout: (value: unknown, name: string) => (value === Number.POSITIVE_INFINITY ? value : milliseconds(value, name)),
  force: flag,
}

/** The options of `stop` and `close`, checked: for how many milliseconds handlers are waited for. @internal */
export function stopTimeout(options: StopOptions, defaultMs: number, where: string): number {
  const { timeout = defaultMs, force = false } = checked(options, stopChecks, where) as StopOptions
  return force ? 0 : timeout
}

/**
 * Feeds messages to a handler: so many at once, held in advance up to a capacity, each settled by what the handler does with it. Where
 * messages come from and how they are settled is for those who extend it to say.
 *
 * It never depends on a handler coming to its end. One that takes too long is given up: its place is free, its message goes back, and
 * what it does later comes to nothing.
 */
export abstract class HandlerLoop<M extends { readonly isSettled: boolean }> {
  private readonly handler: Handler<M>
  private readonly settings: LoopSettings
  private readonly capacity: number
  private readonly clock: Clock
  private readonly stopping = new AbortController()
  /** Received, and waiting for a handler. */
  private readonly held: M[] = []
  private readonly running = new Set<HandlerRun<M>>()
  private wakeLoop: (() => void) | undefined
  private onIdle: (() => void) | undefined
  private cancelExtension: (() => void) | undefined
  private cancelWait: (() => void) | undefined
  /** Messages of handlers that were given up, on their way back. */
  private readonly returning = new Set<Promise<void>>()
  private stopped: Promise<void> | undefined
  private looped: Promise<void> | undefined

  constructor(handler: Handler<M>, settings: LoopSettings, clock: Clock) {
    this.handler = handler
    this.settings = settings
    this.capacity = Math.max(settings.concurrency, settings.prefetch)
    this.clock = clock
  }

  /** Up to `max` messages as soon as there are any. */
  protected abstract receive(max: number, signal: AbortSignal): Promise<readonly M[]>
  /** They are held from here on. */
  protected abstract hold(messages: readonly M[]): void
  /** Whether somebody else has a message that was held. */
  protected abstract isLost(message: M): boolean
  protected abstract acknowledge(message: M): Promise<void>
  /** Its handler failed. Should giving it back fail too, the visibility timeout does it. Never rejects. */
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

  /**
   * Takes no more messages, gives back those that no handler has seen, aborts the signals of the handlers that run, and waits for these:
   * for the visibility timeout of their messages, unless `timeout` or `force` says otherwise. A second call with less time is heeded.
   *
   * @example
   * const worker = q.consume(async (message) => console.log(message.body))
   * await worker.stop({ timeout: 5000 })
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const timeoutMs = stopTimeout(options, this.visibilityTimeoutMs, 'stop')
    this.stopped ??= keepAlive(this.end())
    this.giveUpAfter(timeoutMs)
    await this.stopped
  }

  protected async end(): Promise<void> {
    const error = new SiltstoneError('SILT_NOT_OPEN', 'The worker was stopped; end what the handler does')
    this.stopping.abort(error)
    for (const run of this.running) run.abort(error)
    this.wakeLoop?.()
    await this.looped
    for (const message of this.held.splice(0)) this.release(message)
    if (this.running.size > 0) {
      await new Promise<void>((resolve) => {
        this.onIdle = resolve
      })
    }
    await Promise.all(this.returning)
    this.cancelWait?.()
    this.cancelExtension?.()
  }

  /** Handlers that run when so much time is over are not waited for. */
  private giveUpAfter(timeoutMs: number): void {
    if (timeoutMs === Number.POSITIVE_INFINITY) return
    const giveUp = (): void => {
      for (const run of this.running) this.giveUp(run, 'its worker was stopped before its handler was done')
    }
    if (timeoutMs === 0) {
      giveUp()
      return
    }
    const { cancelWait } = this
    const cancel = this.clock.after(timeoutMs, giveUp)
    this.cancelWait = () => {
      cancelWait?.()
      cancel()
    }
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
    while (this.running.size < this.settings.concurrency && !this.stopping.signal.aborted) {
      const message = this.held.shift()
      if (message === undefined) return
      if (this.isLost(message)) continue
      const run = new HandlerRun(message)
      this.running.add(run)
      if (this.settings.timeout !== Number.POSITIVE_INFINITY) this.limit(run)
      void this.handle(run)
    }
  }

  /** A handler that takes longer than it may is given up. */
  private limit(run: HandlerRun<M>): void {
    const { timeout } = this.settings
    run.cancelTimeout = this.clock.after(timeout, () => {
      const reason = `its handler took longer than its timeout of ${timeout} ms`
      run.abort(new SiltstoneError('SILT_TIMEOUT', `The handler of this message took longer than ${timeout} ms`))
      this.giveUp(run, reason)
    })
  }

  private async handle(run: HandlerRun<M>): Promise<void> {
    const { message } = run
    try {
      await this.handler(message, run)
      run.cancelTimeout?.()
      if (!run.isGivenUp && !message.isSettled) await this.acknowledge(message)
    } catch (error) {
      run.cancelTimeout?.()
      if (!run.isGivenUp && !message.isSettled) await this.giveBack(message, reasonOf(error))
    }
    this.ended(run)
  }

  /** Goes on as if the handler had failed; what it does from here on is nobody's concern. */
  private giveUp(run: HandlerRun<M>, reason: string): void {
    if (!this.running.has(run)) return
    run.isGivenUp = true
    run.cancelTimeout?.()
    const { message } = run
    if (!message.isSettled) {
      const returned = this.giveBack(message, reason).finally(() => this.returning.delete(returned))
      this.returning.add(returned)
    }
    this.ended(run)
  }

  /** Its place is free. */
  private ended(run: HandlerRun<M>): void {
    if (!this.running.delete(run)) return
    this.wakeLoop?.()
    this.startHandlers()
    if (this.running.size === 0) this.onIdle?.()
  }

  /** What is held is extended half-way through its visibility timeout, for as long as it takes. */
  private extendLater(): void {
    if (this.cancelExtension !== undefined) return
    this.cancelExtension = this.clock.after(Math.max(1, this.visibilityTimeoutMs / 2), () => {
      this.cancelExtension = undefined
      for (const { message } of this.running) if (!message.isSettled) this.extend(message)
      for (const message of this.held) if (!message.isSettled) this.extend(message)
      if (this.running.size + this.held.length > 0) this.extendLater()
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
  if (!(error instanceof SiltstoneError)) return false
  const { code } = error
  return code === 'SILT_NOT_OPEN' || code === 'SILT_FAILED' || code === 'SILT_FENCED' || code === 'SILT_READ_ONLY'
}
