import { compareKeys } from '../bytes/compare.js'
import type { FileNumber, TreeId } from '../bytes/units.js'
import { endsAtOrBefore, type KeyRange, rangesOverlap } from './key-range.js'
import type { LiveTable, LiveTables } from './live-table.js'
import type { TreeRecord } from './manifest-state.js'
import { byKey, byNewest, LEVEL_COUNT, type TableMeta } from './table-meta.js'
import type { Lineage } from './table-origin.js'
import type { TreeOptions } from './tree-options.js'
import { Version } from './version.js'

/** What an edit changes of one tree. */
export interface TreeChange {
  readonly add: readonly TableMeta[]
  readonly drop: ReadonlySet<FileNumber>
  readonly move: ReadonlyMap<FileNumber, number>
}

/** One LSM tree: a name, its options, and the version of its tables that counts now. */
export class Tree {
  readonly id: TreeId
  readonly name: string
  options: TreeOptions
  /** The current one; `retain` it to read from it beyond this turn. */
  version: Version
  /** Tables in which scans crawled over deletions. */
  readonly hinted = new Set<FileNumber>()
  /** Keys before this one are not needed any more. */
  trimmedBefore: Uint8Array | undefined
  private readonly tables: LiveTables
  private readonly onDue: () => void

  constructor(record: TreeRecord, metas: readonly TableMeta[], tables: LiveTables, onDue: () => void) {
    this.id = record.id
    this.name = record.name
    this.options = record.options
    this.tables = tables
    this.onDue = onDue
    const levels: LiveTable[][] = Array.from({ length: LEVEL_COUNT }, () => [])
    for (const meta of metas) levels[meta.level]!.push(tables.make(meta))
    this.version = new Version(levels.map(sorted), tables.dispose)
  }

  /** A scan crawled over deletions between these keys: the tables there are compacted sooner. */
  hintTombstones(range: KeyRange): void {
    const before = this.hinted.size
    for (const level of this.version.levels) {
      for (const table of level) {
        const { deletionCount, rangeTombstoneCount } = table.meta
        if (deletionCount + rangeTombstoneCount > 0 && rangesOverlap(table, range)) this.hinted.add(table.number)
      }
    }
    if (this.hinted.size > before) this.onDue()
  }

  /**
   * Tables of a 'fifo' tree that hold nothing at or after this key may be dropped, and what lies before it may be left out of any
   * that is written. Not kept over a reopening. Requires: what says that nobody needs it any more is on disk.
   */
  trim(before: Uint8Array): void {
    const { trimmedBefore } = this
    if (trimmedBefore !== undefined && compareKeys(before, trimmedBefore) <= 0) return
    this.trimmedBefore = before
    if (this.holdsTableBefore(before)) this.onDue()
  }

  get hasTables(): boolean {
    return this.version.levels.some((level) => level.length > 0)
  }

  /** Whether a table could be dropped if nothing before this key were needed. */
  holdsTableBefore(key: Uint8Array): boolean {
    return this.version.levels.some((level) => level.some(({ meta }) => endsAtOrBefore(meta, key, 0, key.length)))
  }

  /** About how many bytes of tables a range takes. May throw `BlockNotResident`. */
  approximateBytes(range: KeyRange): number {
    let bytes = 0
    for (const level of this.version.levels) {
      for (const table of level) if (rangesOverlap(table, range)) bytes += bytesWithin(table, range)
    }
    return bytes
  }

  /** Whether the current version names one of the tables. */
  holdsAny(numbers: { has(number: FileNumber): boolean; readonly size: number }): boolean {
    return numbers.size > 0 && this.version.levels.some((level) => level.some((table) => numbers.has(table.number)))
  }

  /** What a job tells the tables that it writes. Segments before `logFrom` are in tables. */
  lineage(logFrom: FileNumber): Lineage {
    const current = new Set(this.version.levels.flat())
    const retired = this.tables.of(this.id).filter((table) => !current.has(table))
    return { name: this.name, options: this.options, logFrom, retired: retired.map((table) => table.number) }
  }

  /** Makes a changed version the current one. Whoever holds the old one goes on reading from it. */
  change({ add, drop, move }: TreeChange): void {
    const old = this.version
    const levels: LiveTable[][] = Array.from({ length: LEVEL_COUNT }, () => [])
    for (const [level, tables] of old.levels.entries()) {
      for (const table of tables) {
        if (drop.has(table.number)) {
          this.hinted.delete(table.number)
          continue
        }
        const moved = move.get(table.number)
        if (moved !== undefined) table.meta = { ...table.meta, level: moved }
        levels[moved ?? level]!.push(table)
      }
    }
    for (const meta of add) levels[meta.level]!.push(this.tables.make(meta))
    this.version = new Version(levels.map(sorted), this.tables.dispose)
    old.release()
  }
}

function sorted(tables: LiveTable[], level: number): LiveTable[] {
  return tables.sort(level === 0 ? (a, b) => byNewest(a.meta, b.meta) : (a, b) => byKey(a.meta, b.meta))
}

function bytesWithin(live: LiveTable, range: KeyRange): number {
  const { meta } = live
  const { start, end } = range
  // Offsets are those of blocks, so a bound behind the table's last key would still stand before the last block.
  const isToEnd = end === undefined || (meta.end !== undefined && compareKeys(end, meta.end) >= 0)
  const from = compareKeys(start, meta.start) <= 0 ? 0 : live.table.approximateOffset(start, 0, start.length)
  const to = isToEnd ? meta.bytes : live.table.approximateOffset(end, 0, end.length)
  return Math.max(0, to - from)
}
