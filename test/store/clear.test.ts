import { describe, expect, it } from 'vitest'
import { type Database, MemoryFileSystem, open, type RangeOptions } from '../../src/index.js'

const KEYS = ['', 'a', 'aa', 'ab', 'b', 'ba', 'c', '\u{10ffff}']

async function filled(db: Database): Promise<void> {
  await db.batch(KEYS.map((key) => ({ type: 'put', key, value: key })))
}

function isInside(key: string, range: RangeOptions<string>): boolean {
  const { gt, gte, lt, lte, prefix } = range
  if (gt !== undefined && !(key > gt)) return false
  if (gte !== undefined && !(key >= gte)) return false
  if (lt !== undefined && !(key < lt)) return false
  if (lte !== undefined && !(key <= lte)) return false
  return prefix === undefined || key.startsWith(prefix)
}

const ranges: RangeOptions<string>[] = [
  {},
  { gt: 'a' },
  { gte: 'a' },
  { lt: 'b' },
  { lte: 'b' },
  { gt: 'a', lt: 'b' },
  { gte: 'a', lte: 'b' },
  { gte: 'aa', lt: 'aa' },
  { gt: 'c', lt: 'a' },
  { prefix: 'a' },
  { prefix: '' },
  { prefix: 'a', gt: 'a' },
  { prefix: 'a', lt: 'ab' },
  { prefix: 'x' },
  { gt: '' },
  { lte: '' },
]

describe.each(ranges)('clear of %j', (range) => {
  const left = KEYS.filter((key) => !isInside(key, range))

  it('removes what is in it, and nothing else, wherever it is', async () => {
    for (const settle of ['in memory', 'in tables', 'in both']) {
      await using db = await open(':memory:')
      await filled(db)
      if (settle !== 'in memory') await db.flush()
      if (settle === 'in both') await filled(db)
      await db.clear(range)
      expect(await db.keys().toArray(), settle).toEqual(left)
      for (const key of KEYS) expect(db.hasSync(key), `${settle}: '${key}'`).toBe(left.includes(key))
      await db.compact()
      expect(await db.keys({ reverse: true }).toArray(), settle).toEqual(left.toReversed())
    }
  })

  it('does the same on this thread', async () => {
    await using db = await open(':memory:')
    await filled(db)
    db.clearSync(range)
    expect([...db.keys()]).toEqual(left)
  })
})

describe('clear', () => {
  it('is one entry in the log, however much it removes', async () => {
    await using db = await open(':memory:')
    const { log } = db.stats()
    for (let i = 0; i < 10_000; i++) db.putSync(`key ${i}`, 'value')
    const before = db.stats().log.position
    expect(before - log.position).toBeGreaterThan(100_000)
    await db.clear({ prefix: 'key ' })
    expect(db.stats().log.position - before).toBeLessThan(100)
    expect(await db.count()).toBe(0)
  })

  it('removes what was there, not what comes', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/db', { fs })
    await filled(db)
    await db.clear()
    await db.put('b', 'new')
    for (const settle of [async () => {}, () => db.flush(), () => db.compact()]) {
      await settle()
      expect(await db.entries().toArray()).toEqual([['b', 'new']])
    }
    await db.close()
    await using again = await open('/db', { fs })
    expect(await again.entries().toArray()).toEqual([['b', 'new']])
  })

  it('takes its place among the writes around it', async () => {
    await using db = await open(':memory:')
    await Promise.all([db.put('a', 'before'), db.clear(), db.put('b', 'after')])
    expect(await db.keys().toArray()).toEqual(['b'])
  })

  it('leaves what a snapshot sees', async () => {
    await using db = await open(':memory:')
    await filled(db)
    await db.flush()
    using snapshot = db.snapshot()
    await db.clear()
    await db.compact()
    expect(await snapshot.keys().toArray()).toEqual(KEYS)
    expect(await db.count()).toBe(0)
  })

  it('of one keyspace leaves the others alone', async () => {
    await using db = await open(':memory:')
    const other = db.keyspace('other')
    await filled(db)
    await other.put('a', '1')
    await db.clear()
    expect(await other.count()).toBe(1)
    await filled(db)
    await other.clear()
    expect(await db.count()).toBe(KEYS.length)
  })

  it('can be synced', async () => {
    await using db = await open(':memory:')
    await filled(db)
    await db.clear({ prefix: 'a', sync: true })
    const { position, syncedPosition } = db.stats().log
    expect(syncedPosition).toBe(position)
  })

  // A misspelt bound is no bound: `clear({ prefx: 'session:' })` would have removed everything.
  it('refuses what is no bound instead of removing everything', async () => {
    await using db = await open(':memory:')
    await filled(db)
    for (const options of [{ prefx: 'a' }, { limit: 1 }, { reverse: true }, { start: 'a', end: 'b' }]) {
      const name = Object.keys(options)[0]!
      const invalid = expect.objectContaining({
        code: 'SILT_INVALID_ARGUMENT',
        message: expect.stringContaining(`'${name}'`),
      })
      await expect(db.clear(options as never)).rejects.toEqual(invalid)
      expect(() => db.clearSync(options as never)).toThrow(invalid)
    }
    for (const options of [null, 'a', 7]) {
      await expect(db.clear(options as never)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
    expect(await db.count()).toBe(KEYS.length)
  })
})
