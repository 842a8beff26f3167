import type { Clock } from '../../src/bytes/clock.js'

/** Time that passes when a test says so. */
export class ManualClock implements Clock {
  private time: number
  private timers: { at: number; callback: () => void }[] = []

  constructor(time = 1_000_000) {
    this.time = time
  }

  now(): number {
    return this.time
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.time + delayMs, callback }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((each) => each !== timer)
    }
  }

  get pendingTimers(): number {
    return this.timers.length
  }

  advance(ms: number): void {
    this.time += ms
    for (;;) {
      const due = this.timers.find(({ at }) => at <= this.time)
      if (due === undefined) return
      this.timers = this.timers.filter((each) => each !== due)
      due.callback()
    }
  }
}
