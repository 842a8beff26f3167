import type { FileNumber } from '../bytes/units.js'
import type { TableProperties } from '../table/properties.js'
import type { TreeOptions } from './tree-options.js'

/*
 * Where a table came from, as JSON in its properties (`origin` in src/table/properties.ts). As long as there is a manifest nobody
 * reads it. Without one it is what a repair knows the trees by, and tells tables that belong to the store from those whose
 * content has moved on: taking up the latter again would bring back what was deleted. Names are never to change.
 *
 *   job       'flush', 'compaction' or 'repair'
 *   name      of the tree
 *   options   of the tree
 *   logFrom   segments of the commit log before this one were in tables when the job began
 *   segment   the segment that a flush brought into tables
 *   run       number of the job's first table
 *   replaces  tables whose place the job's tables take once all of them are there; in the first and in the last of them only,
 *             because a job may have thousands of both
 *   retired   tables whose place others had taken before, but that were still on disk; in the same two
 *   outputs   all tables of the job; in the last of them only, so without it nobody knows whether the job was finished
 */

export interface TableOrigin {
  readonly job?: string
  readonly name?: string
  readonly options?: TreeOptions
  readonly logFrom?: FileNumber
  readonly segment?: FileNumber
  readonly run?: FileNumber
  readonly replaces?: readonly FileNumber[]
  readonly retired?: readonly FileNumber[]
  readonly outputs?: readonly FileNumber[]
}

/** What a job is told for the tables that it writes. */
export interface Lineage {
  readonly name: string
  readonly options: TreeOptions
  readonly logFrom: FileNumber
  /** Tables of the tree that were replaced before and may still be on disk. */
  readonly retired: readonly FileNumber[]
}

/** What all tables of a job say. */
export function originOf(job: 'flush' | 'compaction' | 'repair', lineage: Lineage, segment?: FileNumber): TableOrigin {
  const { name, options, logFrom } = lineage
  return { job, name, options, logFrom, ...(segment === undefined ? {} : { segment }) }
}

export function readOrigin(properties: TableProperties): TableOrigin {
  const { job, name, options, logFrom, segment, run, replaces, retired, outputs } = properties.origin
  return {
    ...(typeof job === 'string' && { job }),
    ...(typeof name === 'string' && { name }),
    ...(typeof options === 'object' && options !== null && { options: options as TreeOptions }),
    ...(isNumber(logFrom) && { logFrom }),
    ...(isNumber(segment) && { segment }),
    ...(isNumber(run) && { run }),
    ...(isNumbers(replaces) && { replaces }),
    ...(isNumbers(retired) && { retired }),
    ...(isNumbers(outputs) && { outputs }),
  }
}

function isNumber(value: unknown): value is FileNumber {
  return Number.isSafeInteger(value)
}

function isNumbers(value: unknown): value is FileNumber[] {
  return Array.isArray(value) && value.every(isNumber)
}
