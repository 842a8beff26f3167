import { expect, test } from 'vitest'
import { PackedBlocks, type PackedFacts } from '../../src/table/packed-blocks.js'
import { Resident } from '../../src/table/resident.js'
import { withoutMemory } from './no-memory.js'
import { seededRandom } from './random.js'

class Parent extends Resident {
  constructor(childCount = 64) {
    super(0, childCount)
  }
}

const SEGMENT_BYTES = 16 * 1024

function content(packed: PackedBlocks, parent: Resident, ordinal: number): Uint8Array {
  const { search, start, end } = packed.find(parent, ordinal, false)
  return search!.bytes.slice(start, end)
}

/** What is known of a block of so many bytes. */
function block(length: number, entriesEnd = length - 16, basePosition = 2 ** 40 + length): PackedFacts {
  return { length, entriesEnd, basePosition }
}

/** Puts a block wherever there is room for it, as often as it takes. */
function put(packed: PackedBlocks, parent: Resident, ordinal: number, bytes: Uint8Array, most = 4): void {
  if (!packed.hasRoom(bytes.length)) {
    if (packed.segmentCount < most) packed.addSegment()
    else packed.recycle()
  }
  packed.put(parent, ordinal, bytes, bytes.length, block(bytes.length * 2))
}

test('a block is found as it was put, with its length before', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  const parent = new Parent()
  for (let i = 1; i < 5; i++) put(packed, parent, i, new Uint8Array(i * 100).fill(i + 1))
  for (let i = 1; i < 5; i++) {
    expect(content(packed, parent, i)).toEqual(new Uint8Array(i * 100).fill(i + 1))
    const { rawBytes, entryBytes, basePosition } = packed.find(parent, i, false)
    expect({ length: rawBytes, entriesEnd: entryBytes, basePosition }).toEqual(block(i * 200))
  }
  expect(packed.count).toBe(4)
  expect(parent.residentChildren).toBe(4)
})

test('the longest block keeps its lengths and its base', () => {
  const packed = new PackedBlocks(1024 * 1024)
  const parent = new Parent()
  packed.addSegment()
  packed.put(parent, 0, new Uint8Array(10), 10, block(64 * 1024, 64 * 1024 - 16, Number.MAX_SAFE_INTEGER))
  const { rawBytes, entryBytes, basePosition } = packed.find(parent, 0, false)
  expect([rawBytes, entryBytes, basePosition]).toEqual([64 * 1024, 64 * 1024 - 16, Number.MAX_SAFE_INTEGER])
})

test('what is too long for a segment is not taken', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  expect(packed.takes(SEGMENT_BYTES / 4 - 32, 5000)).toBe(true)
  expect(packed.takes(SEGMENT_BYTES / 4 - 31, 5000)).toBe(false)
  expect(packed.takes(1000, 64 * 1024)).toBe(true)
  expect(packed.takes(1000, 64 * 1024 + 1)).toBe(false)
})

test('when the oldest segment is filled again, what was found stays once and the rest goes', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  const parent = new Parent()
  packed.addSegment()
  for (let i = 0; packed.hasRoom(1000); i++) packed.put(parent, i, new Uint8Array(1000).fill(i + 1), 1000, block(2000))
  const before = packed.count
  packed.find(parent, 3, true)
  packed.find(parent, 7, true)
  packed.find(parent, 8, false)
  expect(packed.recycle()).toBe(before - 2)
  expect([...parent.packedAt.entries()].filter(([, at]) => at !== 0).map(([i]) => i)).toEqual([3, 7])
  expect(content(packed, parent, 3)).toEqual(new Uint8Array(1000).fill(4))
  expect(content(packed, parent, 7)).toEqual(new Uint8Array(1000).fill(8))
  packed.find(parent, 7, true)
  expect(packed.recycle()).toBe(1)
  expect(content(packed, parent, 7)).toEqual(new Uint8Array(1000).fill(8))
  expect(packed.count).toBe(1)
})

test('a segment of which everything was found has room all the same', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  const parent = new Parent()
  packed.addSegment()
  for (let i = 0; packed.hasRoom(1000); i++) packed.put(parent, i, new Uint8Array(1000), 1000, block(2000))
  for (let i = 0; i < packed.count; i++) packed.find(parent, i, true)
  packed.recycle()
  expect(packed.hasRoom(SEGMENT_BYTES / 4)).toBe(true)
  expect(packed.count).toBeGreaterThan(4)
})

