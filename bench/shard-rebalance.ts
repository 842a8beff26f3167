import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from '../src/index.js'
import { openSharded, type ShardedStore } from '../src/shard.js'

const USAGE = `Usage: node dist/bench/shard-rebalance.js [--keys N] [--kills N] [--directory PATH]

A fourth shard joins three while one process writes and scans, and is killed (SIGKILL) again and again on the way. At the end every
key has to be there once, with the value that was acknowledged last or one that was on its way, and no more keys may have moved than 1.15
times the share of the new shard.

  --keys N           keys (default 1000000)
  --kills N          how often the process is killed (default 20)
  --directory PATH   where the store is made (default: a temporary directory, removed afterwards)
`

/** Keys are 16 bytes: their number, well spread, so that neighbours stand on different shards. */
function keyOf(number: number): string {
  return `key:${String(number).padStart(12, '0')}`
}

// Every so many milliseconds a child is asked how long it kept others waiting.
const SAMPLE_MS = 2
const HUNDRED_BYTES = 'v'.repeat(90)

/** What a child tells: a write begins, was acknowledged; the scan found something wrong; the move is done. */
type Told =
  | { readonly type: 'open' }
  | { readonly type: 'writes'; readonly began: readonly [number, number][]; readonly done: readonly [number, number][] }
  | { readonly type: 'wrong'; readonly what: string }
  | {
      readonly type: 'done'
      readonly keysMoved: number
      readonly worstMs: number
      readonly latencies: readonly number[]
    }

const openOptions = { shards: ['a', 'b', 'c'], keyEncoding: 'utf8', valueEncoding: 'utf8' } as const

async function fill(directory: string, keys: number): Promise<void> {
  const store = await openSharded(directory, openOptions)
  for (let i = 0; i < keys; i += 1000) {
    const operations = Array.from({ length: Math.min(1000, keys - i) }, (_, j) => ({
      type: 'put' as const,
      key: keyOf(i + j),
      value: `0 ${HUNDRED_BYTES}`,
    }))
    await store.batch(operations, { atomic: false })
  }
  await store.flush()
  await store.close()
}

/** The child: opens, goes on with the move, writes and scans meanwhile, until it is done or killed. */
async function work(directory: string, keys: number, seed: number): Promise<void> {
  const tell = (told: Told): void => void process.send!(told)
  const store = await openSharded(directory)
  tell({ type: 'open' })
  let goesOn = true
  let worstMs = 0
  let lastAt = performance.now()
  const watch = setInterval(() => {
    const now = performance.now()
    worstMs = Math.max(worstMs, now - lastAt - SAMPLE_MS)
    lastAt = now
  }, SAMPLE_MS)
  const latencies: number[] = []
  const writing = writeAlong(store, keys, seed, tell, latencies, () => goesOn)
  const scanning = scanAlong(store, keys, tell, () => goesOn)
  const { keysMoved } = store.shards.includes('d')
    ? await store.idle().then(() => ({ keysMoved: 0 }))
    : await store.addShard('d')
  goesOn = false
  await Promise.all([writing, scanning])
  clearInterval(watch)
  await store.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
  tell({ type: 'done', keysMoved, worstMs, latencies: [at(0.5), at(0.99), at(1 - 1e-9)] })
  process.disconnect()
}

