import { describe, expect, it } from 'vitest'
import { type Database, MemoryFileSystem, open } from '../../src/index.js'

const CLOSED = expect.objectContaining({ code: 'SILT_NOT_OPEN' })
const INVALID = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })

const changes: [string, (db: Database) => Promise<unknown>][] = [
  ['overwritten', (db) => db.batch([{ type: 'put', key: 'a', value: 'new' }]).then(() => db.put('b', 'new'))],
  ['deleted', (db) => db.batch().del('a').del('b').write()],
  ['cleared', (db) => db.clear()],
  ['added to', (db) => db.put('c', 'new')],
  ['overwritten and flushed', (db) => db.put('a', 'new').then(() => db.flush())],
  ['cleared and compacted', (db) => db.clear().then(() => db.compact())],
  [
    'written over and over',
    async (db) => {
      for (let i = 0; i < 2000; i++) await db.put('a', `${i}`.repeat(50))
    },
  ],
]

describe('a snapshot', () => {
  it.each(changes)('sees what was there when it was made, when the store is %s', async (_, change) => {
    await using db = await open(':memory:', { writeBufferBytes: 64 * 1024 })
    await db.batch().put('a', '1').put('b', '2').write()
    using snapshot = db.snapshot()
    await change(db)
    const entries = [
      ['a', '1'],
      ['b', '2'],
    ]
    expect(await snapshot.get('a')).toBe('1')
    expect(snapshot.getSync('b')).toBe('2')
    expect(await snapshot.has('a')).toBe(true)
    expect(snapshot.hasSync('c')).toBe(false)
    expect(await snapshot.getMany(['b', 'c', 'a'])).toEqual(['2', undefined, '1'])
    expect(snapshot.getManySync(['b', 'c', 'a'])).toEqual(['2', undefined, '1'])
    expect(await snapshot.hasMany(['b', 'c'])).toEqual([true, false])
    expect(snapshot.hasManySync(['b', 'c'])).toEqual([true, false])
    expect(await snapshot.entries().toArray()).toEqual(entries)
    expect([...snapshot.keys({ reverse: true })]).toEqual(['b', 'a'])
    expect([...snapshot.values({ gt: 'a' })]).toEqual(['2'])
    expect(await snapshot.count()).toBe(2)
    expect(snapshot.countSync({ lt: 'b' })).toBe(1)
  })

  it('is an option of every read', async () => {
    await using db = await open(':memory:')
    await db.put('a', '1')
    using snapshot = db.snapshot()
    await db.clear()
    expect(await db.get('a', { snapshot })).toBe('1')
    expect(db.getSync('a', { snapshot })).toBe('1')
    expect(await db.has('a', { snapshot })).toBe(true)
    expect(db.hasSync('a', { snapshot })).toBe(true)
    expect(await db.getMany(['a'], { snapshot })).toEqual(['1'])
    expect(db.getManySync(['a'], { snapshot })).toEqual(['1'])
    expect(db.hasManySync(['a'], { snapshot })).toEqual([true])
    expect(await db.keys({ snapshot }).toArray()).toEqual(['a'])
    expect([...db.values({ snapshot })]).toEqual(['1'])
    expect(await db.count({ snapshot })).toBe(1)
    expect(db.countSync({ snapshot })).toBe(1)
    expect(await db.count()).toBe(0)
  })

  it('spans all keyspaces, those that come later included', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace<string, number>('orders', { valueEncoding: 'json' })
    await db.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: '7', value: 12, keyspace: orders },
    ])
    using snapshot = db.snapshot()
    const later = db.keyspace('later')
    await db.batch([
      { type: 'put', key: 'a', value: '2' },
      { type: 'put', key: '7', value: 13, keyspace: orders },
      { type: 'put', key: 'x', value: 'y', keyspace: later },
    ])
    await db.compact()
    const then = snapshot.keyspace(orders)
    expect(await then.get('7')).toBe(12)
    expect(await orders.get('7', { snapshot })).toBe(12)
    expect(await orders.get('7', { snapshot: then })).toBe(12)
    expect(await snapshot.keyspace(later).count()).toBe(0)
    expect(await later.get('x', { snapshot })).toBeUndefined()
    expect(await snapshot.get('a')).toBe('1')
    expect(await orders.get('7')).toBe(13)
  })

  it('is as good as any other for those made at the same moment', async () => {
    await using db = await open(':memory:')
    await db.put('a', '1')
    const one = db.snapshot()
    using two = db.snapshot()
    expect(one.position).toBe(two.position)
    await db.put('a', '2')
    one.close()
    await db.compact()
    expect(await two.get('a')).toBe('1')
  })

  it('sees what is committed, and not what is on its way', async () => {
    await using db = await open(':memory:')
    const write = db.put('a', '1')
    using before = db.snapshot()
    await write
    expect(await before.get('a')).toBeUndefined()
    expect(await db.get('a')).toBe('1')
  })

  it('that is closed is refused everywhere, its other keyspaces included; closing twice is closing once', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace('orders')
    await orders.put('a', '1')
    const snapshot = db.snapshot()
    const then = snapshot.keyspace(orders)
    snapshot.close()
    snapshot.close()
    for (const closed of [snapshot, then]) {
      await expect(closed.get('a')).rejects.toEqual(CLOSED)
      await expect(closed.has('a')).rejects.toEqual(CLOSED)
      await expect(closed.getMany(['a'])).rejects.toEqual(CLOSED)
      await expect(closed.count()).rejects.toEqual(CLOSED)
      expect(() => closed.getSync('a')).toThrow(CLOSED)
      expect(() => closed.hasSync('a')).toThrow(CLOSED)
      expect(() => closed.getManySync(['a'])).toThrow(CLOSED)
      expect(() => closed.entries()).toThrow(CLOSED)
      expect(() => closed.countSync()).toThrow(CLOSED)
      expect(() => closed.keyspace(orders)).toThrow(CLOSED)
      await expect(db.get('a', { snapshot: closed })).rejects.toEqual(CLOSED)
      expect(() => orders.entries({ snapshot: closed })).toThrow(CLOSED)
    }
    expect(await orders.get('a')).toBe('1')
  })

  it('is closed by leaving its scope', async () => {
    await using db = await open(':memory:')
    {
      using snapshot = db.snapshot()
      expect(await snapshot.count()).toBe(0)
      expect(db.stats().pins.count).toBe(1)
    }
    expect(db.stats().pins.count).toBe(0)
  })

  it('leaves a scan that was begun in it alone when it is closed', async () => {
    await using db = await open(':memory:')
    for (const key of 'abc') await db.put(key, '')
    const snapshot = db.snapshot()
    const scan = snapshot.keys()
    expect(await scan.nextMany(1)).toEqual(['a'])
    snapshot.close()
    await db.clear()
    await db.compact()
    expect(await scan.toArray()).toEqual(['b', 'c'])
  })

  it('lets go of what only it saw', async () => {
    await using db = await open(':memory:')
    for (let i = 0; i < 1000; i++) await db.put(`key ${i}`, 'x'.repeat(100))
    const snapshot = db.snapshot()
    await db.clear()
    await db.compact()
    expect(db.stats().bytes).toBeGreaterThan(0)
    snapshot.close()
    await db.compact()
    expect(db.stats().bytes).toBe(0)
  })

  it('of another store is refused', async () => {
    await using db = await open(':memory:')
    await using elsewhere = await open(':memory:')
    using theirs = elsewhere.snapshot()
    await expect(db.get('a', { snapshot: theirs })).rejects.toEqual(INVALID)
    expect(() => db.entries({ snapshot: theirs })).toThrow(INVALID)
    expect(() => theirs.keyspace(db.keyspace('orders'))).toThrow(INVALID)
  })

  it('takes a keyspace by its handle, and says so', async () => {
    await using db = await open(':memory:')
    using snapshot = db.snapshot()
    for (const none of ['orders', null, undefined, {}]) {
      expect(() => snapshot.keyspace(none as never)).toThrow(
        expect.objectContaining({
          code: 'SILT_INVALID_ARGUMENT',
          message: expect.stringContaining('db.keyspace()'),
        }),
      )
    }
  })

  it('ends with the store', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/db', { fs })
    const snapshot = db.snapshot()
    await db.close()
    await expect(snapshot.get('a')).rejects.toEqual(CLOSED)
    expect(() => snapshot.entries()).toThrow(CLOSED)
    snapshot.close()
    expect(() => db.snapshot()).toThrow(CLOSED)
  })
})
