import { spawn } from 'node:child_process'
import type { Message } from '../../../src/queue/message.js'
import type { Queue } from '../../../src/queue/queue.js'
import { EXIT_NO, Failure } from '../failure.js'
import { out, stopSignal } from '../terminal.js'

export interface ExecuteOptions {
  readonly max: number
  readonly wait?: number
  readonly follow?: boolean
  readonly json?: boolean
}

const HOLD_MS = 60_000
const FOLLOW_WAIT_MS = 20_000

/** Runs a command for each message, one after the other, and settles the message by how it ends. */
export async function executeAll(queue: Queue, command: string, options: ExecuteOptions): Promise<void> {
  const { max, wait = 0, follow, json } = options
  let done = 0
  let failed = 0
  while (!stopSignal.aborted && (follow || done + failed < max)) {
    const waitMs = follow ? FOLLOW_WAIT_MS : done + failed === 0 ? wait : 0
    const [message] = await queue.receive({ wait: waitMs, signal: stopSignal }).catch((error: unknown) => {
      if (stopSignal.aborted) return []
      throw error
    })
    if (message === undefined) {
      if (follow) continue
      break
    }
    await out.flush()
    const problem = await execute(command, message)
    if (problem === undefined) await message.ack()
    else await message.nack({ reason: problem })
    if (json)
      out.json({ id: message.id, attempts: message.attempts, done: problem === undefined, problem: problem ?? null })
    if (problem === undefined) done++
    else {
      failed++
      process.stderr.write(
        `kv-cli: message ${message.id}, attempt ${message.attempts}: ${problem}; it is tried again, as often as the queue allows\n`,
      )
    }
  }
  if (failed > 0) throw new Failure(`The command failed for ${failed} of ${done + failed} messages`, EXIT_NO)
  if (done === 0 && !stopSignal.aborted) throw new Failure(`No message of queue '${queue.name}' is ready`, EXIT_NO)
}

/** Says what went wrong, if something did. The message is kept from others for as long as the command runs. */
async function execute(command: string, message: Message): Promise<string | undefined> {
  const { id, body, attempts } = message
  message.extend(HOLD_MS)
  const hold = setInterval(() => message.extend(HOLD_MS), HOLD_MS / 3)
  try {
    const child = spawn(command, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { ...process.env, KV_MESSAGE_ID: id, KV_ATTEMPT: String(attempts) },
    })
    // Whoever does not read its input is free to.
    child.stdin!.on('error', () => {})
    child.stdin!.end(bytesOf(body))
    return await new Promise((resolve) => {
      child.on('error', (error) => resolve(`the command did not start: ${error.message}`))
      child.on('close', (code, signal) => {
        resolve(
          code === 0
            ? undefined
            : signal === null
              ? `the command exited with ${code}`
              : `the command ended by ${signal}`,
        )
      })
    })
  } finally {
    clearInterval(hold)
  }
}

function bytesOf(body: unknown): Uint8Array | string {
  if (body instanceof Uint8Array || typeof body === 'string') return body
  return JSON.stringify(body)
}
