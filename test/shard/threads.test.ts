import { afterEach, describe, expect, it } from 'vitest'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()
const code = (expected: string) => expect.objectContaining({ code: expected })
const KEYS = Array.from({ length: 1500 }, (_, i) => `user:${i}`)

let store: ShardedStore | undefined

afterEach(async () => {
  await store?.close()
  store = undefined
})

async function openThreads(path: string, shards: string[] | undefined = undefined): Promise<ShardedStore> {
  store = await openSharded(path, {
    threads: true,
    moveBytesPerSecond: Number.POSITIVE_INFINITY,
    ...(shards === undefined ? {} : { shards }),
  })
  return store
}

describe('shards in threads of their own', () => {
  it('answer everything that a single store does', async () => {
    const path = directory()
    const db = await openThreads(path, ['a', 'b', 'c'])
    await Promise.all(KEYS.map((key) => db.put(key, `value of ${key}`)))
    db.putSync('sync', '1')
    expect(db.getSync('sync')).toBe('1')
    db.delSync('sync')
    expect(await db.getMany(KEYS)).toEqual(KEYS.map((key) => `value of ${key}`))
    expect(await db.keys().toArray()).toEqual(KEYS.toSorted())
    expect(db.keys({ reverse: true, limit: 5 }).toArraySync()).toEqual(KEYS.toSorted().toReversed().slice(0, 5))
    expect(await db.transaction(async (tx) => tx.get('user:1'))).toBe('value of user:1')
    await db.transaction(async (tx) => tx.put('{1}', String(await tx.get('{1}'))))
    expect(await db.get('{1}')).toBe('undefined')
    await db.keyspace('orders', { valueEncoding: 'json' }).put('1', { total: 3 } as never)
    expect(db.keyspaceNames()).toEqual(['orders'])
    expect(db.balance().shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(1502)
    await db.close()
    const again = await openThreads(path)
    expect(await again.count()).toBe(1501)
  })

  it('take large values, and leave the caller its own', async () => {
    const db = await openThreads(directory(), ['a', 'b'])
    const raw = db.as<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const value = Buffer.alloc(300_000, 'x')
    const done = raw.put(Buffer.from('big'), value)
    expect(value.length).toBe(300_000)
    value.fill('y')
    await done
    const read = (await raw.get(Buffer.from('big')))!
    expect(read.equals(Buffer.alloc(300_000, 'x'))).toBe(true)
    read.fill('z')
    expect(raw.getSync(Buffer.from('big'))!.equals(Buffer.alloc(300_000, 'x'))).toBe(true)
  })

  it('have snapshots and scans of one point', async () => {
    const db = await openThreads(directory(), ['a', 'b', 'c'])
    for (let round = 0; round < 10; round++) {
      const writes = KEYS.slice(0, 30).map((key, i) => db.put(key, String(round), { sync: i % 3 === 0 }))
      const snapshot = db.snapshot()
      const scan = db.values()
      writes.push(...KEYS.slice(0, 30).map((key) => db.put(key, 'later')))
      expect(new Set(await snapshot.values().toArray())).toEqual(new Set([String(round)]))
      expect(new Set(await scan.toArray())).toEqual(new Set([String(round)]))
      snapshot.close()
      await expect(snapshot.get('a')).rejects.toThrow(code('SILT_NOT_OPEN'))
      await Promise.all(writes)
    }
  })

  it('move keys while somebody writes', async () => {
    const db = await openThreads(directory(), ['a', 'b', 'c'])
    const model = new Map(KEYS.map((key) => [key, '0']))
    await Promise.all(KEYS.map((key) => db.put(key, '0')))
    let moving = true
    const writing = (async () => {
      for (let i = 1; moving; i++) {
        const key = KEYS[(i * 7919) % KEYS.length]!
        model.set(key, String(i))
        if (i % 3 === 0) await db.transaction((tx) => tx.put(key, String(i)))
        else await db.put(key, String(i))
      }
    })()
    await db.addShard('d')
    await db.removeShard('a')
    moving = false
    await writing
    expect(await db.entries().toArray()).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
    expect(db.shards).toEqual(['b', 'c', 'd'])
  })

  it('tell why they could not open', async () => {
    const path = directory()
    await (await openThreads(path, ['a'])).close()
    store = undefined
    await expect(openSharded(path, { threads: true, shards: ['b'] })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
    await expect(openSharded(':memory:', { threads: true, shards: ['b'] })).rejects.toThrow(
      code('SILT_INVALID_ARGUMENT'),
    )
  })
})
