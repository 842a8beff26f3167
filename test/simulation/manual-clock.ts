import type { Clock } from '../../src/bytes/clock.js'

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private time: number
  private passed = 0
  private readonly timers = new Set<{ at: number; callback: () => void }>()

  constructor(time = 1_700_000_000_000) {
    this.time = time
  }

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.passed
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.passed + delayMs, callback }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  /** Moves time on and calls what has come due, in order. */
  advance(ms: number): void {
    const until = this.passed + ms
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.timers.delete(due)
      this.pass(Math.max(0, due.at - this.passed))
      due.callback()
    }
    this.pass(Math.max(0, until - this.passed))
  }

  /** Time goes by, and nobody is called: the process stands still. */
  stall(ms: number): void {
    this.pass(ms)
  }

  private pass(ms: number): void {
    this.passed += ms
    this.time += ms
  }

  /** Moves the wall clock without calling anybody, as a person or NTP would. */
  jump(ms: number): void {
    this.time += ms
  }

  /** How many timers are waiting. */
  get waiting(): number {
    return this.timers.size
  }
}
