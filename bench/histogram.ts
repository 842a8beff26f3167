const STEP_BITS = 5
const STEPS = 1 << STEP_BITS
const LONGEST_NS = 2 ** 32 - 1

/**
 * Counts latencies up to 4.2 s in steps of 3 %: 32 steps for every power of two of nanoseconds, so that ten million of them take
 * 4 KiB and no list is sorted.
 */
export class Histogram {
  private readonly counts = new Uint32Array(33 * STEPS)
  private total = 0

  record(milliseconds: number): void {
    this.counts[stepOf(Math.min(LONGEST_NS, Math.round(milliseconds * 1e6)))]!++
    this.total++
  }

  get count(): number {
    return this.total
  }

  /** Milliseconds that so many percent did not exceed; NaN where nothing was counted. */
  percentile(percent: number): number {
    if (this.total === 0) return Number.NaN
    const wanted = Math.max(1, Math.ceil((this.total * percent) / 100))
    let seen = 0
    for (let step = 0; step < this.counts.length; step++) {
      seen += this.counts[step]!
      if (seen >= wanted) return highestOf(step) / 1e6
    }
    return LONGEST_NS / 1e6
  }
}

function stepOf(nanoseconds: number): number {
  if (nanoseconds < STEPS) return nanoseconds
  const shift = 31 - Math.clz32(nanoseconds) - STEP_BITS
  return (shift + 1) * STEPS + (nanoseconds >>> shift) - STEPS
}

function highestOf(step: number): number {
  if (step < STEPS) return step
  const shift = Math.floor(step / STEPS) - 1
  return ((step % STEPS) + STEPS + 1) * 2 ** shift - 1
}
