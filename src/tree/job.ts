import type { CompressionName } from '../bytes/compression.js'
import { ioError, SiltstoneError, type SiltstoneErrorCode } from '../bytes/errors.js'
import { isError, reasonOf } from '../bytes/reason.js'
import type { EpochMs, FileNumber, Position, TreeId } from '../bytes/units.js'
import type { FileSystem } from '../fs/file-system.js'
import type { MemtableImage } from '../memtable/memtable.js'
import type { KeyRange } from './key-range.js'
import type { FileCounter } from './lease.js'
import type { TableMeta } from './table-meta.js'
import type { Lineage } from './table-origin.js'

/*
 * Jobs are plain data: the same description runs on this thread, in a worker, and again after a failure. What they do to
 * the store is only said in their result; nobody reads a table that a job wrote before the manifest names it.
 */

/** How tables are written; the same for all jobs of a store. */
export interface TableLayout {
  readonly blockBytes: number
  readonly restartInterval: number
  readonly filterBitsPerKey: number
}

/** What a job needs where it runs. */
export interface JobContext {
  readonly fs: FileSystem
  readonly directory: string
  readonly layout: TableLayout
  /** The store's counter of file numbers, in shared memory. */
  readonly fileNumbers: FileCounter
}

interface JobBase {
  readonly id: number
  readonly now: EpochMs
  readonly pins: readonly Position[]
}

/** Writes each memtable of a segment into one table of level 0. */
export interface FlushJob extends JobBase {
  readonly kind: 'flush'
  readonly segment: FileNumber
  readonly parts: readonly FlushPart[]
  /** Files to be made durable before the tables count. */
  readonly keptLogs: readonly string[]
}

export interface FlushPart {
  readonly image: MemtableImage
  /** Keys before this one are left out. */
  readonly trimmedBefore?: Uint8Array | undefined
  readonly lineage: Lineage
  /** Where the tree's tables have data already: elsewhere a deletion has nothing to delete. */
  readonly older: readonly KeyRange[]
}

/** Merges sorted runs of tables into one. */
export interface CompactionJob extends JobBase {
  readonly kind: 'compaction'
  readonly tree: TreeId
  readonly lineage: Lineage
  /** Each a list of tables that do not overlap, in key order. */
  readonly runs: readonly (readonly TableMeta[])[]
  /** Keys before this one are left out. */
  readonly trimmedBefore?: Uint8Array | undefined
  readonly level: number
  readonly compression: CompressionName
  /** Where data older than the inputs may stand, in key order and without overlap. */
  readonly older: readonly KeyRange[]
  /** Outputs are cut at this size; `Infinity` for one run that is one table. */
  readonly tableBytes: number
  /** The level below the outputs: outputs are cut so that none overlaps too much of it. */
  readonly grandparents: readonly TableMeta[]
}

/** Removes files that no version names any more: 1 ms each, on a thread where nobody waits for it. */
export interface RemovalJob {
  readonly kind: 'removal'
  readonly id: number
  readonly paths: readonly string[]
}

export type Job = FlushJob | CompactionJob | RemovalJob

export interface JobResult {
  readonly added: readonly TableMeta[]
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly entriesRead: number
  readonly entriesWritten: number
  readonly durationMs: number
}

export const EMPTY_RESULT: JobResult = {
  added: [],
  bytesRead: 0,
  bytesWritten: 0,
  entriesRead: 0,
  entriesWritten: 0,
  durationMs: 0,
}

/** A running job: it stops after every slice of work, and ends with its result. Stopped early, it removes what it wrote. */
export type RunningJob = Generator<void, JobResult>

/** How a job ended, in a form that can be sent to another thread. */
export type JobOutcome =
  | { readonly id: number; readonly result: JobResult }
  | { readonly id: number; readonly failure: JobFailure }

/** Makes the names of the files that a job has made durable. */
export function syncNames({ fs, directory }: JobContext): void {
  try {
    fs.syncDirectorySync(directory)
  } catch (error) {
    throw ioError(error, 'sync', directory)
  }
}

export interface JobFailure {
  readonly code: SiltstoneErrorCode | undefined
  readonly message: string
  readonly stack: string | undefined
  readonly file: string | undefined
  readonly offset: number | undefined
}

export function failureOf(error: unknown): JobFailure {
  const { message, stack } = isError(error) ? error : new Error(reasonOf(error))
  const { code, file, offset } = error instanceof SiltstoneError ? error : ({} as Partial<SiltstoneError>)
  return { code, message, stack, file, offset }
}

/** The error of a job as it was before it crossed a thread. */
export function errorOf(failure: JobFailure): Error {
  const { code, message, stack, file, offset } = failure
  if (code === undefined) {
    const error = new Error(message)
    if (stack !== undefined) error.stack = stack
    return error
  }
  return new SiltstoneError(code, message, {
    ...(file === undefined ? {} : { file }),
    ...(offset === undefined ? {} : { offset }),
  })
}
