import type { CompressionName } from '../../bytes/compression.js'
import type { Cursor } from '../../bytes/cursor.js'
import { assert } from '../../bytes/errors.js'
import type { EpochMs, FileNumber, Position, TreeId } from '../../bytes/units.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { KIND_TREE, operationKind, operationTree } from '../../log/operation.js'
import { Memtable } from '../../memtable/memtable.js'
import { runCompaction } from '../../tree/compaction-job.js'
import { runFlush } from '../../tree/flush-job.js'
import type { JobContext, RunningJob } from '../../tree/job.js'
import { ALL_KEYS } from '../../tree/key-range.js'
import type { TreeRecord } from '../../tree/manifest-state.js'
import { LAST_LEVEL, type TableMeta } from '../../tree/table-meta.js'
import { type Lineage, originOf } from '../../tree/table-origin.js'
import { TableOutput } from '../../tree/table-output.js'
import { TABLE_BYTES } from '../../tree/tuning.js'
import type { Turn } from '../turn.js'
import { operationsOf } from './found-log.js'
import type { FoundTable } from './found-table.js'
import { salvageOf } from './found-table.js'
import type { FoundTrees } from './found-trees.js'

/** Nothing is thrown away because nobody reads it any more: a repair has no readers yet. */
const NO_PINS: readonly Position[] = []

/** Writes the tables of a repair: from what is left of damaged ones, from the log, and of several that have to be merged. */
export class TableMaker {
  private readonly context: JobContext
  private readonly trees: FoundTrees
  private readonly compression: CompressionName
  private readonly logFrom: FileNumber
  private readonly now: EpochMs
  private readonly turn: Turn

  constructor(
    context: JobContext,
    trees: FoundTrees,
    compression: CompressionName,
    logFrom: FileNumber,
    now: EpochMs,
    turn: Turn,
  ) {
    this.context = context
    this.trees = trees
    this.compression = compression
    this.logFrom = logFrom
    this.now = now
    this.turn = turn
  }

  /** A table with everything that can be read of a damaged one; none where that is nothing. */
  async rewrite(found: FoundTable, tree: TreeId, level: number): Promise<TableMeta[]> {
    const salvage = await salvageOf(this.context.fs, found, this.turn)
    const lineage = this.lineage(tree)
    const plan = {
      tree,
      level,
      compression: found.properties?.compression ?? 'none',
      createdAt: this.now,
      tableBytes: Number.POSITIVE_INFINITY,
      grandparents: [],
      origin: originOf('repair', lineage),
      replaces: [found.number],
      retired: [],
    }
    const output = new TableOutput(this.context, plan, salvage.rangeTombstones)
    try {
      await this.copy(salvage.versionCursor(), output)
      output.finish()
      this.context.fs.syncDirectorySync(this.context.directory)
      return output.tables
    } catch (error) {
      output.abandon()
      throw error
    }
  }

  /** Tables of level 0 with everything that can be read of a segment of the log, one for each tree. */
  async replay(segment: LogSalvage): Promise<TableMeta[]> {
    const { bytes, base, number } = segment
    assert(base !== undefined, 'a segment that is replayed has its place in the log')
    const memtables = new Map<TreeId, Memtable>()
    for (const operation of operationsOf(segment)) {
      if (operationKind(bytes, operation) === KIND_TREE) continue
      const tree = operationTree(bytes, operation)
      const memtable = memtables.get(tree) ?? new Memtable(tree, base, bytes)
      memtables.set(tree, memtable)
      memtable.add(operation, 0)
      if (this.turn.isDue()) await this.turn.next()
    }
    const parts = [...memtables].map(([tree, memtable]) => ({
      image: memtable.image(),
      lineage: this.lineage(tree),
      // Whatever a deletion hides may stand in any table.
      older: [ALL_KEYS],
    }))
    return this.run(
      runFlush(this.context, {
        kind: 'flush',
        id: 0,
        now: this.now,
        pins: NO_PINS,
        segment: number,
        parts,
        keptLogs: [],
      }),
    )
  }

  /** All tables of a tree as one run, in which the highest position of a key is the newest, wherever it came from. */
  async merge(tree: TreeId, tables: readonly TableMeta[]): Promise<TableMeta[]> {
    return this.run(
      runCompaction(this.context, {
        kind: 'compaction',
        id: 0,
        now: this.now,
        pins: NO_PINS,
        tree,
        lineage: this.lineage(tree),
        runs: tables.map((table) => [table]),
        level: LAST_LEVEL,
        compression: this.trees.get(tree).options.compression ?? this.compression,
        older: [],
        tableBytes: TABLE_BYTES,
        grandparents: [],
      }),
    )
  }

  private lineage(tree: TreeId): Lineage {
    const { name, options }: TreeRecord = this.trees.get(tree)
    return { name, options, logFrom: this.logFrom, retired: [] }
  }

  private async copy(cursor: Cursor, output: TableOutput): Promise<void> {
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      // One table comes of one table, so it makes no difference where a key begins.
      output.add(cursor, cursor.kind, false, 0)
      if (this.turn.isDue()) await this.turn.next()
    }
  }

  private async run(job: RunningJob): Promise<TableMeta[]> {
    for (;;) {
      const { done, value } = job.next()
      if (done === true) return [...value.added]
      await this.turn.next()
    }
  }
}
