import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from '../src/index.js'

/*
 * `npm run bench:bulk [-- entries]`: a store of a million entries goes out with `kv-cli export` and into another one with `kv-cli
 * import`, which is then compared with the first, entry by entry.
 */

const count = Number((process.argv[2] ?? '1_000_000').replaceAll('_', ''))
const BIN = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/kv-cli/main.js')
const BATCH = 1000
const directory = mkdtempSync(join(tmpdir(), 'siltstone-bulk-'))
const [source, copy] = [join(directory, 'source'), join(directory, 'copy')]

function keyOf(number: number): string {
  return String((number * 7919) % count).padStart(16, '0')
}

async function fill(): Promise<void> {
  await using db = await open(source)
  for (let from = 0; from < count; from += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => keyOf(from + i))
    await db.batch(keys.map((key) => ({ type: 'put' as const, key, value: `value of ${key} `.repeat(4) })))
  }
}

function timed(what: string, args: readonly string[]): void {
  const startedAt = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`kv-cli ${args.join(' ')} ended with ${status}: ${stderr}`)
  const seconds = (performance.now() - startedAt) / 1000
  const rate = Math.round(count / seconds).toLocaleString('en')
  process.stdout.write(`${what.padEnd(20)}${seconds.toFixed(1).padStart(6)} s, ${rate} entries a second\n`)
}

async function areAlike(): Promise<boolean> {
  await using one = await open(source, { readOnly: true })
  await using other = await open(copy, { readOnly: true })
  using theirs = other.entries()
  let seen = 0
  for (const [key, value] of one.entries()) {
    const [entry] = theirs.nextManySync(1)
    if (entry === undefined || entry[0] !== key || entry[1] !== value) return false
    seen++
  }
  return seen === count && theirs.nextManySync(1).length === 0
}

try {
  await fill()
  for (const format of ['ndjson', 'tsv']) {
    const file = join(directory, `entries.${format}`)
    timed(`export, ${format}`, ['export', file, '--db', source])
    process.stdout.write(`${''.padEnd(20)}${(statSync(file).size / 1024 / 1024).toFixed(0).padStart(6)} MiB\n`)
    timed(`import, ${format}`, ['import', file, '--db', copy])
    if (!(await areAlike())) throw new Error('The copy is not what was exported')
    rmSync(copy, { recursive: true })
  }
  process.stdout.write('both copies are what was exported\n')
} finally {
  rmSync(directory, { recursive: true, force: true })
}
