import type { Clock } from '../bytes/clock.js'
import { publish } from '../bytes/diagnostics.js'
import type { Pressure } from '../tree/pressure.js'
import { holdProcess } from './keep-alive.js'

/** What slowed writers down, by reason. */
export interface Stall {
  /** What they had to wait for. */
  readonly reason: string
  /** How often. */
  readonly count: number
  /** How long, all together. */
  readonly totalMs: number
}

/**
 * Paces writers by the debt of compaction: early and smoothly, so that nobody is ever stopped. From a debt of 1 on writers pay for
 * the bytes they write with time; the nearer to 2, the dearer the byte.
 *
 * They pay when their write is committed, by hearing of it late: so nobody waits for the pause of somebody else. Who writes much
 * pays for all; a small write pays only where small ones alone are more than the rate allows.
 */
export class Admission {
  /** At a debt of 1 writers are held to this rate … */
  private static readonly GENTLE_BYTES_PER_MS = 64 * 1024
  /** … and at 2 to this one, slower than any disk compacts. */
  private static readonly HARSH_BYTES_PER_MS = 2 * 1024
  private static readonly LONGEST_DELAY_MS = 20
  /** What costs less than that is a small write: 6 KiB at the gentle rate, 200 bytes at the harsh one. */
  private static readonly SMALL_MS = 0.1

  private readonly clock: Clock
  private readonly directory: string
  private readonly catchUp: () => void
  private readonly stallsByReason = new Map<string, { count: number; totalMs: number }>()
  private bytesPerMs = Number.POSITIVE_INFINITY
  private reason = ''
  /** Time that was written on credit. */
  private owedMs = 0
  /** And what small writes have of it. */
  private smallOwedMs = 0
  private paidUntil = 0

  /** `catchUp` takes note of whatever has ended meanwhile and may end a slow-down. */
  constructor(clock: Clock, directory: string, catchUp: () => void) {
    this.clock = clock
    this.directory = directory
    this.catchUp = catchUp
  }

  /** Takes note of a new debt. It moves only when a segment is sealed and when a flush or a compaction ends, so writes do not ask. */
  update(pressure: Pressure): void {
    const debt = Math.min(pressure.debt, 2)
    if (debt < 1) {
      this.bytesPerMs = Number.POSITIVE_INFINITY
      this.owedMs = 0
      this.smallOwedMs = 0
      return
    }
    const harshness = Admission.HARSH_BYTES_PER_MS / Admission.GENTLE_BYTES_PER_MS
    this.bytesPerMs = Admission.GENTLE_BYTES_PER_MS * harshness ** (debt - 1)
    this.reason = pressure.reason ?? 'compaction is behind'
  }

  /**
   * Takes note of a group of writes and says how long they are to wait until they hear that they are committed; whole milliseconds,
   * because timers know no shorter time.
   */
  charge(bytes: number): number {
    if (this.bytesPerMs === Number.POSITIVE_INFINITY) return 0
    const isSmall = this.note(bytes)
    return this.count(Admission.dueMs(isSmall ? this.smallOwedMs : this.owedMs))
  }

  /** Whether it is a small write. */
  private note(bytes: number): boolean {
    const now = performance.now()
    const passedMs = now - this.paidUntil
    const costMs = bytes / this.bytesPerMs
    const isSmall = costMs < Admission.SMALL_MS
    this.paidUntil = now
    this.owedMs = Math.max(0, this.owedMs - passedMs) + costMs
    this.smallOwedMs = Math.max(0, this.smallOwedMs - passedMs) + (isSmall ? costMs : 0)
    return isSmall
  }

  private static dueMs(owedMs: number): number {
    return Math.min(Math.floor(owedMs), Admission.LONGEST_DELAY_MS)
  }

  after(delayMs: number, callback: () => void): void {
    const release = holdProcess()
    this.clock.after(delayMs, () => {
      release()
      callback()
    })
  }

  /** The same for a writer that owns the thread, small or not: it sleeps. No event tells it that a flush has ended, so it asks before it does. */
  chargeSync(bytes: number): void {
    if (this.bytesPerMs === Number.POSITIVE_INFINITY) return
    this.note(bytes)
    if (this.owedMs < 1) return
    this.catchUp()
    const delayMs = this.count(Admission.dueMs(this.owedMs))
    if (delayMs > 0) Atomics.wait(SLEEP, 0, 0, delayMs)
  }

  /** Counts a stop: a writer that had to wait for a flush. */
  countStop(reason: string, ms: number): void {
    this.reason = reason
    this.count(ms)
  }

  private count(ms: number): number {
    if (ms === 0) return 0
    const stall = this.stallsByReason.get(this.reason) ?? { count: 0, totalMs: 0 }
    stall.count++
    stall.totalMs += ms
    this.stallsByReason.set(this.reason, stall)
    publish('siltstone:stall', () => ({ directory: this.directory, reason: this.reason, ms }))
    return ms
  }

  /** What writers are held to now; `undefined` where they are not. */
  slowdown(): { reason: string; bytesPerSecond: number } | undefined {
    if (this.bytesPerMs === Number.POSITIVE_INFINITY) return undefined
    return { reason: this.reason, bytesPerSecond: this.bytesPerMs * 1000 }
  }

  stalls(): Stall[] {
    return [...this.stallsByReason].map(([reason, stall]) => ({ reason, ...stall }))
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4))
