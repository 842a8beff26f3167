import type { EpochMs } from './units.js'

/** The one seam through which time enters: the system's clock in production, one that tests move by hand. */
export interface Clock {
  /** Wall time; may jump in both directions. */
  now(): EpochMs
  /** Calls back once after `delayMs`; returns what cancels it. The timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

// Node clamps longer timers to one millisecond, so a year-long delay is walked in steps.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    let left = delayMs
    let timer: NodeJS.Timeout
    const step = (): void => {
      const stepMs = Math.min(left, LONGEST_TIMER_MS)
      left -= stepMs
      timer = setTimeout(() => (left > 0 ? step() : callback()), stepMs)
      timer.unref()
    }
    step()
    return () => clearTimeout(timer)
  },
}
