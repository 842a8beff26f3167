import { expect, it, vi } from 'vitest'
import { open } from '../../src/index.js'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

/*
 * A rebalance that is stopped at any call of the file system, by a loss of power or by the death of the process, again and again,
 * while a writer writes: every key stays once, with a value that it may have, and in the end everything stands where it should.
 */

vi.mock('../../src/shard/mover-tuning.js', () => ({
  STEP_MOVED_KEYS: 12,
  STEP_MOVED_BYTES: 4096,
  STEP_SCANNED_KEYS: 64,
  SLICE: 16,
}))

const KEYS = Array.from({ length: 240 }, (_, i) => `user:${i}`)

/** What each key may hold: `undefined` where it may be missing. The last one is what was acknowledged, or is on its way. */
type Model = Map<string, (string | undefined)[]>

function openOn(disk: SimulatedDisk): Promise<ShardedStore> {
  return openSharded('/data', {
    fs: disk,
    executor: 'inline',
    writeBufferBytes: 64 * 1024,
    cacheBytes: 256 * 1024,
    moveBytesPerSecond: Number.POSITIVE_INFINITY,
  })
}

/** Writes one key after the other, synced, until told to stop or the disk is gone. */
async function write(db: ShardedStore, model: Model, random: SeededRandom, goesOn: () => boolean): Promise<void> {
  for (let i = 0; goesOn(); i++) {
    const key = random.chance(0.1) ? `new:${random.below(100)}` : KEYS[random.below(KEYS.length)]!
    const value = random.chance(0.2) ? undefined : `${i} ${random.below(1_000_000)}`
    // Before the write is acknowledged it may be there or not.
    model.set(key, [...(model.get(key) ?? [undefined]), value])
    if (value !== undefined && random.chance(0.3)) db.putSync(key, value, { sync: true })
    else if (value === undefined) await db.del(key, { sync: true })
    else if (random.chance(0.5)) await db.put(key, value, { sync: true })
    else await db.transaction((tx) => tx.put(key, value), { sync: true })
    model.set(key, [value])
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function check(db: ShardedStore, model: Model): Promise<void> {
  const keys = [...model.keys()]
  const values = await db.getMany(keys)
  for (const [i, key] of keys.entries()) {
    expect(model.get(key), `${key} holds ${values[i]}`).toContain(values[i])
    model.set(key, [values[i]])
  }
  const expected = keys.filter((key) => model.get(key)![0] !== undefined).sort()
  expect(await db.keys().toArray()).toEqual(expected)
}

/** Opens, checks, and lets the move go on beside a writer, until it is done or the disk crashes. Says whether it is done. */
async function live(
  disk: SimulatedDisk,
  model: Model,
  random: SeededRandom,
  change: (db: ShardedStore) => Promise<unknown>,
) {
  let isDone = false
  let ended = false
  let db: ShardedStore | undefined
  try {
    db = await openOn(disk)
    await check(db, model)
    const writing = write(db, model, random, () => !ended)
    const moving = change(db)
      .then(() => db!.idle())
      .then(() => {
        isDone = true
      })
      .finally(() => {
        ended = true
      })
    const ends = await Promise.allSettled([writing, moving])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await check(db, model)
  } catch (error) {
    if (!disk.crashed) throw error
    isDone = false
  }
  await db?.close().catch((error) => {
    if (!disk.crashed) throw error
  })
  return isDone && !disk.crashed
}

async function expectEachOnceOnDisk(disk: SimulatedDisk, names: readonly string[], model: Model): Promise<void> {
  const held: string[] = []
  for (const name of names) {
    const db = await open(`/data/${name}`, { fs: disk, executor: 'inline', createIfMissing: false })
    held.push(...(await db.keys().toArray()))
    await db.close()
  }
  expect(held.sort()).toEqual([...model.keys()].filter((key) => model.get(key)![0] !== undefined).sort())
}

const CHANGES = [
  {
    name: 'a shard that comes',
    names: ['a', 'b', 'c', 'd'],
    change: async (db: ShardedStore) => (db.shards.includes('d') ? undefined : db.addShard('d')),
  },
  {
    name: 'a shard that goes',
    names: ['a', 'b'],
    change: async (db: ShardedStore) => (db.shards.includes('c') ? db.removeShard('c') : undefined),
  },
]

const ROUNDS = Number(process.env['SILTSTONE_CRASH_ROUNDS'] ?? 0)

it.each(CHANGES)(
  '$name, stopped 20 times on the way: every key once, with the right value',
  {
    timeout: ROUNDS > 0 ? 0 : 120_000,
  },
  async ({ names, change }) => {
    await withSeeds(ROUNDS || 3, async (random, seed) => {
      let disk = new SimulatedDisk(seed)
      const model: Model = new Map(KEYS.map((key) => [key, [`value of ${key}`]]))
      const made = await openSharded('/data', { fs: disk, executor: 'inline', shards: ['a', 'b', 'c'] })
      await Promise.all(KEYS.map((key) => made.put(key, `value of ${key}`, { sync: true })))
      await made.close()
      let crashes = 0
      for (;;) {
        if (crashes < 20) disk.crashAtCall(disk.callCount + 20 + random.below(180))
        if (await live(disk, model, random, change)) break
        crashes++
        disk = random.chance(0.7) ? disk.crash() : disk.processDeath()
      }
      expect(crashes).toBeGreaterThan(0)
      await expectEachOnceOnDisk(disk, names, model)
    })
  },
)
