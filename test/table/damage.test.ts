import { expect, test } from 'vitest'
import { SiltstoneError } from '../../src/bytes/errors.js'
import { blockHash } from '../../src/bytes/hash.js'
import { putU32 } from '../../src/bytes/integers.js'
import { RangeTombstones } from '../../src/bytes/range-tombstones.js'
import { DataBlock } from '../../src/table/block.js'
import { FOOTER_BYTES } from '../../src/table/footer.js'
import { IndexNode } from '../../src/table/index-node.js'
import { seededRandom } from './random.js'
import { bytes, current, type Entry, find, openTable, put, randomEntries, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

const PATH = '7.table'

/** Runs something that may refuse the bytes, and must do it by naming file and offset. */
function orCorrupt<T>(action: () => T): T | 'refused' {
  try {
    return action()
  } catch (error) {
    expect(error).toBeInstanceOf(SiltstoneError)
    const { code, file, offset } = error as SiltstoneError
    expect({ code, file }).toEqual({ code: 'SILT_CORRUPTION', file: PATH })
    expect(offset).toBeTypeOf('number')
    return 'refused'
  }
}

/** Everything a table can be asked; each answer is right or refused. Says how many were refused. */
function interrogate(files: TestFiles, entries: readonly Entry[]): number {
  const opened = orCorrupt(() => openTable(files))
  if (opened === 'refused') return 1
  let refused = 0
  for (const entry of entries) {
    const answer = orCorrupt(() => find(opened.table, entry.key))
    if (answer === 'refused') refused++
    else expect(answer).toEqual(entry)
  }
  const seen = orCorrupt(() => {
    const walked: (Entry | undefined)[] = []
    const cursor = opened.table.cursor(Number.MAX_SAFE_INTEGER)
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) walked.push(current(cursor))
    return walked
  })
  if (seen === 'refused') refused++
  else expect(seen).toEqual(entries)
  if (refused > 0) expect(opened.table.verify()).not.toEqual([])
  opened.table.close()
  return refused
}

const few = Array.from({ length: 12 }, (_, i) =>
  put(`key ${String(i).padStart(3, '0')}`, i + 1, `value ${i} `.repeat(4)),
)
const fewTombstones = new RangeTombstones()
fewTombstones.add(bytes('x'), bytes('y'), 3)

test('whatever byte is flipped, answers are right or refused with file and offset', () => {
  const files = new TestFiles()
  writeTable(files, few, { blockBytes: 150 }, fewTombstones)
  const original = files.contents.get(PATH)!
  for (let i = 0; i < original.length; i++) {
    const damaged = original.slice()
    damaged[i]! ^= 1 << (i & 7)
    files.contents.set(PATH, damaged)
    expect(interrogate(files, few), `byte ${i} of ${original.length}`).toBeGreaterThan(0)
  }
})

test('wherever a table is cut short or made longer, it is refused', () => {
  const files = new TestFiles()
  writeTable(files, few, { blockBytes: 150 })
  const original = files.contents.get(PATH)!
  for (let length = 0; length < original.length; length++) {
    files.contents.set(PATH, original.slice(0, length))
    expect(
      orCorrupt(() => openTable(files)),
      `cut to ${length}`,
    ).toBe('refused')
  }
  files.contents.set(PATH, Uint8Array.of(...original, 0))
  expect(orCorrupt(() => openTable(files))).toBe('refused')
})

test('a block in the place of another is noticed', () => {
  const files = new TestFiles()
  const entries = Array.from({ length: 20 }, (_, i) => put(`key ${i + 100}`, 1000 - i, `value ${i + 100}`))
  writeTable(files, entries, { blockBytes: 1, compression: 'none' })
  const original = files.contents.get(PATH)!
  const { table } = openTable(files)
  const partition = table.partition(0, 'keep')
  const size = partition.childBytes(3)
  expect(partition.childBytes(4)).toBe(size)
  const swapped = original.slice()
  swapped.set(original.subarray(partition.childOffset(4), partition.childOffset(4) + size), partition.childOffset(3))
  files.contents.set(PATH, swapped)
  expect(interrogate(files, entries)).toBeGreaterThan(0)
})

