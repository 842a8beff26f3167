import { SiltstoneError } from '../../../src/bytes/errors.js'
import { type Database, open } from '../../../src/queue/messaging-database.js'
import { openSharded, type ShardedStore } from '../../../src/shard.js'
import { resolveEncoding } from '../../../src/store/encoding.js'
import { Keyspace } from '../../../src/store/keyspace.js'
import { repair } from '../../../src/store/repair.js'
import { parseStoreFile } from '../../../src/tree/file-names.js'
import { ManualClock } from '../manual-clock.js'
import type { SeededRandom } from '../seeded-random.js'
import { BoundedFileSystem, type Files, filesIn, OutOfBounds, withBoundedMemory } from './bounds.js'
import { senselessBytes, senselessJson } from './senseless-json.js'
import { senselessLog } from './senseless-log.js'
import { senselessTable } from './senseless-table.js'

export const DIRECTORY = '/db'
const START = 1_700_000_000_000
/** Many times what a store of this size reads, and far below what a wrong length would ask for. */
const MOST_BYTES_READ = 256 * 1024 * 1024
const LONGEST_ALLOCATION = 24 * 1024 * 1024
const MOST_ENTRIES = 20_000

const OPTIONS = {
  executor: 'inline',
  writeBufferBytes: 128 * 1024,
  blockBytes: 512,
  compression: 'none',
  logRetention: { bytes: 4 * 1024 * 1024 },
} as const

const keyOf = (i: number): string => `key/${String(i).padStart(5, '0')}`

/** A store with everything that a store can have in its files. */
export async function sampleStore(): Promise<Files> {
  const fs = new BoundedFileSystem(new Map(), Number.POSITIVE_INFINITY)
  const clock = new ManualClock(START)
  const db = await open(DIRECTORY, { ...OPTIONS, fs, clock })
  const other = db.keyspace('other', { compaction: 'tiered' })
  using _ = db.snapshot()
  for (let i = 0; i < 1500; i++) {
    await db.put(keyOf(i), `value ${i}`, i % 7 === 0 ? { ttl: 1e9 + i } : undefined)
    if (i % 5 === 0) await db.del(keyOf(i - 3))
    if (i % 11 === 0) await other.put(keyOf(i), 'x'.repeat(i % 300))
    if (i % 600 === 599) await db.flush()
  }
  await db.clear({ gte: keyOf(100), lt: keyOf(130) })
  await db.compact()
  await db.clear({ gte: keyOf(400), lt: keyOf(410) })
  for (let i = 0; i < 1500; i += 10) await db.put(keyOf(i), 'newer')
  await messages(db, clock)
  await db.flush()
  await messages(db, clock)
  await db.batch([
    { type: 'put', key: 'a', value: 'batch' },
    { type: 'del', key: keyOf(7) },
    { type: 'put', key: 'fresh', value: 'v', keyspace: 'fresh' },
  ])
  await db.close()
  return filesIn(fs, DIRECTORY)
}

async function messages(db: Database, clock: ManualClock): Promise<void> {
  const q = db.queue('jobs', { ordering: 'group', backoff: { base: 60_000 }, maxAttempts: 2 })
  await q.sendMany(Array.from({ length: 8 }, (_, i) => ({ body: { i }, group: `g${i % 3}`, headers: { h: i } })))
  await q.send('later', { delay: 5000, ttl: 1e6, priority: 3, dedupId: 'once' })
  await q.send(Buffer.from([1, 2, 3]), { ttl: 1e6 })
  await q.repeat('daily', { every: 86_400_000 }, { report: true })
  const [first, second, third] = await q.receive({ max: 4 })
  await first?.ack()
  await second?.nack({ reason: 'not now' })
  clock.jump(1)
  for (const message of await q.receive({ max: 2 })) await message.nack({ reason: 'dead' })
  const topic = db.topic('events')
  const sub = topic.subscribe('reader', { from: 'earliest' })
  for (let i = 0; i < 5; i++) await topic.publish({ i }, { key: `k${i}` })
  for (const message of await sub.receive({ max: 2 })) await message.ack()
  await sub.close()
  for (let i = 0; i < 3; i++) await db.log('audit').append(Buffer.from([i]))
  void third
}

