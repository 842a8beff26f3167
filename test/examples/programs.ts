import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** How a program of docs/examples ended, and what it said. */
export interface Ended {
  readonly status: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

/** A directory for one test, gone after it. */
export async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-examples-'))
  try {
    await test(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Runs a program of docs/examples as a user would. With `onLine` each line of its output is heard of as it comes; who answers 'kill' has
 * it killed (`SIGKILL`), in the middle of whatever it does then.
 */
export async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  onLine: (line: string, lines: readonly string[]) => 'kill' | undefined = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, ['--no-warnings', resolve('docs/examples', program), ...args], { cwd })
  const closed = once(child, 'close')
  let errors = ''
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString()
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (onLine(line, lines) === 'kill') child.kill('SIGKILL')
  }
  const [status] = (await closed) as [number | null]
  return { status, lines, errors }
}
