import type { MessagePort } from 'node:worker_threads'
import type { Job, JobOutcome, TableLayout } from './job.js'
import type { FileCounter } from './lease.js'

/*
 * What passes between a store's thread and its worker.
 *
 * Every message of the worker is counted in shared memory as well. A thread that must not go back to its event loop sleeps on
 * that count (`Atomics.wait`) and then takes the message out of the port by hand (`receiveMessageOnPort`).
 */

export type ToWorker =
  | { readonly type: 'job'; readonly job: Job }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'close' }

export type FromWorker = JobOutcome

/** How a worker is started. */
export interface WorkerStart {
  readonly port: MessagePort
  readonly signals: Int32Array
  readonly directory: string
  readonly layout: TableLayout
  readonly fileNumbers: FileCounter
}

/** Places in `WorkerStart.signals`. */
export const SENT = 0
/** Grows with every slice: a worker that is alive moves it. */
export const SLICES = 1
export const SIGNAL_COUNT = 2
