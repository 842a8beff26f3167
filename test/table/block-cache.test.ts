import { expect, test } from 'vitest'
import { BlockCache } from '../../src/table/block-cache.js'
import { BlockNotResident } from '../../src/table/block-not-resident.js'
import { Table } from '../../src/table/table.js'
import { TableFiles } from '../../src/table/table-files.js'
import { current, type Entry, find, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

const entries = Array.from({ length: 2000 }, (_, i) => put(`key ${String(i).padStart(6, '0')}`, i + 1, `value ${i}`))

function scan(table: Table): number {
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  let count = 0
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) count++
  return count
}

function written(): TestFiles {
  const files = new TestFiles()
  writeTable(files, entries)
  return files
}

/** Does something again and again, loading what it lacks. */
async function retrying<T>(action: () => T, most = 50): Promise<T> {
  for (let i = 0; i < most; i++) {
    try {
      return action()
    } catch (missing) {
      if (!(missing instanceof BlockNotResident)) throw missing
      await missing.load()
    }
  }
  throw new Error(`no end after ${most} rounds`)
}

/** A cache that has just met a slow disk and may not wait for it. */
function slowCache(files: TestFiles, capBytes: number): BlockCache {
  const cache = new BlockCache(capBytes, files.now)
  files.readMs = 10
  const { table } = openTable(files, { cache })
  find(table, entries[0]!.key)
  table.close()
  cache.blocking = false
  return cache
}

test('bytes stay below the cap, whatever is read', () => {
  for (const cacheBytes of [0, 5_000, 20_000, 60_000]) {
    const { table, cache } = openTable(written(), { cacheBytes })
    const held = cache.stats().bytes
    for (let i = 0; i < entries.length; i += 3) {
      expect(find(table, entries[(i * 7919) % entries.length]!.key)).toBeDefined()
      expect(cache.stats().bytes).toBeLessThanOrEqual(Math.max(cacheBytes, held))
    }
    expect(scan(table)).toBe(entries.length)
    expect(cache.stats().bytes).toBeLessThanOrEqual(Math.max(cacheBytes, held))
  }
})

test('what was read once is not read again while there is room', () => {
  const { table, files, cache } = openTable(written())
  scan(table)
  const { misses } = cache.stats()
  const reads = files.syncReads
  scan(table)
  expect(cache.stats()).toMatchObject({ misses, evictions: 0 })
  expect(files.syncReads).toBe(reads)
})

test('a scan goes by without driving out what lookups use', () => {
  const { table, cache } = openTable(written(), { cacheBytes: 30_000 })
  const used = entries.slice(0, 40)
  for (let i = 0; i < 3; i++) for (const { key } of used) find(table, key)
  scan(table)
  const { misses } = cache.stats()
  for (const { key } of used) find(table, key)
  expect(cache.stats().misses).toBe(misses)
})

test('in a full cache a block is kept when it is missed a second time soon, and not before', () => {
  const { table, cache } = openTable(written(), { cacheBytes: 30_000 })
  const misses = (key: Uint8Array): number => {
    const before = cache.stats().misses
    find(table, key)
    return cache.stats().misses - before
  }
  for (const { key } of entries) find(table, key)
  // Far apart, so that each is in a block of its own. Now and then a little room is left, which a block may have at once.
  const far = entries.filter((_, i) => i % 200 === 0).map(({ key }) => key)
  misses(far[0]!)
  const twice = far.slice(1).filter((key) => misses(key) === 1 && misses(key) === 1)
  expect(twice.length).toBeGreaterThan(far.length / 3)
  expect(misses(twice.at(-1)!)).toBe(0)
})

test('what is read in rounds is kept in the end, however full the cache was', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => put(`key ${String(i).padStart(6, '0')}`, i + 1, `value ${i}`))
  const files = new TestFiles()
  writeTable(files, many)
  const { table, cache } = openTable(files, { cacheBytes: 400_000 })
  const round = (from: number, to: number): number => {
    const before = cache.stats().misses
    // About one key of every block.
    for (let i = from; i < to; i += 20) find(table, many[i]!.key)
    return cache.stats().misses - before
  }
  round(5000, 20_000)
  round(5000, 20_000)
  expect(round(0, 4000)).toBeGreaterThan(100)
  for (let i = 0; i < 60; i++) round(0, 4000)
  expect(round(0, 4000)).toBe(0)
})

test('what a lookup found is right though its block is not kept, and the one before it neither', () => {
  const { table } = openTable(written(), { cacheBytes: 0 })
  for (const entry of entries) expect(find(table, entry.key)).toEqual(entry)
})

test('closing a table gives back all of its bytes, and twice is once', () => {
  const { table, cache } = openTable(written())
  scan(table)
  expect(cache.stats().bytes).toBeGreaterThan(0)
  table.close()
  table.close()
  expect(cache.stats().bytes).toBe(0)
})

test('a value stays what it is after its block was evicted', () => {
  const { table, cache } = openTable(written(), { cacheBytes: 8_000 })
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  cursor.seekToFirst()
  const { valueBytes, valueStart, valueEnd } = cursor
  for (let round = 0; round < 2; round++) for (const { key } of entries) for (let i = 0; i < 2; i++) find(table, key)
  expect(cache.stats().evictions).toBeGreaterThan(10)
  expect(valueBytes.slice(valueStart, valueEnd)).toEqual(entries[0]!.value)
})

test('a compaction leaves no trace in the cache', () => {
  const { table, cache } = openTable(written())
  const before = cache.stats().bytes
  const cursor = table.versionCursor()
  cursor.seekToFirst()
  while (cursor.valid) cursor.next()
  expect(cache.stats().bytes).toBe(before)
})

