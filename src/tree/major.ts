import { isUndamaged, type MergePick, type Situation } from './compaction-policy.js'
import { hull, type KeyRange } from './key-range.js'
import { overlappingOf } from './level-shape.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'
import { TABLE_BYTES } from './tuning.js'

/**
 * Merges everything in a key range into one run of the last level. Nothing older is left anywhere, so every old version, deletion
 * and expired entry goes that no snapshot holds.
 *
 * The range grows until no table crosses its edge: otherwise a key could be left above the last level and be newer than what was
 * put there, or worse, older.
 */
export function pickMajor(situation: Situation, range: KeyRange): MergePick | undefined {
  const { shape, damaged } = situation
  let levels = shape.map((_, level) => overlappingOf(shape, level, range))
  for (let count = 0; ; ) {
    const tables = levels.flat()
    if (tables.length === count) break
    count = tables.length
    const wider = hull(tables)
    levels = shape.map((_, level) => overlappingOf(shape, level, wider))
  }
  const runs = levels.flatMap((tables, level) => (level === 0 ? tables.map((table) => [table]) : [tables]))
  const filled = runs.filter((run) => run.length > 0)
  if (filled.length === 0 || isSettled(filled)) return undefined
  const pick: MergePick = {
    action: 'merge',
    runs: filled,
    level: LAST_LEVEL,
    reason: 'asked for',
    urgency: 1,
    tableBytes: TABLE_BYTES,
  }
  return isUndamaged(pick, damaged) ? pick : undefined
}

/** One run of the last level without any garbage is what a major compaction would make. */
function isSettled(runs: readonly (readonly TableMeta[])[]): boolean {
  return (
    runs.length === 1 &&
    runs[0]!.every(
      (table) =>
        table.level === LAST_LEVEL &&
        table.deletionCount === 0 &&
        table.rangeTombstoneCount === 0 &&
        table.heldCount === 0 &&
        table.expiringCount === 0,
    )
  )
}
