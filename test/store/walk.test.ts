import { expect, test } from 'vitest'
import { compareKeys } from '../../src/bytes/compare.js'
import type { WalkCursor } from '../../src/bytes/cursor.js'
import { KIND_DELETE } from '../../src/log/operation.js'
import { Walk } from '../../src/store/walk.js'
import { BlockCache } from '../../src/table/block-cache.js'
import { BlockNotResident } from '../../src/table/block-not-resident.js'
import type { KeyRange } from '../../src/tree/key-range.js'
import { LevelCursor } from '../../src/tree/level-cursor.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { type SeededRandom, seededRandom } from '../table/random.js'
import { bytes, type Entry, inOrder, openTable, put, text, writeTable } from '../table/sample.js'
import { TestFiles } from '../table/test-files.js'

const KEYS = 1500

/** A source that has some of the keys, each with a few versions; its positions lie between those of the sources above and below it. */
function sourceEntries(random: SeededRandom, newest: number, share: number, everyPut: boolean): Entry[] {
  const entries: Entry[] = []
  for (let i = 0; i < KEYS; i++) {
    if (random.integer(0, 99) >= share) continue
    const key = bytes(`key:${String(i).padStart(8, '0')}`)
    let position = newest
    for (let versions = random.integer(0, 5) === 0 ? random.integer(2, 30) : 1; versions > 0; versions--) {
      const entry = put(key, position, `value ${i} of ${position}`)
      if (!everyPut && random.integer(0, 20) === 0) entry.kind = KIND_DELETE
      entries.push(entry)
      position -= random.integer(1, 300)
    }
  }
  return inOrder(entries)
}

/** Tables of the entries, split where the key changes. */
function tablesOf(random: SeededRandom, files: TestFiles, cache: BlockCache, entries: readonly Entry[], first: number) {
  const tables: (KeyRange & { open: (limit: number) => WalkCursor })[] = []
  const shape = { restartInterval: random.pick([1, 3, 16]), blockBytes: random.pick([300, 1000, 4096]) }
  for (let from = 0; from < entries.length; ) {
    let to = Math.min(entries.length, from + random.integer(200, 800))
    while (to < entries.length && compareKeys(entries[to - 1]!.key, entries[to]!.key) === 0) to++
    const part = entries.slice(from, to)
    const fileNumber = first + tables.length
    writeTable(files, part, { fileNumber, ...shape })
    const { table } = openTable(files, { cache, fileNumber })
    tables.push({
      start: part[0]!.key,
      end: Uint8Array.of(...part.at(-1)!.key, 0),
      open: (limit) => table.cursor(limit),
    })
    from = to
  }
  return tables
}

test('a walk that is interrupted by every block shows what it would have shown', { timeout: 30_000 }, async () => {
  const random = seededRandom('interrupted walks')
  for (let round = 0; round < 40; round++) {
    const files = new TestFiles()
    const cache = new BlockCache(random.pick([0, 30_000, 4 << 20]), files.now)
    const sourceCount = random.integer(1, 3)
    const all: Entry[] = []
    const sources: ((limit: number) => WalkCursor)[] = []
    for (let source = 0; source < sourceCount; source++) {
      const newest = (sourceCount - source) * 100_000
      const entries = sourceEntries(random, newest, random.pick([3, 50, 100]), random.integer(0, 1) === 0)
      if (entries.length === 0) continue
      all.push(...entries)
      const tables = tablesOf(random, files, cache, entries, source * 100 + 1)
      sources.push((limit) => new LevelCursor(tables, (i) => tables[i]!.open(limit)))
    }
    const limit = random.pick([Number.MAX_SAFE_INTEGER, sourceCount * 100_000 - random.integer(0, 1000), 100_000])
    const start = random.integer(0, 2) === 0 ? random.pick(all).key : new Uint8Array(0)
    const end = random.integer(0, 2) === 0 ? random.pick(all).key : undefined
    const reverse = random.integer(0, 1) === 1

    const expected: string[] = []
    let last: Uint8Array | undefined
    for (const { key, kind, position, value } of inOrder(all)) {
      if (position >= limit || (last !== undefined && compareKeys(key, last) === 0)) continue
      last = key
      if (kind === KIND_DELETE || compareKeys(key, start) < 0) continue
      if (end === undefined || compareKeys(key, end) < 0) expected.push(`${text(key)} ${text(value)}`)
    }
    if (reverse) expected.reverse()

    const cursors = sources.map((open) => open(limit))
    const walk = new Walk(
      () => ({
        cursors,
        newestPositions: cursors.map(() => limit),
        tombstones: undefined,
        limit,
        clock: new ManualClock(0),
      }),
      { start, end },
      reverse,
      () => {},
    )
    walk.expected = random.pick([0, 3, 30, 1000])
    const isSlow = random.integer(0, 1) === 1
    const seen: string[] = []
    for (let rounds = 0; ; ) {
      if (isSlow) files.readMs = 10
      cache.blocking = !isSlow || rounds > 30
      try {
        walk.advance()
      } catch (error) {
        if (!(error instanceof BlockNotResident)) throw error
        rounds++
        await error.load()
        continue
      }
      rounds = 0
      if (walk.current === undefined) break
      const { current } = walk
      expect(current.keyText()).toBe(text(current.keyBytes.subarray(current.keyStart, current.keyEnd)))
      seen.push(`${current.keyText()} ${current.valueText()}`)
    }
    expect(seen).toEqual(expected)
  }
})
