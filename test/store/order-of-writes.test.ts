import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

describe('writes', () => {
  it('become visible in the order in which they were issued', async () => {
    await using db = await open(':memory:')
    const writes = []
    for (let i = 0; i <= 100; i++) writes.push(db.put('key', String(i)))
    await Promise.all(writes)
    expect(await db.get('key')).toBe('100')
  })

  it('are not visible before they are in the log, and all of a turn become so together', async () => {
    await using db = await open(':memory:')
    const writes = [db.put('a', '1'), db.put('b', '2'), db.del('a'), db.clear({ gte: 'b' }), db.put('c', '3')]
    expect(await db.keys().toArray()).toEqual([])
    await Promise.all(writes)
    expect(await db.keys().toArray()).toEqual(['c'])
  })

  it('on this thread follow those that were issued before them, which are then done', async () => {
    await using db = await open(':memory:')
    const first = db.put('key', 'first')
    db.putSync('key', 'second')
    expect(db.getSync('key')).toBe('second')
    const third = db.put('key', 'third')
    db.delSync('other')
    expect(db.getSync('key')).toBe('third')
    await Promise.all([first, third])
    expect(await db.get('key')).toBe('third')
  })

  it('on this thread follow those that wait for the disk', async () => {
    const disk = new SimulatedDisk(1)
    await using db = await open('/db', { fs: disk })
    const synced = db.put('key', 'synced', { sync: true })
    // A turn later its group is written, and on its way to the disk.
    await Promise.resolve()
    await new Promise((resolve) => process.nextTick(resolve))
    const waiting = db.put('key', 'waiting')
    expect(db.getSync('key')).toBeUndefined()
    db.putSync('key', 'last')
    expect(db.getSync('key')).toBe('last')
    await Promise.all([synced, waiting])
    expect(await db.get('key')).toBe('last')
  })

  it('of every kind and form end in the state that the last one of each key left', async () => {
    const disk = new SimulatedDisk(1)
    await using db = await open('/db', { fs: disk, writeBufferBytes: 64 * 1024 })
    const expected = new Map<string, string>()
    const writes: Promise<void>[] = []
    for (let i = 0; i < 5000; i++) {
      const key = `k${(i * 7919) % 97}`
      const value = `${i} `.repeat(10)
      const way = (i * 31) % 11
      if (way === 0) db.putSync(key, value)
      else if (way === 1) writes.push(db.put(key, value, { sync: true }))
      else if (way === 2) db.batchSync([{ type: 'put', key, value }])
      else if (way === 3) writes.push(db.batch([{ type: 'put', key, value }]))
      else if (way === 4) writes.push(db.batch().put(key, 'replaced at once').put(key, value).write())
      else if (way === 5) db.delSync(key)
      else if (way === 6) writes.push(db.clear({ gte: key, lte: key }))
      else writes.push(db.put(key, value))
      if (way === 5 || way === 6) expected.delete(key)
      else expected.set(key, value)
      if (i % 100 === 0) await writes.at(-1)
    }
    await Promise.all(writes)
    const inOrder = [...expected].sort(([a], [b]) => (a < b ? -1 : 1))
    expect(await db.entries().toArray()).toEqual(inOrder)
  })

  it('resolve in the order in which they were issued', async () => {
    await using db = await open('/db', { fs: new SimulatedDisk(1) })
    const done: number[] = []
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => db.put(String(i), '', { sync: i % 7 === 0 }).then(() => done.push(i))),
    )
    expect(done).toEqual(Array.from({ length: 50 }, (_, i) => i))
  })
})

describe('a write that failed', () => {
  it('for want of space is never visible, and the store takes writes again as soon as there is some', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk, executor: 'inline' })
    await db.put('before', '1')
    disk.quotaBytes = 0
    const full = expect.objectContaining({ code: 'SILT_NO_SPACE' })
    await expect(db.put('refused', '2')).rejects.toEqual(full)
    expect(() => db.putSync('refused', '2')).toThrow(full)
    await expect(db.batch([{ type: 'put', key: 'refused', value: '2' }])).rejects.toEqual(full)
    await expect(db.put('refused', '2', { sync: true })).rejects.toEqual(full)
    expect(await db.keys().toArray()).toEqual(['before'])
    disk.quotaBytes = Number.POSITIVE_INFINITY
    await db.put('after', '3')
    expect(await db.keys().toArray()).toEqual(['after', 'before'])
    await db.close()
    await using again = await open('/db', { fs: disk })
    expect(await again.keys().toArray()).toEqual(['after', 'before'])
  })

  it('because the disk could not sync it is never visible; reading goes on, writing when the store is opened again', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/db', { fs: disk })
    await db.put('before', '1', { sync: true })
    const mend = disk.failEvery('sync', 'EIO')
    const failed = expect.objectContaining({ code: 'SILT_FAILED', cause: expect.objectContaining({ code: 'EIO' }) })
    const gathering = db.put('refused', '2', { sync: true })
    await expect(gathering).rejects.toEqual(failed)
    mend()
    await expect(db.put('refused', '3')).rejects.toEqual(failed)
    expect(() => db.putSync('refused', '3')).toThrow(failed)
    await expect(db.clear()).rejects.toEqual(failed)
    expect(await db.entries().toArray()).toEqual([['before', '1']])
    await db.close()
    await using again = await open('/db', { fs: disk })
    expect(await again.keys().toArray()).toEqual(['before'])
    await again.put('after', '4', { sync: true })
  })

  it('takes none of those issued behind it with it', async () => {
    await using db = await open<string, unknown>(':memory:')
    const outcomes = await Promise.allSettled([db.put('a', '1'), db.put('b', 7), db.put('c', '3')])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await db.keys().toArray()).toEqual(['a', 'c'])
  })
})

describe('an option of a write', () => {
  it('that is wrong is refused, and nothing is written', async () => {
    await using db = await open(':memory:')
    const invalid = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })
    const wrong = { sync: 'yes' as never }
    await expect(db.put('a', '', wrong)).rejects.toEqual(invalid)
    await expect(db.del('a', wrong)).rejects.toEqual(invalid)
    await expect(db.clear(wrong)).rejects.toEqual(invalid)
    await expect(db.batch([{ type: 'put', key: 'a', value: '' }], wrong)).rejects.toEqual(invalid)
    await expect(db.batch().put('a', '').write(wrong)).rejects.toEqual(invalid)
    expect(() => db.putSync('a', '', wrong)).toThrow(invalid)
    expect(() => db.delSync('a', wrong)).toThrow(invalid)
    expect(() => db.clearSync(wrong)).toThrow(invalid)
    expect(() => db.batchSync([{ type: 'put', key: 'a', value: '' }], wrong)).toThrow(invalid)
    expect(() => db.batch().put('a', '').writeSync(wrong)).toThrow(invalid)
    await db.put('b', '')
    expect(await db.keys().toArray()).toEqual(['b'])
  })
})
