import type { Cursor } from '../bytes/cursor.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import { BlockCache } from '../table/block-cache.js'
import { Table } from '../table/table.js'
import { TableFiles } from '../table/table-files.js'
import { tableName } from './file-names.js'
import { type CompactionJob, type JobContext, type RunningJob, syncNames } from './job.js'
import { LevelCursor } from './level-cursor.js'
import { MergeCursor, toFirstNeeded } from './merge-cursor.js'
import { DROPPED, Retention } from './retention.js'
import type { TableMeta } from './table-meta.js'
import { originOf } from './table-origin.js'
import { TableOutput } from './table-output.js'
import { COMPACTION_CACHE_BYTES, COMPACTION_OPEN_FILES, SLICE_ENTRIES } from './tuning.js'

/** Merges sorted runs into one, without what no reader needs any more. The inputs stay as they are. */
export function* runCompaction(context: JobContext, job: CompactionJob): RunningJob {
  const startedAt = performance.now()
  const inputs = new Inputs(context, job.runs)
  let output: TableOutput | undefined
  let entriesRead = 0
  let done = false
  try {
    const retention = new Retention(job, inputs.rangeTombstones())
    const { tree, level, compression, tableBytes, grandparents } = job
    const plan = {
      tree,
      level,
      compression,
      tableBytes,
      grandparents,
      createdAt: job.now,
      origin: originOf('compaction', job.lineage),
      replaces: job.runs.flat().map((table) => table.number),
      retired: job.lineage.retired,
    }
    output = new TableOutput(context, plan, retention.survivingTombstones())
    const cursor = inputs.merged()
    for (toFirstNeeded(cursor, job.trimmedBefore); cursor.valid; cursor.next()) {
      if (++entriesRead % SLICE_ENTRIES === 0) yield
      const kind = retention.judge(cursor)
      if (kind !== DROPPED) output.add(cursor, kind, retention.isNewKey, retention.heldCount)
    }
    output.finish()
    syncNames(context)
    done = true
  } finally {
    inputs.close()
    if (!done) output?.abandon()
  }
  return {
    added: output.tables,
    bytesRead: job.runs.flat().reduce((sum, table) => sum + table.bytes, 0),
    bytesWritten: output.bytesWritten,
    entriesRead,
    entriesWritten: output.entriesWritten,
    durationMs: performance.now() - startedAt,
  }
}

/** The tables that are merged: opened as the merge reaches them, each read once from front to back. */
class Inputs {
  private readonly context: JobContext
  private readonly runs: readonly (readonly TableMeta[])[]
  private readonly files: TableFiles
  /** Its own: what a compaction reads is read once, and must not push out what readers come back to. */
  private readonly cache = new BlockCache(COMPACTION_CACHE_BYTES)
  private readonly opened = new Map<number, Table>()

  constructor(context: JobContext, runs: readonly (readonly TableMeta[])[]) {
    this.context = context
    this.runs = runs
    this.files = new TableFiles(context.fs, { maxOpenFiles: COMPACTION_OPEN_FILES })
  }

  merged(): Cursor {
    const sources = this.runs.map(
      (run) => new LevelCursor(run, (index) => this.open(run[index]!).versionCursor('skip')),
    )
    return sources.length === 1 ? sources[0]! : new MergeCursor(sources)
  }

  rangeTombstones(): RangeTombstones {
    const all = new RangeTombstones()
    for (const meta of this.runs.flat()) {
      if (meta.rangeTombstoneCount > 0) all.addAll(this.open(meta).rangeTombstones)
    }
    return all
  }

  close(): void {
    for (const table of this.opened.values()) table.close()
  }

  private open(meta: TableMeta): Table {
    const present = this.opened.get(meta.number)
    if (present !== undefined) return present
    const path = `${this.context.directory}/${tableName(meta.number)}`
    const table = Table.open(this.files, this.cache, path, meta.number)
    this.opened.set(meta.number, table)
    return table
  }
}
