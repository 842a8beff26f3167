import { expect, test } from 'vitest'
import { BlockCache } from '../../src/table/block-cache.js'
import { BlockNotResident } from '../../src/table/block-not-resident.js'
import { Table } from '../../src/table/table.js'
import { TableFiles } from '../../src/table/table-files.js'
import type { TableWriterOptions } from '../../src/table/table-writer.js'
import { withoutMemory } from './no-memory.js'
import { seededRandom } from './random.js'
import { current, type Entry, find, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

/** The least of which a cache keeps blocks packed. */
const CAP_BYTES = 4 * 1024 * 1024

/** Half of each value is like the other half. As they are they take more than the cap, packed they fit. */
function compressible(count: number): Entry[] {
  const random = seededRandom('compressible values')
  return Array.from({ length: count }, (_, i) => {
    const half = String.fromCharCode(...Array.from({ length: 50 }, () => random.integer(33, 126)))
    return put(`key ${String(i).padStart(8, '0')}`, i + 1, half + half)
  })
}

const entries = compressible(45_000)

function written(options: Partial<TableWriterOptions> = {}): TestFiles {
  const files = new TestFiles()
  writeTable(files, entries, { blockBytes: 4096, ...options })
  return files
}

function isSame(found: Entry | undefined, entry: Entry): boolean {
  return (
    found?.position === entry.position &&
    Buffer.compare(found.key, entry.key) === 0 &&
    Buffer.compare(found.value, entry.value) === 0
  )
}

/** Looks so many keys up at random, holds what is found to what was written, and returns how many blocks were missing. */
function lookUp(table: Table, cache: BlockCache, count: number, among = entries.length): number {
  const random = seededRandom('lookups')
  const before = cache.stats().misses
  for (let i = 0; i < count; i++) {
    const entry = entries[random.integer(0, among - 1)]!
    if (!isSame(find(table, entry.key), entry)) throw new Error(`${entry.position} was not found as it was written`)
  }
  expect(cache.stats().bytes).toBeLessThanOrEqual(cache.capBytes)
  return cache.stats().misses - before
}

test('what fits compressed is not read again, though it would not fit as it is', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES })
  lookUp(table, cache, 20_000)
  expect(lookUp(table, cache, 10_000)).toBeLessThan(100)
  expect(cache.stats().packedBytes).toBeGreaterThan(CAP_BYTES / 2)
  const uncompressed = openTable(written({ compression: 'none' }), { cacheBytes: CAP_BYTES })
  lookUp(uncompressed.table, uncompressed.cache, 20_000)
  expect(lookUp(uncompressed.table, uncompressed.cache, 10_000)).toBeGreaterThan(1000)
  expect(uncompressed.cache.stats().packedBytes).toBe(0)
})

test('what is used most is kept as it is', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES })
  lookUp(table, cache, 20_000)
  const packed = cache.stats().packedBytes
  for (let i = 0; i < 200; i++) lookUp(table, cache, 100, 1000)
  expect(cache.stats().packedBytes).toBeLessThan(packed)
  expect(lookUp(table, cache, 1000, 1000)).toBe(0)
})

test('a cache too small for segments keeps no block packed', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES - 1 })
  lookUp(table, cache, 20_000)
  expect(cache.stats().packedBytes).toBe(0)
})

test('where there is no memory for packed blocks they are kept as they are', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES })
  withoutMemory(() => {
    lookUp(table, cache, 20_000)
    expect(cache.stats().packedBytes).toBe(0)
    expect(cache.stats().bytes).toBeGreaterThan(CAP_BYTES * 0.9)
    expect(lookUp(table, cache, 1000, 1000)).toBeLessThan(100)
    expect(lookUp(table, cache, 1000, 1000)).toBe(0)
  })
})

test('a walk finds packed blocks both ways and disturbs nothing', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES })
  lookUp(table, cache, 20_000)
  const { packedBytes } = cache.stats()
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  let count = 0
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
    const entry = entries[count++]!
    if (cursor.position !== entry.position) throw new Error(`${count} is not where it should be`)
    if (count % 97 === 0) {
      lookUp(table, cache, 3)
      expect(current(cursor)).toEqual(entry)
    }
  }
  expect(count).toBe(entries.length)
  for (cursor.seekToLast(); cursor.valid; cursor.prev()) expect(cursor.position).toBe(entries[--count]!.position)
  expect(count).toBe(0)
  expect(cache.stats().packedBytes).toBeGreaterThan(packedBytes / 2)
})