test('the same block of another table is noticed', () => {
  const files = new TestFiles()
  writeTable(files, few, { fileNumber: 8 })
  writeTable(files, few)
  const [mine, other] = [files.contents.get(PATH)!, files.contents.get('8.table')!]
  const mixed = mine.slice()
  mixed.set(other.subarray(0, 300))
  files.contents.set(PATH, mixed)
  expect(interrogate(files, few)).toBeGreaterThan(0)
  files.contents.set(PATH, other)
  expect(orCorrupt(() => openTable(files))).toBe('refused')
})

test('a table of a later format version is refused as that, not as damage', () => {
  const files = new TestFiles()
  writeTable(files, few)
  const later = files.contents.get(PATH)!
  const footer = later.length - FOOTER_BYTES
  putU32(later, footer + 56, 2)
  putU32(later, footer + 60, blockHash(later, footer, footer + 60, 0))
  expect(() => openTable(files)).toThrow(expect.objectContaining({ code: 'SILT_FORMAT', file: PATH }))
})

test('random damage of a larger table never yields a wrong answer', () => {
  const random = seededRandom('random damage')
  const files = new TestFiles()
  const entries = randomEntries(random, 120).filter((entry, i, all) => entry.key !== all[i - 1]?.key)
  writeTable(files, entries)
  const original = files.contents.get(PATH)!
  for (let round = 0; round < 40; round++) {
    const damaged = original.slice()
    const at = random.integer(0, damaged.length - 1)
    damaged.set(random.bytes(Math.min(random.integer(1, 64), damaged.length - at)), at)
    files.contents.set(PATH, damaged)
    interrogate(files, entries)
  }
})

/** The bytes of some block as the writer left them, for damage that a checksum would not catch. */
function rawBlock(): Uint8Array {
  const files = new TestFiles()
  writeTable(files, randomEntries(seededRandom('raw block'), 40), { blockBytes: 1 << 20, compression: 'none' })
  const { table } = openTable(files)
  const block = table.block(table.partition(0, 'keep'), 0, 'keep')
  return block.bytes.slice(0, block.entriesEnd + block.restartCount * 4 + 12)
}

test('a block that passes its checksum and is nonsense is refused or walked within its bounds', () => {
  const random = seededRandom('nonsense blocks')
  const original = rawBlock()
  for (let round = 0; round < 3000; round++) {
    const nonsense = random.integer(0, 3) === 0 ? random.bytes(random.integer(0, 60)) : original.slice()
    for (let i = random.integer(1, 3); i > 0 && nonsense.length > 0; i--) {
      nonsense[random.integer(0, nonsense.length - 1)] = random.pick([0, 1, 127, 128, 255, random.integer(0, 255)])
    }
    let block: DataBlock
    try {
      block = DataBlock.of(nonsense, nonsense.length)
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
      continue
    }
    for (let group = 0; group < block.restartCount; group++) {
      expect(block.restart(group)).toBeLessThan(block.restart(group + 1))
    }
    expect(block.restart(block.restartCount)).toBeLessThan(nonsense.length)
  }
})

test('an index node that is nonsense is refused or finds a block that is there', () => {
  const random = seededRandom('nonsense index')
  for (let round = 0; round < 2000; round++) {
    const nonsense = random.bytes(random.integer(0, 60))
    if (nonsense.length > 4) nonsense.set([random.integer(0, 8), 0, 0, 0])
    let node: IndexNode
    try {
      node = IndexNode.decode(nonsense, nonsense.length, 2 ** 40)
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
      continue
    }
    if (node.count === 0) continue
    const child = node.find(random.bytes(4), 0, 4)
    expect(child).toBeGreaterThanOrEqual(0)
    expect(child).toBeLessThan(node.count)
  }
})
