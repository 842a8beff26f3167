import { describe, expect, it } from 'vitest'
import { type Database, open, type Transaction } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'

/** A store with keys in tables, in memory and deleted, and a transaction in it. */
async function inside(run: (tx: Transaction, db: Database) => Promise<void>, clock = new ManualClock()): Promise<void> {
  const db = await open(':memory:', { executor: 'inline', clock })
  for (const key of ['a', 'b', 'c', 'd']) await db.put(key, 'old')
  await db.flush()
  await db.put('e', 'old')
  await db.del('b')
  await db.transaction((tx) => run(tx, db))
  await db.close()
}

describe('a transaction reads its own writes', () => {
  it('by key, before anybody else does', () =>
    inside(async (tx, db) => {
      await tx.put('a', 'new')
      await tx.put('b', 'new')
      await tx.del('c')
      expect(await tx.getMany(['a', 'b', 'c', 'd', 'x'])).toEqual(['new', 'new', undefined, 'old', undefined])
      expect(tx.getManySync(['a', 'c'])).toEqual(['new', undefined])
      expect([await tx.has('b'), tx.hasSync('c'), await tx.has('d')]).toEqual([true, false, true])
      expect(await tx.hasMany(['a', 'c'])).toEqual([true, false])
      expect(await db.getMany(['a', 'b', 'c'])).toEqual(['old', undefined, 'old'])
    }))

  it('in scans, forwards, backwards, with bounds, limits and counts', () =>
    inside(async (tx) => {
      await tx.put('b', 'new')
      await tx.put('e', 'new')
      await tx.put('f', 'new')
      await tx.del('a')
      const expected = ['b', 'c', 'd', 'e', 'f']
      expect(await tx.keys().toArray()).toEqual(expected)
      expect(await tx.keys({ reverse: true }).toArray()).toEqual(expected.toReversed())
      expect(tx.values({ gte: 'd' }).toArraySync()).toEqual(['old', 'new', 'new'])
      expect(await tx.keys({ gt: 'b', lt: 'f', limit: 2 }).toArray()).toEqual(['c', 'd'])
      expect(await tx.keys({ gt: 'b', lt: 'f', limit: 2, reverse: true }).toArray()).toEqual(['e', 'd'])
      expect([await tx.count(), tx.countSync({ gte: 'c' })]).toEqual([5, 4])
    }))

  it('where a scan seeks to, in both directions', () =>
    inside(async (tx) => {
      await tx.put('bb', 'new')
      await tx.del('c')
      const forwards = tx.keys()
      forwards.seek('b')
      expect(await forwards.nextMany(2)).toEqual(['bb', 'd'])
      forwards.seek('a')
      expect(forwards.nextManySync(1)).toEqual(['a'])
      forwards.close()
      const backwards = tx.keys({ reverse: true })
      backwards.seek('c')
      expect(await backwards.nextMany(9)).toEqual(['bb', 'a'])
      backwards.close()
    }))

  it('under its own deletions of ranges, and above them', () =>
    inside(async (tx, db) => {
      await tx.put('c1', 'lost')
      await tx.clear({ gte: 'c', lt: 'e' })
      await tx.put('d', 'new')
      expect(await tx.keys().toArray()).toEqual(['a', 'd', 'e'])
      expect(await tx.keys({ reverse: true }).toArray()).toEqual(['e', 'd', 'a'])
      expect(await tx.getMany(['c', 'c1', 'd'])).toEqual([undefined, undefined, 'new'])
      await tx.clear()
      expect(await tx.count()).toBe(0)
      expect(await db.count()).toBe(4)
    }))

  it('until they expire', () => {
    const clock = new ManualClock()
    return inside(async (tx) => {
      await tx.put('a', 'new', { ttl: 1000 })
      await tx.put('b', 'new', { ttl: 2000 })
      expect(await tx.getMany(['a', 'b'])).toEqual(['new', 'new'])
      clock.advance(1000)
      expect(await tx.getMany(['a', 'b'])).toEqual([undefined, 'new'])
      expect(await tx.keys({ lt: 'c' }).toArray()).toEqual(['b'])
    }, clock)
  })

  it('of each keyspace for itself, also of one that comes into being with it', async () => {
    const db = await open(':memory:')
    const users = db.keyspace<string, { name: string }>('users', { valueEncoding: 'json' })
    await db.transaction(async (tx) => {
      await tx.put('ada', 'text')
      await tx.keyspace(users).put('ada', { name: 'Ada' })
      expect(await tx.keyspace(users).get('ada')).toEqual({ name: 'Ada' })
      expect(await tx.get('ada')).toBe('text')
      expect(await users.get('ada')).toBeUndefined()
      expect(db.keyspaceNames()).toEqual([])
    })
    expect(await users.get('ada')).toEqual({ name: 'Ada' })
    expect(await db.get('ada')).toBe('text')
    await db.close()
  })

  it('but not where it is told to read from a snapshot', () =>
    inside(async (tx, db) => {
      using snapshot = db.snapshot()
      await tx.put('a', 'new')
      expect(await tx.get('a', { snapshot })).toBe('old')
      expect(tx.getManySync(['a', 'd'], { snapshot })).toEqual(['old', 'old'])
      expect(await tx.entries({ lt: 'c', snapshot }).toArray()).toEqual([['a', 'old']])
    }))
})

describe('a scan of a transaction', () => {
  it('shows what was there when it was made, whatever is written behind and before it', () =>
    inside(async (tx) => {
      const scan = tx.entries()
      expect(await scan.nextMany(1)).toEqual([['a', 'old']])
      await tx.put('c', 'new')
      await tx.put('aa', 'new')
      await tx.clear({ gte: 'd' })
      expect(await scan.nextMany(9)).toEqual([
        ['c', 'old'],
        ['d', 'old'],
        ['e', 'old'],
      ])
      scan.close()
      expect(await tx.entries().toArray()).toEqual([
        ['a', 'old'],
        ['aa', 'new'],
        ['c', 'new'],
      ])
    }))

  it('goes on over memory that the transaction has outgrown', () =>
    inside(async (tx) => {
      const value = 'x'.repeat(500)
      for (let i = 0; i < 5; i++) await tx.put(`k${i}`, value)
      const forwards = tx.keys({ prefix: 'k' })
      const backwards = tx.keys({ prefix: 'k', reverse: true })
      expect(await forwards.nextMany(2)).toEqual(['k0', 'k1'])
      expect(await backwards.nextMany(2)).toEqual(['k4', 'k3'])
      // Many times the first 4 KiB.
      for (let i = 0; i < 200; i++) await tx.put(`k${i % 7}`, `${value} ${i}`)
      await tx.del('k2')
      expect(await forwards.nextMany(9)).toEqual(['k2', 'k3', 'k4'])
      expect(await backwards.nextMany(9)).toEqual(['k2', 'k1', 'k0'])
      expect(await tx.keys({ prefix: 'k' }).toArray()).toEqual(['k0', 'k1', 'k3', 'k4', 'k5', 'k6'])
      expect(await tx.get('k6')).toBe(`${value} 195`)
    }))
})

it('a large transaction becomes one commit', async () => {
  const db = await open(':memory:', { executor: 'inline', writeBufferBytes: 64 * 1024 })
  const value = 'x'.repeat(1000)
  await db.transaction(async (tx) => {
    for (let i = 0; i < 1000; i++) await tx.put(`key ${i}`, value)
    await tx.clear({ gte: 'key 5', lt: 'key 6' })
  })
  expect(await db.count()).toBe(1000 - 111)
  await db.flush()
  expect(await db.count({ prefix: 'key 4' })).toBe(111)
  await db.close()
})
