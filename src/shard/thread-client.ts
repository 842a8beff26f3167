import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { SiltstoneError } from '../bytes/errors.js'
import { fileBeside } from '../bytes/file-beside.js'
import { ThreadSignals } from '../bytes/thread-signals.js'
import type { ShardStoreOptions } from './shard-store-options.js'
import {
  errorOf,
  memoryOf,
  SHARD_OBJECT,
  type ThreadAnswer,
  type ThreadCall,
  type ThreadStart,
} from './thread-protocol.js'

const WORKER_FILE = 'siltstone-shard-worker.js'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A store is opened before its thread begins to answer, which may take as long as there is log to be read. */
const PATIENCE_MS = Number.POSITIVE_INFINITY

/**
 * The near side of a shard's thread. Calls of one turn leave together at its end. A call on this thread sends what has gathered
 * and stands still until its answer is there: 60 us, where a lookup takes one.
 */
export class ThreadClient {
  private readonly worker: Worker
  private readonly port: MessagePort
  private readonly signals = new ThreadSignals()
  private readonly path: string
  private gathered: ThreadCall[] = []
  private readonly waiting = new Map<number, Waiting>()
  private lastId = 0
  private lastObject = SHARD_OBJECT
  private death: SiltstoneError | undefined
  private closed = false

  private constructor(file: URL, path: string, create: boolean, options: ShardStoreOptions) {
    const { port1, port2 } = new MessageChannel()
    this.path = path
    this.port = port1
    const start: ThreadStart = { port: port2, signals: this.signals.cells, path, create, options }
    this.worker = new Worker(file, { workerData: start, transferList: [port2] })
    this.worker.unref()
    this.worker.on('error', (error) => this.die(error))
    this.worker.on('exit', () => this.die(undefined))
    this.port.on('message', (answers: readonly ThreadAnswer[]) => this.settle(answers))
    this.port.unref()
  }

  /** Starts the thread and opens its store. */
  static async start(path: string, create: boolean, options: ShardStoreOptions): Promise<ThreadClient> {
    const file = fileBeside(WORKER_FILE, import.meta.url)
    if (file === undefined) {
      throw new SiltstoneError(
        'SILT_NOT_SUPPORTED',
        `Shards on threads of their own need ${WORKER_FILE} beside the code; bundle 'siltstone/shard-worker' to there, or open with { threads: false }`,
      )
    }
    const client = new ThreadClient(file, path, create, options)
    try {
      await client.expectAnswer(++client.lastId)
    } catch (error) {
      client.closed = true
      await client.worker.terminate()
      throw error
    }
    return client
  }

  /** Calls a method and waits for what it returns. Bytes among the arguments are handed over. */
  call<T>(object: number, method: string, args: readonly unknown[]): Promise<T> {
    if (this.death !== undefined) return Promise.reject(this.death)
    const id = ++this.lastId
    this.gather({ id, object, method, args })
    return this.expectAnswer(id) as Promise<T>
  }

  /** The same on this thread. */
  callSync<T>(object: number, method: string, args: readonly unknown[]): T {
    if (this.death !== undefined) throw this.death
    const id = ++this.lastId
    this.gathered.push({ id, object, method, args, urgent: true })
    let done: { value?: unknown; error?: Error } | undefined
    this.waiting.set(id, {
      resolve: (value) => {
        done = { value }
      },
      reject: (error) => {
        done = { error }
      },
    })
    this.send()
    while (done === undefined) this.receiveOne()
    if (done.error !== undefined) throw done.error
    return done.value as T
  }

  /** Calls a method of which nobody wants to hear. */
  tell(object: number, method: string, args: readonly unknown[]): void {
    if (this.death === undefined) this.gather({ id: 0, object, method, args })
  }

  /** Calls a method that makes an object, and returns its number. */
  make(object: number, method: string, args: readonly unknown[]): number {
    if (this.death !== undefined) throw this.death
    const makes = ++this.lastObject
    this.gather({ id: 0, object, method, args, makes })
    return makes
  }

  async close(): Promise<void> {
    try {
      await this.call<void>(SHARD_OBJECT, 'close', [])
    } finally {
      this.closed = true
      this.port.close()
      await this.worker.terminate()
    }
  }

  private gather(call: ThreadCall): void {
    if (this.gathered.push(call) === 1) process.nextTick(() => this.send())
  }

  private send(): void {
    const { gathered } = this
    if (gathered.length === 0) return
    this.gathered = []
    this.port.postMessage(gathered, memoryOf(gathered))
  }

  private expectAnswer(id: number): Promise<unknown> {
    if (this.waiting.size === 0) this.port.ref()
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  private receiveOne(): void {
    const { sent } = this.signals
    const next = receiveMessageOnPort(this.port)
    if (next !== undefined) this.settle(next.message)
    else if (this.signals.sleep(sent, PATIENCE_MS) !== 'sent') {
      const last = receiveMessageOnPort(this.port)
      if (last !== undefined) this.settle(last.message)
      else this.die(new Error('it ended while it was waited for'))
    }
  }

  private settle(answers: readonly ThreadAnswer[]): void {
    for (const { id, value, failure } of answers) {
      const waiting = this.waiting.get(id)
      this.waiting.delete(id)
      if (failure === undefined) waiting?.resolve(value)
      else waiting?.reject(errorOf(failure))
    }
    if (this.waiting.size === 0) this.port.unref()
  }

  /** What was not answered is not known to be done; the log of the shard knows. */
  private die(cause: Error | undefined): void {
    if (this.closed || this.death !== undefined) return
    this.death = new SiltstoneError(
      'SILT_IO',
      `The thread of the shard in ${this.path} died${cause === undefined ? '' : `: ${cause.message}`}; close the store and open it again`,
      { cause },
    )
    for (const { reject } of this.waiting.values()) reject(this.death)
    this.waiting.clear()
    this.port.unref()
  }
}
