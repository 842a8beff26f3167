import type { WalkCursor } from '../bytes/cursor.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { Position } from '../bytes/units.js'
import type { Memtable } from '../memtable/memtable.js'
import type { KeyRange } from '../tree/key-range.js'
import type { Version } from '../tree/version.js'
import type { Engine } from './engine.js'
import type { TreeState } from './tree-state.js'
import type { WalkSources } from './walk.js'

/** Writes that are nobody else's yet, up to one of them; newer than everything in the tree. */
export interface Overlay {
  readonly memtable: Memtable
  readonly limit: Position
}

/**
 * One tree as it is at one position, for as long as the view is held: the pin keeps the versions of keys, the retained
 * version of the tree keeps the files, and memtables live while somebody refers to them.
 */
export class View {
  readonly limit: Position
  private readonly engine: Engine
  private readonly memtables: TreeState['sealed']
  private readonly tables: Version | undefined
  private held = true

  constructor(engine: Engine, state: TreeState, limit: Position) {
    const { active, sealed, tree } = engine.stateAt(state, limit)
    this.engine = engine
    this.limit = limit
    this.memtables = active === undefined ? sealed : [active, ...sealed]
    for (const memtable of this.memtables) memtable.holders++
    this.tables = tree?.version.retain()
    engine.pins.add(limit)
  }

  /** What a walk over a range merges. */
  sources(range: KeyRange, overlay?: Overlay): WalkSources {
    const below = this.committedSources(range)
    if (overlay === undefined) return below
    // Of the tree only what the limit shows counts, of the overlay everything, its deletions of ranges included.
    const tombstones = below.tombstones?.below(this.limit) ?? new RangeTombstones()
    tombstones.addAll(overlay.memtable.rangeTombstones)
    return {
      ...below,
      cursors: [overlay.memtable.cursor(overlay.limit), ...below.cursors],
      newestPositions: [
        Number.POSITIVE_INFINITY,
        ...below.newestPositions.map((newest) => Math.min(newest, this.limit)),
      ],
      tombstones: tombstones.size === 0 ? undefined : tombstones,
      limit: Number.POSITIVE_INFINITY,
    }
  }

  private committedSources(range: KeyRange): WalkSources {
    const cursors: WalkCursor[] = []
    const newestPositions: Position[] = []
    let tombstones: RangeTombstones | undefined
    for (const memtable of this.memtables) {
      cursors.push(memtable.cursor(this.limit))
      newestPositions.push(memtable.base + memtable.bytes.length)
      if (memtable.rangeTombstones.size > 0) {
        tombstones ??= new RangeTombstones()
        tombstones.addAll(memtable.rangeTombstones)
      }
    }
    const { tables } = this
    if (tables !== undefined) {
      for (const source of tables.sources(this.limit, range)) {
        cursors.push(source.cursor)
        newestPositions.push(source.newestPosition)
      }
      const inTables = tables.rangeTombstones(range)
      if (inTables !== undefined) {
        tombstones ??= new RangeTombstones()
        tombstones.addAll(inTables)
      }
    }
    return { cursors, newestPositions, tombstones, limit: this.limit, clock: this.engine.clock }
  }

  release(): void {
    if (!this.held) return
    this.held = false
    for (const memtable of this.memtables) memtable.holders--
    this.tables?.release()
    this.engine.pins.remove(this.limit)
  }
}
