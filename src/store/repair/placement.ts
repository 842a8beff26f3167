import type { FileNumber } from '../../bytes/units.js'
import { overlappingRanges } from '../../tree/key-range.js'
import type { TableMeta } from '../../tree/table-meta.js'
import { levelsOf, misplacedTables } from '../verify/level-check.js'

/**
 * Where the tables of one tree can stand so that the newest version of every key is found first; `undefined` where they have to
 * be merged for that. `known` holds those of which a manifest says that they stand rightly to each other.
 *
 * Tables remember the level that they were written to, not the one that they were moved to since. So without a manifest
 * a table counts as newer than another only where all its positions are higher.
 */
export function placementOf(tables: readonly TableMeta[], known: ReadonlySet<FileNumber>): TableMeta[] | undefined {
  if (isInOrder(levelsOf(tables), known)) return [...tables]
  const flat = tables.map((table) => ({ ...table, level: 0 }))
  return isInOrder(levelsOf(flat), new Set()) ? flat : undefined
}

function isInOrder(levels: readonly (readonly TableMeta[])[], known: ReadonlySet<FileNumber>): boolean {
  if (misplacedTables(levels).length > 0) return false
  return levels.every((upper, level) =>
    levels.slice(level + 1).every((lower) => upper.every((table) => isAbove(table, lower, known))),
  )
}

/** Whether nothing on a deeper level is newer than a table that it overlaps. Requires: the level is in key order. */
function isAbove(table: TableMeta, lower: readonly TableMeta[], known: ReadonlySet<FileNumber>): boolean {
  return overlappingRanges(lower, table).every(
    (below) => table.lowestPosition > below.highestPosition || (known.has(table.number) && known.has(below.number)),
  )
}
