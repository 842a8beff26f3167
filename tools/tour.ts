import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, open } from '../src/index.js'
import { openSharded } from '../src/shard.js'
import { presentStores, runBench } from './kv-cli/bench/run-bench.js'
import { Progress } from './kv-cli/bulk/progress.js'
import { drawText } from './kv-cli/levels/draw-text.js'
import { picturesOf } from './kv-cli/levels/picture.js'
import { readState } from './kv-cli/store-state.js'
import { showBytes, showCount } from './kv-cli/units.js'

/*
 * `npm start`: what Siltstone does, shown on stores of its own in a temporary folder that is removed at the end, however that
 * comes. Needs no terminal. Every figure is measured while you watch. A number as its argument makes it shorter.
 */

const FULL_ENTRIES = 700_000
const BATCH = 1000
const DOOMED = '--write-until-killed'
const ENTRIES = Math.max(BATCH * 4, Math.floor(Number(process.argv[2]) / BATCH) * BATCH || FULL_ENTRIES)
const COLUMNS = Math.min(100, process.stdout.columns ?? 100)

const root = process.argv[2] === DOOMED ? '' : mkdtempSync(join(tmpdir(), 'siltstone-tour-'))
let child: ChildProcess | undefined

function say(text = ''): void {
  process.stdout.write(`${text}\n`)
}

function rate(operations: number, seconds: number): string {
  return showCount(operations / seconds)
}

async function timed(run: () => Promise<void> | void): Promise<number> {
  const startedAt = performance.now()
  await run()
  return (performance.now() - startedAt) / 1000
}

function sensor(i: number): string {
  // A stride that visits every number once, in an order that looks random: a prime that does not divide their count.
  return sensorAt((i * 432_659) % ENTRIES)
}

function sensorAt(number: number): string {
  return `sensor:${String(number).padStart(7, '0')}`
}

function reading(i: number): string {
  return `{"reading":${i},"unit":"mm","at":"station ${i % 977}","note":"sand over clay, ${i % 13} cm"}`
}

async function write(db: Database): Promise<void> {
  say(`1. Writing ${showCount(ENTRIES)} entries in random order, ${showCount(BATCH)} to a batch`)
  const progress = new Progress('entries')
  const seconds = await timed(async () => {
    for (let from = 0; from < ENTRIES; from += BATCH) {
      await db.batch(
        Array.from({ length: BATCH }, (_, j) => ({
          type: 'put' as const,
          key: sensor(from + j),
          value: reading(from + j),
        })),
      )
      progress.advance(from + BATCH, (from + BATCH) / ENTRIES)
    }
  })
  progress.end()
  say(`   ${rate(ENTRIES, seconds)} entries a second`)
}

async function read(db: Database): Promise<void> {
  say('2. Reading them')
  await db.idle()
  const gets = share(200_000)
  const getSeconds = await timed(() => {
    for (let i = 0; i < gets; i++) if (db.getSync(sensor(i * 31)) === undefined) throw new Error('an entry is missing')
  })
  let scanned = 0
  const scanSeconds = await timed(() => {
    for (const [key] of db.entries({ prefix: 'sensor:' })) if (key !== '') scanned++
  })
  say(`   ${rate(gets, getSeconds)} reads of random keys a second`)
  say(`   ${rate(scanned, scanSeconds)} entries a second in a scan of all ${showCount(scanned)}`)
  say(`   the last three below ${sensorAt(ENTRIES / 2)}:`)
  for (const [key, value] of db.entries({ lt: sensorAt(ENTRIES / 2), reverse: true, limit: 3 }))
    say(`     ${key}  ${value}`)
}

async function draw(directory: string): Promise<void> {
  const [picture] = picturesOf(await readState(directory)).filter(({ keyspace }) => keyspace === '')
  for (const line of drawText(picture!, COLUMNS - 3)) say(`   ${line}`)
}

