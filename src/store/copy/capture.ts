import { SiltstoneError } from '../../bytes/errors.js'
import type { FileNumber, Position } from '../../bytes/units.js'
import { LOG_HEADER_BYTES, type LogHeader } from '../../log/log-header.js'
import type { Memtable } from '../../memtable/memtable.js'
import { ManifestState } from '../../tree/manifest-state.js'
import type { TableMeta } from '../../tree/table-meta.js'
import type { Version } from '../../tree/version.js'
import type { Engine } from '../engine.js'

/** A segment of the commit log up to the position of a capture. */
export interface CapturedSegment {
  readonly header: LogHeader
  /** The segment's own memory, its header at the beginning. */
  readonly bytes: Uint8Array
  /** The offset behind the last record that belongs to the capture. */
  readonly end: number
}

/**
 * A store as it is at one position, held together for as long as somebody copies it, while reads and writes go on.
 *
 * Taking it copies nothing: tables never change and are kept by retaining their versions, and the log stands in memory, where
 * what was written once is never written again while a memtable is held. So it takes one turn, however large the store is.
 */
export class Capture {
  /** Everything before this position is in it, and nothing else. */
  readonly position: Position
  readonly tables: readonly TableMeta[]
  /** Oldest first; the last one is the one that the store was writing. */
  readonly segments: readonly CapturedSegment[]
  private readonly engine: Engine
  private readonly trees: ManifestState['trees']
  private readonly lastEdit: number
  private readonly versions: Version[] = []
  private readonly memtables: Memtable[] = []

  private constructor(engine: Engine) {
    const { forest, visible } = engine
    this.engine = engine
    this.position = visible
    this.lastEdit = forest.lastEdit
    this.trees = new Map([...forest.trees.values()].map(({ id, name, options }) => [id, { id, name, options }]))
    for (const { tree, active, sealed } of engine.trees()) {
      this.versions.push(tree!.version.retain())
      this.memtables.push(...(active === undefined ? sealed : [active, ...sealed]))
    }
    for (const memtable of this.memtables) memtable.holders++
    this.tables = this.versions.flatMap((version) => version.metas().flat())
    // Behind the position the active segment may hold commits that are on their way, nothing else if it was begun with those; of the
    // others all is visible.
    this.segments = engine.segments.map(({ header, bytes, end, base }) => ({
      header,
      bytes,
      end: Math.min(end, Math.max(visible - base, LOG_HEADER_BYTES)),
    }))
  }

  /** Takes the store as it is once everything that was issued before this call is committed. */
  static async take(engine: Engine): Promise<Capture> {
    if (engine.log === undefined) {
      throw new SiltstoneError(
        'SILT_READ_ONLY',
        'A store opened with { readOnly: true } cannot be copied, because its writer may remove what is being copied; let the writer do it',
      )
    }
    await engine.pipeline.issued()
    engine.checkOpen()
    return new Capture(engine)
  }

  /** The same in this turn: what several stores are copied at is one moment. */
  static takeNow(engine: Engine): Capture {
    engine.checkWritable()
    engine.pipeline.drain(false)
    return new Capture(engine)
  }

  /** A number for the manifest of the copy: above every other file's. */
  get manifestNumber(): FileNumber {
    const files = [...this.tables.map(({ number }) => number), ...this.segments.map(({ header }) => header.number)]
    return files.reduce((highest, number) => Math.max(highest, number), 0) + 1
  }

  /** What the manifest of the copy says: that of a store which was closed in order at the position. */
  manifestState(): ManifestState {
    const state = new ManifestState()
    state.edit = this.lastEdit
    state.storeId = this.engine.forest.storeId
    for (const table of this.tables) state.tables.set(table.number, table)
    for (const tree of this.trees.values()) state.trees.set(tree.id, tree)
    state.logFrom = this.segments[0]!.header.number
    const { header, end } = this.segments.at(-1)!
    const logEnd = header.base + end
    state.lease = { files: this.manifestNumber + 1, positions: logEnd }
    state.clean = { segment: header.number, end: logEnd }
    state.origin = { storeId: this.engine.forest.storeId, position: this.position }
    return state
  }

  /** Twice is once. */
  release(): void {
    for (const version of this.versions.splice(0)) version.release()
    for (const memtable of this.memtables.splice(0)) memtable.holders--
  }
}
