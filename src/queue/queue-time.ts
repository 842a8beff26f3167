import { type Clock, monotonicTime } from '../bytes/clock.js'

/** Where a queue's time and the wall clock stood when its figures were last written. */
export interface TimeMark {
  readonly time: number
  readonly wall: number
}

/** Whoever follows the wall clock looks at it so often. */
export const LOOK_MS = 60_000

/**
 * For how long to set a timer that is to call back in so much time. It stands still while the machine sleeps, so a long one looks again when
 * an eighth of its time is over, or a minute.
 */
function timerStep(ms: number): number {
  return Math.min(Math.max(0, ms), Math.max(LOOK_MS, ms / 8))
}

/**
 * The time by which a queue's deadlines, delays, backoffs and times to live run. It begins as the wall clock and goes on at its own pace:
 * whoever sets the clock, ahead or back, moves nothing in the queue.
 *
 * While no process has the queue open only the wall clock tells how much time has gone by. So what is opened goes on where it was, and as
 * much later as the wall clock is since then, and not at all where that has gone back.
 */
export class QueueTime {
  private readonly clock: Clock
  private offset: number

  constructor(clock: Clock) {
    this.clock = clock
    this.offset = clock.now() - monotonicTime(clock)
  }

  now(): number {
    return Math.floor(monotonicTime(this.clock) + this.offset)
  }

  /** Calls back at a time, or earlier: whoever is called looks what time it is. */
  after(at: number, callback: () => void): () => void {
    return this.clock.after(timerStep(at - this.now()), callback)
  }

  /** Goes on from what was written down. */
  resume({ time, wall }: TimeMark): void {
    this.offset = time + Math.max(0, this.clock.now() - wall) - monotonicTime(this.clock)
  }

  mark(): TimeMark {
    return { time: Math.max(0, this.now()), wall: Math.max(0, Math.floor(this.clock.now())) }
  }
}