test('on a slow disk a lookup asks to be done again after a load', async () => {
  const files = written()
  const cache = slowCache(files, 1 << 20)
  const { table } = openTable(files, { cache })
  const reads = files.syncReads
  expect(() => find(table, entries[5]!.key)).toThrow(BlockNotResident)
  expect(await retrying(() => find(table, entries[5]!.key))).toEqual(entries[5])
  expect(files.syncReads).toBe(reads)
})

test('a block that was loaded is found, however small the cache', async () => {
  const files = written()
  const cache = slowCache(files, 0)
  const { table } = openTable(files, { cache })
  for (const entry of entries.slice(0, 5)) expect(await retrying(() => find(table, entry.key))).toEqual(entry)
  cache.blocking = true
  find(table, entries[100]!.key)
  table.close()
  expect(cache.stats().bytes).toBe(0)
})

test('a walk is taken up again after every load, both ways', async () => {
  const files = written()
  const cache = slowCache(files, 1 << 20)
  const { table } = openTable(files, { cache })
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  const seen: (Entry | undefined)[] = []
  await retrying(() => cursor.seekToFirst())
  while (cursor.valid) {
    seen.push(current(cursor))
    await retrying(() => cursor.next())
  }
  expect(seen).toEqual(entries)
  expect(files.poolReads).toBeGreaterThan(10)
  table.close()

  const again = openTable(files, { cache }).table.cursor(1000)
  seen.length = 0
  await retrying(() => again.seekToLast())
  while (again.valid) {
    seen.push(current(again))
    await retrying(() => again.prev())
  }
  expect(seen).toEqual(entries.slice(0, 999).toReversed())
})

test('an audit reads the disk itself, on this thread, however slow it is', () => {
  const files = written()
  const { table } = openTable(files, { cache: slowCache(files, 1 << 20) })
  files.contents.get('7.table')![100]! ^= 1
  expect(table.verify()).toMatchObject([{ file: '7.table', offset: 0 }])
})

test('one block wanted by many is read once', async () => {
  const files = written()
  const { table } = openTable(files, { cache: slowCache(files, 1 << 20) })
  await retrying(() => table.mayContain(0))
  const before = files.poolReads
  await Promise.all(Array.from({ length: 20 }, () => retrying(() => find(table, entries[7]!.key))))
  expect(files.poolReads - before).toBe(2)
})

test('once the disk is fast again, blocks are read on this thread again', async () => {
  const files = written()
  const { table } = openTable(files, { cache: slowCache(files, 1 << 20) })
  files.readMs = 0
  for (let i = 0; i < entries.length; i += 40) await retrying(() => find(table, entries[i]!.key))
  const { poolReads, syncReads } = files
  await retrying(() => scan(table))
  expect(files.poolReads).toBe(poolReads)
  expect(files.syncReads).toBeGreaterThan(syncReads)
})

test('a damaged block is refused by the pool as it is on this thread', async () => {
  const files = written()
  const { table } = openTable(files, { cache: slowCache(files, 1 << 20) })
  files.contents.get('7.table')!.fill(0, 0, 3000)
  await expect(retrying(() => find(table, entries[0]!.key))).rejects.toMatchObject({
    code: 'SILT_CORRUPTION',
    file: '7.table',
    offset: 0,
  })
})

test('a load that ends after its table was closed leaves nothing behind', async () => {
  const files = written()
  const cache = slowCache(files, 1 << 20)
  const { table } = openTable(files, { cache })
  let missing: unknown
  try {
    find(table, entries[0]!.key)
  } catch (error) {
    missing = error
  }
  const loading = (missing as BlockNotResident).load()
  table.close()
  await loading
  expect(cache.stats().bytes).toBe(0)
  expect(files.openCount).toBe(0)
})

function manyTables(files: TestFiles, count: number, pool: TableFiles): Table[] {
  const cache = new BlockCache(0, files.now)
  return Array.from({ length: count }, (_, i) => {
    writeTable(files, entries.slice(i * 10, i * 10 + 10), { fileNumber: i + 1 })
    return Table.open(pool, cache, `${i + 1}.table`, i + 1)
  })
}

test('no more files are open than allowed, and every table still answers', () => {
  const files = new TestFiles()
  const pool = new TableFiles(files.asFileSystem(), { maxOpenFiles: 5 })
  const tables = manyTables(files, 20, pool)
  for (let round = 0; round < 3; round++) {
    tables.forEach((table, i) => {
      expect(find(table, entries[i * 10 + 3]!.key)).toEqual(entries[i * 10 + 3])
      expect(pool.openCount).toBeLessThanOrEqual(5)
    })
  }
  for (const table of tables) table.close()
  expect(files.openCount).toBe(0)
})

test('when the system has no descriptors left, the pool gives some back and goes on', () => {
  const files = new TestFiles()
  const tables = manyTables(files, 10, new TableFiles(files.asFileSystem()))
  files.descriptors = files.openCount
  writeTableWithSpareDescriptor(files)
  const late = Table.open(new TableFiles(files.asFileSystem()), new BlockCache(0), '99.table', 99)
  late.close()
  for (const [i, table] of tables.entries()) expect(find(table, entries[i * 10]!.key)).toBeDefined()
})

function writeTableWithSpareDescriptor(files: TestFiles): void {
  files.descriptors++
  writeTable(files, entries.slice(0, 10), { fileNumber: 99 })
}

test('a pool that must keep files open keeps them, above the cap too', () => {
  const files = new TestFiles()
  const pool = new TableFiles(files.asFileSystem(), { maxOpenFiles: 2, keepOpen: true })
  const tables = manyTables(files, 10, pool)
  expect(pool.openCount).toBe(10)
  files.descriptors = 0
  for (const [i, table] of tables.entries()) expect(find(table, entries[i * 10]!.key)).toBeDefined()
})
