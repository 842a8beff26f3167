import { expect, test } from 'vitest'
import { seededRandom } from './random.js'
import { current, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

const entries = Array.from({ length: 3000 }, (_, i) =>
  put(`key ${String(i).padStart(6, '0')}`, i + 1, `value ${i * 7919} ${'x'.repeat(i % 90)}`),
)

function written(): TestFiles {
  const files = new TestFiles()
  writeTable(files, entries)
  return files
}

test('a walk reads several blocks at a time, forwards and backwards', () => {
  for (const isReverse of [false, true]) {
    const { table, files, cache } = openTable(written())
    const reads = files.syncReads
    const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
    const seen = []
    if (isReverse) for (cursor.seekToLast(); cursor.valid; cursor.prev()) seen.push(current(cursor))
    else for (cursor.seekToFirst(); cursor.valid; cursor.next()) seen.push(current(cursor))
    expect(seen).toEqual(isReverse ? entries.toReversed() : entries)
    expect(cache.stats().misses).toBeGreaterThan(40)
    expect(files.syncReads - reads).toBeLessThan(cache.stats().misses / 3)
  }
})

test('a walk that turns, seeks and passes what the cache has reads the right blocks', () => {
  const random = seededRandom('read ahead')
  const { table } = openTable(written(), { cacheBytes: 60_000 })
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  for (let round = 0; round < 300; round++) {
    let at = random.integer(0, entries.length - 1)
    cursor.seek(entries[at]!.key, 0, entries[at]!.key.length)
    for (let steps = random.integer(0, 4); steps > 0; steps--) {
      const direction = random.pick([-1, 1])
      for (let left = random.integer(1, 300); left > 0 && cursor.valid; left--) {
        if (direction > 0) cursor.next()
        else cursor.prev()
        at += direction
      }
      if (!cursor.valid) break
      expect(current(cursor)).toEqual(entries[at])
    }
  }
})

test('damage ahead is no trouble to a walk before it comes there', () => {
  const files = written()
  const { table } = openTable(files)
  const partition = table.partition(0, 'keep')
  const lost = partition.count >> 1
  files.contents.set('7.table', files.contents.get('7.table')!.subarray(0, partition.childOffset(lost) + 10))
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  let count = 0
  expect(() => {
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) expect(current(cursor)).toEqual(entries[count++])
  }).toThrow(expect.objectContaining({ code: 'SILT_CORRUPTION' }))
  expect(count).toBe(entries.filter(({ key }) => partition.find(key, 0, key.length) < lost).length)
})

test('what was read ahead is not waited for again, though the disk has become slow', () => {
  const files = written()
  const { table, cache } = openTable(files)
  cache.blocking = false
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  cursor.seekToFirst()
  let count = 1
  // Until several blocks are read with one call; that call is slow.
  const bytesRead = (): number => files.syncReads
  for (let reads = bytesRead(), inARow = 0; inARow < 3; count++) {
    cursor.next()
    if (bytesRead() === reads) continue
    reads = bytesRead()
    if (++inARow === 2) files.readMs = 50
  }
  const { misses } = cache.stats()
  expect(() => {
    for (; ; count++) cursor.next()
  }).toThrow()
  // The blocks behind the slow one came from memory before one had to be asked for.
  expect(cache.stats().misses - misses).toBeGreaterThan(1)
  expect(count).toBeLessThan(entries.length)
})
