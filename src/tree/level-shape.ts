import type { CompressionName } from '../bytes/compression.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { type KeyRange, overlappingRanges, rangesOverlap, unionOfRanges } from './key-range.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'

/** The tables of a tree as its compaction sees them: level 0 newest first, the deeper levels in key order. */
export type LevelShape = readonly (readonly TableMeta[])[]

export function bytesOf(tables: readonly TableMeta[]): number {
  let bytes = 0
  for (const table of tables) bytes += table.bytes
  return bytes
}

/** The tables of a level that overlap a range; level 0 is not sorted by key. */
export function overlappingOf(shape: LevelShape, level: number, range: KeyRange): readonly TableMeta[] {
  const tables = shape[level]!
  return level === 0 ? tables.filter((table) => rangesOverlap(table, range)) : overlappingRanges(tables, range)
}

export function hasDataBelow(shape: LevelShape, level: number): boolean {
  return shape.some((tables, i) => i > level && tables.length > 0)
}

/**
 * What counts for where a table should go: its size, and with every deletion as much as an entry of the tree takes. Eleven
 * bytes of a deletion may hold back a kilobyte below.
 */
export function weightOf(table: TableMeta, entryBytes: number): number {
  return table.bytes + table.deletionCount * entryBytes
}

/** What an entry of the tree takes on disk on average, as far as its larger levels tell. */
export function averageEntryBytes(shape: LevelShape): number {
  let bytes = 0
  let entries = 0
  for (const tables of shape) {
    for (const table of tables) {
      bytes += table.bytes
      entries += table.entryCount - table.deletionCount
    }
  }
  return entries === 0 ? 0 : bytes / entries
}

/** The share of a table's entries that has expired, if expiry is spread evenly over its time. */
export function expiredShare(table: TableMeta, now: EpochMs): number {
  if (table.expiringCount === 0 || now < table.earliestExpiry) return 0
  const share = table.expiringCount / table.entryCount
  if (now >= table.latestExpiry) return share
  return (share * (now - table.earliestExpiry)) / (table.latestExpiry - table.earliestExpiry)
}

/** When `expiredShare` reaches a share; `undefined` where it never does. */
export function expiredShareAt(table: TableMeta, share: number): EpochMs | undefined {
  if (table.expiringCount === 0) return undefined
  const needed = (share * table.entryCount) / table.expiringCount
  if (needed > 1) return undefined
  return Math.ceil(table.earliestExpiry + needed * (table.latestExpiry - table.earliestExpiry))
}

/** Nobody can read anything in the table any more, and nothing stands below that it hides. */
export function isWhollyExpired(shape: LevelShape, table: TableMeta, level: number, now: EpochMs): boolean {
  if (table.expiringCount < table.entryCount || table.rangeTombstoneCount > 0 || table.latestExpiry > now) return false
  if (table.entryCount === 0) return false
  return olderThan(shape, level, [table]).every((range) => !rangesOverlap(range, table))
}

/** Whether rewriting a table of the last level would drop what pins once kept: all of it, so that it is done once. */
export function isReleased(table: TableMeta, pins: readonly Position[]): boolean {
  return (
    (table.heldCount > 0 || table.rangeTombstoneCount > 0 || table.deletionCount > 0) &&
    (pins.length === 0 || pins[0]! > table.highestPosition)
  )
}

/**
 * Where data older than a merge's inputs may stand, beside the inputs themselves: on deeper levels, and in older runs of
 * level 0. `level` is the uppermost level of the inputs.
 */
export function olderThan(shape: LevelShape, level: number, inputs: readonly TableMeta[]): KeyRange[] {
  const numbers = new Set(inputs.map((table) => table.number))
  const oldest = inputs.reduce((lowest, table) => Math.min(lowest, table.lowestPosition), Number.POSITIVE_INFINITY)
  const older: TableMeta[] = []
  for (let i = level; i <= LAST_LEVEL; i++) {
    for (const table of shape[i]!) {
      if (numbers.has(table.number)) continue
      // Beside the inputs: the other tables of a sorted run share no key with them, newer runs hide nothing from them.
      if (i === level && (level > 0 || table.lowestPosition > oldest)) continue
      older.push(table)
    }
  }
  return unionOfRanges(older)
}

/**
 * Level 0 is rewritten at once and stays as it is. So does the level below it, which level 0 is merged into over and over,
 * as long as there is a deeper one; everything that stays for long is compressed.
 */
export function compressionOf(shape: LevelShape, level: number, compression: CompressionName): CompressionName {
  if (level === LAST_LEVEL) return compression
  const isUppermost = !shape.some((tables, i) => i > 0 && i < level && tables.length > 0)
  return level === 0 || (isUppermost && hasDataBelow(shape, level)) ? 'none' : compression
}
