import type { Job, JobOutcome } from './job.js'

/**
 * Where jobs run: a worker thread, or this thread in slices. Flushes go first, even before the rest of a compaction that has
 * begun; otherwise jobs run in the order in which they came.
 */
export interface Executor {
  /** Where the next job runs. */
  readonly place: 'worker' | 'inline'
  /** Runs a job; `settle` is called once, on this thread, in a turn of its own or inside `waitSync` or `settleEnded`. */
  submit(job: Job, settle: (outcome: JobOutcome) => void): void
  /** Stops a job at its next slice; it settles with a failure unless it is finished by then. */
  abort(id: number): void
  /** Blocks this thread until at least one job has settled. Requires: one is under way. */
  waitSync(): void
  /** Settles what has ended already, without waiting; for a thread that does not come back to its event loop. */
  settleEnded(): void
  /** Stops everything; what has not settled never does. */
  close(): Promise<void>
}

export function abortedFailure(id: number): JobOutcome {
  return { id, failure: { code: undefined, message: ABORTED, stack: undefined, file: undefined, offset: undefined } }
}

const ABORTED = 'The job was stopped'
