import type { EpochMs, FileNumber, Position, TreeId } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import { createSegment } from '../../log/commit-log.js'
import { LOG_HEADER_BYTES } from '../../log/log-header.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { segmentName, tableName } from '../../tree/file-names.js'
import { randomStoreId } from '../../tree/forest.js'
import { type FileCounter, fileCounter, peekFileNumber, takeFileNumber } from '../../tree/lease.js'
import { ManifestState } from '../../tree/manifest-state.js'
import { type TableMeta, tableMeta } from '../../tree/table-meta.js'
import { resolveOpenOptions } from '../options.js'
import type { Turn } from '../turn.js'
import type { FoundTable } from './found-table.js'
import { placementOf } from './placement.js'
import type { Survey } from './survey.js'
import { TableMaker } from './table-maker.js'

/** The state of the repaired store, and what it took. */
export interface Rebuilt {
  readonly state: ManifestState
  /** For the manifest. */
  readonly number: FileNumber
  /** Trees whose tables had to be merged. */
  readonly mergedTrees: ReadonlySet<TreeId>
}

/** Writes what has to be written anew, all of it under new numbers, and puts the state of the repaired store together. */
export class Rebuild {
  private readonly fs: FileSystem
  private readonly directory: string
  private readonly survey: Survey
  private readonly firstNumber: FileNumber
  private readonly fileNumbers: FileCounter
  private readonly maker: TableMaker
  private readonly now: EpochMs

  constructor(fs: FileSystem, directory: string, survey: Survey, now: EpochMs, turn: Turn) {
    this.fs = fs
    this.directory = directory
    this.survey = survey
    this.now = now
    this.firstNumber = survey.firstFreeNumber
    this.fileNumbers = fileCounter(survey.firstFreeNumber)
    const { blockBytes, restartInterval, filterBitsPerKey, compression } = resolveOpenOptions({})
    const layout = { blockBytes, restartInterval, filterBitsPerKey }
    const context = { fs, directory, layout, fileNumbers: this.fileNumbers }
    // Not more than was known before: a repair that is interrupted now leaves tables behind, and the log is still needed.
    this.maker = new TableMaker(context, survey.trees, compression, survey.logFrom, now, turn)
  }

  /** With `isRehearsal` tables are not merged: all that would be read of it is that it was done. */
  async run(isRehearsal: boolean): Promise<Rebuilt> {
    try {
      return await this.build(isRehearsal)
    } catch (error) {
      this.removeUnnamed()
      throw error
    }
  }

  private async build(isRehearsal: boolean): Promise<Rebuilt> {
    const mergedTrees = new Set<TreeId>()
    const state = this.emptyState()
    for (const [tree, { tables, known }] of await this.tablesByTree()) {
      const placed = placementOf(tables, known)
      if (placed === undefined) mergedTrees.add(tree)
      const final = placed ?? (isRehearsal ? [] : await this.maker.merge(tree, tables))
      for (const table of final) state.tables.set(table.number, table)
    }
    for (const record of this.survey.trees.all) state.trees.set(record.id, record)
    const base = this.firstFreePosition(state)
    state.logFrom = this.survey.keptLog[0]?.number ?? this.beginLog(base, state)
    const number = takeFileNumber(this.fileNumbers)
    state.lease = { files: peekFileNumber(this.fileNumbers) + 1, positions: base }
    return { state, number, mergedTrees }
  }

  /** Removes the files that were written and that no state names: all, where the repair failed. */
  removeUnnamed(state: ManifestState = new ManifestState()): void {
    const end = peekFileNumber(this.fileNumbers)
    for (let number = this.firstNumber; number < end; number++) {
      if (!state.tables.has(number)) this.removeIfThere(tableName(number))
      if (number !== state.logFrom) this.removeIfThere(segmentName(number))
    }
  }

  private removeIfThere(name: string): void {
    const path = `${this.directory}/${name}`
    if (this.fs.statusSync(path) !== undefined) this.fs.removeSync(path)
  }

  /**
   * A log that says by its first segment that others came before it. Without one the next session would begin its log as that of
   * a new store, and whoever reads the log from the first commit on would not be told that most commits are missing.
   */
  private beginLog(base: Position, { storeId, edit }: ManifestState): FileNumber {
    const number = takeFileNumber(this.fileNumbers)
    const segment = createSegment(this.fs, `${this.directory}/${segmentName(number)}`, {
      magic: 'SILTLOG\n',
      number,
      base,
      previousEnd: base,
      capacity: LOG_HEADER_BYTES,
      lastEdit: edit,
      createdAt: this.now,
      storeId,
    })
    try {
      segment.file!.syncSync()
    } finally {
      segment.closeFile()
    }
    this.fs.syncDirectorySync(this.directory)
    return number
  }

  /** What is sound, and what was made of the rest. `known` are those whose level a manifest names. */
  private async tablesByTree(): Promise<Map<TreeId, { tables: TableMeta[]; known: Set<FileNumber> }>> {
    const byTree = new Map<TreeId, { tables: TableMeta[]; known: Set<FileNumber> }>()
    const add = (table: TableMeta, isKnown: boolean): void => {
      const ofTree = byTree.get(table.tree) ?? { tables: [], known: new Set() }
      byTree.set(table.tree, ofTree)
      ofTree.tables.push(table)
      if (isKnown) ofTree.known.add(table.number)
    }
    for (const found of this.survey.members) {
      const isKnown = this.survey.knowledge.state.tables.has(found.number)
      for (const table of await this.tablesOf(found)) add(table, isKnown)
    }
    for (const segment of this.survey.replayedLog) {
      for (const table of await this.maker.replay(segment)) add(table, false)
    }
    return byTree
  }

  private async tablesOf(found: FoundTable): Promise<TableMeta[]> {
    const meta = this.survey.knowledge.state.tables.get(found.number)
    const tree = meta?.tree ?? found.properties?.tree
    const level = meta?.level ?? found.properties?.level
    if (tree === undefined || level === undefined) return []
    if (found.damage !== undefined) return this.maker.rewrite(found, tree, level)
    // The table itself knows best, but for where it was moved to.
    return [{ ...tableMeta(found.properties!, found.bytes, meta?.heldCount ?? 0), level }]
  }

  private emptyState(): ManifestState {
    const { knowledge, storeId, segments } = this.survey
    const state = new ManifestState()
    state.storeId = storeId ?? randomStoreId(this.fs)
    state.edit = segments.reduce((edit, { header }) => Math.max(edit, header?.lastEdit ?? 0), knowledge.state.edit)
    return state
  }

  /** Beyond every position that anything names. */
  private firstFreePosition(rebuilt: ManifestState): Position {
    const { knowledge, tables, segments } = this.survey
    const ends = [
      knowledge.state.lease.positions,
      ...tables.map(({ properties }) => properties?.maxPosition ?? 0),
      ...[...knowledge.state.tables.values()].map((table) => table.highestPosition),
      ...[...rebuilt.tables.values()].map((table) => table.highestPosition),
      ...segments.map(endOfFile),
    ]
    return ends.reduce((highest, end) => Math.max(highest, end), 0)
  }
}

function endOfFile({ base, bytes, header }: LogSalvage): Position {
  return (base ?? 0) + Math.max(bytes.length, header?.capacity ?? 0)
}
