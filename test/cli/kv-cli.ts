import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** The bin of the package, as it is installed. */
export const BIN = join(root, 'dist/kv-cli/main.js')

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly bytes: Buffer
  readonly err: string
}

export interface RunOptions {
  readonly input?: string | Buffer
  readonly cwd?: string
  readonly env?: Record<string, string>
}

/** Starts kv-cli and leaves it to the test. */
export function start(args: readonly string[], { cwd, env }: RunOptions = {}): ChildProcess {
  const { KV_DB: _, ...inherited } = process.env
  return spawn(process.execPath, [BIN, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...inherited, ...env },
    stdio: 'pipe',
  })
}

/** Runs kv-cli to its end. */
export async function kv(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(args, options)
  // A command that has no use for its input may be gone before it was written.
  child.stdin!.on('error', () => {})
  child.stdin!.end(options.input ?? '')
  return ended(child)
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const parts: Buffer[] = []
  let err = ''
  child.stdout!.on('data', (chunk: Buffer) => parts.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const bytes = Buffer.concat(parts)
  return { code, out: bytes.toString(), bytes, err }
}

/** Resolves once the child has said something that matches. */
export function says(child: ChildProcess, pattern: RegExp): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      said += chunk
      if (pattern.test(said)) resolve(said)
    }
    child.stdout!.on('data', listen)
    child.stderr!.on('data', listen)
    child.on('close', () => reject(new Error(`It ended without saying ${pattern}: ${said}`)))
  })
}

export function jsonLines(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown)
}
