import type { Clock } from '../bytes/clock.js'
import { LONGEST_BACKOFF_MS, SHORTEST_BACKOFF_MS } from './tuning.js'

/** The pause between two attempts of something that failed: it doubles until there is a success. */
export class Backoff {
  private readonly clock: Clock
  private readonly retry: () => void
  private delayMs = 0
  private cancel: (() => void) | undefined

  constructor(clock: Clock, retry: () => void) {
    this.clock = clock
    this.retry = retry
  }

  get isWaiting(): boolean {
    return this.cancel !== undefined
  }

  failed(): void {
    this.stop()
    this.delayMs = Math.min(LONGEST_BACKOFF_MS, Math.max(SHORTEST_BACKOFF_MS, this.delayMs * 2))
    this.cancel = this.clock.after(this.delayMs, () => this.now())
  }

  succeeded(): void {
    this.delayMs = 0
  }

  /** Tries again without waiting for the rest of the pause. */
  now(): void {
    if (!this.isWaiting) return
    this.stop()
    this.retry()
  }

  stop(): void {
    this.cancel?.()
    this.cancel = undefined
  }
}
