import { compareKeys } from '../bytes/compare.js'
import type { CompressionName } from '../bytes/compression.js'
import type { EpochMs, FileNumber, Position, TreeId } from '../bytes/units.js'
import type { TableProperties } from '../table/properties.js'
import { hull, type KeyRange, successor } from './key-range.js'

/** The deepest level; level 0 holds what was flushed, the levels from 1 on hold one sorted run each. */
export const LAST_LEVEL = 6
export const LEVEL_COUNT = LAST_LEVEL + 1

/**
 * What the manifest knows of a table: enough to plan every read and every compaction without opening it.
 *
 * Invariant: the range holds every key of the table and everything its range tombstones cover.
 */
export interface TableMeta extends KeyRange {
  readonly number: FileNumber
  readonly tree: TreeId
  readonly level: number
  /** Of the file. */
  readonly bytes: number
  /** Of its keys and values, before compression. */
  readonly rawBytes: number
  readonly entryCount: number
  /** Entries that are deletions. */
  readonly deletionCount: number
  /** Fragments of range tombstones. */
  readonly rangeTombstoneCount: number
  /** Entries that only a pin kept: once no pin at or below `highestPosition` is left, rewriting the table drops them. */
  readonly heldCount: number
  readonly lowestPosition: Position
  readonly highestPosition: Position
  /** Entries that expire. */
  readonly expiringCount: number
  /** Of the entries that expire; 0 where there is none. */
  readonly earliestExpiry: EpochMs
  readonly latestExpiry: EpochMs
  readonly compression: CompressionName
  readonly createdAt: EpochMs
}

/** What a manifest keeps of a table that was written or, by a repair, found. Requires: the table is not empty. */
export function tableMeta(properties: TableProperties, fileBytes: number, heldCount: number): TableMeta {
  return {
    ...rangeOf(properties),
    number: properties.fileNumber,
    tree: properties.tree,
    level: properties.level,
    bytes: fileBytes,
    rawBytes: properties.rawKeyBytes + properties.rawValueBytes,
    entryCount: properties.entryCount,
    deletionCount: properties.deletionCount,
    rangeTombstoneCount: properties.rangeTombstoneCount,
    heldCount,
    lowestPosition: properties.minPosition,
    highestPosition: properties.maxPosition,
    expiringCount: properties.expiringCount,
    earliestExpiry: properties.minExpiresAt,
    latestExpiry: properties.maxExpiresAt,
    compression: properties.compression,
    createdAt: properties.createdAt,
  }
}

const COMPARED = [
  'tree',
  'bytes',
  'entryCount',
  'rangeTombstoneCount',
  'start',
  'end',
  'lowestPosition',
  'highestPosition',
] as const

/** Where a table is not the one that the manifest speaks of: what is read, and what is passed over, relies on that. */
export function differenceFrom(meta: TableMeta, properties: TableProperties, fileBytes: number): string | undefined {
  const found = tableMeta(properties, fileBytes, meta.heldCount)
  for (const name of COMPARED) {
    const here = found[name]
    const there = meta[name]
    const isSame =
      here instanceof Uint8Array && there instanceof Uint8Array ? compareKeys(here, there) === 0 : here === there
    if (!isSame) return `its ${name} is not the one that the manifest names`
  }
  return undefined
}

function rangeOf(properties: TableProperties): KeyRange {
  const { smallestKey, largestKey, rangeStart, rangeEnd } = properties
  const parts: KeyRange[] = []
  if (smallestKey !== undefined && largestKey !== undefined) {
    parts.push({ start: smallestKey, end: successor(largestKey) })
  }
  if (rangeStart !== undefined) parts.push({ start: rangeStart, end: rangeEnd })
  return hull(parts)
}

/** Orders level 0: its runs were written one after the other, the newest is asked first. */
export function byNewest(a: TableMeta, b: TableMeta): number {
  return b.highestPosition - a.highestPosition
}

/** Orders the tables of a deeper level. */
export function byKey(a: TableMeta, b: TableMeta): number {
  return compareKeys(a.start, b.start)
}
