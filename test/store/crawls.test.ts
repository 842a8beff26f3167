import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'

const COUNT = 10_000

const key = (i: number): string => String(i).padStart(6, '0')

let db: Database

beforeEach(async () => {
  db = await open(':memory:', { writeBufferBytes: 4 * 1024 * 1024 })
  for (let i = 0; i < COUNT; i++) db.putSync(key(i), 'x')
  await db.compact()
  return () => db.close()
})

function deleteFirst(count: number): void {
  for (let i = 0; i < count; i++) db.delSync(key(i))
}

function first(): string | undefined {
  const scan = db.keys()
  try {
    return scan.nextManySync(1)[0]
  } finally {
    scan.close()
  }
}

/** Entries on disk, deletions among them. */
function entries(): [entries: number, tombstones: number] {
  const { levels } = db.stats()
  return [levels.reduce((sum, each) => sum + each.entries, 0), levels.reduce((sum, each) => sum + each.tombstones, 0)]
}

describe('a scan that passes thousands of deletions', () => {
  it('has them moved out of memory and compacted away', async () => {
    deleteFirst(8000)
    // The first scan has the memtable flushed, the second one finds its table.
    for (let i = 0; i < 2; i++) {
      expect(first()).toBe(key(8000))
      await db.idle()
    }
    expect(entries()).toEqual([2000, 0])
    expect(first()).toBe(key(8000))
  })

  it('asks for one flush, however many there are', async () => {
    deleteFirst(8000)
    for (let i = 0; i < 10; i++) expect(first()).toBe(key(8000))
    await db.idle()
    expect(db.stats().levels.reduce((sum, each) => sum + each.tables, 0)).toBeLessThanOrEqual(2)
  })

  it('asks for none because of deletions elsewhere', async () => {
    using snapshot = db.snapshot()
    deleteFirst(6000)
    await db.flush()
    const flushed = entries()
    for (let i = 0; i < 5000; i++) db.delSync(key(COUNT + i))
    expect(first()).toBe(key(6000))
    await db.idle()
    expect(entries()).toEqual(flushed)
    expect(await snapshot.has(key(0))).toBe(true)
  })

  it('does not ask again at once when it did not help', async () => {
    const clock = new ManualClock()
    await using db = await open(':memory:', { clock, writeBufferBytes: 4 * 1024 * 1024 })
    for (let i = 0; i < COUNT; i++) db.putSync(key(i), 'x')
    await db.compact()
    using _ = db.snapshot()
    let deleted = 0
    const onDisk = async (): Promise<number> => {
      for (const end = deleted + 5000; deleted < end; deleted++) db.delSync(key(deleted))
      const scan = db.keys()
      scan.nextManySync(1)
      scan.close()
      await db.idle()
      return db.stats().levels.reduce((sum, each) => sum + each.tombstones, 0)
    }
    expect(await onDisk()).toBe(5000)
    expect(await onDisk()).toBe(5000)
    clock.advance(1000)
    expect(await onDisk()).toBe(15_000)
  })

  it('leaves a few where they are', async () => {
    deleteFirst(4000)
    expect(first()).toBe(key(4000))
    await db.idle()
    expect(entries()).toEqual([COUNT, 0])
  })
})