test('a block is hot when it is found in a row, and not when it is found among all others', () => {
  const packed = new PackedBlocks(1024 * 1024)
  const parent = new Parent(1000)
  for (let i = 0; i < 200; i++) put(packed, parent, i, new Uint8Array(100))
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 200; i++) expect(packed.find(parent, i, true).isHot).toBe(false)
  }
  for (let i = 0; i < 4; i++) expect(packed.find(parent, 7, true).isHot).toBe(i === 3)
  expect(packed.find(parent, 8, true).isHot).toBe(false)
})

test('where there is no memory for packed blocks nothing is packed, and it is not asked for again', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  expect(packed.isOff).toBe(false)
  withoutMemory(() => expect(packed.addSegment()).toBe(false))
  expect(packed.isOff).toBe(true)
  expect(packed.addSegment()).toBe(false)
  expect(new PackedBlocks(SEGMENT_BYTES).addSegment()).toBe(true)
})

test('a segment goes with the last of its blocks', () => {
  const packed = new PackedBlocks(SEGMENT_BYTES)
  const parent = new Parent()
  packed.addSegment()
  for (let i = 0; packed.hasRoom(3000); i++) packed.put(parent, i, new Uint8Array(3000), 3000, block(5000))
  const last = packed.count - 1
  for (let i = 0; i < last; i++) expect(packed.drop(parent, i)).toBe(0)
  expect(packed.segmentCount).toBe(1)
  expect(packed.drop(parent, last)).toBe(SEGMENT_BYTES)
  expect(packed.segmentCount).toBe(0)
  expect(parent.residentChildren).toBe(0)
})

test('any mix of what can happen leaves what was put, or nothing', () => {
  const random = seededRandom('packed blocks')
  const packed = new PackedBlocks(SEGMENT_BYTES)
  const parents = Array.from({ length: 6 }, () => new Parent())
  const expected = new Map<Parent, Map<number, Uint8Array>>(parents.map((parent) => [parent, new Map()]))
  let bytes = 0
  let seen = 0
  for (let step = 0; step < 20_000; step++) {
    const parent = random.pick(parents)
    const ordinal = random.integer(0, 63)
    const isHeld = parent.packedAt[ordinal] !== 0
    const what = random.integer(0, 99)
    if (what < 60 && !isHeld) {
      const bytesOfBlock = random.bytes(random.integer(0, 3000))
      if (!packed.hasRoom(bytesOfBlock.length)) {
        if (packed.segmentCount === 0 || random.integer(0, 9) === 0) {
          packed.addSegment()
          bytes += SEGMENT_BYTES
        } else packed.recycle()
      }
      packed.put(parent, ordinal, bytesOfBlock, bytesOfBlock.length, block(5000))
      expected.get(parent)!.set(ordinal, bytesOfBlock)
    } else if (what < 60) {
      seen++
      const { search, start, end } = packed.find(parent, ordinal, true)
      expect(search!.bytes.slice(start, end)).toEqual(expected.get(parent)!.get(ordinal))
    } else if (what < 70 && isHeld) bytes -= packed.drop(parent, ordinal)
    else if (what === 99 && packed.segmentCount > 2) {
      packed.dropOldest()
      bytes -= SEGMENT_BYTES
    }
    expect(packed.segmentCount * SEGMENT_BYTES).toBe(bytes)
  }
  let count = 0
  for (const parent of parents) {
    let own = 0
    for (let ordinal = 0; ordinal < 64; ordinal++) {
      if (parent.packedAt[ordinal] === 0) continue
      own++
      expect(content(packed, parent, ordinal)).toEqual(expected.get(parent)!.get(ordinal))
    }
    expect(parent.residentChildren).toBe(own)
    expect(parent.packedCount).toBe(own)
    count += own
  }
  expect(packed.count).toBe(count)
  expect(seen).toBeGreaterThan(300)
  for (const parent of parents) {
    for (let i = 0; i < 64; i++) if (parent.packedAt[i] !== 0) packed.drop(parent, i)
  }
  expect([packed.count, packed.segmentCount]).toEqual([0, 0])
})
