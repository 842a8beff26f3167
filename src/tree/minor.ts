import { isUndamaged, type MergePick, type Situation } from './compaction-policy.js'
import type { TableMeta } from './table-meta.js'
import { MINOR_RUN_BYTES, MINOR_RUNS } from './tuning.js'

/**
 * Merges small runs of level 0 into one run of level 0: what many reopenings or early flushes leave behind. It touches
 * nothing below, so it costs as little as the runs are small.
 */
export function pickMinor({ shape, damaged }: Situation, urgency: number): MergePick | undefined {
  const group = smallAdjacentRuns(shape[0]!)
  if (group.length < MINOR_RUNS) return undefined
  const pick = mergeRuns(group, 'small runs', urgency)
  return isUndamaged(pick, damaged) ? pick : undefined
}

/** A minor compaction that was asked for: all runs of level 0 that overlap, and what lies between them in time. */
export function pickMinorByHand(
  runs: readonly TableMeta[],
  overlaps: (table: TableMeta) => boolean,
): MergePick | undefined {
  const first = runs.findIndex(overlaps)
  const last = runs.findLastIndex(overlaps)
  if (last <= first) return undefined
  return mergeRuns(runs.slice(first, last + 1), 'asked for', 1)
}

/** Merges adjacent runs of level 0 into one table there. */
export function mergeRuns(runs: readonly TableMeta[], reason: string, urgency: number): MergePick {
  return {
    action: 'merge',
    runs: runs.map((run) => [run]),
    level: 0,
    reason,
    urgency,
    tableBytes: Number.POSITIVE_INFINITY,
  }
}

/** The first stretch of small runs that is long enough, from the newest on. */
function smallAdjacentRuns(runs: readonly TableMeta[]): readonly TableMeta[] {
  let first = 0
  while (first < runs.length) {
    let end = first
    while (end < runs.length && runs[end]!.bytes <= MINOR_RUN_BYTES) end++
    if (end - first >= MINOR_RUNS) return runs.slice(first, end)
    first = end + 1
  }
  return []
}
