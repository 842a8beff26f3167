import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { assert } from '../bytes/errors.js'
import type { Executor } from './executor.js'
import type { Job, JobContext, JobOutcome } from './job.js'
import { WORKER_SILENCE_MS } from './tuning.js'
import { type FromWorker, SENT, SIGNAL_COUNT, SLICES, type ToWorker, type WorkerStart } from './worker-protocol.js'

/** Compiled code beside this file; from the sources, as tests run them, the same file where the build puts it. */
const WORKER_URL = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/src/tree/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url)

/** A merge holds a block per input and four bytes per key of an output; this is plenty, and bounds a bug. */
const WORKER_HEAP_MB = 512

interface Pending {
  readonly job: Job
  readonly settle: (outcome: JobOutcome) => void
}

/**
 * Runs jobs in a worker thread, started with the first job (23 ms) and kept. It keeps the process alive while it has a job,
 * because somebody may be waiting for that and nothing else, and not a moment longer.
 */
export class WorkerExecutor implements Executor {
  private readonly context: JobContext
  private readonly pending = new Map<number, Pending>()
  private thread: WorkerThread | undefined
  private closed = false

  constructor(context: JobContext) {
    this.context = context
  }

  submit(job: Job, settle: (outcome: JobOutcome) => void): void {
    this.pending.set(job.id, { job, settle })
    const thread = this.running()
    thread.keepAlive(true)
    thread.send({ type: 'job', job })
  }

  abort(id: number): void {
    if (this.pending.has(id)) this.running().send({ type: 'abort', id })
  }

  waitSync(): void {
    assert(this.pending.size > 0, 'a job that is waited for is under way')
    const thread = this.running()
    const outcome = thread.receiveSync()
    if (outcome === undefined) this.onDeath(thread, 'it gave no sign of life')
    else this.settle(outcome)
  }

  settleEnded(): void {
    for (let outcome = this.thread?.receiveEnded(); outcome !== undefined; outcome = this.thread?.receiveEnded()) {
      this.settle(outcome)
    }
  }

  async close(): Promise<void> {
    this.closed = true
    this.pending.clear()
    await this.thread?.close()
  }

  private running(): WorkerThread {
    this.thread ??= new WorkerThread(this.context, {
      onOutcome: (outcome) => this.settle(outcome),
      onDeath: (thread, reason) => this.onDeath(thread, reason),
    })
    return this.thread
  }

  private settle(outcome: JobOutcome): void {
    const pending = this.pending.get(outcome.id)
    this.pending.delete(outcome.id)
    if (this.pending.size === 0) this.thread?.keepAlive(false)
    pending?.settle(outcome)
  }

  /** Its jobs fail; whoever wants them done submits them again, to a new worker. */
  private onDeath(thread: WorkerThread, reason: string): void {
    if (this.closed || thread !== this.thread) return
    this.thread = undefined
    void thread.terminate()
    for (const id of [...this.pending.keys()]) {
      const message = `The background thread of ${this.context.directory} died: ${reason}`
      const failure = { code: 'SILT_IO' as const, message, stack: undefined, file: undefined, offset: undefined }
      this.settle({ id, failure })
    }
  }
}

interface WorkerListener {
  onOutcome(outcome: JobOutcome): void
  onDeath(thread: WorkerThread, reason: string): void
}

/** One life of a worker. */
class WorkerThread {
  private readonly worker: Worker
  private readonly port: MessagePort
  private readonly signals = new Int32Array(new SharedArrayBuffer(4 * SIGNAL_COUNT))
  private isUp = true

  constructor(context: JobContext, listener: WorkerListener) {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    const { directory, layout, fileNumbers } = context
    const start: WorkerStart = { port: port2, signals: this.signals, directory, layout, fileNumbers }
    this.worker = new Worker(WORKER_URL, {
      workerData: start,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      // Options of the process, such as a test runner's loaders, are not for it.
      execArgv: [],
    })
    const died = (reason: string): void => {
      this.isUp = false
      listener.onDeath(this, reason)
    }
    this.worker.on('error', (error) => died(error.message))
    this.worker.on('exit', (code) => died(`it exited with code ${code}`))
    this.worker.unref()
    this.port.on('message', (outcome: FromWorker) => listener.onOutcome(outcome))
    this.port.unref()
  }

  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.port.ref()
    else this.port.unref()
  }

  send(message: ToWorker): void {
    this.port.postMessage(message)
  }

  /** The next outcome, waited for without giving up the turn; `undefined` where the worker did nothing for too long. */
  receiveSync(): JobOutcome | undefined {
    const { signals } = this
    let slices = -1
    for (;;) {
      const sent = Atomics.load(signals, SENT)
      const received = receiveMessageOnPort(this.port)
      if (received !== undefined) return received.message as FromWorker
      if (Atomics.wait(signals, SENT, sent, WORKER_SILENCE_MS) !== 'timed-out') continue
      const now = Atomics.load(signals, SLICES)
      if (now === slices) return undefined
      slices = now
    }
  }

  /** An outcome that is there already. */
  receiveEnded(): JobOutcome | undefined {
    return receiveMessageOnPort(this.port)?.message as FromWorker | undefined
  }

  /** Lets the worker stop its jobs and remove what they wrote. */
  async close(): Promise<void> {
    if (!this.isUp) return
    const exited = new Promise<void>((resolve) => this.worker.once('exit', () => resolve()))
    this.worker.ref()
    this.send({ type: 'close' })
    await exited
    this.port.close()
  }

  async terminate(): Promise<void> {
    this.port.close()
    await this.worker.terminate()
  }
}
