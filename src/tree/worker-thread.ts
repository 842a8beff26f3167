import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { ThreadSignals } from '../bytes/thread-signals.js'
import type { JobContext, JobOutcome } from './job.js'
import { LATE_START_MS } from './tuning.js'
import type { FromWorker, ToWorker, WorkerStart } from './worker-protocol.js'

/** A merge holds a block per input and four bytes per key of an output; this is plenty, and bounds a bug. */
const WORKER_HEAP_MB = 512

export interface WorkerListener {
  onOutcome(outcome: JobOutcome): void
  onDeath(thread: WorkerThread, reason: string): void
}

/** One life of a worker. */
export class WorkerThread {
  private readonly worker: Worker
  private readonly port: MessagePort
  private readonly signals = new ThreadSignals()
  private isUp = true
  /** Somebody stood still for it while it had not begun: whoever comes next does not. */
  isLate = false

  constructor(file: URL, context: JobContext, listener: WorkerListener) {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    const { directory, layout, fileNumbers } = context
    const { permissions } = context.fs
    const { cells } = this.signals
    const start: WorkerStart = { port: port2, signals: cells, directory, layout, fileNumbers, permissions }
    this.worker = new Worker(file, {
      workerData: start,
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
      // Options of the process, such as a test runner's loaders, are not for it.
      execArgv: [],
    })
    const died = (reason: string): void => {
      this.isUp = false
      // What it has sent before it died counts.
      for (let last = this.receiveEnded(); last !== undefined; last = this.receiveEnded()) listener.onOutcome(last)
      listener.onDeath(this, reason)
    }
    this.worker.on('error', (error) => died(error.message))
    this.worker.on('exit', (code) => died(`it exited with code ${code}`))
    this.worker.unref()
    this.port.on('message', (outcome: FromWorker) => listener.onOutcome(outcome))
    this.port.unref()
  }

  /** It has not begun to work yet, and perhaps never will. */
  get isStarting(): boolean {
    return this.signals.isStarting
  }

  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.port.ref()
    else this.port.unref()
  }

  send(message: ToWorker): void {
    this.port.postMessage(message)
  }

  /** The next outcome, waited for without giving up the turn, or why none is to be expected. */
  receiveSync(): JobOutcome | 'starting' | 'dead' {
    for (;;) {
      const { sent } = this.signals
      const received = this.receiveEnded()
      if (received !== undefined) return received
      const waking = this.signals.sleep(sent, LATE_START_MS)
      if (waking !== 'sent') return this.receiveEnded() ?? waking
    }
  }

  /** An outcome that is there already. */
  receiveEnded(): JobOutcome | undefined {
    return receiveMessageOnPort(this.port)?.message as FromWorker | undefined
  }

  /** Lets the worker stop its jobs and remove what they wrote. */
  async close(): Promise<void> {
    if (!this.isUp) return
    if (this.isStarting) {
      // It has written nothing, and whether it ever hears of anything nobody knows.
      await this.terminate()
      return
    }
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
