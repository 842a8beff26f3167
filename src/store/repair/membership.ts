import type { FileNumber } from '../../bytes/units.js'
import type { Knowledge } from './found-manifest.js'
import type { FoundTable } from './found-table.js'

/** Which of the tables that are there make up the store. */
export interface Membership {
  readonly members: readonly FoundTable[]
  /** The others, each with the reason. Nothing in them is missing from the store. */
  readonly leftovers: ReadonlyMap<FoundTable, string>
  /** Tables that are known to have been replaced, there or not. */
  readonly replaced: ReadonlySet<FileNumber>
}

/**
 * Tells the tables of the store from those whose content has moved on. To take up one of the latter would bring back what was
 * deleted since, because deletions go when nothing is left that they hide.
 *
 * `isInLog` says whether a whole segment is there to be read again; a table that an interrupted flush made of it is not needed.
 */
export function membershipOf(
  tables: readonly FoundTable[],
  knowledge: Knowledge,
  isInLog: (segment: FileNumber) => boolean,
): Membership {
  const leftovers = new Map<FoundTable, string>()
  if (knowledge.isExact) {
    for (const table of tables) {
      if (!knowledge.state.tables.has(table.number)) leftovers.set(table, 'the manifest does not name it')
    }
    return { members: tables.filter((table) => !leftovers.has(table)), leftovers, replaced: knowledge.dropped }
  }
  const jobs = jobsOf(tables)
  const jobOf = new Map(jobs.flatMap((job) => job.tables.map((table) => [table, job] as const)))
  const named = new Set([
    ...knowledge.state.tables.keys(),
    ...knowledge.dropped,
    ...jobs.flatMap((job) => job.mentions),
  ])
  const replaced = new Set([...knowledge.dropped, ...jobs.flatMap((job) => job.retired)])
  const finished = new Set(jobs.filter((job) => isFinished(job, named)))
  for (const { replaces } of finished) for (const number of replaces) replaced.add(number)

  const whole = new Set(tables.filter((table) => table.damage === undefined).map((table) => table.number))
  for (const table of tables) {
    const job = jobOf.get(table)
    if (replaced.has(table.number)) leftovers.set(table, 'other tables have taken its place')
    else if (knowledge.state.tables.has(table.number) || job === undefined) continue
    else if (!finished.has(job) && job.replaces.length > 0 && job.replaces.every((input) => whole.has(input))) {
      leftovers.set(table, 'its job was not finished, and the tables that it was made of are all there')
    } else if (table.origin.segment !== undefined && !named.has(table.number) && isInLog(table.origin.segment)) {
      leftovers.set(table, 'the log still has what is in it')
    }
  }
  return { members: tables.filter((table) => !leftovers.has(table)), leftovers, replaced }
}

/** What is left of a job: the tables that it wrote into one tree. */
interface Job {
  readonly tables: readonly FoundTable[]
  readonly outputs: readonly FileNumber[] | undefined
  readonly replaces: readonly FileNumber[]
  readonly retired: readonly FileNumber[]
  /** Tables that were part of the store when the job began, or before. */
  readonly mentions: readonly FileNumber[]
}

function jobsOf(tables: readonly FoundTable[]): Job[] {
  const byRun = new Map<FileNumber, FoundTable[]>()
  for (const table of tables) {
    const { run } = table.origin
    if (run !== undefined) byRun.set(run, [...(byRun.get(run) ?? []), table])
  }
  return [...byRun.values()].map((ofJob) => {
    const origins = ofJob.map((table) => table.origin)
    const replaces = origins.find((origin) => origin.replaces !== undefined)?.replaces ?? []
    const retired = origins.find((origin) => origin.retired !== undefined)?.retired ?? []
    const outputs = origins.find((origin) => origin.outputs !== undefined)?.outputs
    return { tables: ofJob, outputs, replaces, retired, mentions: [...replaces, ...retired] }
  })
}

/** All its tables are there and whole, or it became part of the store, as one that was used or named later shows. */
function isFinished({ tables, outputs }: Job, named: ReadonlySet<FileNumber>): boolean {
  if (tables.some((table) => named.has(table.number)) || outputs?.some((output) => named.has(output))) return true
  const whole = new Set(tables.filter((table) => table.damage === undefined).map((table) => table.number))
  return outputs?.every((output) => whole.has(output)) ?? false
}
