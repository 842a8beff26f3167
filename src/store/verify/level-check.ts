import { startsBefore } from '../../tree/key-range.js'
import { byKey, byNewest, LEVEL_COUNT, type TableMeta } from '../../tree/table-meta.js'

/** A table that does not stand where it may. */
export interface Misplaced {
  readonly table: TableMeta
  readonly problem: string
}

/** The tables of one tree by their levels: level 0 newest first, the others in key order. */
export function levelsOf(tables: readonly TableMeta[]): TableMeta[][] {
  return Array.from({ length: LEVEL_COUNT }, (_, level) =>
    tables.filter((table) => table.level === level).sort(level === 0 ? byNewest : byKey),
  )
}

/**
 * Holds the tables of one tree to what reading relies on: the runs of level 0 were written one after the other, and the
 * tables of a deeper level do not overlap. Requires: the order of `levelsOf`.
 */
export function misplacedTables(levels: readonly (readonly TableMeta[])[]): Misplaced[] {
  return levels.flatMap((tables, level) => (level === 0 ? entangledRuns(tables) : overlappingTables(tables, level)))
}

function entangledRuns(runs: readonly TableMeta[]): Misplaced[] {
  const found: Misplaced[] = []
  for (let i = 1; i < runs.length; i++) {
    const newer = runs[i - 1]!
    const older = runs[i]!
    if (older.highestPosition < newer.lowestPosition) continue
    const problem = `its positions reach up to ${older.highestPosition}, but table ${newer.number}, which is asked first, begins at ${newer.lowestPosition}`
    found.push({ table: older, problem })
  }
  return found
}

function overlappingTables(tables: readonly TableMeta[], level: number): Misplaced[] {
  const found: Misplaced[] = []
  for (let i = 1; i < tables.length; i++) {
    const before = tables[i - 1]!
    const table = tables[i]!
    if (before.end !== undefined && !startsBefore(table, before.end)) continue
    found.push({ table, problem: `on level ${level} it overlaps table ${before.number}` })
  }
  return found
}
