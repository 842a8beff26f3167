import type { Engine } from './engine.js'

/** Where a stream takes from. */
export interface PullSource<T> {
  /** Whether `take` has something to do. Changes only with commits, refreshes and what `take` does. */
  readonly isBehind: boolean
  /** The next item; `undefined` where it got further and found none yet. */
  take(): Promise<T | undefined>
  /** Nothing more is taken. */
  close(): void
}

/** How long a stream goes on. */
export interface PullPlan {
  /** Wait for commits that are still to come, or end at the last one. */
  readonly follow: boolean
  /** Ends the stream when it aborts, with its reason. */
  readonly signal: AbortSignal | undefined
}

/**
 * What is committed, as an iterator that is asked: nothing happens ahead of `next`, and whoever waits is woken by the commit that
 * he waits for.
 *
 * It ends with its signal, by leaving the loop, and when the store is closed: whoever has seen everything by then comes to the end of
 * his loop, whoever has not is told by `SILT_NOT_OPEN` that something is missing.
 */
export class PullStream<T> implements AsyncIterableIterator<T, undefined> {
  private readonly engine: Engine
  private readonly source: PullSource<T>
  private readonly plan: PullPlan
  private isEnded = false
  /** Calls of `next` are answered one after the other. */
  private last: Promise<unknown> = Promise.resolve()
  private wake: () => void = () => {}

  /** @internal Streams come from `db.changes()` and `watch()`. */
  constructor(engine: Engine, source: PullSource<T>, plan: PullPlan) {
    this.engine = engine
    this.source = source
    this.plan = plan
  }

  /** The next item; waits for it where the stream goes on. */
  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.last.then(() => this.step())
    this.last = result.catch(() => {})
    return result
  }

  /** Ends the stream, also for those who are waiting; twice is once. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.end()
    this.wake()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  private async step(): Promise<IteratorResult<T, undefined>> {
    const { source, plan } = this
    try {
      while (!this.isEnded) {
        plan.signal?.throwIfAborted()
        if (source.isBehind) {
          const value = await source.take()
          if (value !== undefined) return { value, done: false }
        } else if (plan.follow && !this.engine.hasEnded) await this.moved()
        else break
      }
    } catch (error) {
      this.end()
      throw error
    }
    return this.return()
  }

  /** Resolves with the next commit or refresh, or when nothing more is going to happen here. */
  private moved(): Promise<void> {
    const { engine, plan } = this
    return new Promise((resolve) => {
      const wake = (): void => {
        for (const stop of stops) stop()
        plan.signal?.removeEventListener('abort', wake)
        resolve()
      }
      const stops = [engine.commits.add(wake), engine.shifts.add(wake)]
      plan.signal?.addEventListener('abort', wake)
      this.wake = wake
    })
  }

  private end(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.source.close()
  }
}
