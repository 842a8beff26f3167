import type { LatencyStats } from '../bytes/latency.js'
import type { ForestStats } from '../tree/forest-stats.js'
import type { JobReport } from '../tree/jobs.js'
import { LEVEL_COUNT } from '../tree/table-meta.js'
import type { Stall } from './admission.js'
import type { Engine } from './engine.js'
import type { RecoveryReport } from './recover.js'

/** Figures of one level, summed over all keyspaces. */
export interface LevelStats {
  /** From 0, where flushes go, down. */
  readonly level: number
  /** Tables on it. */
  readonly tables: number
  /** On disk. */
  readonly bytes: number
  /** Keys and values before compression. */
  readonly rawBytes: number
  /** Versions of keys, deletions included. */
  readonly entries: number
  /** Entries that are deletions, and ranges deleted. */
  readonly tombstones: number
}

/** What `db.stats()` returns. Counts since the store was opened, unless they are of what is on disk now. */
export interface StoreStats {
  /** Figures of each level, summed over all keyspaces. */
  readonly levels: readonly LevelStats[]
  /** Tables of all levels. */
  readonly files: number
  /** Bytes of all tables. */
  readonly bytes: number
  /** Bytes of memory. */
  readonly memory: {
    /** Log segments that memtables read from. */
    readonly segments: number
    /** Kept for the next segments. */
    readonly spareSegments: number
    /** Indexes of the memtables. */
    readonly indexes: number
    /** Blocks, indexes and filters in the cache. */
    readonly cache: number
  }
  /** The cache for blocks, indexes and filters. */
  readonly cache: {
    /** Asked for and there. */
    readonly hits: number
    /** Asked for and read from a file. */
    readonly misses: number
    /** Driven out by others. */
    readonly evictions: number
    /** What is in it. */
    readonly bytes: number
    /** Of these, what holds blocks in the compressed form of their files. */
    readonly packedBytes: number
    /** What may be in it. */
    readonly capBytes: number
  }
  /** What filters were good for: only lookups ask them, and not where nearly everything is found that is looked for. */
  readonly filters: {
    /** How often one was asked. */
    readonly checks: number
    /** The filter knew that the key is not in the table, so no block of it was looked at. */
    readonly useful: number
    /** The filter let the lookup through, and the key was not there, or only in a version that the reader does not see. */
    readonly falsePositives: number
  }
  /** How long it took. One group of commits in 16 is measured; syncs and reads from the disk all are. */
  readonly latencies: {
    /** From the first write of a group to the moment in which it is visible. */
    readonly commits: LatencyStats
    /** Syncs of the commit log. */
    readonly syncs: LatencyStats
    /** Blocks that were not in memory. */
    readonly reads: LatencyStats
  }
  /** Files of tables that are open, and how many may be at this time: fewer than `maxOpenFiles` where the process can have only few. */
  readonly tableFiles: { readonly open: number; readonly capacity: number }
  /** What a byte costs on its way and in its place. */
  readonly amplification: {
    /** Bytes written to log and tables for each byte of log; 1 before anything was flushed. */
    readonly write: number
    /** Sources a lookup may have to look at, in the keyspace with the most. */
    readonly read: number
    /** Bytes of tables for each byte of the last level: what is not yet merged into it, or already dead. */
    readonly space: number
  }
  /** Why writers were slowed down, how often and for how long. */
  readonly stalls: readonly Stall[]
  /** What writers are held to right now, and why; `undefined` where nothing holds them. */
  readonly slowdown: { readonly reason: string; readonly bytesPerSecond: number } | undefined
  /** Flushes, and bytes of the tables they made. */
  readonly flushes: { readonly count: number; readonly bytesWritten: number }
  /** Compactions, and bytes of the tables that went in and came out. */
  readonly compactions: { readonly count: number; readonly bytesRead: number; readonly bytesWritten: number }
  /** Flushes and compactions that failed; what has to be done is tried again. */
  readonly failures: number
  /** Where they run: on a thread of their own, or on the store's, see the channel `siltstone:worker`. */
  readonly executor: 'worker' | 'inline'
  /** Jobs under way. */
  readonly running: readonly string[]
  /** The newest jobs that ended, oldest first. */
  readonly history: readonly JobReport[]
  /** Snapshots and scans that are open, and how far back the oldest reads. */
  readonly pins: { readonly count: number; readonly oldestPosition: number | undefined }
  /** The commit log. */
  readonly log: {
    /** Segments that are not in tables yet, the active one included. */
    readonly segments: number
    /** Of segments that are in tables and kept for `changes`, see `logRetention`. */
    readonly retainedBytes: number
    /** `changes({ since })` goes back to here: what came before is not kept any more. */
    readonly oldestPosition: number
    /** Everything committed is before this position. */
    readonly position: number
    /** Everything before this position survives a loss of power. */
    readonly syncedPosition: number
  }
  /** The same figures for each keyspace. */
  readonly keyspaces: readonly { readonly name: string; readonly levels: readonly LevelStats[] }[]
  /** What the last failure in the background was; the store goes on trying. */
  readonly backgroundError: Error | undefined
  /** What happened to the commit log at open. */
  readonly recovery: RecoveryReport
}

