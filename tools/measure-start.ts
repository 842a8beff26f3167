import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * `npm run bench:start`: how much longer `kv-cli get` takes than `node -e 0`. Both in turn, so that whatever else the machine does
 * hits both, and medians of both.
 */

const ROUNDS = Number(process.argv[2] ?? 25)
const AIM_MS = 70
const BIN = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/kv-cli/main.js')

function timed(args: readonly string[], cwd: string): number {
  const startedAt = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`)
  return performance.now() - startedAt
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

const cwd = mkdtempSync(join(tmpdir(), 'siltstone-start-'))
try {
  timed([BIN, 'put', 'in-table', '1'], cwd)
  timed([BIN, 'flush'], cwd)
  timed([BIN, 'put', 'in-log', '1'], cwd)
  const runs = {
    'node -e 0': ['-e', '0'],
    'kv-cli get, from the log': [BIN, 'get', 'in-log'],
    'kv-cli get, from a table': [BIN, 'get', 'in-table'],
    'kv-cli version': [BIN, 'version'],
  }
  const taken = new Map(Object.keys(runs).map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, args] of Object.entries(runs)) taken.get(name)!.push(timed(args, cwd))
  }
  const bare = median(taken.get('node -e 0')!)
  for (const [name, times] of taken) {
    const more = median(times) - bare
    const beyond = name === 'node -e 0' ? '' : `, ${more.toFixed(1)} ms more (aim: at most ${AIM_MS})`
    process.stdout.write(`${name.padEnd(26)}${median(times).toFixed(1).padStart(6)} ms${beyond}\n`)
  }
} finally {
  rmSync(cwd, { recursive: true, force: true })
}
