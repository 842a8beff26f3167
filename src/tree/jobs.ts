import type { Clock } from '../bytes/clock.js'
import { publish } from '../bytes/diagnostics.js'
import type { EpochMs } from '../bytes/units.js'
import type { Executor } from './executor.js'
import { errorOf, type Job, type JobResult } from './job.js'
import { JOB_HISTORY } from './tuning.js'

/** How a flush or compaction went. */
export interface JobReport {
  /** What it was. */
  readonly kind: 'flush' | 'compaction'
  /** Why it was run, and where its tables went. */
  readonly what: string
  /** In milliseconds since 1970. */
  readonly endedAt: EpochMs
  /** From its start to its end. */
  readonly durationMs: number
  /** Of the tables that went in. */
  readonly bytesRead: number
  /** Of the tables that came out. */
  readonly bytesWritten: number
  /** Entries that went in. */
  readonly entriesRead: number
  /** Entries that came out. */
  readonly entriesWritten: number
}

/** Where the bytes that the disk was given came from, since the store was opened. */
export interface JobTotals {
  flushes: number
  flushedBytes: number
  compactions: number
  compactionReadBytes: number
  compactionWrittenBytes: number
  /** Attempts of either kind that failed. */
  failures: number
}

/** The jobs of a store: numbered, counted, remembered for a while. */
export class Jobs {
  readonly totals: JobTotals = {
    flushes: 0,
    flushedBytes: 0,
    compactions: 0,
    compactionReadBytes: 0,
    compactionWrittenBytes: 0,
    failures: 0,
  }
  /** The last ones, oldest first. */
  readonly history: JobReport[] = []
  /** Why the last attempt of a job failed; gone with the next success, unless something is damaged: that does not mend. */
  lastError: Error | undefined
  private readonly executor: Executor
  private readonly clock: Clock
  private readonly directory: string
  private readonly running = new Map<number, string>()
  private lastId = 0
  private waiting: (() => void)[] = []

  constructor(executor: Executor, clock: Clock, directory: string) {
    this.executor = executor
    this.clock = clock
    this.directory = directory
  }

  /** Where the next one runs. */
  get place(): 'worker' | 'inline' {
    return this.executor.place
  }

  /** What is under way. */
  get descriptions(): string[] {
    return [...this.running.values()]
  }

  get isIdle(): boolean {
    return this.running.size === 0
  }

  /** Runs the job that `describe` makes for a number, and returns that. One of the two is called, on this thread. */
  run(
    what: string,
    describe: (id: number) => Job,
    done: (result: JobResult) => void,
    failed: (error: Error) => void,
  ): number {
    const id = ++this.lastId
    const job = describe(id)
    this.running.set(id, what)
    this.executor.submit(job, (outcome) => {
      this.running.delete(id)
      if ('result' in outcome) {
        this.record(job, what, outcome.result)
        done(outcome.result)
      } else {
        this.lastError = errorOf(outcome.failure)
        this.reportFailure(what, this.lastError)
        failed(this.lastError)
      }
      this.changed()
    })
    return id
  }

  abort(id: number): void {
    this.executor.abort(id)
  }

  /** Blocks until some job has ended. Requires: one is under way. */
  waitSync(): void {
    this.executor.waitSync()
  }

  /** Hears of the jobs that have ended already. */
  settleEnded(): void {
    this.executor.settleEnded()
  }

  /** Resolves when something has changed since the call: a job has ended, or its tables became visible. */
  change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  changed(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  async close(): Promise<void> {
    await this.executor.close()
    this.running.clear()
    this.changed()
  }

  private reportFailure(during: string, error: Error): void {
    this.totals.failures++
    publish('siltstone:error', () => ({ directory: this.directory, error, during }))
  }

  private record(job: Job, what: string, result: JobResult): void {
    if (job.kind === 'removal') return
    if ((this.lastError as { code?: string } | undefined)?.code !== 'SILT_CORRUPTION') this.lastError = undefined
    const { bytesRead, bytesWritten, entriesRead, entriesWritten, durationMs } = result
    if (job.kind === 'flush') {
      this.totals.flushes++
      this.totals.flushedBytes += bytesWritten
    } else {
      this.totals.compactions++
      this.totals.compactionReadBytes += bytesRead
      this.totals.compactionWrittenBytes += bytesWritten
    }
    publish(job.kind === 'flush' ? 'siltstone:flush' : 'siltstone:compaction', () => ({
      directory: this.directory,
      what,
      durationMs,
      bytesRead,
      bytesWritten,
      entriesRead,
      entriesWritten,
    }))
    const endedAt = this.clock.now()
    this.history.push({
      kind: job.kind,
      what,
      endedAt,
      durationMs,
      bytesRead,
      bytesWritten,
      entriesRead,
      entriesWritten,
    })
    if (this.history.length > JOB_HISTORY) this.history.shift()
  }
}