test('short walks keep what they miss, long ones do not', () => {
  const { table, cache } = openTable(written(), { cacheBytes: CAP_BYTES })
  // Uncompressed blocks of another table fill the cache.
  const others = new TestFiles()
  writeTable(others, entries, { blockBytes: 4096, compression: 'none' })
  const other = Table.open(new TableFiles(others.asFileSystem()), cache, '7.table', 7)
  lookUp(other, cache, 10_000)
  const walk = (from: number, steps: number): number => {
    const before = cache.stats().misses
    const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
    const { key } = entries[from]!
    cursor.seek(key, 0, key.length)
    for (let i = 0; i < steps; i++) cursor.next()
    return cache.stats().misses - before
  }
  for (let i = 0; i < 5000; i++) walk((i * 7919) % 44_000, 10)
  let missed = 0
  for (let i = 0; i < 500; i++) missed += walk((i * 104_729) % 44_000, 10)
  expect(missed).toBeLessThan(50)
  expect(cache.stats().bytes).toBeLessThanOrEqual(CAP_BYTES)
})

test('on a slow disk blocks come in packed as well, and a closed table leaves nothing', async () => {
  const files = written()
  const cache = new BlockCache(CAP_BYTES, files.now)
  const { table } = openTable(files, { cache })
  lookUp(table, cache, 3000)
  files.readMs = 10
  lookUp(table, cache, 1)
  cache.blocking = false
  const answered = async (entry: Entry): Promise<Entry | undefined> => {
    for (;;) {
      try {
        return find(table, entry.key)
      } catch (missing) {
        if (!(missing instanceof BlockNotResident)) throw missing
        await missing.load()
      }
    }
  }
  const { poolReads } = files
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < entries.length; i += 40) expect(await answered(entries[i]!)).toEqual(entries[i])
  }
  // Once around and a little more: the second and third round found nearly all of it.
  expect(files.poolReads - poolReads).toBeLessThan((entries.length / 40) * 1.5)
  expect(cache.stats().bytes).toBeLessThanOrEqual(CAP_BYTES)
  table.close()
  expect(cache.stats()).toMatchObject({ bytes: 0, packedBytes: 0 })
})

test('any mix of lookups, walks, openings and closings stays right and below the cap', () => {
  const random = seededRandom('packed cache')
  const files = new TestFiles()
  const codecs = ['lz4', 'none', 'lz4', 'deflate', 'lz4'] as const
  for (const [i, compression] of codecs.entries()) {
    writeTable(files, entries.slice(i * 9000, i * 9000 + 9000), { fileNumber: i + 1, blockBytes: 4096, compression })
  }
  const pool = new TableFiles(files.asFileSystem())
  const cache = new BlockCache(CAP_BYTES, files.now)
  const open = (i: number): Table => Table.open(pool, cache, `${i + 1}.table`, i + 1)
  const tables = codecs.map((_, i) => open(i))
  for (let step = 0; step < 300; step++) {
    const i = random.integer(0, codecs.length - 1)
    const own = entries.slice(i * 9000, i * 9000 + 9000)
    const what = random.integer(0, 19)
    if (what === 0) {
      tables[i]!.close()
      tables[i] = open(i)
    } else if (what < 6) {
      const cursor = tables[i]!.cursor(Number.MAX_SAFE_INTEGER)
      let at = random.integer(0, own.length - 1)
      cursor.seek(own[at]!.key, 0, own[at]!.key.length)
      for (let steps = random.integer(1, 500); steps > 0 && cursor.valid; steps--) {
        if (!isSame(current(cursor), own[at]!)) throw new Error(`a walk did not come to ${own[at]!.position}`)
        const isBack = random.integer(0, 9) === 0 && at > 0
        at += isBack ? -1 : 1
        if (isBack) cursor.prev()
        else cursor.next()
      }
    } else {
      const among = random.pick([50, 500, own.length])
      for (let n = 0; n < 200; n++) {
        const entry = own[random.integer(0, among - 1)]!
        if (!isSame(find(tables[i]!, entry.key), entry)) throw new Error(`${entry.position} was not found`)
      }
    }
    expect(cache.stats().bytes).toBeLessThanOrEqual(CAP_BYTES)
  }
  for (const table of tables) table.close()
  expect(cache.stats()).toMatchObject({ bytes: 0, packedBytes: 0 })
})

test('nothing is packed below a part of the index that is not in the cache itself', () => {
  const { table } = openTable(written(), { cacheBytes: CAP_BYTES })
  const partition = table.partition(0, 'skip')
  table.block(partition, 0, 'keep')
  expect(partition.packedCount).toBe(0)
})