async function writeAlong(
  store: ShardedStore,
  keys: number,
  seed: number,
  tell: (told: Told) => void,
  latencies: number[],
  goesOn: () => boolean,
): Promise<void> {
  for (let version = seed * 1_000_000; goesOn(); version++) {
    const number = (version * 7919) % keys
    tell({ type: 'writes', began: [[number, version]], done: [] })
    const startedAt = performance.now()
    await store.put(keyOf(number), `${version} ${HUNDRED_BYTES}`, { sync: version % 64 === 0 })
    latencies.push(performance.now() - startedAt)
    tell({ type: 'writes', began: [], done: [[number, version]] })
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Slices of the whole: no key is missing in the middle of one, and none is there twice. */
async function scanAlong(
  store: ShardedStore,
  keys: number,
  tell: (told: Told) => void,
  goesOn: () => boolean,
): Promise<void> {
  for (let round = 0; goesOn(); round++) {
    const from = (round * 104_729) % keys
    const found = await store.keys({ gte: keyOf(from), limit: 500 }).toArray()
    const expected = Array.from({ length: Math.min(500, keys - from) }, (_, i) => keyOf(from + i))
    const differs = expected.findIndex((key, i) => key !== found[i])
    if (differs >= 0) tell({ type: 'wrong', what: `a scan found ${found[differs]} where ${expected[differs]} stands` })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What came of it all. */
export interface RebalanceOutcome {
  readonly kills: number
  readonly problems: readonly string[]
  readonly keysMoved: number
  /** Keys moved for each that had to be: those of the new shard's share. */
  readonly movedOverBest: number
  /** The longest time that a timer of the last process was late. */
  readonly worstMs: number
  /** Of its writes, in milliseconds: median, the 99th of a hundred, the worst. */
  readonly latencies: readonly number[]
}

/** Fills a store, adds a shard, kills who does it so many times on the way, and checks every key. */
export async function rebalanceKilled(
  directory: string,
  keys: number,
  kills: number,
  script: { readonly path: string; readonly execArgv: readonly string[] },
): Promise<RebalanceOutcome> {
  await fill(directory, keys)
  // What each key that was written may hold: the last acknowledged, and what was begun since.
  const allowed = new Map<number, Set<number>>()
  const problems: string[] = []
  let killed = 0
  let last: (Told & { type: 'done' }) | undefined
  for (let run = 1; last === undefined; run++) {
    const child = fork(script.path, ['--child', directory, String(keys), String(run)], {
      execArgv: [...script.execArgv],
    })
    // A move takes some time for each key: spread the kills over it.
    const afterMs = killed < kills ? 30 + ((run * 7919) % Math.max(40, Math.ceil(keys / 700))) : undefined
    last = await runOne(child, afterMs, allowed, problems)
    if (last === undefined) killed++
  }
  const { counts, wrong } = await checkOnDisk(directory, keys, allowed)
  problems.push(...wrong)
  const moved = counts.get('d') ?? 0
  return {
    kills: killed,
    problems,
    keysMoved: moved,
    movedOverBest: moved / (keys / 4),
    worstMs: last.worstMs,
    latencies: last.latencies,
  }
}

function runOne(
  child: ChildProcess,
  afterMs: number | undefined,
  allowed: Map<number, Set<number>>,
  problems: string[],
): Promise<(Told & { type: 'done' }) | undefined> {
  return new Promise((resolve, reject) => {
    let done: (Told & { type: 'done' }) | undefined
    child.on('message', (told: Told) => {
      if (told.type === 'open' && afterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), afterMs)
      if (told.type === 'wrong') problems.push(told.what)
      if (told.type === 'done') done = told
      if (told.type !== 'writes') return
      for (const [number, version] of told.began) {
        const versions = allowed.get(number) ?? new Set([0])
        allowed.set(number, versions.add(version))
      }
      for (const [number, version] of told.done) allowed.set(number, new Set([version]))
    })
    child.on('exit', (code, signal) => {
      if (done !== undefined) resolve(done)
      else if (signal === 'SIGKILL') resolve(undefined)
      else reject(new Error(`the process that moves keys ended with ${code ?? signal}`))
    })
  })
}

async function checkOnDisk(
  directory: string,
  keys: number,
  allowed: ReadonlyMap<number, ReadonlySet<number>>,
): Promise<{ counts: Map<string, number>; wrong: string[] }> {
  const counts = new Map<string, number>()
  const wrong: string[] = []
  const times = new Uint8Array(keys)
  for (const name of ['a', 'b', 'c', 'd']) {
    const db = await open(join(directory, name), { createIfMissing: false })
    let count = 0
    for await (const [key, value] of db.entries()) {
      count++
      const number = Number(key.slice(4))
      times[number]!++
      const version = Number(value.slice(0, value.indexOf(' ')))
      if (!(allowed.get(number) ?? NEVER_WRITTEN).has(version)) wrong.push(`${key} holds version ${version}`)
    }
    counts.set(name, count)
    await db.close()
  }
  for (const [number, count] of times.entries()) if (count !== 1) wrong.push(`${keyOf(number)} is there ${count} times`)
  return { counts, wrong }
}

const NEVER_WRITTEN: ReadonlySet<number> = new Set([0])

function option(name: string, fallback: string): string {
  const at = process.argv.indexOf(name)
  return at < 0 ? fallback : process.argv[at + 1]!
}

async function main(): Promise<void> {
  const [mode, path, childKeys, seed] = process.argv.slice(2)
  if (mode === '--child') return work(path!, Number(childKeys), Number(seed))
  if (process.argv.includes('--help')) return void process.stdout.write(USAGE)
  const keys = Number(option('--keys', '1000000'))
  const kills = Number(option('--kills', '20'))
  const given = option('--directory', '')
  const directory = given === '' ? mkdtempSync(join(tmpdir(), 'siltstone-rebalance-')) : given
  const startedAt = performance.now()
  const outcome = await rebalanceKilled(directory, keys, kills, { path: fileURLToPath(import.meta.url), execArgv: [] })
  if (given === '') rmSync(directory, { recursive: true, force: true })
  const { problems, keysMoved, movedOverBest, worstMs, latencies } = outcome
  const [median, p99, worst] = latencies.map((ms) => ms.toFixed(2))
  process.stdout.write(
    `${keys} keys, 3 to 4 shards, killed ${outcome.kills} times, ${((performance.now() - startedAt) / 1000).toFixed(0)} s\n` +
      `moved ${keysMoved} keys, ${movedOverBest.toFixed(3)} times the best\n` +
      `writes meanwhile: median ${median} ms, p99 ${p99} ms, worst ${worst} ms; the loop was late by at most ${worstMs.toFixed(1)} ms\n` +
      (problems.length === 0 ? 'every key once, with the right value\n' : `${problems.slice(0, 20).join('\n')}\n`),
  )
  if (problems.length > 0 || movedOverBest > 1.15) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
