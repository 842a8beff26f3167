import type { CompressionName } from '../bytes/compression.js'
import type { TreeId } from '../bytes/units.js'
import type { JobReport, Jobs, JobTotals } from './jobs.js'
import type { TableMeta } from './table-meta.js'
import type { Tree } from './tree.js'
import type { CompactionStyle } from './tree-options.js'

/** What stands on one level. */
export interface LevelStats {
  readonly level: number
  readonly tables: number
  /** Of the files. */
  readonly bytes: number
  /** Of keys and values, before compression. */
  readonly rawBytes: number
  readonly entries: number
  readonly deletions: number
  readonly rangeTombstones: number
}

export interface TreeStats {
  readonly id: TreeId
  readonly name: string
  readonly compaction: CompactionStyle
  readonly compression: CompressionName
  /** Those that hold something. */
  readonly levels: readonly LevelStats[]
}

export interface ForestStats {
  readonly trees: readonly TreeStats[]
  readonly totals: Readonly<JobTotals>
  /** What is under way. */
  readonly running: readonly string[]
  /** The last flushes and compactions, oldest first. */
  readonly history: readonly JobReport[]
  readonly lastError: Error | undefined
  readonly lastEdit: number
}

const NOTHING_DONE: JobTotals = {
  flushes: 0,
  flushedBytes: 0,
  compactions: 0,
  compactionReadBytes: 0,
  compactionWrittenBytes: 0,
  failures: 0,
}

export function forestStats(trees: readonly TreeStats[], jobs: Jobs | undefined, lastEdit: number): ForestStats {
  return {
    trees,
    totals: { ...(jobs?.totals ?? NOTHING_DONE) },
    running: jobs?.descriptions ?? [],
    history: [...(jobs?.history ?? [])],
    lastError: jobs?.lastError,
    lastEdit,
  }
}

export function treeStats(tree: Tree, compaction: CompactionStyle, compression: CompressionName): TreeStats {
  const levels = tree.version
    .metas()
    .map(levelStats)
    .filter(({ tables }) => tables > 0)
  return { id: tree.id, name: tree.name, compaction, compression, levels }
}

function levelStats(tables: readonly TableMeta[], level: number): LevelStats {
  const sum = (of: (table: TableMeta) => number): number => tables.reduce((total, table) => total + of(table), 0)
  return {
    level,
    tables: tables.length,
    bytes: sum((table) => table.bytes),
    rawBytes: sum((table) => table.rawBytes),
    entries: sum((table) => table.entryCount),
    deletions: sum((table) => table.deletionCount),
    rangeTombstones: sum((table) => table.rangeTombstoneCount),
  }
}
