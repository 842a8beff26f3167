import { type Clock, monotonicTime } from '../bytes/clock.js'
import type { RateLimit } from './rules.js'

/**
 * A bucket of tokens that fills at a steady rate: who takes more than there are waits until they have come in. Takers are served in
 * order, because each borrows from what comes in behind those before it.
 */
export class RateLimiter {
  private readonly perMs: number
  private readonly burst: number
  private readonly clock: Clock
  private tokens: number
  private countedAt: number

  constructor({ perSecond, burst = Math.max(1, perSecond) }: RateLimit, clock: Clock) {
    this.perMs = perSecond / 1000
    this.burst = burst
    this.clock = clock
    this.tokens = burst
    this.countedAt = monotonicTime(clock)
  }

  /** Takes tokens if they are there. One call for more than the bucket ever holds takes a full one, and the rest on credit. */
  tryTake(count: number): boolean {
    this.refill()
    if (this.tokens < Math.min(count, this.burst)) return false
    this.tokens -= count
    return true
  }

  /** Takes tokens, on credit if need be, and says for how many milliseconds to wait. */
  take(count: number): number {
    this.refill()
    const missing = Math.min(count, this.burst) - this.tokens
    this.tokens -= count
    return missing <= 0 ? 0 : Math.ceil(missing / this.perMs)
  }

  /** Nothing came of what they were taken for. */
  giveBack(count: number): void {
    this.refill()
    this.tokens = Math.min(this.burst, this.tokens + count)
  }

  private refill(): void {
    const now = monotonicTime(this.clock)
    if (now > this.countedAt) this.tokens = Math.min(this.burst, this.tokens + (now - this.countedAt) * this.perMs)
    this.countedAt = now
  }
}
