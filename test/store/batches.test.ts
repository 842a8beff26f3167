import { describe, expect, it } from 'vitest'
import { MemoryFileSystem, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

describe('a batch', () => {
  it('is written in the order of its operations: of a key’s the last one counts', async () => {
    await using db = await open(':memory:')
    await db.put('c', 'old')
    await db.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: 'a', value: '2' },
      { type: 'del', key: 'b' },
      { type: 'put', key: 'b', value: '3' },
      { type: 'put', key: 'c', value: '4' },
      { type: 'del', key: 'c' },
    ])
    const expected = [
      ['a', '2'],
      ['b', '3'],
    ]
    expect(await db.entries().toArray()).toEqual(expected)
    await db.compact()
    expect(await db.entries().toArray()).toEqual(expected)
  })

  it('removes ranges in its order: what is put before goes, what is put later stays', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace<number, string>('orders', { keyEncoding: 'json' })
    await db.batch().put('a1', 'x').put('b1', 'x').put(7, 'x', { keyspace: orders }).write()
    await db.batch([
      { type: 'put', key: 'a2', value: 'x' },
      { type: 'clear', prefix: 'a' },
      { type: 'put', key: 'a3', value: 'x' },
      { type: 'clear', gte: 7, keyspace: orders },
      { type: 'clear', range: { start: Buffer.from('b'), end: Buffer.from('c') } },
      { type: 'clear', gte: 'z', lt: 'y' },
    ])
    expect(await db.keys().toArray()).toEqual(['a3'])
    expect(await orders.count()).toBe(0)
    await db.batch().put('a4', 'x').clearRange({ prefix: 'a' }).put('a5', 'x').write()
    db.batch().clearRange({}, { keyspace: orders }).put(8, 'x', { keyspace: orders }).writeSync()
    await db.compact()
    expect(await db.keys().toArray()).toEqual(['a5'])
    expect(await orders.keys().toArray()).toEqual([8])
  })

  it('refuses to remove what is no range, before it writes anything', async () => {
    await using db = await open(':memory:')
    await db.put('a', '1')
    const clear = (operation: object) => db.batch([{ type: 'put', key: 'b', value: '2' }, operation as never])
    for (const operation of [
      { type: 'clear', prefx: 'a' },
      { type: 'clear', gte: null },
      { type: 'clear', range: { start: 'a' } },
      { type: 'clear', range: { start: new Uint8Array(0), end: 'b' } },
      { type: 'clear', range: null },
    ]) {
      await expect(clear(operation)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
    expect(await db.keys().toArray()).toEqual(['a'])
  })

  it('lets a value go at a moment, as well as after a time', async () => {
    const clock = new ManualClock()
    await using db = await open(':memory:', { clock })
    const expiresAt = clock.now() + 100
    await db.batch([
      { type: 'put', key: 'a', value: '1', expiresAt },
      { type: 'put', key: 'past', value: '1', expiresAt: 1 },
      { type: 'put', key: 'b', value: '1', ttl: 100 },
    ])
    await db.batch().put('c', '1', { expiresAt }).write()
    expect(await db.keys().toArray()).toEqual(['a', 'b', 'c'])
    clock.advance(100)
    expect(await db.count()).toBe(0)
    for (const wrong of [{ expiresAt: 0 }, { expiresAt: Number.NaN }, { expiresAt, ttl: 5 }]) {
      await expect(db.batch([{ type: 'put', key: 'a', value: '1', ...wrong }])).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
    }
  })

  it('does the same chained, and on this thread', async () => {
    await using db = await open(':memory:')
    await db.batch().put('a', '1').put('b', '2').del('a').write()
    db.batch().put('c', '3').del('b').writeSync()
    db.batchSync([
      { type: 'put', key: 'd', value: '4' },
      { type: 'del', key: 'x' },
    ])
    expect(await db.keys().toArray()).toEqual(['c', 'd'])
  })

  it('spans keyspaces, named by handle or by name, each with its own encodings', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace<number, { total: number }>('orders', { keyEncoding: 'json', valueEncoding: 'json' })
    await db.batch([
      { type: 'put', key: 'a', value: 'text' },
      { type: 'put', key: 7, value: { total: 12 }, keyspace: orders },
      { type: 'put', key: 8, value: { total: 13 }, keyspace: 'orders' },
      { type: 'put', key: 'plain', value: 'as the store has it', keyspace: 'another' },
      { type: 'put', key: 'b', value: 'from a name', keyspace: db },
    ])
    await orders
      .batch()
      .put(9, { total: 14 })
      .put('c', 'chained', { keyspace: db })
      .del(7, { keyspace: orders })
      .write()
    expect(await orders.entries().toArray()).toEqual([
      [8, { total: 13 }],
      [9, { total: 14 }],
    ])
    expect(await db.keys().toArray()).toEqual(['a', 'b', 'c'])
    expect(await db.keyspace('another').get('plain')).toBe('as the store has it')
  })

  it('is seen by a reader as a whole or not at all', async () => {
    await using db = await open(':memory:', { writeBufferBytes: 64 * 1024 })
    const other = db.keyspace('other')
    let writing = true
    const writer = async (): Promise<void> => {
      for (let i = 0; i < 300; i++) {
        const operations = Array.from({ length: 20 }, (_, j) => ({
          type: 'put' as const,
          key: `k${j}`,
          value: `${i} `.repeat(10),
          ...(j % 2 === 0 ? {} : { keyspace: other }),
        }))
        await db.batch(operations as never)
      }
      writing = false
    }
    const done = writer()
    for (let looks = 0; writing; looks++) {
      using snapshot = db.snapshot()
      const values = [...snapshot.values(), ...snapshot.keyspace(other).values()]
      expect(new Set(values).size).toBeLessThanOrEqual(1)
      expect([0, 20]).toContain(values.length)
      if (looks % 7 === 0) await db.get('k1')
      await new Promise((resolve) => setImmediate(resolve))
    }
    await done
  })

  it('that was torn in the log is gone as a whole, across keyspaces', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk })
    const other = db.keyspace('other')
    await db.put('before', '1')
    const log = [...disk.snapshotFiles().keys()].find((path) => path.endsWith('.log'))!
    await db.batch([
      { type: 'put', key: 'a', value: 'x'.repeat(1000) },
      { type: 'put', key: 'b', value: 'y'.repeat(1000), keyspace: other },
    ])
    const dead = disk.processDeath()
    dead.truncate(log, dead.snapshotFiles().get(log)!.length - 1)
    await using again = await open('/db', { fs: dead })
    expect(await again.keys().toArray()).toEqual(['before'])
    expect(await again.keyspace('other').count()).toBe(0)
    expect(again.recovery.losses).toHaveLength(1)
  })

  it('with one bad operation writes none', async () => {
    await using db = await open<string, unknown>(':memory:')
    const good = { type: 'put' as const, key: 'good', value: '1' }
    const bad: unknown[] = [
      { type: 'put', key: 'bad' },
      { type: 'put', key: 'bad', value: 7 },
      { type: 'put', key: 'bad', value: '', ttl: 0 },
      { type: 'put', key: 'bad', value: '', keyspace: 7 },
      { type: 'put', key: 'bad', value: '', keyspace: {} },
      { type: 'get', key: 'bad' },
      { key: 'bad' },
      'put',
      7,
    ]
    for (const operation of bad) {
      await expect(db.batch([good, operation as never]), JSON.stringify(operation)).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
      expect(() => db.batchSync([good, operation as never])).toThrow(
        expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
      )
    }
    await expect(db.batch('put' as never)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    expect(await db.count()).toBe(0)
  })

  it('refuses a keyspace of another store', async () => {
    await using db = await open(':memory:')
    await using elsewhere = await open(':memory:')
    const theirs = elsewhere.keyspace('orders')
    await expect(db.batch([{ type: 'put', key: 'a', value: '', keyspace: theirs }])).rejects.toMatchObject({
      code: 'SILT_INVALID_ARGUMENT',
      message: expect.stringContaining('another store'),
    })
  })

  it('of nothing is nothing', async () => {
    await using db = await open(':memory:')
    const { position } = db.stats().log
    await db.batch([])
    db.batchSync([])
    await db.batch().write()
    expect(db.stats().log.position).toBe(position)
  })

  it('takes ttl for each of its operations', async () => {
    const clock = new ManualClock()
    await using db = await open(':memory:', { clock })
    await db.batch([
      { type: 'put', key: 'a', value: '', ttl: 10 },
      { type: 'put', key: 'b', value: '' },
    ])
    await db.batch().put('c', '', { ttl: 20 }).put('d', '').write()
    clock.advance(10)
    expect(await db.keys().toArray()).toEqual(['b', 'c', 'd'])
    clock.advance(10)
    expect(await db.keys().toArray()).toEqual(['b', 'd'])
  })

  it('may be larger than a segment, and is one commit all the same', async () => {
    const fs = new MemoryFileSystem()
    const options = { fs, writeBufferBytes: 64 * 1024 }
    const db = await open('/db', options)
    const operations = Array.from({ length: 5000 }, (_, i) => ({
      type: 'put' as const,
      key: String(i).padStart(5, '0'),
      value: 'x'.repeat(100),
    }))
    await db.put('00000', 'overwritten')
    await db.batch(operations)
    db.batchSync(operations.map(({ key }) => ({ type: 'put', key: `s${key}`, value: 'y'.repeat(100) })))
    expect(await db.count()).toBe(10_000)
    await db.close()
    await using again = await open('/db', options)
    expect(await again.count()).toBe(10_000)
    expect(await again.get('04999')).toBe('x'.repeat(100))
  })
})

