import { describe, expect, it } from 'vitest'
import { type Database, MemoryFileSystem, open } from '../../src/index.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

const CLOSED = expect.objectContaining({ code: 'SILT_NOT_OPEN' })

const promised: Record<string, (db: Database) => Promise<unknown>> = {
  put: (db) => db.put('a', '1'),
  get: (db) => db.get('a'),
  getMany: (db) => db.getMany(['a']),
  'getMany of nothing': (db) => db.getMany([]),
  has: (db) => db.has('a'),
  hasMany: (db) => db.hasMany(['a']),
  del: (db) => db.del('a'),
  batch: (db) => db.batch([{ type: 'del', key: 'a' }]),
  'batch of nothing': (db) => db.batch([]),
  clear: (db) => db.clear(),
  'clear of nothing': (db) => db.clear({ gt: 'b', lt: 'a' }),
  count: (db) => db.count(),
  flush: (db) => db.flush(),
  compact: (db) => db.compact(),
  idle: (db) => db.idle(),
  verify: (db) => db.verify(),
  refresh: (db) => db.refresh(),
  approximateSize: (db) => db.approximateSize(),
}

const immediate: Record<string, (db: Database) => unknown> = {
  putSync: (db) => db.putSync('a', '1'),
  getSync: (db) => db.getSync('a'),
  getManySync: (db) => db.getManySync(['a']),
  hasSync: (db) => db.hasSync('a'),
  hasManySync: (db) => db.hasManySync(['a']),
  delSync: (db) => db.delSync('a'),
  batchSync: (db) => db.batchSync([{ type: 'del', key: 'a' }]),
  'batchSync of nothing': (db) => db.batchSync([]),
  'a chained batch': (db) => db.batch(),
  clearSync: (db) => db.clearSync(),
  'clearSync of nothing': (db) => db.clearSync({ gt: 'b', lt: 'a' }),
  countSync: (db) => db.countSync(),
  entries: (db) => db.entries(),
  keys: (db) => db.keys(),
  values: (db) => db.values(),
  snapshot: (db) => db.snapshot(),
  keyspace: (db) => db.keyspace('orders'),
  keyspaceNames: (db) => db.keyspaceNames(),
  stats: (db) => db.stats(),
}

describe('after close', () => {
  it.each(Object.entries(promised))('%s rejects with SILT_NOT_OPEN', async (_, call) => {
    const db = await open(':memory:')
    await db.close()
    await expect(call(db)).rejects.toEqual(CLOSED)
  })

  it.each(Object.entries(immediate))('%s throws SILT_NOT_OPEN', async (_, call) => {
    const db = await open(':memory:')
    await db.close()
    expect(() => call(db)).toThrow(CLOSED)
  })

  it('nothing works that was made before: keyspaces, batches, scans', async () => {
    const db = await open(':memory:')
    const orders = db.keyspace('orders')
    const batch = db.batch().put('a', '1')
    const written = db.batch()
    await written.write()
    const scan = db.keys()
    await db.close()
    await expect(orders.put('a', '1')).rejects.toEqual(CLOSED)
    await expect(orders.get('a')).rejects.toEqual(CLOSED)
    expect(() => orders.entries()).toThrow(CLOSED)
    expect(() => batch.put('b', '2')).toThrow(CLOSED)
    expect(() => batch.writeSync()).toThrow(CLOSED)
    await expect(batch.write()).rejects.toEqual(CLOSED)
    await expect(written.write()).rejects.toEqual(CLOSED)
    await expect(scan.nextMany(1)).rejects.toEqual(CLOSED)
    expect(() => scan.nextManySync(1)).toThrow(CLOSED)
    expect(() => scan.seek('a')).toThrow(CLOSED)
    scan.close()
  })

  it('a loop over a scan that was going on stops with SILT_NOT_OPEN', async () => {
    const db = await open(':memory:')
    for (const key of 'abcdef') await db.put(key, '')
    const seen: string[] = []
    const loop = async (): Promise<void> => {
      for await (const key of db.keys()) {
        seen.push(key)
        if (key === 'c') await db.close()
      }
    }
    await expect(loop()).rejects.toEqual(CLOSED)
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('a store whose disk had failed is closed, not failed', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk })
    const mend = disk.failEvery('sync', 'EIO')
    await expect(db.put('a', '1', { sync: true })).rejects.toMatchObject({ code: 'SILT_FAILED' })
    mend()
    await db.close()
    await expect(db.put('a', '1')).rejects.toEqual(CLOSED)
    expect(() => db.putSync('a', '1')).toThrow(CLOSED)
  })
})

describe('close', () => {
  it('twice is once, at the same time too', async () => {
    const db = await open(':memory:')
    await Promise.all([db.close(), db.close()])
    await db.close()
  })

  it('waits for what is under way', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk, writeBufferBytes: 64 * 1024 })
    const done: string[] = []
    const writes = [
      db.put('a', '1').then(() => done.push('put')),
      db.put('b', '2', { sync: true }).then(() => done.push('synced put')),
      db.batch([{ type: 'put', key: 'c', value: 'x'.repeat(200_000) }]).then(() => done.push('batch')),
    ]
    const flush = db.flush().then(() => done.push('flush'))
    await db.close()
    await Promise.allSettled([...writes, flush])
    expect(done).toEqual(expect.arrayContaining(['put', 'synced put', 'batch']))
    await using again = await open('/db', { fs: disk })
    expect(await again.keys().toArray()).toEqual(['a', 'b', 'c'])
  })

  it('refuses what comes while it waits', async () => {
    const db = await open(':memory:')
    const closing = db.close()
    await expect(db.put('a', '1')).rejects.toEqual(CLOSED)
    await expect(db.get('a')).rejects.toEqual(CLOSED)
    await closing
  })

  it('makes everything that was written survive a loss of power, synced or not', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk })
    for (let i = 0; i < 100; i++) await db.put(`key ${i}`, 'value')
    await db.close()
    await using again = await open('/db', { fs: disk.crash() })
    expect(await again.count()).toBe(100)
  })

  it('lets go of every file and of the lock', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk, writeBufferBytes: 64 * 1024 })
    for (let i = 0; i < 3000; i++) db.putSync(`key ${i}`, 'x'.repeat(100))
    await db.compact()
    await db.count()
    db.keys().nextManySync(1)
    await db.close()
    expect(disk.openPaths).toEqual([])
    await (await open('/db', { fs: disk })).close()
  })

  it('is what `await using` does, also when what is inside fails', async () => {
    const fs = new MemoryFileSystem()
    const failing = async (): Promise<void> => {
      await using db = await open('/db', { fs })
      await db.put('a', '1')
      throw new RangeError('inside')
    }
    await expect(failing()).rejects.toThrow('inside')
    await using again = await open('/db', { fs })
    expect(await again.get('a')).toBe('1')
  })
})
