import type { MessagePort } from 'node:worker_threads'
import type { Job, JobOutcome, TableLayout } from './job.js'
import type { FileCounter } from './lease.js'

/* What passes between a store's thread and its worker. */

export type ToWorker =
  | { readonly type: 'job'; readonly job: Job }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'close' }

export type FromWorker = JobOutcome

/** How a worker is started. */
export interface WorkerStart {
  readonly port: MessagePort
  /** Of `ThreadSignals`: the worker sends, the store's thread sleeps. */
  readonly signals: Int32Array
  readonly directory: string
  readonly layout: TableLayout
  readonly fileNumbers: FileCounter
  /** Permissions of new files. */
  readonly permissions: number | undefined
}