async function compact(db: Database, directory: string): Promise<void> {
  say('3. A quarter of it is deleted. The tree of tables, with what was deleted still in it:')
  // One by one: a range would be a single entry, and no picture.
  for (let i = 0; i < ENTRIES / 4; i += BATCH) {
    await db.batch(
      Array.from({ length: BATCH }, (_, j) => ({
        type: 'del' as const,
        key: sensorAt(i + j),
      })),
    )
  }
  await db.flush()
  await draw(directory)
  const seconds = await timed(() => db.compact())
  say(`   … and ${seconds.toFixed(1)} s later, compacted:`)
  await draw(directory)
}

/** A part of what the whole tour has, in whole batches. */
function share(whole: number): number {
  return Math.max(BATCH, Math.floor((whole * ENTRIES) / FULL_ENTRIES / BATCH) * BATCH)
}

/** Runs this file again as a child that writes without end, kills it, and looks at what it was told is safe. */
async function kill(directory: string): Promise<void> {
  say('4. Pulling the plug on a process in the middle of its writes')
  const doomed = spawn(process.execPath, [fileURLToPath(import.meta.url), DOOMED, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child = doomed
  let acknowledged = 0
  doomed.stdout.on('data', (chunk: Buffer) => {
    acknowledged = Math.max(acknowledged, Number(chunk.toString().trim().split('\n').at(-1)))
    if (acknowledged > share(100_000)) doomed.kill('SIGKILL')
  })
  await new Promise((resolve) => doomed.on('close', resolve))
  child = undefined
  let there = 0
  const seconds = await timed(async () => {
    const db = await open(directory)
    for (const key of db.keys()) if (Number(key) === there) there++
    await db.close()
  })
  say(`   when it was killed, it had been told that ${showCount(acknowledged)} writes are stored`)
  say(`   ${showCount(there)} are there, without a gap, found and counted in ${(seconds * 1000).toFixed(0)} ms`)
  if (there < acknowledged) throw new Error('an acknowledged write is missing')
}

async function writeUntilKilled(directory: string): Promise<void> {
  const db = await open(directory)
  for (let i = 0; ; i++) {
    await db.put(String(i).padStart(9, '0'), 'x')
    if (i % 1000 === 999) process.stdout.write(`${i + 1}\n`)
  }
}

/** Two accounts, and many transfers at once that all want both: nothing is lost, nothing is made up. */
async function transact(directory: string): Promise<void> {
  const transfers = 500
  say(`5. ${transfers} transfers at once between two accounts, each in a transaction`)
  const db = await open<string, number>(directory, { valueEncoding: 'json' })
  await db.batch([
    { type: 'put', key: 'ada', value: 1000 },
    { type: 'put', key: 'grace', value: 0 },
  ])
  let runs = 0
  const transfer = (): Promise<void> =>
    db.transaction(
      async (tx) => {
        runs++
        await tx.put('ada', (await tx.get('ada'))! - 1)
        await tx.put('grace', (await tx.get('grace'))! + 1)
      },
      { retries: 10_000 },
    )
  await Promise.all(Array.from({ length: transfers }, transfer))
  const [ada, grace] = await db.getMany(['ada', 'grace'])
  await db.close()
  say(`   ada had 1,000 and has ${ada}, grace has ${grace}`)
  say(`   ${showCount(runs - transfers)} times one met a conflict and ran again by itself`)
  if (ada !== 1000 - transfers || grace !== transfers) throw new Error('money was lost or made up')
}

/** Sends while nobody listens, closes the store, and lets a consumer find everything in another session. */
async function deliver(directory: string): Promise<void> {
  const messages = share(50_000)
  say('6. A queue whose consumer was offline')
  const sending = await open(directory)
  const sendSeconds = await timed(async () => {
    for (let from = 0; from < messages; from += BATCH) {
      await sending.queue<number>('orders').sendMany(Array.from({ length: BATCH }, (_, i) => ({ body: from + i })))
    }
  })
  await sending.close()
  say(`   ${showCount(messages)} messages sent, ${rate(messages, sendSeconds)} a second; then the process is gone`)
  const receiving = await open(directory)
  const queue = receiving.queue<number>('orders')
  let next = 0
  const seconds = await timed(async () => {
    for (;;) {
      const received = await queue.receive({ max: 500 })
      if (received.length === 0) return
      for (const { body } of received) if (body === next) next++
      await queue.ackMany(received)
    }
  })
  const { depth } = queue.stats()
  await receiving.close()
  say(
    `   the consumer comes, gets ${showCount(next)} in their order, ${rate(next, seconds)} a second; ${depth} are left`,
  )
  if (next !== messages) throw new Error('a message is missing')
}

async function grow(directory: string): Promise<void> {
  const keys = share(50_000)
  say('7. A ring of three shards grows by one, while it is open')
  const store = await openSharded(directory, { shards: ['a', 'b', 'c'], moveBytesPerSecond: Number.POSITIVE_INFINITY })
  for (let from = 0; from < keys; from += BATCH) {
    await store.batch(
      Array.from({ length: BATCH }, (_, j) => ({ type: 'put' as const, key: `user:${from + j}`, value: 'x' })),
      { atomic: false },
    )
  }
  let moved = 0
  const seconds = await timed(async () => {
    moved = (await store.addShard('d')).keysMoved
  })
  const there = await store.count({})
  await store.close()
  const percent = ((moved / keys) * 100).toFixed(1)
  say(
    `   ${showCount(moved)} of ${showCount(keys)} keys moved in ${seconds.toFixed(1)} s: ${percent} %, where a quarter has to`,
  )
  if (there !== keys) throw new Error('a key was lost on its way')
}

async function compare(directory: string): Promise<void> {
  const present = await presentStores(undefined)
  const others = present.slice(1).map(({ name }) => name)
  if (others.length === 0) {
    say("8. Nobody is installed here to compare with; with classic-level beside it, 'kv-cli bench' does")
    return
  }
  say(`8. The same beside ${others.join(' and ')}, operations a second`)
  const results = await runBench(present, {
    directory,
    keys: share(50_000),
    valueBytes: 100,
    rounds: 2,
    only: /fill|one by one|read at|scan everything$/,
    signal: new AbortController().signal,
    onStep: () => {},
  })
  say(`   ${''.padEnd(36)}${present.map(({ name }) => name.padStart(16)).join('')}`)
  for (const { workload, rates } of results) {
    say(`   ${workload.padEnd(36)}${present.map(({ name }) => showCount(rates.get(name)!).padStart(16)).join('')}`)
  }
}

async function main(): Promise<void> {
  const startedAt = performance.now()
  say('Siltstone: an ordered key-value store inside your Node process\n')
  const directory = join(root, 'tour')
  const db = await open(directory, { writeBufferBytes: 8 * 1024 * 1024 })
  await write(db)
  await read(db)
  await compact(db, directory)
  await db.close()
  const bytes = picturesOf(await readState(directory)).reduce((sum, picture) => sum + picture.bytes, 0)
  await kill(join(root, 'killed'))
  await transact(join(root, 'transactions'))
  await deliver(join(root, 'queue'))
  await grow(join(root, 'shards'))
  await compare(root)
  const seconds = (performance.now() - startedAt) / 1000
  say(
    `\nThat was ${seconds.toFixed(0)} s; the ${showBytes(bytes)} of tables and all the rest are removed again. Next, type:`,
  )
  say('   npx kv-cli put hello world && npx kv-cli get hello')
  say('   npx kv-cli shell')
  say('   npx kv-cli --help')
  say('and read README.md for the same from your own code.')
}

if (process.argv[2] === DOOMED) await writeUntilKilled(process.argv[3]!)
else {
  // However it ends, also by Ctrl-C or because nobody reads on.
  process.on('exit', () => {
    child?.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  process.stdout.on('error', () => process.exit(0))
  await main()
}
