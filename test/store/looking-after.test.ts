import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'

const INVALID = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })

let db: Database

beforeEach(async () => {
  db = await open(':memory:', { writeBufferBytes: 64 * 1024 })
  return () => db.close()
})

function tablesAt(level: number): number {
  return db.stats().levels.find((each) => each.level === level)?.tables ?? 0
}

async function fill(prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) db.putSync(`${prefix}${String(i).padStart(6, '0')}`, 'x'.repeat(100))
}

describe('flush', () => {
  it('waits for what was issued before, not for writers that never pause', async () => {
    let isDone = false
    const writer = async (name: string): Promise<void> => {
      for (let i = 0; !isDone && i < 2000; i++) await db.put(`${name} ${i}`, 'x', { sync: true })
      expect(isDone).toBe(true)
    }
    const writers = Promise.all([writer('a'), writer('b'), writer('c')])
    const issued = db.put('before', '1')
    await db.flush()
    isDone = true
    await Promise.all([issued, writers])
    expect(db.stats().files).toBe(1)
    expect(await db.get('before')).toBe('1')
  })

  it('moves what is in memory into tables', async () => {
    await fill('a', 100)
    expect(db.stats()).toMatchObject({ files: 0, flushes: { count: 0 } })
    await db.flush()
    expect(db.stats().files).toBe(1)
    expect(db.stats().levels.reduce((sum, { entries }) => sum + entries, 0)).toBe(100)
    expect(await db.count()).toBe(100)
  })

  it('takes what was issued before it, awaited or not, in every keyspace', async () => {
    const other = db.keyspace('other')
    const writes = [db.put('a', '1'), other.put('b', '2')]
    await db.flush()
    await Promise.all(writes)
    expect(db.stats().keyspaces.map(({ levels }) => levels[0]!.entries)).toEqual([1, 1])
  })

  it('of nothing does nothing', async () => {
    await db.flush()
    await db.flush()
    expect(db.stats().files).toBe(0)
  })
})

describe('compact', () => {
  it('leaves one run without anything that nobody can see', async () => {
    for (let round = 0; round < 5; round++) await fill('a', 500)
    await db.clear({ lt: 'a000100' })
    await db.compact()
    const { levels } = db.stats()
    expect(levels.filter(({ tables }) => tables > 0)).toHaveLength(1)
    expect(levels.reduce((sum, { entries }) => sum + entries, 0)).toBe(400)
    expect(levels.reduce((sum, { tombstones }) => sum + tombstones, 0)).toBe(0)
  })

  it('of a range leaves the rest as it is', async () => {
    await fill('a', 300)
    await db.flush()
    await fill('b', 300)
    await db.flush()
    const before = tablesAt(0)
    expect(before).toBeGreaterThan(1)
    await db.compact({ gte: 'a', lt: 'b' })
    expect(tablesAt(0)).toBeGreaterThan(0)
    expect(tablesAt(0)).toBeLessThan(before)
    expect(await db.count()).toBe(600)
  })

  it('of the minor kind merges young tables and touches nothing deeper', async () => {
    await fill('a', 300)
    await db.compact()
    const deep = db.stats().levels.filter(({ level, tables }) => level > 0 && tables > 0)
    for (let round = 0; round < 3; round++) {
      await fill('a', 50)
      await db.flush()
    }
    const before = tablesAt(0)
    await db.compact({ kind: 'minor' })
    expect(tablesAt(0)).toBeLessThan(before)
    expect(db.stats().levels.filter(({ level, tables }) => level > 0 && tables > 0)).toEqual(deep)
    expect(await db.count()).toBe(300)
  })

  it('of nothing does nothing, also upside down', async () => {
    await db.compact()
    await db.compact({ gte: 'b', lt: 'a' })
    await db.compact({ kind: 'minor' })
    expect(db.stats().files).toBe(0)
  })

  it('refuses kinds that are none', async () => {
    for (const kind of ['full', '', null, 7]) await expect(db.compact({ kind } as never)).rejects.toEqual(INVALID)
    for (const options of [null, 'major']) await expect(db.compact(options as never)).rejects.toEqual(INVALID)
  })
})

describe('idle', () => {
  it('resolves when nothing is under way or due', async () => {
    for (let round = 0; round < 10; round++) await fill('a', 1000)
    await db.idle()
    const { running, flushes, compactions } = db.stats()
    expect(running).toEqual([])
    expect(flushes.count).toBeGreaterThan(0)
    await new Promise((resolve) => setImmediate(resolve))
    expect(db.stats()).toMatchObject({ running: [], flushes, compactions })
  })
})

describe('stats', () => {
  it('tell what the contract names', async () => {
    await fill('a', 2000)
    await db.compact()
    await db.get('a000001')
    const stats = db.stats()
    expect(stats.levels.length).toBeGreaterThan(1)
    expect(stats.files).toBeGreaterThan(0)
    expect(stats.bytes).toBeGreaterThan(0)
    expect(stats.cache.bytes).toBeLessThanOrEqual(stats.cache.capBytes)
    for (const figure of [stats.amplification.write, stats.amplification.read, stats.amplification.space]) {
      expect(figure).toBeGreaterThanOrEqual(1)
    }
    expect(Array.isArray(stats.stalls)).toBe(true)
  })

  it('are plain figures, which can be printed and sent', async () => {
    await fill('a', 1000)
    await db.compact()
    expect(JSON.parse(JSON.stringify(db.stats()))).toMatchObject({ files: db.stats().files })
  })

  it('do not change after they were given', async () => {
    const before = db.stats()
    const copy = structuredClone(before)
    await fill('a', 1000)
    await db.compact()
    expect(before).toEqual(copy)
  })
})
