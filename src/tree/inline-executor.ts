import { assert } from '../bytes/errors.js'
import type { Executor } from './executor.js'
import type { Job, JobContext, JobOutcome } from './job.js'
import { JobQueue } from './job-queue.js'

/**
 * Runs jobs on this thread, one slice per turn of the event loop. Slices are counted in entries, not in time, so with a
 * file system in memory a whole session is repeatable to the byte.
 */
export class InlineExecutor implements Executor {
  readonly place = 'inline'
  private readonly queue: JobQueue
  private readonly settles = new Map<number, (outcome: JobOutcome) => void>()
  private turn: NodeJS.Immediate | undefined

  constructor(context: JobContext) {
    this.queue = new JobQueue(context)
  }

  submit(job: Job, settle: (outcome: JobOutcome) => void): void {
    this.settles.set(job.id, settle)
    this.queue.add(job)
    this.schedule()
  }

  abort(id: number): void {
    this.settle(this.queue.abort(id))
  }

  waitSync(): void {
    assert(!this.queue.isEmpty, 'a job that is waited for is under way')
    while (!this.settle(this.queue.runSlice()));
  }

  /** What has ended here has settled in the same turn. */
  settleEnded(): void {}

  async close(): Promise<void> {
    if (this.turn !== undefined) clearImmediate(this.turn)
    this.turn = undefined
    this.settles.clear()
    this.queue.abortAll()
  }

  private schedule(): void {
    if (this.queue.isEmpty) return
    this.turn ??= setImmediate(() => {
      this.turn = undefined
      this.settle(this.queue.runSlice())
      this.schedule()
    })
  }

  private settle(outcome: JobOutcome | undefined): boolean {
    if (outcome === undefined) return false
    const settle = this.settles.get(outcome.id)
    this.settles.delete(outcome.id)
    settle?.(outcome)
    return true
  }
}
