import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./store-process.mjs', import.meta.url))

interface Answer {
  readonly result?: unknown
  readonly code?: string
  readonly message?: string
  readonly pid?: number
}

/** Another process that does with a store what it is told. */
export class StoreProcess {
  private readonly child: ChildProcess
  private readonly answers: AsyncIterator<string>

  /** `within` is a command that runs another one, in a container for example. */
  constructor(within: readonly string[] = []) {
    const [command, ...args] = [...within, process.execPath, PROGRAM]
    this.child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Calls `open`, `openFaster` (path, how much faster its time passes), `destroy`, `fill` (count, value) or a method of the open store; arguments and results go as JSON. */
  async call(method: string, ...args: unknown[]): Promise<unknown> {
    this.child.stdin!.write(`${JSON.stringify({ method, args })}\n`)
    const { value, done } = await this.answers.next()
    if (done) throw new Error(`The other process ended during ${method}`)
    const { result, code, message, pid } = JSON.parse(value) as Answer
    if (code !== undefined) throw Object.assign(new Error(message), { code, pid })
    return result
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    const ended = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill()
  }
}