/** The same store with one file that says something else, under checksums that are right. Says which. */
export function senselessFile(random: SeededRandom, sample: Files): { files: Files; path: string } {
  const kinds = new Map<string, string[]>()
  for (const path of sample.keys()) {
    const kind = parseStoreFile(path.slice(path.lastIndexOf('/') + 1))?.kind
    if (kind !== undefined && kind !== 'lock') kinds.set(kind, [...(kinds.get(kind) ?? []), path])
  }
  const kind = random.pick(['current', 'manifest', 'segment', 'segment', 'table', 'table', 'table', 'table'])
  const path = random.pick(kinds.get(kind)!)
  const bytes = sample.get(path)!
  const files = new Map(sample)
  const number = parseStoreFile(path.slice(path.lastIndexOf('/') + 1))!.number
  if (kind === 'current') files.set(path, senselessBytes(random, bytes, false))
  else if (kind === 'manifest') files.set(path, senselessLog(random, bytes, 'SILTMAN\n'))
  else if (kind === 'segment') files.set(path, senselessLog(random, bytes, 'SILTLOG\n'))
  else files.set(path, senselessTable(random, bytes, number))
  return { files, path }
}

const VIEW = resolveEncoding<Uint8Array>('view', 'keyEncoding')

/** The same store with an entry of its own, not of the user's, that says something else. */
export async function senselessState(random: SeededRandom, sample: Files): Promise<{ files: Files; path: string }> {
  const fs = new BoundedFileSystem(sample, MOST_BYTES_READ)
  const db = await open(DIRECTORY, { ...OPTIONS, fs, clock: new ManualClock(START) })
  const trees = db.engine.trees().filter(({ name }) => name.startsWith('\0') && !name.includes('index'))
  const state = random.pick(trees)
  const keyspace = new Keyspace(db.engine, state, VIEW, VIEW, db.family)
  const entries = await keyspace.entries().toArray()
  if (entries.length > 0) {
    const [key, value] = random.pick(entries)
    const changed = random.chance(0.2) ? senselessBytes(random, key, false) : key
    if (changed !== key && random.chance(0.5)) await keyspace.del(key)
    if (changed.length > 0) await keyspace.put(changed, changed === key ? senselessValue(random, value) : value)
  }
  await db.close()
  return { files: filesIn(fs, DIRECTORY), path: `${state.name.slice(1)}` }
}

function senselessValue(random: SeededRandom, value: Uint8Array): Uint8Array {
  try {
    const json: unknown = JSON.parse(Buffer.from(value).toString())
    if (typeof json === 'object' && random.chance(0.9)) {
      return new TextEncoder().encode(JSON.stringify(senselessJson(random, json)) ?? '')
    }
  } catch {
    // Bytes.
  }
  return senselessBytes(random, value, false)
}

export type Answer = 'right or unnoticed' | 'refused to open' | 'refused to read'

/**
 * What a store does of which something makes no sense: it opens, is read, written, verified and repaired, and may only say that it
 * is damaged, or of a version that is not known.
 */
export async function answerTo(files: Files): Promise<Answer> {
  return withBoundedMemory(LONGEST_ALLOCATION, async () => {
    const answer = await useStore(files, {})
    await useStore(files, { readOnly: true })
    const fs = new BoundedFileSystem(files, MOST_BYTES_READ)
    const dry = await allowed(() => repair(DIRECTORY, { fs, dryRun: true }))
    if (dry !== undefined) return answer
    await repair(DIRECTORY, { fs })
    const repaired = await open(DIRECTORY, { ...OPTIONS, fs, clock: new ManualClock(START) })
    await readAll(repaired)
    await repaired.close()
    return answer
  })
}

