/** What a number counts. Of operations a second more is better, of everything else less. */
export type Unit = 'ops/s' | 'ms' | 'bytes' | 'times'

/**
 * What a write has survived when it is counted as done. `written`: the death of the process, because it is in the log or the
 * file as the system sees it. `synced`: the loss of power.
 */
export type Durability = 'written' | 'synced'

/** One number that a workload came to. */
export interface Reading {
  /** What it is of, where a workload comes to several: 'p99'. */
  readonly part?: string
  readonly unit: Unit
  readonly value: number
}

/** A reading with its place in the table. */
export interface Sample {
  readonly scenario: string
  readonly workload: string
  readonly durability: Durability
  readonly unit: Unit
  readonly value: number
}
