import { expect, test } from 'vitest'
import type { CompressionName } from '../../src/bytes/compression.js'
import { RangeTombstones } from '../../src/bytes/range-tombstones.js'
import { seededRandom } from './random.js'
import { bytes, current, type Entry, find, openTable, put, randomEntries, tableOf, text, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

/** The newest version of every key below a limit: what a cursor in visible mode shows. */
function visible(entries: readonly Entry[], limit: number): Entry[] {
  const below = entries.filter((entry) => entry.position < limit)
  return below.filter((entry, i) => i === 0 || text(entry.key) !== text(below[i - 1]!.key))
}

const SHAPES: {
  compression: CompressionName
  restartInterval: number
  blockBytes: number
  filterBitsPerKey: number
}[] = [
  { compression: 'none', restartInterval: 16, blockBytes: 512, filterBitsPerKey: 10 },
  { compression: 'lz4', restartInterval: 16, blockBytes: 4096, filterBitsPerKey: 0 },
  { compression: 'deflate', restartInterval: 1, blockBytes: 1, filterBitsPerKey: 10 },
  { compression: 'lz4', restartInterval: 3, blockBytes: 100, filterBitsPerKey: 4 },
]

for (const shape of SHAPES) {
  const { compression, restartInterval, blockBytes, filterBitsPerKey } = shape
  const title = `${compression}, restarts every ${restartInterval}, blocks of ${blockBytes}, ${filterBitsPerKey} filter bits`

  test(`what was written is found, at every limit (${title})`, () => {
    const random = seededRandom('lookups')
    const entries = randomEntries(random, 600)
    const { table } = tableOf(entries, shape)
    for (const entry of entries) {
      expect(find(table, entry.key, entry.position + 1)).toEqual(entry)
      const limit = random.integer(0, entry.position)
      const older = entries.find((other) => text(other.key) === text(entry.key) && other.position < limit)
      expect(find(table, entry.key, limit)).toEqual(older)
    }
    const keys = new Set(entries.map((entry) => text(entry.key)))
    for (let i = 0; i < 500; i++) {
      const key = Uint8Array.of(...random.pick(entries).key, ...random.bytes(random.integer(0, 2)))
      if (key.length > 0) key[random.integer(0, key.length - 1)]! ^= 1 << random.integer(0, 7)
      if (!keys.has(text(key))) expect(find(table, key)).toBeUndefined()
    }
    expect(table.verify()).toEqual([])
  })

  test(`a cursor goes any way a sorted list goes (${title})`, () => {
    const random = seededRandom('cursor walk')
    const entries = randomEntries(random, 500)
    const { table } = tableOf(entries, shape)
    for (let round = 0; round < 6; round++) {
      const limit = random.pick([Number.MAX_SAFE_INTEGER, random.pick(entries).position, 0])
      const model = visible(entries, limit)
      const cursor = table.cursor(limit)
      let at = -1
      for (let step = 0; step < 400; step++) {
        const target = random.integer(0, 3) === 0 ? random.bytes(3) : random.pick(entries).key
        const firstAtOrAfter = model.findIndex((entry) => Buffer.compare(entry.key, target) >= 0)
        const move = model[at] === undefined ? random.integer(0, 3) : random.integer(0, 20)
        if (move === 0) {
          cursor.seekToFirst()
          at = 0
        } else if (move === 1) {
          cursor.seekToLast()
          at = model.length - 1
        } else if (move === 2) {
          cursor.expected = random.pick([0, 5, 20, 400, Number.POSITIVE_INFINITY])
          cursor.seek(target, 0, target.length)
          at = firstAtOrAfter < 0 ? model.length : firstAtOrAfter
        } else if (move === 3) {
          cursor.seekBefore(target, 0, target.length)
          at = (firstAtOrAfter < 0 ? model.length : firstAtOrAfter) - 1
        } else if (move <= 12) {
          cursor.next()
          at++
        } else {
          cursor.prev()
          at--
        }
        expect(current(cursor)).toEqual(model[at])
      }
    }
  })

  test(`a version cursor shows every version, newest first (${title})`, () => {
    const entries = randomEntries(seededRandom('version walk'), 300)
    const cursor = tableOf(entries, shape).table.versionCursor()
    const seen: (Entry | undefined)[] = []
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) seen.push(current(cursor))
    expect(seen).toEqual(entries)
  })
}

test('a walk in one direction meets every key', () => {
  const entries = Array.from({ length: 3000 }, (_, i) => put(`key:${String(i).padStart(7, '0')}`, i + 1, `value ${i}`))
  const { table } = tableOf(entries)
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  const forwards: string[] = []
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) forwards.push(text(current(cursor)!.value))
  expect(forwards).toEqual(entries.map((entry) => text(entry.value)))
  const backwards: string[] = []
  for (cursor.seekToLast(); cursor.valid; cursor.prev()) backwards.push(text(current(cursor)!.value))
  expect(backwards).toEqual(forwards.toReversed())
})

