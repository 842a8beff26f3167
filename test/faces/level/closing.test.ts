import { describe, expect, it } from 'vitest'
import { SiltstoneLevel, storeOf } from '../../../src/level.js'
import { slowFiles } from './slow-files.js'

/** A database whose entries are in tables, on a disk that is known to be slow. */
async function onSlowDisk(): Promise<SiltstoneLevel> {
  const db = new SiltstoneLevel('/slow', { siltstone: { fs: slowFiles(), cacheBytes: 0 } })
  await db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: `key ${i}`, value: `value ${i}` })))
  await storeOf(db).flush()
  for (let i = 0; i < 20; i++) await db.get(`key ${i}`)
  return db
}

describe('closing', () => {
  // The reads were on their way through the thread pool, and failed because the database had been closed before they came back.
  it('waits for what is under way', async () => {
    const db = await onSlowDisk()
    const underWay = [
      db.get('key 500'),
      db.getMany(['key 600', 'key 700']),
      db.has('key 800'),
      db.hasMany(['key 900', 'none']),
      db.put('key 1', 'new'),
      db.clear({ gte: 'key 5', limit: 3 }),
    ]
    let closed = false
    const closing = db.close().then(() => {
      closed = true
    })
    expect(await Promise.all(underWay)).toEqual([
      'value 500',
      ['value 600', 'value 700'],
      true,
      [true, false],
      undefined,
      undefined,
    ])
    expect(closed).toBe(false)
    await closing
    await expect(db.get('key 1')).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' })
    await db.open()
    expect(await db.getMany(['key 1', 'key 5', 'key 50', 'key 501'])).toEqual([
      'new',
      undefined,
      undefined,
      'value 501',
    ])
    await db.close()
  })

  it('does not wait for iterators, batches and snapshots that were left open', async () => {
    const db = await onSlowDisk()
    const iterator = db.iterator()
    const snapshot = db.snapshot()
    const batch = db.batch().put('a', '')
    await iterator.next()
    await db.close()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'LEVEL_ITERATOR_NOT_OPEN' })
    await expect(batch.write()).rejects.toMatchObject({ code: 'LEVEL_BATCH_NOT_OPEN' })
    await db.open()
    await expect(db.get('a', { snapshot })).rejects.toMatchObject({ code: 'LEVEL_SNAPSHOT_NOT_OPEN' })
    await db.close()
  })

  it('lets go of an iterator whose read is under way when that has come back', async () => {
    const db = await onSlowDisk()
    const iterator = db.values({ gte: 'key 50', limit: 2 })
    const reading = iterator.all()
    await db.close()
    expect(await reading).toEqual(['value 50', 'value 500'])
  })
})