/** Collects the figures. @internal */
export function collectStats(engine: Engine, recovery: RecoveryReport): StoreStats {
  const forest = engine.forest.stats()
  const keyspaces = forest.trees.map((tree) => ({ name: tree.name, levels: tree.levels.map(levelStats) }))
  const levels = Array.from({ length: LEVEL_COUNT }, (_, level) =>
    keyspaces
      .flatMap((keyspace) => keyspace.levels)
      .filter((each) => each.level === level)
      .reduce(added, emptyLevel(level)),
  )
  const bytes = sumOf(levels, (level) => level.bytes)
  const memory = engine.memoryBytes()
  const { cache: blocks } = engine
  const cache = blocks.stats()
  const { flushes, flushedBytes, compactions, compactionReadBytes, compactionWrittenBytes, failures } = forest.totals
  const logBytes = engine.committedBytes
  return {
    levels,
    files: sumOf(levels, (level) => level.tables),
    bytes,
    memory: { ...memory, cache: cache.bytes },
    cache,
    filters: {
      checks: blocks.filterChecks,
      useful: blocks.filterNegatives,
      falsePositives: blocks.filterFalsePositives,
    },
    latencies: { ...engine.writeLatencies(), reads: blocks.readLatency.stats() },
    tableFiles: { open: engine.forest.tableFiles.openCount, capacity: engine.forest.tableFiles.capacity },
    amplification: {
      write: logBytes === 0 ? 1 : (logBytes + flushedBytes + compactionWrittenBytes) / logBytes,
      read: Math.max(0, ...keyspaces.map((keyspace) => sourcesOf(keyspace.levels))) + engine.segmentCount,
      space: spaceAmplification(levels, bytes),
    },
    stalls: engine.admission.stalls(),
    slowdown: engine.admission.slowdown(),
    flushes: { count: flushes, bytesWritten: flushedBytes },
    compactions: { count: compactions, bytesRead: compactionReadBytes, bytesWritten: compactionWrittenBytes },
    failures,
    executor: engine.forest.executor,
    running: forest.running,
    history: forest.history,
    pins: { count: engine.pins.size, oldestPosition: engine.pins.oldest },
    log: {
      segments: engine.segmentCount,
      retainedBytes: engine.retained.bytes,
      oldestPosition: engine.oldestPosition,
      position: engine.visible,
      syncedPosition: engine.log?.synced ?? 0,
    },
    keyspaces,
    backgroundError: forest.lastError,
    recovery,
  }
}

function levelStats(stats: ForestStats['trees'][number]['levels'][number]): LevelStats {
  const { level, tables, bytes, rawBytes, entries, deletions, rangeTombstones } = stats
  return { level, tables, bytes, rawBytes, entries, tombstones: deletions + rangeTombstones }
}

function emptyLevel(level: number): LevelStats {
  return { level, tables: 0, bytes: 0, rawBytes: 0, entries: 0, tombstones: 0 }
}

function added(a: LevelStats, b: LevelStats): LevelStats {
  return {
    level: a.level,
    tables: a.tables + b.tables,
    bytes: a.bytes + b.bytes,
    rawBytes: a.rawBytes + b.rawBytes,
    entries: a.entries + b.entries,
    tombstones: a.tombstones + b.tombstones,
  }
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}

/** Each run of level 0 is a source of its own, each deeper level one. */
function sourcesOf(levels: readonly LevelStats[]): number {
  return sumOf(levels, ({ level, tables }) => (level === 0 ? tables : Math.min(tables, 1)))
}

function spaceAmplification(levels: readonly LevelStats[], bytes: number): number {
  const deepest = levels.findLast((level) => level.tables > 0)
  return deepest === undefined || deepest.bytes === 0 ? 1 : bytes / deepest.bytes
}
