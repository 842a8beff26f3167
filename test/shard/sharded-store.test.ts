import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { destroy, open } from '../../src/index.js'
import { openSharded, Ring, type ShardedOptions, type ShardedStore } from '../../src/shard.js'
import { ManualClock } from '../simulation/manual-clock.js'

const code = (expected: string) => expect.objectContaining({ code: expected })
const KEYS = Array.from({ length: 2000 }, (_, i) => `user:${i}`)

let fs: MemoryFileSystem
let store: ShardedStore | undefined

async function openStore(options: ShardedOptions = {}): Promise<ShardedStore> {
  store = await openSharded('/data', {
    fs,
    clock: new ManualClock(),
    executor: 'inline',
    moveBytesPerSecond: Number.POSITIVE_INFINITY,
    ...options,
  })
  return store
}

async function fill(db: ShardedStore): Promise<void> {
  await Promise.all(KEYS.map((key) => db.put(key, `value of ${key}`)))
}

async function expectEverything(db: ShardedStore): Promise<void> {
  expect(await db.keys().toArray()).toEqual(KEYS.toSorted())
  expect(await db.getMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`))
}

/** What each shard's own store holds, past the sharded store. */
async function keysOnDisk(names: readonly string[]): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>()
  for (const name of names) {
    const db = await open(`/data/${name}`, { fs, executor: 'inline', createIfMissing: false })
    keys.set(name, await db.keys().toArray())
    await db.close()
  }
  return keys
}

beforeEach(() => {
  fs = new MemoryFileSystem()
})

afterEach(async () => {
  await store?.close()
  store = undefined
})

describe('a sharded store', () => {
  it('keeps each key on the shard that it names', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    const ring = new Ring()
    for (const name of ['a', 'b', 'c']) ring.add(name)
    const expected = new Map(
      ['a', 'b', 'c'].map((name) => [name, KEYS.filter((key) => ring.locate(key) === name).sort()]),
    )
    for (const key of KEYS) expect(db.locate(key)).toBe(ring.locate(key))
    await db.close()
    expect(await keysOnDisk(['a', 'b', 'c'])).toEqual(expected)
  })

  it('refuses a batch over several shards, unless it is said that it need not be atomic', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    const operations = KEYS.slice(0, 20).map((key) => ({ type: 'put' as const, key, value: '1' }))
    await expect(db.batch(operations)).rejects.toThrow(code('SILT_CROSS_SHARD'))
    expect(() => db.batchSync(operations)).toThrow(code('SILT_CROSS_SHARD'))
    const chained = db.batch()
    for (const { key, value } of operations) chained.put(key, value)
    await expect(chained.write()).rejects.toThrow(code('SILT_CROSS_SHARD'))
    expect(await db.count()).toBe(0)
    await chained.write({ atomic: false })
    await db.batch(operations, { atomic: false })
    expect(await db.count()).toBe(20)
    await db.batch(operations.map(({ key }) => ({ type: 'put', key: `{1}${key}`, value: '1' })))
  })

  it('refuses a transaction over several shards', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    const far = KEYS.find((key) => db.locate(key) !== db.locate(KEYS[0]!))!
    const spanning = db.transaction(async (tx) => {
      await tx.put(KEYS[0]!, '1')
      await tx.put(far, '1')
    })
    await expect(spanning).rejects.toThrow(code('SILT_CROSS_SHARD'))
    await expect(db.transaction((tx) => tx.keys().toArray())).rejects.toThrow(code('SILT_CROSS_SHARD'))
    expect(await db.count()).toBe(0)
  })

  it('takes snapshots and scans of one point: what was issued before, and nothing after', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    for (let round = 0; round < 20; round++) {
      const value = String(round)
      const writes = KEYS.slice(0, 30).map((key, i) => db.put(key, value, { sync: i % 3 === 0 }))
      const snapshot = db.snapshot()
      const scan = db.values()
      writes.push(...KEYS.slice(0, 30).map((key) => db.put(key, 'later')))
      expect(new Set(await snapshot.values().toArray())).toEqual(new Set([value]))
      expect(new Set(await scan.toArray())).toEqual(new Set([value]))
      snapshot.close()
      await Promise.all(writes)
    }
  })

  it('tells keys, bytes and load of its shards', async () => {
    const db = await openStore({ shards: ['a', 'b', { name: 'c', weight: 2 }] })
    await fill(db)
    await db.flush()
    for (let i = 0; i < 5000; i++) await db.get('{hot}')
    const { shards, maxOverMean, hottest } = db.balance()
    expect(shards.map(({ name, weight }) => [name, weight])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 2],
    ])
    expect(shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(2000)
    expect(shards.reduce((sum, { writes }) => sum + writes, 0)).toBe(2000)
    for (const { bytes } of shards) expect(bytes).toBeGreaterThan(1000)
    expect(maxOverMean).toBeGreaterThan(1)
    expect(maxOverMean).toBeLessThan(1.3)
    expect(hottest).toBe(db.locate('{hot}'))
    expect(db.stats()).toMatchObject({ keys: 2000, writes: 2000, reads: 5000 })
  })
})

describe('opening a sharded store', () => {
  it('needs no list of shards once it is made, and refuses one that differs', async () => {
    const db = await openStore({ shards: ['a', 'b'] })
    await fill(db)
    await db.close()
    await expect(openStore({ shards: ['a', 'b', 'c'] })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expect(openStore({ shards: ['a'] })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expect(openStore({ shards: ['a', { name: 'b', weight: 2 }] })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expect(openStore({ placement: 'slots' })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expect(openStore({ vnodes: 100 })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expectEverything(await openStore())
    await store!.close()
    await expectEverything(await openStore({ shards: ['b', 'a'], placement: 'ring', vnodes: 160 }))
  })

  it('refuses mistakes before it touches the disk', async () => {
    for (const options of [
      {},
      { shards: [] },
      { shards: ['a', 'a'] },
      { shards: ['../a'] },
      { shards: [{ name: 'a', weight: 0 }] },
      { shards: ['a', 'b'], placement: 'range' as const },
      { shards: ['a', 'b'], placement: 'range' as const, splits: ['m', 'n'] },
      { shards: ['a'], splits: ['m'] },
      { shards: ['a'], placement: 'nothing' as never },
      { shards: ['a'], moveBytesPerSecond: 0 },
    ]) {
      await expect(openStore(options)).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
      expect(fs.statusSync('/data')).toBeUndefined()
    }
    await expect(openStore({ shards: ['a'], createIfMissing: false })).rejects.toThrow(code('SILT_NOT_FOUND'))
    expect(fs.statusSync('/data')).toBeUndefined()
  })

  it('locks', async () => {
    await openStore({ shards: ['a'] })
    await expect(openSharded('/data', { fs, executor: 'inline' })).rejects.toThrow(code('SILT_LOCKED'))
  })

  it('refuses a store that is not sharded', async () => {
    await (await open('/data', { fs, executor: 'inline' })).close()
    await expect(openStore({ shards: ['a'] })).rejects.toThrow('not sharded')
  })

  it('notices a shard that is missing, and makes no new one', async () => {
    await fill(await openStore({ shards: ['a', 'b', 'c'] }))
    await store!.close()
    await destroy('/data/b', { fs })
    await expect(openStore()).rejects.toThrow(code('SILT_NOT_FOUND'))
    await expect(openStore()).rejects.toThrow("Shard 'b' is missing")
    expect(fs.statusSync('/data/b')).toBeUndefined()
  })

  it('notices a shard of another store, and shards that were exchanged', async () => {
    const paths = (one: string, two: string) => [
      { name: 'a', path: one },
      { name: 'b', path: two },
    ]
    await (await openSharded('/one', { fs, executor: 'inline', shards: paths('/1a', '/1b') })).close()
    await expect(openSharded('/two', { fs, executor: 'inline', shards: paths('/2a', '/1b') })).rejects.toThrow(
      'belongs to another sharded store',
    )
    fs.renameSync('/1a', '/tmp')
    fs.renameSync('/1b', '/1a')
    fs.renameSync('/tmp', '/1b')
    await expect(openSharded('/one', { fs, executor: 'inline' })).rejects.toThrow('exchanged')
  })
})

describe('a rebalance', () => {
  it('adds a shard, at most its share moves, and nothing is lost', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    const before = new Map(KEYS.map((key) => [key, db.locate(key)]))
    const seen: number[] = []
    const plan = await db.addShard('d', { onProgress: ({ keysMoved }) => seen.push(keysMoved) })
    const moved = KEYS.filter((key) => db.locate(key) !== before.get(key))
    for (const key of moved) expect(db.locate(key)).toBe('d')
    expect(plan.keysMoved).toBe(moved.length)
    expect(seen.at(-1)).toBe(moved.length)
    expect(plan.movedShare).toBeCloseTo(moved.length / KEYS.length, 5)
    expect(db.shards).toEqual(['a', 'b', 'c', 'd'])
    await expectEverything(db)
    await db.close()
    // The shards' own stores hold every key once.
    const held = [...(await keysOnDisk(['a', 'b', 'c', 'd'])).values()].flat()
    expect(held.sort()).toEqual(KEYS.toSorted())
    await expectEverything(await openStore({ shards: ['a', 'b', 'c', 'd'] }))
  })

  it('removes a shard and its files', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    const orders = db.keyspace('orders')
    await Promise.all(KEYS.slice(0, 100).map((key) => orders.put(key, 'order')))
    await db.removeShard('b')
    expect(db.shards).toEqual(['a', 'c'])
    await expectEverything(db)
    expect(await orders.count()).toBe(100)
    await db.idle()
    expect(fs.statusSync('/data/b')).toBeUndefined()
    await db.close()
    await expectEverything(await openStore())
  })

  it('changes weights', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'], placement: 'slots' })
    await fill(db)
    await db.reweight('b', 2)
    const { shards } = db.balance()
    expect(shards.map(({ weight }) => weight)).toEqual([1, 2, 1])
    expect(shards[1]!.keys / 2000).toBeCloseTo(0.5, 1)
    await expectEverything(db)
  })

  it('shows what it would do', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'], placement: 'slots' })
    await fill(db)
    const plan = await db.addShard('d', { dryRun: true })
    expect(plan.movedShare).toBeGreaterThan(0.2)
    expect(plan.movedShare).toBeLessThan(0.3)
    expect(plan.moves.map(({ from, to }) => `${from}>${to}`).sort()).toEqual(['a>d', 'b>d', 'c>d'])
    expect(db.shards).toEqual(['a', 'b', 'c'])
    expect(fs.statusSync('/data/d')).toBeUndefined()
    expect(db.epoch).toBe(1)
  })

  it('keeps what expires expiring', async () => {
    const clock = new ManualClock()
    const db = await openStore({ shards: ['a'], clock })
    await Promise.all(KEYS.map((key) => db.put(key, '1', { ttl: 1000 })))
    await db.addShard('b')
    clock.advance(999)
    expect(await db.count()).toBe(2000)
    clock.advance(1)
    expect(await db.count()).toBe(0)
  })

  it('leaves snapshots and scans what they saw, on a shard that goes too', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    const snapshot = db.snapshot()
    const scan = db.keys()
    await scan.nextMany(10)
    await db.removeShard('a')
    await db.clear()
    expect(await snapshot.getMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`))
    expect(await snapshot.keys().toArray()).toEqual(KEYS.toSorted())
    expect(await scan.toArray()).toEqual(KEYS.toSorted().slice(10))
    expect(fs.statusSync('/data/a')).toBeDefined()
    snapshot.close()
    await db.idle()
    expect(fs.statusSync('/data/a')).toBeUndefined()
  })

  it('loses no write, no delete and no clear that comes while keys move', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    const model = new Map(KEYS.map((key) => [key, `value of ${key}`]))
    let moving = true
    let i = 0
    const write = async (): Promise<void> => {
      while (moving) {
        const key = KEYS[(i * 7919) % KEYS.length]!
        const value = `new ${i++}`
        if (i % 5 === 0) {
          model.delete(key)
          if (i % 2 === 0) db.delSync(key)
          else await db.del(key)
        } else if (i % 97 === 0) {
          for (const each of model.keys()) if (each >= key && each < `${key}~`) model.delete(each)
          await db.clear({ gte: key, lt: `${key}~` })
        } else if (i % 3 === 0) {
          model.set(`${key}{${i}}`, value)
          await db.transaction((tx) => tx.put(`${key}{${i}}`, value))
        } else {
          model.set(key, value)
          if (i % 2 === 0) db.putSync(key, value)
          else await db.put(key, value)
        }
        if (i % 50 === 0) {
          // In one turn, so that the map and the scan are of one moment.
          expect(db.entries().toArraySync()).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
        }
      }
    }
    const writing = write()
    await db.addShard('d')
    await db.removeShard('b')
    await db.reweight('c', 3)
    moving = false
    await writing
    const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
    expect(await db.entries().toArray()).toEqual(expected)
    expect(await db.getMany([...model.keys()])).toEqual([...model.values()])
    await db.close()
    const held = [...(await keysOnDisk(['a', 'c', 'd'])).values()].flat()
    expect(held.sort()).toEqual([...model.keys()].sort())
  })

  it('goes on where it was after a close, and waits for whom it was asked by', async () => {
    const db = await openStore({ shards: ['a', 'b', 'c'] })
    await fill(db)
    let steps = 0
    const interrupted = db.addShard('d', {
      onProgress: () => {
        if (++steps === 1) void db.close()
      },
    })
    await expect(interrupted).rejects.toThrow(code('SILT_NOT_OPEN'))
    await db.close()
    const again = await openStore({ shards: ['a', 'b', 'c'] })
    await expectEverything(again)
    await again.addShard('d').catch((error) => expect(error.message).toContain('already'))
    await again.idle()
    expect(again.shards).toEqual(['a', 'b', 'c', 'd'])
    await expectEverything(again)
  })

  it('refuses what it cannot mean, and moves nothing', async () => {
    const db = await openStore({ shards: ['a'] })
    await fill(db)
    const refused = [
      db.addShard('a'),
      db.addShard('b', { weight: 0 }),
      db.addShard('.ownership'),
      db.removeShard('nobody'),
      db.removeShard('a'),
      db.reweight('a', 0),
      db.reweight('nobody', 1),
      db.assign('x', 'a'),
      db.split('m', 'a'),
      db.moveSlot(1, 'a'),
    ]
    for (const each of refused) await expect(each).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    expect(db.epoch).toBe(1)
    await expectEverything(db)
  })

  it('notices a directory that is older than its shards', async () => {
    const db = await openStore({ shards: ['a', 'b'] })
    await fill(db)
    await db.close()
    const old = new Map(
      fs.listSync('/data/.ownership').map((name) => {
        const file = fs.openSync(`/data/.ownership/${name}`, 'read')
        const bytes = new Uint8Array(file.sizeSync())
        file.readSync(bytes, 0, bytes.length, 0)
        file.closeSync()
        return [name, bytes]
      }),
    )
    await (await openStore()).addShard('c')
    await store!.close()
    for (const name of fs.listSync('/data/.ownership')) fs.removeSync(`/data/.ownership/${name}`)
    for (const [name, bytes] of old) {
      const file = fs.openSync(`/data/.ownership/${name}`, 'create')
      file.writeSync(bytes, 0, bytes.length, 0)
      file.closeSync()
    }
    await expect(openStore()).rejects.toThrow(code('SILT_CONFLICT'))
    await expect(openStore()).rejects.toThrow('older than shard')
  })

  it('moves a slot, an assignment, a range', async () => {
    const slots = await openStore({ shards: ['a', 'b'], placement: 'slots' })
    await fill(slots)
    const target = slots.locate('user:7') === 'a' ? 'b' : 'a'
    await slots.moveSlot(slots.slotOf('user:7'), target)
    expect(slots.locate('user:7')).toBe(target)
    await expectEverything(slots)
    await slots.close()

    fs = new MemoryFileSystem()
    const directory = await openStore({ shards: ['a', 'b'], placement: 'directory' })
    await fill(directory)
    await directory.assign('user:1', 'b')
    await directory.close()
    await expectEverything(await openStore())
    for (const key of KEYS) if (key.startsWith('user:1')) expect(store!.locate(key)).toBe('b')
    await store!.close()

    fs = new MemoryFileSystem()
    const range = await openStore({ shards: ['a', 'b'], placement: 'range', splits: ['user:5'] })
    await fill(range)
    await range.addShard('c')
    await range.split('user:8', 'c')
    expect(range.balance().shards.map(({ name, keys }) => [name, keys])).toEqual([
      ['a', KEYS.filter((key) => key < 'user:5').length],
      ['b', KEYS.filter((key) => key >= 'user:5' && key < 'user:8').length],
      ['c', KEYS.filter((key) => key >= 'user:8').length],
    ])
    await range.merge('user:5')
    await range.removeShard('b')
    await expectEverything(range)
  })

  it('works with stores in stores', async () => {
    const inner = { shards: ['x', 'y'], placement: 'jump' as const }
    const made = await openStore({ shards: [{ name: 'a', sharded: inner }, 'b'], placement: 'jump' })
    await fill(made)
    await made.close()
    const figures = [...(await keysOnDisk(['a/x', 'a/y'])).values()].map((keys) => keys.length)
    const db = await openStore()
    // The inner placement deals out differently from the outer one: both of its shards have keys.
    for (const keys of figures) expect(keys).toBeGreaterThan(300)
    await db.addShard({ name: 'c', sharded: inner })
    await expectEverything(db)
    await db.close()
    await expectEverything(await openStore())
    await store!.removeShard('a')
    await store!.idle()
    await expectEverything(store!)
    expect(fs.statusSync('/data/a')).toBeUndefined()
  })
})
