import { uptime } from 'node:os'
import type { EpochMs } from './units.js'

/** The one seam through which time enters: the system's clock in production, one that tests move by hand. */
export interface Clock {
  /** Wall time; may jump in both directions. */
  now(): EpochMs
  /**
   * Milliseconds since some moment, which go on at their pace whatever happens to the wall clock. Where a clock has none, `now` is taken, and
   * a queue's timers move with its jumps.
   */
  monotonic?(): number
  /** Calls back once after `delayMs`; returns what cancels it. The timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

/** The time that only goes on. */
export function monotonicTime(clock: Clock): number {
  return clock.monotonic === undefined ? clock.now() : clock.monotonic()
}

// Node clamps longer timers to one millisecond, so a year-long delay is walked in steps.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** So far the wall clock has to be ahead of where it was before it is asked whether the machine has slept. */
const JUMP_MS = 1000

/**
 * The time since the process began, sleep of the machine included. Linux stops its monotonic clock while the machine sleeps, and goes on
 * counting its uptime; so where the wall clock has jumped ahead, the uptime tells sleep from somebody who has set the clock.
 */
class AwakeAndAsleep {
  private asleepMs = 0
  private readonly bootGap = bootTime() - performance.now()
  private wallGap = Date.now() - performance.now()

  now(): number {
    const awake = performance.now()
    const gap = Date.now() - awake
    if (gap - this.wallGap > JUMP_MS) {
      const asleep = bootTime() - awake - this.bootGap
      // It cannot have slept for longer than the wall clock says.
      const most = this.asleepMs + gap - this.wallGap
      if (asleep > this.asleepMs + JUMP_MS) this.asleepMs = Math.min(asleep, most)
    }
    this.wallGap = gap
    return awake + this.asleepMs
  }
}

function bootTime(): number {
  return uptime() * 1000
}

let passing: AwakeAndAsleep | undefined

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => (passing ??= new AwakeAndAsleep()).now(),
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

/**
 * What measures durations by a clock, for those who ask with every write: of the machine's clock without its sleep, which takes twice as
 * long to know.
 */
export function stopwatchOf(clock: Clock): () => number {
  return clock === systemClock || clock.monotonic === undefined ? () => performance.now() : () => clock.monotonic!()
}
