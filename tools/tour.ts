import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, open } from '../src/index.js'
import { openSharded } from '../src/shard.js'

/*
 * `npm start`: what Siltstone does, shown on a store of its own in a temporary folder that is removed at the end. Needs no
 * terminal. Every figure is measured while you watch.
 */

const ENTRIES = 300_000
const BATCH = 1000

function say(text = ''): void {
  process.stdout.write(`${text}\n`)
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

async function timed(run: () => Promise<void> | void): Promise<number> {
  const startedAt = performance.now()
  await run()
  return (performance.now() - startedAt) / 1000
}

function sensor(i: number): string {
  // A stride that visits every number once, in an order that looks random.
  return `sensor:${String((i * 7919) % ENTRIES).padStart(7, '0')}`
}

async function write(db: Database): Promise<void> {
  say(`1. Writing ${count(ENTRIES)} entries in random order, ${count(BATCH)} to a batch`)
  const seconds = await timed(async () => {
    for (let i = 0; i < ENTRIES; i += BATCH) {
      const operations = []
      for (let j = i; j < i + BATCH; j++) {
        operations.push({
          type: 'put' as const,
          key: sensor(j),
          value: `{"reading":${j},"unit":"mm","note":"${'sand '.repeat(12)}"}`,
        })
      }
      await db.batch(operations)
    }
  })
  say(`   ${count(ENTRIES / seconds)} entries a second`)
}

async function read(db: Database): Promise<void> {
  say('2. Reading')
  const gets = 100_000
  const getSeconds = await timed(() => {
    for (let i = 0; i < gets; i++) if (db.getSync(sensor(i * 31)) === undefined) throw new Error('an entry is missing')
  })
  let scanned = 0
  const scanSeconds = await timed(() => {
    for (const [key] of db.entries({ prefix: 'sensor:' })) if (key !== '') scanned++
  })
  say(
    `   ${count(gets / getSeconds)} random reads a second; a scan passes ${count(scanned / scanSeconds)} entries a second`,
  )
}

function draw(db: Database): void {
  for (const { level, tables, bytes } of db.stats().levels) {
    if (tables === 0) continue
    const bar = '#'.repeat(Math.max(1, Math.round(bytes / (512 * 1024))))
    say(`   level ${level}  ${String(tables).padStart(3)} tables  ${mebibytes(bytes).padStart(9)}  ${bar}`)
  }
}

async function compact(db: Database): Promise<void> {
  say('3. The levels after a flush, and after a compaction')
  await db.flush()
  draw(db)
  const seconds = await timed(() => db.compact())
  say(`   … compacted in ${seconds.toFixed(1)} s:`)
  draw(db)
}

/** Runs this file again as a child that writes without end, kills it, and looks at what it was told is safe. */
async function kill(directory: string): Promise<void> {
  say('4. Pulling the plug on a process that writes')
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--write-until-killed', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let acknowledged = 0
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = chunk.toString().trim().split('\n')
    acknowledged = Math.max(acknowledged, Number(lines.at(-1)))
    if (acknowledged > 20_000) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.on('close', resolve))
  const db = await open(directory)
  let there = 0
  for (const key of db.keys()) if (Number(key) === there) there++
  say(`   it had reported ${count(acknowledged)} writes; after the kill ${count(there)} are there, without a gap`)
  if (there < acknowledged) throw new Error('an acknowledged write is missing')
  await db.close()
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
  say('5. Two hundred transfers at once, each in a transaction')
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
      { retries: 1000 },
    )
  await Promise.all(Array.from({ length: 200 }, transfer))
  say(
    `   ada has ${await db.get('ada')}, grace ${await db.get('grace')}; ${runs - 200} met a conflict and ran again by themselves`,
  )
  await db.close()
}

/** Sends while nobody listens, closes the store, and lets a consumer find everything in another session. */
async function deliver(directory: string): Promise<void> {
  say('6. A queue whose consumer was offline')
  const sending = await open(directory)
  await sending.queue<number>('orders').sendMany(Array.from({ length: 5000 }, (_, i) => ({ body: i })))
  await sending.close()
  const receiving = await open(directory)
  const queue = receiving.queue<number>('orders')
  let received = 0
  const seconds = await timed(async () => {
    for (;;) {
      const messages = await queue.receive({ max: 100 })
      if (messages.length === 0) return
      received += messages.length
      await queue.ackMany(messages)
    }
  })
  say(
    `   5,000 were sent before it came; it got ${count(received)} in ${seconds.toFixed(2)} s, and ${queue.stats().depth} are left`,
  )
  await receiving.close()
}

async function grow(directory: string): Promise<void> {
  say('7. A ring of three shards grows by one, online')
  const store = await openSharded(directory, { shards: ['a', 'b', 'c'], moveBytesPerSecond: Number.POSITIVE_INFINITY })
  for (let i = 0; i < 20_000; i += BATCH) {
    const keys = Array.from({ length: BATCH }, (_, j) => `user:${i + j}`)
    await store.batch(
      keys.map((key) => ({ type: 'put' as const, key, value: 'x' })),
      { atomic: false },
    )
  }
  const { keysMoved } = await store.addShard('d')
  say(
    `   ${count(keysMoved)} of 20,000 keys moved, ${((keysMoved / 20_000) * 100).toFixed(1)} %; a quarter is what it has to be`,
  )
  await store.close()
}

async function main(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'siltstone-tour-'))
  try {
    say('Siltstone: an ordered key-value store inside your Node process\n')
    const db = await open(join(root, 'tour'))
    await write(db)
    await read(db)
    await compact(db)
    await db.close()
    await kill(join(root, 'killed'))
    await transact(join(root, 'transactions'))
    await deliver(join(root, 'queue'))
    await grow(join(root, 'shards'))
    say('\nNext, type:')
    say('   npx kv-cli put hello world && npx kv-cli get hello')
    say('   npx kv-cli shell')
    say('   npx kv-cli --help')
    say('and read README.md for the same from your own code.')
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

if (process.argv[2] === '--write-until-killed') await writeUntilKilled(process.argv[3]!)
else await main()
