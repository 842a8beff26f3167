import type { Clock } from '../bytes/clock.js'
import { publish } from '../bytes/diagnostics.js'
import { assert } from '../bytes/errors.js'
import { freeDescriptors } from '../fs/descriptors.js'
import type { Executor } from './executor.js'
import { InlineExecutor } from './inline-executor.js'
import type { Job, JobContext, JobOutcome } from './job.js'
import { JOBS_WITHOUT_WORKER, LONGEST_START_MS, MOST_DEATHS, MOST_JOBS_WITHOUT_WORKER } from './tuning.js'
import { WorkerThread } from './worker-thread.js'

interface Pending {
  readonly job: Job
  readonly settle: (outcome: JobOutcome) => void
}

/**
 * Runs jobs in a worker thread, started with the first job (23 ms) and kept. It keeps the process alive while it has a job,
 * because somebody may be waiting for that and nothing else, and not a moment longer.
 *
 * Nobody is to suffer from a worker that does not start or dies: writers wait for flushes, so those are done on this thread then, at once.
 * A compaction is left to the next worker, because it may be what the last one died of. Where none
 * lives, all is done here for a number of jobs, and then one is tried again.
 */
export class WorkerExecutor implements Executor {
  private readonly file: URL
  private readonly context: JobContext
  private readonly clock: Clock
  private readonly here: InlineExecutor
  /** Under way in the worker, by their numbers. */
  private readonly pending = new Map<number, Pending>()
  /** Under way on this thread. */
  private readonly pendingHere = new Set<number>()
  private thread: WorkerThread | undefined
  private settledCount = 0
  /** Workers in a row that did not start, or finished nothing. */
  private failures = 0
  /** Jobs that are done here before a worker is tried again. */
  private jobsHere = 0
  private forgetStart = (): void => {}
  private closed = false
  private readonly onLitter: () => void

  /** `onLitter` is called where a worker may have left files that nobody names. */
  constructor(file: URL, context: JobContext, clock: Clock, onLitter: () => void) {
    this.onLitter = onLitter
    this.file = file
    this.context = context
    this.clock = clock
    this.here = new InlineExecutor(context)
  }

  get place(): 'worker' | 'inline' {
    return this.failures > 0 || this.thread?.isLate ? 'inline' : 'worker'
  }

  submit(job: Job, settle: (outcome: JobOutcome) => void): void {
    if (this.isToRunHere()) {
      this.runHere({ job, settle })
      return
    }
    this.pending.set(job.id, { job, settle })
    try {
      this.thread ??= this.start()
    } catch (error) {
      this.onDeath(undefined, (error as Error).message)
      return
    }
    this.thread.keepAlive(true)
    this.thread.send({ type: 'job', job })
  }

  abort(id: number): void {
    if (this.pending.has(id)) this.thread?.send({ type: 'abort', id })
    else this.here.abort(id)
  }

  waitSync(): void {
    assert(this.pending.size + this.pendingHere.size > 0, 'a job that is waited for is under way')
    const { settledCount } = this
    while (this.settledCount === settledCount) {
      if (this.pendingHere.size > 0) this.here.waitSync()
      else this.waitForWorker(this.thread!)
    }
  }

  private waitForWorker(thread: WorkerThread): void {
    const received = thread.receiveSync()
    if (received === 'dead') this.onDeath(thread, 'it ended while it was waited for')
    else if (received === 'starting') this.takeOver(thread)
    else this.settle(received)
  }

  settleEnded(): void {
    for (let outcome = this.thread?.receiveEnded(); outcome !== undefined; outcome = this.thread?.receiveEnded()) {
      this.settle(outcome)
    }
  }

  async close(): Promise<void> {
    this.closed = true
    this.forgetStart()
    this.pending.clear()
    await this.here.close()
    await this.thread?.close()
  }

  private start(): WorkerThread {
    const thread = new WorkerThread(this.file, this.context, {
      onOutcome: (outcome) => this.settle(outcome),
      onDeath: (dead, reason) => this.onDeath(dead, reason),
    })
    this.forgetStart = this.clock.after(LONGEST_START_MS, () => {
      if (thread === this.thread && thread.isStarting) this.onDeath(thread, 'it did not begin to work')
    })
    return thread
  }

  private isToRunHere(): boolean {
    if (this.thread !== undefined) return this.thread.isLate && this.thread.isStarting
    if (this.jobsHere === 0) return false
    this.jobsHere--
    return true
  }

  private runHere({ job, settle }: Pending): void {
    this.pendingHere.add(job.id)
    this.here.submit(job, (outcome) => {
      this.pendingHere.delete(job.id)
      this.settledCount++
      settle(outcome)
    })
  }

  /** A writer stands still for a worker that has not begun yet: what it waits for is quicker done here. */
  private takeOver(thread: WorkerThread): void {
    thread.isLate = true
    for (const pending of [...this.pending.values()]) {
      if (pending.job.kind === 'compaction') continue
      this.pending.delete(pending.job.id)
      thread.send({ type: 'abort', id: pending.job.id })
      this.runHere(pending)
    }
  }

  private settle(outcome: JobOutcome): void {
    const pending = this.pending.get(outcome.id)
    if (pending === undefined) {
      // It was late, and what it has done was done here meanwhile.
      if ('result' in outcome) this.onLitter()
      return
    }
    this.pending.delete(outcome.id)
    if (this.pending.size === 0) this.thread?.keepAlive(false)
    this.failures = 0
    this.settledCount++
    pending.settle(outcome)
  }

  private onDeath(thread: WorkerThread | undefined, reason: string): void {
    if (this.closed || thread !== this.thread) return
    this.thread = undefined
    this.forgetStart()
    void thread?.terminate()
    const wasWorking = thread !== undefined && !thread.isStarting
    if (++this.failures >= MOST_DEATHS || !wasWorking) {
      this.jobsHere = Math.min(JOBS_WITHOUT_WORKER * 2 ** (this.failures - 1), MOST_JOBS_WITHOUT_WORKER)
    }
    // A thread needs a handful of descriptors before it can say anything, and a message is all that there is of why it has none.
    if (reason.includes('EMFILE') || reason.includes('ENFILE')) freeDescriptors()
    const { directory } = this.context
    publish('siltstone:worker', () => ({ directory, problem: wasWorking ? 'died' : 'not started', reason }))
    if (wasWorking) this.onLitter()
    for (const pending of [...this.pending.values()]) {
      this.pending.delete(pending.job.id)
      if (wasWorking && pending.job.kind === 'compaction') this.fail(pending, reason)
      else this.runHere(pending)
    }
  }

  private fail({ job: { id }, settle }: Pending, reason: string): void {
    const message = `The background thread of ${this.context.directory} died: ${reason}`
    this.settledCount++
    settle({ id, failure: { code: 'SILT_IO', message, stack: undefined, file: undefined, offset: undefined } })
  }
}
