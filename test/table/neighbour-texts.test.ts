import { expect, test } from 'vitest'
import { EntryGroup } from '../../src/table/entry-group.js'
import { MOST_SHARED_BYTES, NeighbourTexts } from '../../src/table/neighbour-texts.js'
import { seededRandom } from './random.js'
import { bytes, type Entry, inOrder, openTable, put, randomEntries, tableOf, text, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

const utf8 = (part: Uint8Array): string => Buffer.from(part).toString('utf8')

/** Mostly ASCII and alike, so that neighbours come together, with others in between. */
function mixedEntries(count: number, valueBytes: readonly number[]): Entry[] {
  const random = seededRandom('texts of neighbours')
  const entries = randomEntries(random, count >> 2)
  const taken = new Set(entries.map(({ key }) => text(key)))
  for (let i = 0; i < count; i++) {
    const odd = random.integer(0, 19)
    const key = bytes(`key:${String(i).padStart(12, '0')}`)
    if (odd === 0) key.set(Buffer.from('é'), random.integer(4, 14))
    if (odd === 1) key[random.integer(4, 15)] = random.pick([0x80, 0xc3, 0xe2, 0xf0, 0xff])
    const value = new Uint8Array(random.pick(valueBytes)).fill(0x61 + (i % 26))
    if (odd === 2 && value.length > 4) value.set(Buffer.from('😀'), random.integer(0, value.length - 4))
    if (odd === 3 && value.length > 0) value[random.pick([0, value.length - 1])] = random.pick([0x80, 0xc3, 0xf0, 0xff])
    if (!taken.has(text(key))) entries.push(put(key, random.integer(1, 2 ** 40), value))
    taken.add(text(key))
  }
  return inOrder(entries)
}

test('the texts of a walk that turns are those of its bytes, whatever stands beside them', () => {
  const shapes = [
    { blockBytes: 4096, restartInterval: 16, valueBytes: [100], cacheBytes: 1 << 20 },
    { blockBytes: 4096, restartInterval: 1, valueBytes: [0, 1, 7, 8, 9], cacheBytes: 0 },
    { blockBytes: 30_000, restartInterval: 16, valueBytes: [100, 2047, 2048, 2049], cacheBytes: 0 },
    { blockBytes: 1000, restartInterval: 1000, valueBytes: [0, 3, 300, 1024], cacheBytes: 20_000 },
  ]
  for (const { valueBytes, cacheBytes, ...shape } of shapes) {
    const random = seededRandom('walk')
    const entries = mixedEntries(1500, valueBytes)
    const files = new TestFiles()
    writeTable(files, entries, shape)
    for (const limit of [Number.MAX_SAFE_INTEGER, 2 ** 39]) {
      const below = entries.filter(({ position }) => position < limit)
      const model = below.filter(({ key }, i) => i === 0 || text(key) !== text(below[i - 1]!.key))
      const cursor = openTable(files, { cacheBytes }).table.cursor(limit)
      for (let round = 0; round < 12; round++) {
        let at = random.integer(0, model.length - 1)
        cursor.expected = random.pick([0, 20, 100])
        cursor.seek(model[at]!.key, 0, model[at]!.key.length)
        for (let turn = random.integer(1, 4); turn > 0 && cursor.valid; turn--) {
          const direction = random.pick([-1, 1])
          for (let steps = random.integer(1, 400); steps > 0 && cursor.valid; steps--) {
            const { entry } = cursor
            const { key, value, ...rest } = model[at]!
            expect(entry.keyText()).toBe(utf8(key))
            if (random.integer(0, 3) > 0) expect(entry.valueText()).toBe(utf8(value))
            const { kind, position, expiresAt } = entry
            expect({ kind, position, expiresAt }).toEqual(rest)
            expect(text(entry.valueBytes.subarray(entry.valueStart, entry.valueEnd))).toBe(text(value))
            if (direction > 0) cursor.next()
            else cursor.prev()
            at += direction
          }
          expect(cursor.valid).toBe(model[at] !== undefined)
        }
      }
    }
  }
})

test('WebAssembly and plain code take a group apart alike', () => {
  const random = seededRandom('groups')
  for (let round = 0; round < 20; round++) {
    const { table } = tableOf(randomEntries(random, 300), {
      restartInterval: random.pick([1, 3, 16, 1000]),
      blockBytes: random.pick([512, 4096]),
    })
    const partition = table.partition(0, 'keep')
    for (let i = 0; i < partition.count; i++) {
      const block = table.block(partition, i, 'pass')
      const all = new EntryGroup()
      all.decodeAll(block, 0, block.entriesEnd)
      const group = new EntryGroup()
      for (const limit of [Number.POSITIVE_INFINITY, block.basePosition + 1, block.basePosition]) {
        group.decode(block, 0, block.entriesEnd, limit)
        const expected = shown(all, limit)
        expect(shown(group, Number.POSITIVE_INFINITY)).toEqual(expected)
      }
    }
  }
})

/** The newest entry of every key below a limit. */
function shown(group: EntryGroup, limit: number): object[] {
  const rows: { key: string; at: number; value: number[]; position: number; kind: number; expiresAt: number }[] = []
  for (group.index = 0; group.index < group.count; group.index++) {
    const { index, kind, position, expiresAt, keyBytes, keyStart, keyEnd, valueStart, valueEnd } = group
    const key = text(keyBytes.subarray(keyStart, keyEnd))
    if (position >= limit || rows.at(-1)?.key === key) continue
    rows.push({ key, at: group.entryAt(index), value: [valueStart, valueEnd], position, kind, expiresAt })
  }
  return rows
}

test('a text that is shared is no longer than was promised', () => {
  const random = seededRandom('shared texts')
  for (let round = 0; round < 500; round++) {
    const count = random.integer(1, 60)
    const cells = new Int32Array(count * 3)
    const memory = new Uint8Array(200_000).fill(0x61)
    let at = random.integer(0, 9)
    for (let i = 0; i < count; i++) {
      const length = random.pick([0, 10, 100, 700, MOST_SHARED_BYTES - 1, MOST_SHARED_BYTES, MOST_SHARED_BYTES + 1])
      cells.set([at, at + length, random.integer(0, 9) === 0 ? 1 : 0], i * 3)
      at += length + random.integer(0, 20)
    }
    const texts = new NeighbourTexts(0, 2, 1)
    for (const backwards of [false, true]) {
      const index = random.integer(0, count - 1)
      texts.clear()
      if (!texts.gather(memory, cells, 3, count, index, backwards)) continue
      expect(texts.text.length).toBeLessThanOrEqual(MOST_SHARED_BYTES)
      expect(texts.last - texts.first).toBeGreaterThan(0)
      expect(backwards ? texts.last : texts.first).toBe(index)
      for (let i = texts.first; i <= texts.last; i++) {
        expect(cells[i * 3 + 2]).toBe(0)
        expect(cells[i * 3]! - texts.from).toBeGreaterThanOrEqual(0)
        expect(cells[i * 3 + 1]! - texts.from).toBeLessThanOrEqual(texts.text.length)
      }
    }
  }
})

test('the first steps of a walk decode nothing that nobody has asked for', () => {
  const { table } = tableOf(Array.from({ length: 2000 }, (_, i) => put(`key:${10_000 + i}`, i + 1, 'x'.repeat(50))))
  const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
  const target = bytes('key:10500')
  cursor.seek(target, 0, target.length)
  for (let i = 0; i < 10; i++) cursor.next()
  expect(cursor.entry.run).toBeUndefined()
  for (let i = 0; i < 100; i++) cursor.next()
  expect(cursor.entry.run?.count).toBeGreaterThan(1)
})
