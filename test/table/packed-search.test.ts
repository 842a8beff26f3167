import { expect, test } from 'vitest'
import { Found } from '../../src/bytes/cursor.js'
import { lz4Compress } from '../../src/bytes/lz4.js'
import { type DataBlock, findInBlock, showEntry } from '../../src/table/block.js'
import { PackedRegion } from '../../src/table/packed-region.js'
import { seededRandom } from './random.js'
import { blockOf, SHAPES } from './sample-blocks.js'

const SEGMENT_BYTES = 64 * 1024
const NEWEST = Number.MAX_SAFE_INTEGER

/** A block as it would be kept, and how to look for a key in it. */
class Packed {
  readonly at: number
  readonly end: number

  constructor(
    readonly region: PackedRegion,
    readonly block: DataBlock,
  ) {
    const packed = lz4Compress(block.bytes, 0, block.length, block.length * 2 + 100)!
    this.at = region.take()
    this.end = this.at + packed.length
    region.bytes.set(packed, this.at)
    region.give(this.at)
  }

  placeOf(key: Uint8Array, limit = NEWEST): number {
    const { region, block, at, end } = this
    // Keys are sought where they stand in a longer array.
    const padded = Uint8Array.from([7, ...key, 9])
    const { length, entriesEnd, basePosition } = block
    return region.search.find(at, end, length, entriesEnd, basePosition, padded, 1, 1 + key.length, limit)
  }

  find(key: Uint8Array, limit: number, found: Found): boolean {
    const place = this.placeOf(key, limit)
    if (place >= 0) showEntry(this.region.bytes, place, this.block.basePosition, found)
    return place >= 0
  }
}

function answerOf(find: (found: Found) => boolean): unknown {
  const found = new Found()
  if (!find(found)) return undefined
  const { kind, position, expiresAt, bytes, start, end } = found
  return { kind, position, expiresAt, value: bytes.slice(start, end) }
}

for (const [title, shape] of Object.entries(SHAPES)) {
  test(`a packed block answers like the same block as it is: ${title}`, () => {
    const random = seededRandom('packed search')
    const region = new PackedRegion(SEGMENT_BYTES, 2, SEGMENT_BYTES)
    let hits = 0
    for (let round = 0; round < 60; round++) {
      const { block, keys } = blockOf(random, shape, random.integer(1, 60), round % 2 === 0)
      const packed = new Packed(region, block)
      for (let i = 0; i < 200; i++) {
        const from = random.pick([random.pick(keys), shape(random, random.integer(0, 70))])
        const key = Uint8Array.from([...from, ...random.bytes(random.integer(0, 1))])
        if (key.length > 0 && random.integer(0, 3) === 0)
          key[random.integer(0, key.length - 1)]! ^= 1 << random.integer(0, 7)
        const limit = random.pick([NEWEST, random.integer(0, 1_000_000_000_000)])
        const expected = answerOf((found) => findInBlock(block, key, 0, key.length, limit, found))
        if (expected !== undefined) hits++
        expect(answerOf((found) => packed.find(key, limit, found))).toEqual(expected)
      }
    }
    expect(hits).toBeGreaterThan(100)
  })
}

test('every key of a block is found in it, packed, in any order', () => {
  const random = seededRandom('packed hits')
  const region = new PackedRegion(SEGMENT_BYTES, 1, SEGMENT_BYTES)
  const shape = SHAPES['digits behind a long prefix']!
  const packed = new Packed(region, blockOf(random, shape, 60, true).block)
  for (let i = 0; i < 300; i++) {
    const key = shape(random, random.integer(0, 59))
    const expected = answerOf((found) => findInBlock(packed.block, key, 0, key.length, NEWEST, found))
    expect(expected).toBeDefined()
    expect(answerOf((found) => packed.find(key, NEWEST, found))).toEqual(expected)
  }
})

test('a block is decompressed no further than the entry that was looked for', () => {
  const random = seededRandom('packed, in part')
  const region = new PackedRegion(SEGMENT_BYTES, 1, SEGMENT_BYTES)
  const shape = SHAPES['digits behind a long prefix']!
  const packed = new Packed(region, blockOf(random, shape, 60, false).block)
  const { length } = packed.block
  const first = packed.placeOf(shape(random, 0))
  region.bytes.fill(0, first, first + length)
  expect(packed.placeOf(shape(random, 0))).toBe(first)
  expect(region.bytes.subarray(first + length / 2, first + length).some((byte) => byte !== 0)).toBe(false)
  packed.placeOf(shape(random, 59))
  expect(region.bytes.subarray(first + length / 2, first + length).some((byte) => byte !== 0)).toBe(true)
})

test('a block whose memory was overwritten is not read from', () => {
  const random = seededRandom('packed, overwritten')
  const region = new PackedRegion(SEGMENT_BYTES, 1, SEGMENT_BYTES)
  const shape = SHAPES['digits behind a long prefix']!
  const packed = new Packed(region, blockOf(random, shape, 60, false).block)
  const damaged = expect.objectContaining({ code: 'SILT_CORRUPTION', message: expect.stringContaining('verify') })
  // A match that would begin before the block.
  region.bytes.set([0x0f, 0xff, 0xff, 0xff], packed.at)
  expect(() => packed.placeOf(shape(random, 0))).toThrow(damaged)
  expect(() =>
    region.search.unpack(packed.at, packed.end, packed.block.length, new Uint8Array(packed.block.length)),
  ).toThrow(damaged)
})

test('a region gives out each of its segments once, and says when all or none are free', () => {
  const region = new PackedRegion(SEGMENT_BYTES, 3, SEGMENT_BYTES)
  expect(region.isEmpty).toBe(true)
  const taken = [region.take(), region.take(), region.take()]
  expect(region.isFull).toBe(true)
  const [a, b, c] = taken.toSorted((x, y) => x - y) as [number, number, number]
  expect(b - a).toBe(SEGMENT_BYTES)
  expect(c - b).toBe(SEGMENT_BYTES)
  expect(c + SEGMENT_BYTES).toBeLessThanOrEqual(region.bytes.length)
  for (const start of taken) region.give(start)
  expect(region.isEmpty).toBe(true)
  expect(region.take()).toBe(c)
})
