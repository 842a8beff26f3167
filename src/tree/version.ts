import type { Found, WalkCursor } from '../bytes/cursor.js'
import { assert } from '../bytes/errors.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { Position } from '../bytes/units.js'
import { KIND_DELETE } from '../log/operation.js'
import { keyHash } from '../table/filter.js'
import { Fences } from './fences.js'
import { containsKey, endsAtOrBefore, type KeyRange, overlappingRanges, rangesOverlap } from './key-range.js'
import { LevelCursor } from './level-cursor.js'
import type { LiveTable } from './live-table.js'
import { LEVEL_COUNT, type TableMeta } from './table-meta.js'

/** One source of a scan. */
export interface VersionSource {
  readonly cursor: WalkCursor
  /** No entry of the source is newer. */
  readonly newestPosition: Position
}

/**
 * Which tables a tree consists of, at one moment and for ever: a new flush or compaction makes a new version.
 *
 * Level 0 holds runs, newest first, whose position ranges are disjoint. Each deeper level is one run of tables that do not
 * overlap, in key order.
 *
 * Invariant: of one key, whatever stands in a newer run of level 0 or on an upper level is newer than whatever stands behind
 * it. So the first source that knows a key has its newest version, and a range tombstone hides all that stands behind it.
 */
export class Version {
  readonly levels: readonly (readonly LiveTable[])[]
  readonly hasRangeTombstones: boolean
  /** The position of the newest entry; 0 without any. */
  readonly newestPosition: Position
  /** The same of each level. */
  private readonly newestPositions: readonly Position[]
  private references = 1
  private knownMetas: readonly (readonly TableMeta[])[] | undefined
  /** Of each level behind level 0, unless it is empty. */
  private readonly fences: readonly (Fences | undefined)[]
  private readonly dispose: (table: LiveTable) => void

  /** Held once by whoever makes it. `dispose` is called with each table that no version names any more. */
  constructor(levels: readonly (readonly LiveTable[])[], dispose: (table: LiveTable) => void) {
    assert(levels.length === LEVEL_COUNT, `a version has ${LEVEL_COUNT} levels`)
    this.levels = levels
    this.fences = levels.map((tables, level) => (level === 0 || tables.length === 0 ? undefined : new Fences(tables)))
    this.dispose = dispose
    this.hasRangeTombstones = levels.some((level) => level.some((table) => table.hasRangeTombstones))
    this.newestPositions = levels.map((tables) => {
      let newest: Position = 0
      for (const table of tables) {
        table.references++
        newest = Math.max(newest, table.meta.highestPosition)
      }
      return newest
    })
    this.newestPosition = Math.max(0, ...this.newestPositions)
  }

  /**
   * Finds the newest version of a key below `limit` and says whether there is one. A range tombstone that covers the key is
   * reported like a deletion of the key at the tombstone's position.
   *
   * Requires: no memtable knows the key below `limit`, and none covers it.
   */
  lookup(key: Uint8Array, keyStart: number, keyEnd: number, limit: Position, found: Found): boolean {
    let hash = NO_HASH
    const runs = this.levels[0]!
    for (let i = 0; i < runs.length; i++) {
      const table = runs[i]!
      if (!containsKey(table, key, keyStart, keyEnd)) continue
      if (hash === NO_HASH) hash = keyHash(key, keyStart, keyEnd)
      if (lookupIn(table, key, keyStart, keyEnd, hash, limit, found)) return true
    }
    for (let level = 1; level < LEVEL_COUNT; level++) {
      const fences = this.fences[level]
      if (fences === undefined) continue
      const number = fences.find(key, keyStart, keyEnd)
      if (number < 0) continue
      const table = this.levels[level]![number]!
      if (hash === NO_HASH) hash = keyHash(key, keyStart, keyEnd)
      if (lookupIn(table, key, keyStart, keyEnd, hash, limit, found)) return true
    }
    return false
  }

  /** What a scan of a range at `limit` merges, newest first: one source per run of level 0, one per deeper level. */
  sources(limit: Position, range: KeyRange): VersionSource[] {
    const sources: VersionSource[] = []
    for (const table of this.levels[0]!) {
      if (!rangesOverlap(table, range)) continue
      sources.push({ cursor: table.table.cursor(limit), newestPosition: table.meta.highestPosition })
    }
    for (let level = 1; level < LEVEL_COUNT; level++) {
      const newestPosition = this.newestPositions[level]!
      const tables = this.tablesIn(level, range)
      if (tables.length === 0) continue
      sources.push({ cursor: new LevelCursor(tables, (i) => tables[i]!.table.cursor(limit)), newestPosition })
    }
    return sources
  }

  /** Of a level behind level 0 those tables that overlap a range, and perhaps others before them. */
  private tablesIn(level: number, range: KeyRange): readonly LiveTable[] {
    const tables = this.levels[level]!
    const last = tables.at(-1)
    if (last === undefined || endsAtOrBefore(last, range.start, 0, range.start.length)) return []
    // A short scan to anywhere behind its start is the most frequent, and a level may have thousands of tables.
    return range.end === undefined ? tables : overlappingRanges(tables, range)
  }

  /** The range tombstones of all tables that overlap a range; `undefined` where there are none. */
  rangeTombstones(range: KeyRange): RangeTombstones | undefined {
    if (!this.hasRangeTombstones) return undefined
    let all: RangeTombstones | undefined
    for (const level of this.levels) {
      for (const table of level) {
        if (!table.hasRangeTombstones || !rangesOverlap(table, range)) continue
        all ??= new RangeTombstones()
        all.addAll(table.table.rangeTombstones)
      }
    }
    return all
  }

  /** What the manifest knows of the tables, level by level. */
  metas(): readonly (readonly TableMeta[])[] {
    // Asked after every change of any tree, so the trees that did not change answer from memory.
    this.knownMetas ??= this.levels.map((level) => level.map((table) => table.meta))
    return this.knownMetas
  }

  /** Keeps all tables readable until `release`. */
  retain(): this {
    assert(this.references > 0, 'a version is retained while somebody holds it')
    this.references++
    return this
  }

  release(): void {
    assert(this.references > 0, 'a version is released as often as it was retained')
    if (--this.references > 0) return
    for (const level of this.levels) for (const table of level) if (--table.references === 0) this.dispose(table)
  }
}

const NO_HASH = -1

function lookupIn(
  live: LiveTable,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  hash: number,
  limit: Position,
  found: Found,
): boolean {
  const table = live.table
  const hit = table.lookup(key, keyStart, keyEnd, hash, limit, found)
  if (!live.hasRangeTombstones) return hit
  const covered = table.rangeTombstones.coveringPosition(key, keyStart, keyEnd, limit)
  if (covered === 0 || (hit && found.position > covered)) return hit
  found.hit = true
  found.kind = KIND_DELETE
  found.position = covered
  found.expiresAt = 0
  found.start = found.end = 0
  return true
}
