import { abortedFailure } from './executor.js'
import { failureOf, type Job, type JobContext, type JobOutcome, type RunningJob } from './job.js'
import { runJob } from './run-job.js'

interface Queued {
  readonly job: Job
  running: RunningJob | undefined
}

/**
 * Runs jobs slice by slice on the thread that it lives on; both executors are made around one. A flush that arrives gets all
 * slices until it is done: writers wait for it, for a compaction nobody does.
 */
export class JobQueue {
  private readonly context: JobContext
  private readonly queued: Queued[] = []

  constructor(context: JobContext) {
    this.context = context
  }

  get isEmpty(): boolean {
    return this.queued.length === 0
  }

  add(job: Job): void {
    this.queued.push({ job, running: undefined })
  }

  /** Runs one slice of the most urgent job; what it returns is the outcome of a job that ended with it. */
  runSlice(): JobOutcome | undefined {
    const next = this.queued.find(({ job }) => job.kind === 'flush') ?? this.queued[0]
    if (next === undefined) return undefined
    const { id } = next.job
    try {
      next.running ??= runJob(this.context, next.job)
      const { done, value } = next.running.next()
      if (done !== true) return undefined
      this.remove(next)
      return { id, result: value }
    } catch (error) {
      this.remove(next)
      return { id, failure: failureOf(error) }
    }
  }

  /** Stops a job, which removes what it wrote; `undefined` where it has ended already. */
  abort(id: number): JobOutcome | undefined {
    const queued = this.queued.find(({ job }) => job.id === id)
    if (queued === undefined) return undefined
    this.remove(queued)
    queued.running?.return(undefined as never)
    return abortedFailure(id)
  }

  abortAll(): void {
    for (const { job } of [...this.queued]) this.abort(job.id)
  }

  private remove(queued: Queued): void {
    this.queued.splice(this.queued.indexOf(queued), 1)
  }
}