async function useStore(files: Files, options: { readOnly?: boolean }): Promise<Answer> {
  const fs = new BoundedFileSystem(files, MOST_BYTES_READ)
  let db: Database | undefined
  const refused = await allowed(async () => {
    db = await open(DIRECTORY, { ...OPTIONS, ...options, fs, clock: new ManualClock(START) })
  })
  if (db === undefined) {
    if (refused === undefined) throw new Error('neither opened nor refused')
    return 'refused to open'
  }
  const steps: ((store: Database) => unknown)[] = [readAll, readFeed, readMessages, (store) => store.verify()]
  if (options.readOnly !== true) {
    steps.push(
      (store) => store.put(keyOf(3), 'again'),
      useMessages,
      (store) => store.flush(),
      (store) => store.compact(),
      readAll,
      (store) => store.idle(),
    )
  }
  let answer: Answer = 'right or unnoticed'
  for (const step of steps) if ((await allowed(() => step(db!))) !== undefined) answer = 'refused to read'
  await allowed(() => db!.close())
  return answer
}

/** Runs a step; returns the error where it is one of those that a damaged store may give. */
async function allowed(step: () => unknown, codes = ALLOWED): Promise<SiltstoneError | undefined> {
  try {
    await step()
    return undefined
  } catch (error) {
    if (error instanceof SiltstoneError && codes.has(error.code) && !hides(error)) return error
    throw error
  }
}

// Without zstd a store cannot tell damage from a table that another Node could read.
const ALLOWED: ReadonlySet<string> = new Set(['SILT_CORRUPTION', 'SILT_FORMAT', 'SILT_NOT_SUPPORTED'])

function hides(error: SiltstoneError): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof OutOfBounds) return true
  return false
}

async function readAll(db: Database): Promise<void> {
  const stores = [db, ...db.keyspaceNames().map((name) => db.keyspace(name))]
  const errors: SiltstoneError[] = []
  const note = async (step: () => unknown): Promise<void> => {
    const error = await allowed(step)
    if (error !== undefined) errors.push(error)
  }
  for (const store of stores) {
    for (let i = 0; i < 1500; i += 61) await note(() => store.get(keyOf(i)))
    await note(() => store.getSync(keyOf(33)))
    for (const options of [
      {},
      { reverse: true },
      { gte: keyOf(200), limit: 20 },
      { prefix: 'key/004', reverse: true },
    ]) {
      await note(async () => {
        let count = 0
        for await (const _ of store.entries(options)) {
          if (++count > MOST_ENTRIES) throw new OutOfBounds('a scan does not end')
        }
      })
    }
    await note(() => store.count())
  }
  if (errors.length > 0) throw errors[0]
}

async function readFeed(db: Database): Promise<void> {
  let count = 0
  for await (const _ of db.changes({ since: 'oldest', follow: false, raw: true })) {
    if (++count > MOST_ENTRIES) throw new OutOfBounds('the feed does not end')
  }
}

async function readMessages(db: Database): Promise<void> {
  const errors: SiltstoneError[] = []
  const note = async (step: () => unknown): Promise<void> => {
    const error = await allowed(step)
    if (error !== undefined) errors.push(error)
  }
  for (const name of ['jobs', 'jobs.dead']) {
    await note(() => db.queue(name).stats())
    await note(() => db.queue(name).peek({ max: 100 }))
    await note(() => db.queue(name).repeats())
  }
  await note(() => db.topic('events').stats())
  await note(async () => {
    let count = 0
    for await (const _ of db.log('audit').read({ from: 0 })) {
      if (++count > MOST_ENTRIES) throw new OutOfBounds('a log does not end')
    }
  })
  if (errors.length > 0) throw errors[0]
}