describe('a chained batch', () => {
  it('counts its operations and can be emptied', async () => {
    await using db = await open(':memory:')
    const batch = db.batch().put('a', '1').del('b')
    expect(batch.length).toBe(2)
    batch.clear().put('c', '3')
    expect(batch.length).toBe(1)
    await batch.write()
    expect(await db.keys().toArray()).toEqual(['c'])
  })

  it('is written once', async () => {
    await using db = await open(':memory:')
    const batch = db.batch().put('a', '1')
    await batch.write()
    const written = expect.objectContaining({ code: 'SILT_NOT_OPEN' })
    expect(() => batch.put('b', '2')).toThrow(written)
    expect(() => batch.del('a')).toThrow(written)
    expect(() => batch.clear()).toThrow(written)
    expect(() => batch.writeSync()).toThrow(written)
    await expect(batch.write()).rejects.toEqual(written)
    expect(await db.entries().toArray()).toEqual([['a', '1']])
  })

  it('can be written again after it was refused for want of space', async () => {
    const disk = new SimulatedDisk(1)
    await using db = await open('/db', { fs: disk })
    const batch = db.batch().put('a', '1')
    disk.quotaBytes = 0
    expect(() => batch.writeSync()).toThrow(expect.objectContaining({ code: 'SILT_NO_SPACE' }))
    disk.quotaBytes = Number.POSITIVE_INFINITY
    batch.writeSync()
    expect(await db.get('a')).toBe('1')
  })

  it('writes nothing before write is called', async () => {
    await using db = await open(':memory:')
    db.batch().put('a', '1')
    await db.put('b', '2')
    expect(await db.keys().toArray()).toEqual(['b'])
  })
})
