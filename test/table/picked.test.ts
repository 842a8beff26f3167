import { expect, test } from 'vitest'
import { compareKeys } from '../../src/bytes/compare.js'
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRING } from '../../src/log/operation.js'
import type { BlockCache } from '../../src/table/block-cache.js'
import { BlockNotResident } from '../../src/table/block-not-resident.js'
import type { Table } from '../../src/table/table.js'
import type { TableCursor } from '../../src/table/table-cursor.js'
import { type SeededRandom, seededRandom } from './random.js'
import { bytes, current, type Entry, find, inOrder, openTable, randomEntries, text, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

/** The least of which a cache keeps blocks packed. */
const CAP_BYTES = 4 * 1024 * 1024
const NEWEST = Number.MAX_SAFE_INTEGER

/** Some keys have several versions, some values are not ASCII, and half of each is like the other half. */
function compressible(random: SeededRandom, count: number): Entry[] {
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) {
    const tail = random.integer(0, 20) === 0 ? random.bytes(random.integer(1, 400)).map((byte) => 97 + (byte & 1)) : []
    const key = Uint8Array.from([...bytes(`key ${String(i * 3).padStart(8, '0')}`), ...tail])
    for (let versions = random.integer(0, 9) === 0 ? 3 : 1; versions > 0; versions--) {
      const kind = random.integer(0, 30) === 0 ? random.pick([KIND_DELETE, KIND_PUT_EXPIRING]) : KIND_PUT
      const half = Array.from({ length: 50 }, () => random.integer(33, 126))
      if (random.integer(0, 30) === 0) half[random.integer(0, 49)] = random.integer(128, 255)
      const value = kind === KIND_DELETE ? new Uint8Array(0) : Uint8Array.from([...half, ...half])
      const expiresAt = kind === KIND_PUT_EXPIRING ? random.integer(1, 2 ** 42) : 0
      entries.push({ key, kind, position: i * 10 + versions, expiresAt, value })
    }
  }
  return inOrder(entries)
}

function visible(entries: readonly Entry[], limit: number): Entry[] {
  const seen: Entry[] = []
  for (const entry of entries) {
    if (entry.position >= limit) continue
    if (seen.length === 0 || compareKeys(seen.at(-1)!.key, entry.key) !== 0) seen.push(entry)
  }
  return seen
}

/** Brings every block into memory, in whatever form there is room for. */
function warm(table: Table): void {
  const cursor = table.cursor(NEWEST)
  for (cursor.seekToFirst(); cursor.valid; cursor.next());
  cursor.release()
}

/** What the cursor and the entry that it shows say, which must be the same. */
function shown(cursor: TableCursor): Entry | undefined {
  const entry = current(cursor)
  if (entry === undefined) return undefined
  const part = cursor.entry
  expect(part.keyText()).toBe(Buffer.from(entry.key).toString())
  expect(part.valueText()).toBe(Buffer.from(entry.value).toString())
  expect([part.kind, part.position, part.expiresAt]).toEqual([entry.kind, entry.position, entry.expiresAt])
  return entry
}

/** Walks from anywhere to anywhere, told how far it would go or anything else, and holds what it sees to what is there. */
function walkAbout(random: SeededRandom, table: Table, entries: readonly Entry[], rounds: number): void {
  const highest = Math.max(...entries.map(({ position }) => position))
  const limits = [NEWEST, Math.floor(highest / 2)].map((limit) => ({ limit, seen: visible(entries, limit) }))
  for (let round = 0; round < rounds; round++) {
    const { limit, seen } = random.pick(limits)
    const cursor = table.cursor(limit)
    for (let again = random.integer(1, 2); again > 0; again--) {
      const from = random.pick(entries).key
      const key = random.pick([from, Uint8Array.from([...from, 0]), from.slice(0, -1)])
      cursor.most = random.pick([1, 2, 10, 40, 100])
      cursor.seek(key, 0, key.length)
      let at = seen.findIndex((entry) => compareKeys(entry.key, key) >= 0)
      if (at < 0) at = seen.length
      for (let steps = random.pick([0, cursor.most - 1, cursor.most + 30]); ; steps--) {
        expect(shown(cursor)).toEqual(seen[at])
        if (steps === 0 || seen[at] === undefined) break
        const { run } = cursor.entry
        if (run !== undefined && run.index + 1 < run.count && random.integer(0, 9) === 0) {
          // As a walk does that knows what comes next.
          run.index++
          at++
        }
        if (random.integer(0, 50) === 0 && at > 0) {
          at--
          cursor.prev()
        } else {
          at++
          cursor.next()
        }
      }
    }
    cursor.release()
  }
}

/** How many picks there were, and of how many entries. */
function countPicks(table: Table): { picks: number; entries: number } {
  const counted = { picks: 0, entries: 0 }
  const pick = table.pick.bind(table)
  table.pick = (...args) => {
    const count = pick(...args)
    if (count > 0) {
      counted.picks++
      counted.entries += count
    }
    return count
  }
  return counted
}

function opened(entries: readonly Entry[], blockBytes: number, restartInterval: number, cacheBytes: number) {
  const files = new TestFiles()
  writeTable(files, entries, { blockBytes, restartInterval })
  return openTable(files, { cacheBytes })
}

