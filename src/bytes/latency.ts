import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** How long something took, over everything that was measured. */
export interface LatencyStats {
  /** How many were measured. */
  readonly count: number
  /** All of them together. */
  readonly totalMs: number
  /** Half of them took no longer. */
  readonly p50Ms: number
  /** 90 of 100 took no longer. */
  readonly p90Ms: number
  /** 99 of 100 took no longer. */
  readonly p99Ms: number
  /** 999 of 1000 took no longer. */
  readonly p999Ms: number
  /** The longest. */
  readonly maxMs: number
}

const NS_PER_MS = 1e6
const LONGEST_NS = 3_600_000 * NS_PER_MS
/** Two digits: a percentile is off by one in a hundred at most, and a histogram takes 40 KiB. */
const FIGURES = 2

/**
 * A histogram of durations, made with the first of them.
 *
 * It is the HDR histogram that Node has built in: 24 ns for each record, nothing to load. The one from the registry
 * (hdr-histogram-js 3.0.1) took 79 ns and 27 ms to load with 2 MB of dependencies.
 */
export class Latency {
  private histogram: RecordableHistogram | undefined
  private totalMs = 0

  record(ms: number): void {
    this.histogram ??= createHistogram({ lowest: 1, highest: LONGEST_NS, figures: FIGURES })
    this.histogram.record(Math.min(LONGEST_NS, Math.max(1, Math.round(ms * NS_PER_MS))))
    this.totalMs += ms
  }

  stats(): LatencyStats {
    const { histogram, totalMs } = this
    if (histogram === undefined) return { count: 0, totalMs, p50Ms: 0, p90Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 }
    const at = (percent: number): number => histogram.percentile(percent) / NS_PER_MS
    return {
      count: histogram.count,
      totalMs,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: histogram.max / NS_PER_MS,
    }
  }
}