async function useMessages(db: Database): Promise<void> {
  const errors: SiltstoneError[] = []
  const note = async (step: () => unknown): Promise<void> => {
    const error = await allowed(step)
    if (error !== undefined) errors.push(error)
  }
  for (const name of ['jobs', 'jobs.dead']) {
    await note(async () => {
      const queue = db.queue(name)
      await queue.send('one more', { group: 'g1' })
      for (let round = 0; round < 4; round++) {
        for (const message of await queue.receive({ max: 10 }))
          await (round % 2 === 0 ? message.ack() : message.nack({ reason: 'no' }))
      }
    })
  }
  await note(async () => {
    const sub = db.topic('events').subscribe('reader')
    for (const message of await sub.receive({ max: 10 })) await message.ack()
    await sub.close()
  })
  await note(() => db.log('audit').append(Buffer.from('one more')))
  if (errors.length > 0) throw errors[0]
}

const SHARDS = '/shards'

/** A sharded store in the middle of a move. */
export async function sampleShards(): Promise<Files> {
  const fs = new BoundedFileSystem(new Map(), Number.POSITIVE_INFINITY)
  const store = await openSharded(SHARDS, { ...SHARDED, fs, shards: ['a', { name: 'b', weight: 2 }] })
  for (let i = 0; i < 300; i++) await store.put(keyOf(i), `value ${i}`)
  await store.queue('jobs').send('job', { group: 'g' })
  await store.topic('events').publish('event', { key: 'k' })
  await store.log('audit').append(Buffer.from('entry'))
  const moving = store.addShard('c').catch(() => {})
  await store.close()
  await moving
  return filesIn(fs, SHARDS)
}

const SHARDED = { executor: 'inline', writeBufferBytes: 128 * 1024, moveBytesPerSecond: 1000 } as const

/** The same store with a record of its directory that says something else. */
export async function senselessOwnership(random: SeededRandom, sample: Files): Promise<{ files: Files; path: string }> {
  const fs = new BoundedFileSystem(sample, MOST_BYTES_READ)
  const db = await open<string, unknown>(`${SHARDS}/.ownership`, { executor: 'inline', fs, valueEncoding: 'json' })
  const [key, value] = random.pick(await db.entries().toArray())
  if (random.chance(0.1)) await db.as({ valueEncoding: 'view' }).put(key, random.bytes(5))
  else await db.put(key, senselessJson(random, value) ?? false)
  await db.close()
  return { files: filesIn(fs, SHARDS), path: key }
}

export function answerOfShards(files: Files): Promise<Answer> {
  return withBoundedMemory(LONGEST_ALLOCATION, async () => {
    const fs = new BoundedFileSystem(files, MOST_BYTES_READ)
    let store: ShardedStore | undefined
    await allowed(async () => {
      store = await openSharded(SHARDS, { ...SHARDED, moveBytesPerSecond: Number.POSITIVE_INFINITY, fs })
    }, SHARD_MIXED_UP)
    if (store === undefined) return 'refused to open'
    let answer: Answer = 'right or unnoticed'
    const steps: ((store: ShardedStore) => unknown)[] = [
      (each) => each.count(),
      (each) => each.get(keyOf(3)),
      (each) => each.put(keyOf(3), 'again'),
      (each) => each.queue('jobs').receive(),
      (each) => each.log('audit').append(Buffer.from('more')),
      (each) => each.idle(),
      (each) => each.close(),
    ]
    for (const step of steps) {
      if ((await allowed(() => step(store!), SHARD_MIXED_UP)) !== undefined) answer = 'refused to read'
    }
    return answer
  })
}

// A directory that names other shards than its own, or none of them, or shards that know better: what it means is well said.
const SHARD_MIXED_UP: ReadonlySet<string> = new Set([
  'SILT_CORRUPTION',
  'SILT_FORMAT',
  'SILT_INVALID_ARGUMENT',
  'SILT_NOT_FOUND',
  'SILT_CONFLICT',
  'SILT_EXISTS',
])