test('entries picked out of packed blocks are those that a walk comes to', { timeout: 60_000 }, () => {
  const random = seededRandom('picked, packed')
  const entries = compressible(random, 40_000)
  for (const restartInterval of [1, 16]) {
    const { table, cache } = opened(entries, 4096, restartInterval, CAP_BYTES)
    for (let i = 0; i < 2; i++) for (const { key } of entries) find(table, key)
    expect(cache.stats().packedBytes).toBeGreaterThan(CAP_BYTES / 2)
    const counted = countPicks(table)
    walkAbout(random, table, entries, 250)
    expect(counted.picks).toBeGreaterThan(200)
    expect(counted.entries).toBeGreaterThan(2000)
  }
})

test('entries picked out of blocks as they are are those that a walk comes to', { timeout: 60_000 }, () => {
  const random = seededRandom('picked')
  for (const blockBytes of [300, 4096, 12_000, 40_000]) {
    const entries = randomEntries(random, 1000)
    const { table } = opened(entries, blockBytes, random.pick([1, 4, 16]), 1 << 20)
    warm(table)
    const counted = countPicks(table)
    walkAbout(random, table, entries, 80)
    // The longest are not worth bringing to where that is done.
    if (blockBytes < 40_000) expect(counted.picks).toBeGreaterThan(0)
  }
})

test('blocks that short scans come to again and again stay in a full cache', () => {
  const random = seededRandom('picked, full')
  const entries = compressible(random, 60_000)
  const files = new TestFiles()
  writeTable(files, entries, { blockBytes: 4096, compression: 'none' })
  const { table, cache } = openTable(files, { cacheBytes: CAP_BYTES })
  for (const { key } of entries) find(table, key)
  const missedIn = (most: number): number => {
    const before = cache.stats().misses
    for (let i = 0; i < 100; i++) {
      const { key } = entries[i * 577]!
      const cursor = table.cursor(NEWEST)
      cursor.most = most
      cursor.seek(key, 0, key.length)
      cursor.release()
    }
    return cache.stats().misses - before
  }
  // Nobody knows whether these go on: what they pass by is not kept for it.
  for (let i = 0; i < 5; i++) missedIn(0)
  expect(missedIn(0)).toBeGreaterThan(20)
  for (let i = 0; i < 5; i++) missedIn(10)
  expect(missedIn(10)).toBe(0)
})

test('what is picked stays what it was while others read', () => {
  const random = seededRandom('picked and read beside')
  const entries = compressible(random, 3000)
  const seen = visible(entries, NEWEST)
  const { table } = opened(entries, 4096, 16, 1 << 20)
  warm(table)
  const first = table.cursor(NEWEST)
  const second = table.cursor(NEWEST)
  first.most = second.most = 20
  first.seek(seen[100]!.key, 0, seen[100]!.key.length)
  second.seek(seen[2000]!.key, 0, seen[2000]!.key.length)
  for (let i = 0; i < 40; i++, first.next(), second.next()) {
    expect(shown(first)).toEqual(seen[100 + i])
    expect(shown(second)).toEqual(seen[2000 + i])
  }
  first.release()
  second.release()
})

test('a walk that wants more than was picked goes on where its block has to be brought first', async () => {
  const random = seededRandom('picked, then missing')
  const entries = compressible(random, 3000)
  const seen = visible(entries, NEWEST)
  const { table, cache, files } = opened(entries, 4096, 16, 1 << 20)
  warm(table)
  for (const most of [3, 30]) {
    const cursor = table.cursor(NEWEST)
    cursor.most = most
    cursor.seek(seen[100]!.key, 0, seen[100]!.key.length)
    for (let i = 1; i < most; i++) cursor.next()
    expect(current(cursor)).toEqual(seen[99 + most])
    forget(cache, table, files)
    cache.blocking = false
    let missed = 0
    for (let at = 100 + most; at < 300; at++) {
      for (;;) {
        try {
          cursor.next()
          break
        } catch (error) {
          if (!(error instanceof BlockNotResident)) throw error
          missed++
          expect(text(cursor.keyBytes.subarray(cursor.keyStart, cursor.keyEnd))).toBe(text(seen[at - 1]!.key))
          await error.load()
        }
      }
      expect(shown(cursor)).toEqual(seen[at])
    }
    expect(missed).toBeGreaterThan(0)
    cursor.release()
    cache.blocking = true
    files.readMs = 0
  }
})

/** Drives everything else out of the cache, and shows it that the disk is slow. */
function forget(cache: BlockCache, table: Table, files: TestFiles): void {
  const others = new TestFiles()
  const entries = randomEntries(seededRandom('others'), 8000)
  writeTable(others, entries, { blockBytes: 4096, fileNumber: 9, compression: 'none' })
  const opened = openTable(others, { cache, fileNumber: 9 })
  for (let i = 0; i < 3; i++) for (const { key } of entries) find(opened.table, key)
  files.readMs = 10
  const cursor = table.cursor(NEWEST)
  cursor.seekToFirst()
  cursor.release()
}
