import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { open } from '../src/index.js'
import { Dataset } from './dataset.js'

/*
 * A long random load with default options: does memory stay bounded, does the event loop keep turning, is everything there
 * afterwards, and how much disk does it take once compaction is done?
 *
 * npm run bench:load -- [--keys N]
 */

const IN_FLIGHT = 1000

function keysAsked(): number {
  const at = process.argv.indexOf('--keys')
  const keys = at < 0 ? 10_000_000 : Number(process.argv[at + 1])
  if (Number.isInteger(keys) && keys > 0) return keys
  process.stderr.write('Usage: npm run bench:load -- [--keys N]\n')
  process.exit(2)
}

function say(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(44)}${value}\n`)
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`
}

async function main(): Promise<void> {
  const keys = keysAsked()
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-load-'))
  try {
    await load(directory, keys)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function load(directory: string, keys: number): Promise<void> {
  const data = new Dataset(keys)
  const db = await open(directory)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let peakRss = 0
  const sampler = setInterval(() => {
    peakRss = Math.max(peakRss, process.memoryUsage.rss())
  }, 50)
  delay.enable()
  const startedAt = performance.now()
  let group: Promise<void>[] = []
  for (const i of data.shuffled()) {
    group.push(db.put(data.key(i), data.value(i)))
    if (group.length < IN_FLIGHT) continue
    await Promise.all(group)
    group = []
    await new Promise(setImmediate)
  }
  await Promise.all(group)
  const seconds = (performance.now() - startedAt) / 1000
  delay.disable()
  say(`random puts, ${IN_FLIGHT} awaited at a time`, `${Math.round(keys / seconds).toLocaleString('en')} a second`)
  say('peak memory (RSS)', mebibytes(peakRss))
  say('event-loop delay p99 / max', `${(delay.percentile(99) / 1e6).toFixed(1)} / ${(delay.max / 1e6).toFixed(1)} ms`)
  const quietFrom = performance.now()
  await db.flush()
  await db.idle()
  say('until quiet', `${((performance.now() - quietFrom) / 1000).toFixed(1)} s`)
  const stats = db.stats()
  say('write amplification, log included', stats.amplification.write.toFixed(2))
  for (const { reason, count, totalMs } of stats.stalls) say(`stalls: ${reason}`, `${count}, ${totalMs.toFixed(0)} ms`)
  for (const level of stats.levels) {
    if (level.tables > 0) say(`level ${level.level}`, `${level.tables} tables, ${mebibytes(level.bytes)}`)
  }
  const quietBytes = stats.bytes
  await readBack(db, data, keys)
  await db.compact()
  say('disk after quiescing / fully compacted', (quietBytes / db.stats().bytes).toFixed(3))
  say('peak memory (RSS), all in all', mebibytes(peakRss))
  clearInterval(sampler)
  await db.close()
}

async function readBack(db: Awaited<ReturnType<typeof open>>, data: Dataset, keys: number): Promise<void> {
  // The values by key, worked out from the order of writing once more.
  const valueAt = new Uint16Array(keys)
  for (const i of data.shuffled()) valueAt[i] = i % 1000
  let at = 0
  for await (const [key, value] of db.entries()) {
    if (key !== data.key(at) || value !== data.value(valueAt[at]!)) throw new Error(`entry ${at} is wrong: ${key}`)
    at++
  }
  if (at !== keys) throw new Error(`${at} of ${keys} entries were read back`)
  say('read back', `all ${keys.toLocaleString('en')}, right`)
}

await main()
