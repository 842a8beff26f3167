import { describe, expect, it } from 'vitest'
import { indexed, open } from '../../src/index.js'
import { SiltstoneLevel, storeOf } from '../../src/level.js'
import { openSharded } from '../../src/shard.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'

/*
 * An expired key is gone for every read at once, running scans and older snapshots included. Here time goes on between any two steps of any
 * kind of scan, and what comes out must not have expired by then.
 */

const KEYS = 300

/** One key after the other, as a scan gives them; a step may give several. */
type Steps = AsyncGenerator<readonly string[], void>

/** What the scans of stores, shards and snapshots have in common. */
interface Scanned {
  entries(options: object): AnyScan<[string, string]>
  keys(options: object): AnyScan<string>
  values(options: object): AnyScan<string>
}

interface AnyScan<T> extends Iterable<T>, AsyncIterable<T> {
  nextMany(count: number): Promise<T[]>
  nextManySync(count: number): T[]
  close(): void
}

async function* oneByOne<T>(items: AsyncIterable<T> | Iterable<T>, keyOf: (item: T) => string): Steps {
  for await (const item of items) yield [keyOf(item)]
}

async function* synchronously<T>(items: Iterable<T>, keyOf: (item: T) => string): Steps {
  for (const item of items) yield [keyOf(item)]
}

async function* inSlices<T>(next: () => Promise<T[]> | T[], keyOf: (item: T) => string): Steps {
  for (let slice = await next(); slice.length > 0; slice = await next()) yield slice.map(keyOf)
}

/** Every way to walk over a reader; values are their keys. */
function waysOver(reader: Scanned, random: SeededRandom): Record<string, (options: object) => Steps> {
  const same = (text: string): string => text
  const count = (): number => random.between(1, 40)
  return {
    entries: (options) => oneByOne(reader.entries(options), ([key]) => key),
    'entries, synchronously': (options) => synchronously(reader.entries(options), ([key]) => key),
    keys: (options) => oneByOne(reader.keys(options), same),
    values: (options) => oneByOne(reader.values(options), same),
    'values, synchronously': (options) => synchronously(reader.values(options), same),
    slices: (options) => {
      const scan = reader.entries(options)
      return inSlices(
        () => scan.nextMany(count()),
        ([key]) => key,
      )
    },
    'slices, synchronously': (options) => {
      const scan = reader.keys(options)
      return inSlices(() => scan.nextManySync(count()), same)
    },
  }
}

/** Keys of which half expire, at moments of their own. */
function lives(random: SeededRandom): Map<string, number | undefined> {
  const moments = new Map<string, number | undefined>()
  for (let i = 0; i < KEYS; i++) {
    moments.set(String(i).padStart(4, '0'), random.between(0, 1) === 0 ? undefined : random.between(1, 1000))
  }
  return moments
}

/** Walks, lets time go on in between, and holds what comes to what lives. */
async function walk(steps: Steps, clock: ManualClock, moments: Map<string, number | undefined>, random: SeededRandom) {
  const start = clock.now()
  const seen: string[] = []
  const diesAt = (key: string): number => moments.get(key) ?? Number.POSITIVE_INFINITY
  for await (const keys of steps) {
    const now = clock.now() - START
    expect(
      keys.filter((key) => diesAt(key) <= now),
      `what had expired ${now} ms after it was written`,
    ).toEqual([])
    seen.push(...keys)
    if (random.between(0, 9) === 0) clock.advance(random.between(1, 60))
  }
  const end = clock.now() - START
  for (const key of moments.keys()) {
    if (diesAt(key) > end && start <= clock.now()) expect(seen, `${key}, which lives on`).toContain(key)
  }
}

const START = 1_000_000
const directions = [{}, { reverse: true }]

