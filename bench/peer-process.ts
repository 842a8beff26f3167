import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Errand, Message } from './errand.js'

/** Sends a child on an errand in a directory that goes with it. Resolves to what went wrong, if something did. */
export async function send(
  errand: Omit<Errand, 'directory'>,
  longestMs: number,
  hear: (message: Message) => void,
): Promise<string | undefined> {
  const base = mkdtempSync(join(tmpdir(), 'siltstone-bench-'))
  try {
    return await run({ ...errand, directory: join(base, 'store') }, longestMs, hear)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

function run(errand: Errand, longestMs: number, hear: (message: Message) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = fork(new URL('./child.js', import.meta.url), [JSON.stringify(errand)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let failure: string | undefined = 'it ended without a word'
    let errors = ''
    const tooLong = setTimeout(() => {
      failure = `it took longer than ${Math.round(longestMs / 1000)} s`
      child.kill('SIGKILL')
    }, longestMs)
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('message', (message: Message) => {
      if (message.kind === 'done') failure = undefined
      else if (message.kind === 'failed') failure = message.reason
      else hear(message)
    })
    child.on('error', (error) => {
      failure = error.message
    })
    child.on('close', () => {
      clearTimeout(tooLong)
      const [lastWords] = errors.trim().split('\n').slice(-1)
      resolve(failure === undefined || !lastWords ? failure : `${failure} (${lastWords})`)
    })
  })
}