test('the index takes several partitions where it has to', () => {
  const entries = Array.from({ length: 12_000 }, (_, i) => put(`key:${String(i * 7).padStart(9, '0')}`, i + 1, 'v'))
  const { table } = tableOf(entries, { blockBytes: 64, compression: 'none' })
  expect(table.partitionCount).toBeGreaterThan(3)
  for (const entry of entries) expect(find(table, entry.key)).toEqual(entry)
  expect(find(table, bytes('a'))).toBeUndefined()
  expect(find(table, bytes('z'))).toBeUndefined()
})

test('the longest key and large values come back, through short writes too', () => {
  const random = seededRandom('large entries')
  const files = new TestFiles()
  files.shortWrites = true
  const longest = new Uint8Array(0xffff).fill(7)
  const sibling = longest.slice()
  sibling[0xfffe] = 8
  const entries = [
    put('', 5, ''),
    put(longest, 9, random.bytes(100_000)),
    put(sibling, 8, new Uint8Array(1_000_000).fill(1)),
    put(Uint8Array.of(9), 2 ** 52, random.bytes(1_000_000)),
  ]
  writeTable(files, entries)
  const { table } = openTable(files)
  for (const { key, value, position } of entries) {
    const found = find(table, key)!
    expect(found.position).toBe(position)
    expect(Buffer.compare(found.value, value)).toBe(0)
  }
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  cursor.seekToLast()
  cursor.prev()
  const before = current(cursor)!
  expect(Buffer.compare(before.key, sibling)).toBe(0)
  expect(Buffer.compare(before.value, entries[2]!.value)).toBe(0)
})

test('a table may hold nothing but range tombstones', () => {
  const tombstones = new RangeTombstones()
  tombstones.add(bytes('b'), undefined, 40)
  tombstones.add(bytes('a'), bytes('c'), 20)
  const { table } = tableOf([], {}, tombstones)
  expect(find(table, bytes('b'))).toBeUndefined()
  const cursor = table.cursor(100)
  cursor.seekToFirst()
  expect(cursor.valid).toBe(false)
  cursor.seekBefore(bytes('b'), 0, 1)
  expect(cursor.valid).toBe(false)
  expect(table.rangeTombstones.coveringPosition(bytes('b'), 0, 1, 100)).toBe(40)
  expect(table.properties).toMatchObject({ entryCount: 0, rangeTombstoneCount: 3, minPosition: 20, maxPosition: 40 })
  expect(table.properties.rangeStart).toEqual(bytes('a'))
  expect(table.properties.rangeEnd).toBeUndefined()
  expect(table.verify()).toEqual([])
})

test('a table without anything opens and is empty', () => {
  const { table } = tableOf([])
  expect(find(table, bytes('a'))).toBeUndefined()
  expect(table.approximateOffset(bytes('a'), 0, 1)).toBe(0)
})

test('the properties say what is inside', () => {
  const entries = randomEntries(seededRandom('properties'), 200)
  const { table } = tableOf(entries)
  const { properties } = table
  expect(properties.entryCount).toBe(entries.length)
  expect(properties.smallestKey).toEqual(entries[0]!.key)
  expect(properties.largestKey).toEqual(entries.at(-1)!.key)
  expect(properties.maxPosition).toBe(Math.max(...entries.map((entry) => entry.position)))
  expect(properties.minExpiresAt).toBe(
    Math.min(...entries.filter((entry) => entry.expiresAt > 0).map((entry) => entry.expiresAt)),
  )
  expect(properties).toMatchObject({ tree: 3, level: 1, fileNumber: 7, origin: { inputs: [1, 2] }, uniqueKeys: false })
})

test('offsets grow with the keys', () => {
  const entries = Array.from({ length: 2000 }, (_, i) => put(String(i).padStart(6, '0'), i + 1, 'x'.repeat(50)))
  const { table } = tableOf(entries)
  const offsets = entries.map(({ key }) => table.approximateOffset(key, 0, key.length))
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
  expect(offsets[0]).toBe(0)
  expect(offsets.at(-1)).toBeGreaterThan(table.fileBytes * 0.8)
})

test('the writer refuses entries out of order and knows its last key', () => {
  const files = new TestFiles()
  expect(() => writeTable(files, [put('b', 2), put('a', 3)])).toThrow('out of order')
  expect(() => writeTable(files, [put('ab', 2), put('a', 3)])).toThrow('out of order')
  expect(() => writeTable(files, [put('a', 2), put('a', 2)])).toThrow('out of order')
})
