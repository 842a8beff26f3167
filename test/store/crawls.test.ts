import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'

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

  it('leaves a few where they are', async () => {
    deleteFirst(4000)
    expect(first()).toBe(key(4000))
    await db.idle()
    expect(entries()).toEqual([COUNT, 0])
  })
})
