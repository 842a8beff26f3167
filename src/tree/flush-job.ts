import { ioError } from '../bytes/errors.js'
import type { FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { Memtable } from '../memtable/memtable.js'
import { type FlushJob, type FlushPart, type JobContext, type RunningJob, syncNames } from './job.js'
import { toFirstNeeded } from './merge-cursor.js'
import { DROPPED, Retention } from './retention.js'
import { originOf } from './table-origin.js'
import { TableOutput } from './table-output.js'
import { SLICE_ENTRIES } from './tuning.js'

/**
 * Writes the memtables of one segment, each into a table of level 0.
 *
 * What was overwritten or deleted inside the segment is left out, and so is a deletion of something that no table has: a
 * message that was sent and acknowledged in one segment leaves nothing behind, and a memtable of such messages no table. What
 * lies before a trim point is not even looked at.
 */
export function* runFlush(context: JobContext, job: FlushJob): RunningJob {
  const startedAt = performance.now()
  const outputs: TableOutput[] = []
  let entriesRead = 0
  let done = false
  try {
    for (const part of job.parts) {
      const output = outputFor(context, job, part)
      outputs.push(output.tables)
      const cursor = output.memtable.cursorOverAll()
      for (toFirstNeeded(cursor, part.trimmedBefore); cursor.valid; cursor.next()) {
        if (++entriesRead % SLICE_ENTRIES === 0) yield
        const kind = output.retention.judge(cursor)
        if (kind === DROPPED) continue
        output.tables.add(cursor, kind, output.retention.isNewKey, output.retention.heldCount)
      }
      output.tables.finish()
    }
    for (const path of job.keptLogs) makeDurable(context.fs, path)
    syncNames(context)
    done = true
  } finally {
    if (!done) for (const output of outputs) output.abandon()
  }
  const bytesWritten = outputs.reduce((sum, output) => sum + output.bytesWritten, 0)
  return {
    added: outputs.flatMap((output) => output.tables),
    bytesRead: 0,
    bytesWritten,
    entriesRead,
    entriesWritten: outputs.reduce((sum, output) => sum + output.entriesWritten, 0),
    durationMs: performance.now() - startedAt,
  }
}

function makeDurable(fs: FileSystem, path: string): void {
  try {
    const file = fs.openSync(path, 'update')
    try {
      file.syncSync()
    } finally {
      letGo(file)
    }
  } catch (error) {
    throw ioError(error, 'sync', path)
  }
}

function outputFor(context: JobContext, job: FlushJob, { image, lineage, older }: FlushPart) {
  const memtable = Memtable.fromImage(image)
  const retention = new Retention({ pins: job.pins, now: job.now, older }, memtable.rangeTombstones)
  const plan = {
    tree: image.tree,
    level: 0,
    // Young tables are rewritten soon, and read from memory until then: compressing them would pay for nothing.
    compression: 'none' as const,
    createdAt: job.now,
    // One run of level 0 is one table, however large.
    tableBytes: Number.POSITIVE_INFINITY,
    grandparents: [],
    origin: originOf('flush', lineage, job.segment),
    replaces: [],
    retired: lineage.retired,
  }
  return { memtable, retention, tables: new TableOutput(context, plan, retention.survivingTombstones()) }
}
