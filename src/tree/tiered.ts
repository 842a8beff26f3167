import type { CompactionPolicy, MergePick, Pick, Situation } from './compaction-policy.js'
import { isUndamaged } from './compaction-policy.js'
import { bytesOf, expiredShare, isReleased, isWhollyExpired, type LevelShape } from './level-shape.js'
import { mergeRuns } from './minor.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'
import {
  EXPIRED_SHARE,
  QUIET_UPPER_SHARE,
  TABLE_BYTES,
  TIER_RUNS,
  TIER_SIZE_RATIO,
  TIER_SPACE_SHARE,
} from './tuning.js'

/**
 * Runs of similar size merge into one: each byte is rewritten once per size class, a third of what levels cost, for more runs
 * to read and more space taken. The runs are the tables of level 0, newest first; below them, on the last level, lies
 * what everything is merged into once the runs together outgrow it.
 */
export const tiered: CompactionPolicy = {
  style: 'tiered',

  pick(situation: Situation): Pick | undefined {
    const { shape, damaged } = situation
    const pick = pickExpired(situation) ?? pickTier(situation)
    if (pick !== undefined && isUndamaged(pick, damaged)) return pick
    const spoiled = shape[LAST_LEVEL]!.find((table) => !damaged.has(table.number) && isSpoiled(table, situation))
    return spoiled && mergeToLast([[spoiled]], 'garbage', 1)
  },

  pendingBytes(shape: LevelShape): number {
    return shape[0]!.length < TIER_RUNS ? 0 : bytesOf(shape[0]!)
  },
}

function pickExpired({ shape, now }: Situation): Pick | undefined {
  const tables = shape.flatMap((level, i) => level.filter((table) => isWhollyExpired(shape, table, i, now)))
  return tables.length === 0 ? undefined : { action: 'drop', reason: 'expired', urgency: 100, tables }
}

function pickTier({ shape, quiet }: Situation): MergePick | undefined {
  const runs = shape[0]!
  if (runs.length === 0) return undefined
  const upper = bytesOf(runs)
  const last = bytesOf(shape[LAST_LEVEL]!)
  const urgency = runs.length / TIER_RUNS
  const hasOutgrown = runs.length >= TIER_RUNS && upper > last * TIER_SPACE_SHARE && last > 0
  const isUntidy = quiet && (upper > last * QUIET_UPPER_SHARE || runs.some((run) => run.rangeTombstoneCount > 0))
  if (hasOutgrown || isUntidy) return mergeAll(shape, hasOutgrown ? 'space' : 'quiet', Math.max(1, urgency))
  const group = similarRuns(runs)
  if (group !== undefined)
    return group.length === runs.length && last === 0
      ? mergeAll(shape, 'tier', urgency)
      : mergeRuns(group, 'tier', urgency)
  // Runs that shrink by more than the ratio each: never many, and merging the newest ones costs least.
  return runs.length >= TIER_RUNS * 3 ? mergeRuns(runs.slice(0, TIER_RUNS), 'many runs', urgency) : undefined
}

/** The first stretch of runs, from the newest on, in which none is much larger than all before it together. */
function similarRuns(runs: readonly TableMeta[]): readonly TableMeta[] | undefined {
  for (let first = 0; first + TIER_RUNS <= runs.length; first++) {
    let bytes = runs[first]!.bytes
    let end = first + 1
    while (end < runs.length && runs[end]!.bytes <= bytes * TIER_SIZE_RATIO) bytes += runs[end++]!.bytes
    if (end - first >= TIER_RUNS) return runs.slice(first, end)
  }
  return undefined
}

function isSpoiled(table: TableMeta, { now, pins, quiet }: Situation): boolean {
  return expiredShare(table, now) >= (quiet ? QUIET_UPPER_SHARE : EXPIRED_SHARE) || isReleased(table, pins)
}

function mergeAll(shape: LevelShape, reason: string, urgency: number): MergePick {
  const runs = shape[0]!.map((run) => [run])
  const deeper = shape.slice(1).filter((tables) => tables.length > 0)
  return mergeToLast([...runs, ...deeper], reason, urgency)
}

function mergeToLast(runs: MergePick['runs'], reason: string, urgency: number): MergePick {
  return { action: 'merge', runs, level: LAST_LEVEL, reason, urgency, tableBytes: TABLE_BYTES }
}
