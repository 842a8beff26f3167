import { compareKeys } from '../../../src/bytes/compare.js'
import type { ManifestState } from '../../../src/tree/manifest-state.js'
import { LEVEL_COUNT, type TableMeta } from '../../../src/tree/table-meta.js'

/** The tables of one keyspace, level by level, and where on a line from the first key to the last each of them stands. */
export interface Picture {
  readonly keyspace: string
  readonly levels: readonly PictureLevel[]
  readonly bytes: number
  /** First key of all, and the first behind all; `undefined` where it has no end. */
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

export interface PictureLevel {
  readonly level: number
  readonly tables: readonly PlacedTable[]
  readonly bytes: number
  readonly entries: number
  readonly tombstones: number
}

export interface PlacedTable {
  readonly meta: TableMeta
  /** From 0 to 1, among all bounds of tables in their order: keys have no natural distance. */
  readonly from: number
  readonly to: number
  readonly deadShare: number
}

export function picturesOf(state: ManifestState): Picture[] {
  return [...state.trees.values()].map((tree) => {
    const tables = [...state.tables.values()].filter((table) => table.tree === tree.id)
    return pictureOf(tree.name, tables)
  })
}

function pictureOf(keyspace: string, tables: readonly TableMeta[]): Picture {
  const bounds = boundsOf(tables)
  const places = placesOf(bounds, tables)
  const width = Math.max(1, places.at(-1) ?? 1)
  const placeOf = (key: Uint8Array | undefined): number => (key === undefined ? 1 : places[rank(bounds, key)]! / width)
  const levels = Array.from({ length: LEVEL_COUNT }, (_, level) => {
    const here = tables.filter((table) => table.level === level)
    here.sort((a, b) => (level === 0 ? b.highestPosition - a.highestPosition : compareKeys(a.start, b.start)))
    return {
      level,
      tables: here.map((meta) => ({
        meta,
        from: placeOf(meta.start),
        to: placeOf(meta.end),
        deadShare: meta.entryCount === 0 ? 1 : meta.deletionCount / meta.entryCount,
      })),
      bytes: sum(here, (table) => table.bytes),
      entries: sum(here, (table) => table.entryCount),
      tombstones: sum(here, (table) => table.deletionCount + table.rangeTombstoneCount),
    }
  }).filter((level) => level.tables.length > 0)
  const isEndless = tables.some((table) => table.end === undefined)
  return {
    keyspace,
    levels,
    bytes: sum(levels, (level) => level.bytes),
    start: bounds[0] ?? new Uint8Array(0),
    end: isEndless ? undefined : bounds.at(-1),
  }
}

/** All bounds, once each, in key order. */
function boundsOf(tables: readonly TableMeta[]): Uint8Array[] {
  const all = tables.flatMap(({ start, end }) => (end === undefined ? [start] : [start, end])).sort(compareKeys)
  return all.filter((key, i) => i === 0 || compareKeys(all[i - 1]!, key) !== 0)
}

/** Where each bound stands. Between the end of a table and the start of the next there are no keys of theirs, and so no space. */
function placesOf(bounds: readonly Uint8Array[], tables: readonly TableMeta[]): number[] {
  const starts = new Set(tables.map(({ start }) => rank(bounds, start)))
  const ends = new Set(tables.flatMap(({ end }) => (end === undefined ? [] : [rank(bounds, end)])))
  let place = 0
  return bounds.map((_, i) => {
    const isGap = !starts.has(i - 1) && !ends.has(i)
    if (i > 0 && !isGap) place++
    return place
  })
}

function rank(bounds: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0
  let high = bounds.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(bounds[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
