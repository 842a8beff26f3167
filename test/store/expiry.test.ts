import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, MemoryFileSystem, type OpenOptions, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'

let clock: ManualClock
let options: OpenOptions

beforeEach(() => {
  clock = new ManualClock()
  options = { clock, fs: new MemoryFileSystem(), executor: 'inline', writeBufferBytes: 64 * 1024 }
})

/** That no read finds the key, nor anything else. */
async function expectNothing(db: Database): Promise<void> {
  expect(await db.get('key')).toBeUndefined()
  expect(db.getSync('key')).toBeUndefined()
  expect(await db.has('key')).toBe(false)
  expect(db.hasSync('key')).toBe(false)
  expect(await db.getMany(['key'])).toEqual([undefined])
  expect(db.hasManySync(['key'])).toEqual([false])
  expect(await db.entries().toArray()).toEqual([])
  expect([...db.keys({ reverse: true })]).toEqual([])
  expect(await db.count()).toBe(0)
}

const writes: [string, (db: Database) => Promise<void>][] = [
  ['put', (db) => db.put('key', 'value', { ttl: 100 })],
  ['putSync', async (db) => db.putSync('key', 'value', { ttl: 100 })],
  ['batch', (db) => db.batch([{ type: 'put', key: 'key', value: 'value', ttl: 100 }])],
  ['batchSync', async (db) => db.batchSync([{ type: 'put', key: 'key', value: 'value', ttl: 100 }])],
  ['a chained batch', (db) => db.batch().put('key', 'value', { ttl: 100 }).write()],
]

const settlings: [string, (db: Database) => Promise<Database>][] = [
  ['in memory', async (db) => db],
  ['after a flush', async (db) => db.flush().then(() => db)],
  ['after a compaction', async (db) => db.compact().then(() => db)],
  ['after reopening', async (db) => db.close().then(() => open('/db', options))],
]

describe.each(writes)('a key with a ttl, written by %s', (_, write) => {
  it.each(settlings)('is there until its time is over and not a millisecond longer, %s', async (_, settle) => {
    let db = await open('/db', options)
    await write(db)
    db = await settle(db)
    clock.advance(99)
    expect(await db.get('key')).toBe('value')
    expect(await db.count()).toBe(1)
    clock.advance(1)
    await expectNothing(db)
    await db.close()
  })
})

describe('an expired key', () => {
  it('does not show what it had replaced', async () => {
    let db = await open('/db', options)
    await db.put('key', 'older')
    await db.flush()
    await db.put('key', 'newer', { ttl: 10 })
    clock.advance(10)
    for (const [, settle] of settlings) {
      db = await settle(db)
      await expectNothing(db)
    }
    await db.close()
  })

  it('is gone through older snapshots too, but not from those that saw what it replaced', async () => {
    await using db = await open('/db', options)
    await db.put('key', 'older')
    using before = db.snapshot()
    await db.put('key', 'newer', { ttl: 10 })
    using after = db.snapshot()
    expect(await after.get('key')).toBe('newer')
    clock.advance(10)
    for (const settle of [async () => {}, () => db.compact()]) {
      await settle()
      expect(await before.get('key')).toBe('older')
      expect(before.entries().toArraySync()).toEqual([['key', 'older']])
      expect(await after.get('key')).toBeUndefined()
      expect(await after.count()).toBe(0)
      expect(await db.get('key', { snapshot: before })).toBe('older')
      expect(await db.get('key', { snapshot: after })).toBeUndefined()
    }
  })

  it('is gone from the disk after a compaction', async () => {
    await using db = await open('/db', options)
    for (let i = 0; i < 500; i++) await db.put(`key ${i}`, 'x'.repeat(100), { ttl: 10 })
    await db.flush()
    expect(db.stats().files).toBeGreaterThan(0)
    clock.advance(10)
    await db.compact()
    expect(db.stats()).toMatchObject({ files: 0, bytes: 0 })
  })

  it('can be written again, for another time or for ever', async () => {
    await using db = await open('/db', options)
    await db.put('key', '1', { ttl: 10 })
    clock.advance(10)
    await db.put('key', '2', { ttl: 10 })
    clock.advance(5)
    await db.put('key', '3')
    clock.advance(1_000_000_000)
    expect(await db.get('key')).toBe('3')
    await db.compact()
    expect(await db.get('key')).toBe('3')
  })

  it('is gone in every keyspace', async () => {
    await using db = await open('/db', options)
    const other = db.keyspace('other')
    await other.put('a', '1', { ttl: 10 })
    await db.batch([{ type: 'put', key: 'b', value: '2', keyspace: other, ttl: 20 }])
    clock.advance(10)
    expect(await other.keys().toArray()).toEqual(['b'])
    clock.advance(10)
    expect(await other.count()).toBe(0)
  })
})

describe('a ttl', () => {
  it('that is no time is refused', async () => {
    await using db = await open('/db', options)
    for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '10', null, {}, 10n]) {
      const invalid = expect.objectContaining({
        code: 'SILT_INVALID_ARGUMENT',
        message: expect.stringContaining('ttl'),
      })
      const wrong = { ttl: ttl as never }
      await expect(db.put('key', '', wrong)).rejects.toEqual(invalid)
      expect(() => db.putSync('key', '', wrong)).toThrow(invalid)
      await expect(db.batch([{ type: 'put', key: 'key', value: '', ...wrong }])).rejects.toEqual(invalid)
      expect(() => db.batch().put('key', '', wrong)).toThrow(invalid)
    }
    expect(await db.count()).toBe(0)
  })

  it('of a fraction of a millisecond is rounded up', async () => {
    await using db = await open('/db', options)
    await db.put('key', '', { ttl: 0.5 })
    expect(await db.has('key')).toBe(true)
    clock.advance(1)
    expect(await db.has('key')).toBe(false)
  })

  it('may be a hundred years', async () => {
    await using db = await open('/db', options)
    await db.put('key', '', { ttl: 100 * 365 * 86_400_000 })
    await db.compact()
    clock.advance(99 * 365 * 86_400_000)
    expect(await db.has('key')).toBe(true)
  })
})