describe('an entry that expires while a scan is under way is not shown', () => {
  it('by a store, a snapshot or a transaction, from memory or tables', async () => {
    await withSeeds(2, async (random) => {
      const flushed = random.between(0, 1) === 1
      for (const name of Object.keys(waysOver(undefined as never, random))) {
        for (const direction of directions) {
          const clock = new ManualClock(START)
          await using db = await open(':memory:', { clock, executor: 'inline' })
          const moments = lives(random)
          for (const [key, ttl] of moments) db.putSync(key, key, ttl === undefined ? {} : { ttl })
          if (flushed) await db.flush()
          using snapshot = db.snapshot()
          const reader = random.pick([db, snapshot])
          await walk(waysOver(reader as Scanned, random)[name]!(direction), clock, moments, random)
        }
      }
      const clock = new ManualClock(START)
      await using db = await open(':memory:', { clock, executor: 'inline' })
      const moments = lives(random)
      await db.transaction(async (tx) => {
        for (const [key, ttl] of moments) tx.putSync(key, key, ttl === undefined ? {} : { ttl })
        await walk(waysOver(tx as Scanned, random).entries!({}), clock, moments, random)
      })
    })
  })

  it('by shards', async () => {
    await withSeeds(1, async (random) => {
      for (const name of Object.keys(waysOver(undefined as never, random))) {
        for (const direction of directions) {
          const clock = new ManualClock(START)
          await using store = await openSharded(':memory:', { clock, executor: 'inline', shards: ['a', 'b', 'c'] })
          const moments = lives(random)
          for (const [key, ttl] of moments) store.putSync(key, key, ttl === undefined ? {} : { ttl })
          await walk(waysOver(store as Scanned, random)[name]!(direction), clock, moments, random)
        }
      }
    })
  })

  it('by an index', async () => {
    await withSeeds(1, async (random) => {
      for (const direction of directions) {
        const clock = new ManualClock(START)
        await using db = await open(':memory:', { clock, executor: 'inline' })
        const words = await indexed(db, { byWord: (word: string): [string][] => [[word]] })
        const moments = lives(random)
        for (const [key, ttl] of moments) await words.put(key, key, ttl === undefined ? {} : { ttl })
        const index = words.index('byWord')
        await walk(oneByOne(index.keys(direction), String), clock, moments, random)
      }
    })
  })

  it('by the iterators of Level', async () => {
    await withSeeds(1, async (random) => {
      for (const direction of directions) {
        for (const kind of ['loop', 'next', 'nextv'] as const) {
          const clock = new ManualClock(START)
          const level = new SiltstoneLevel(':memory:', { siltstone: { clock, executor: 'inline' } })
          await level.open()
          const moments = lives(random)
          const below = storeOf(level).as({ keyEncoding: 'utf8', valueEncoding: 'utf8' })
          for (const [key, ttl] of moments) below.putSync(key, key, ttl === undefined ? {} : { ttl })
          const iterator = level.keys(direction)
          const next = async (): Promise<string[]> => {
            const key = await iterator.next()
            return key === undefined ? [] : [key]
          }
          const steps = {
            loop: () => oneByOne(level.values(direction), String),
            next: () => inSlices(next, String),
            nextv: () => inSlices(() => iterator.nextv(random.between(1, 40)), String),
          }
          await walk(steps[kind](), clock, moments, random)
          await level.close()
        }
      }
    })
  })

  it('nor counted, and takes no place of a limit', async () => {
    const clock = new ManualClock(START)
    await using db = await open(':memory:', { clock, executor: 'inline' })
    for (let i = 0; i < 20; i++) db.putSync(`${i}`.padStart(2, '0'), 'x', i % 2 === 0 ? { ttl: 10 } : {})
    const seen: string[] = []
    for await (const key of db.keys({ limit: 10 })) {
      if (seen.push(key) === 1) clock.advance(10)
    }
    expect(seen).toEqual(['00', '01', '03', '05', '07', '09', '11', '13', '15', '17'])
    expect([await db.count(), db.countSync()]).toEqual([10, 10])
  })
})
