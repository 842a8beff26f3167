import { expect, test } from 'vitest'
import { compareBytes, sharedPrefixLength } from '../../src/bytes/compare.js'
import { Found } from '../../src/bytes/cursor.js'
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRING } from '../../src/log/operation.js'
import { BlockWriter, DataBlock, findInBlock } from '../../src/table/block.js'
import { findByIndex, indexBlock } from '../../src/table/block-index.js'
import { type SeededRandom, seededRandom } from './random.js'
import { find, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

type Shape = (random: SeededRandom, i: number) => Uint8Array

const SHAPES: Record<string, Shape> = {
  'digits behind a long prefix': (_, i) => Buffer.from(`tenant:7/user/${String(i * 37).padStart(12, '0')}`),
  'random bytes': (random) => random.bytes(16),
  'short keys, the empty one among them': (random) => random.bytes(random.integer(0, 3)),
  'keys that go on where others end': (_, i) => Buffer.alloc(i % 40, 'a'),
  'bytes above 127 and zeros': (random) => Uint8Array.from({ length: 6 }, () => random.pick([0, 1, 127, 128, 255])),
}

/** A block of distinct keys in order, each with one version, or some with several. */
function blockOf(random: SeededRandom, shape: Shape, count: number, versions: boolean): DataBlock {
  const distinct = new Map<string, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const key = shape(random, i)
    distinct.set(Buffer.from(key).toString('hex'), key)
  }
  const keys = [...distinct.values()].sort((a, b) => compareBytes(a, 0, a.length, b, 0, b.length))
  const writer = new BlockWriter(4096, random.integer(1, 20))
  let previous = new Uint8Array(0)
  for (const key of keys) {
    const shared = sharedPrefixLength(key, 0, key.length, previous, 0, previous.length)
    let position = random.integer(1_000, 1_000_000_000_000)
    const copies = versions ? random.integer(1, 3) : 1
    for (let copy = 0; copy < copies; copy++) {
      const kind = random.pick([KIND_PUT, KIND_PUT, KIND_DELETE, KIND_PUT_EXPIRING])
      const value = kind === KIND_DELETE ? new Uint8Array(0) : random.bytes(random.integer(0, 200))
      const expiresAt = kind === KIND_PUT_EXPIRING ? random.integer(1, 2 ** 45) : 0
      const isAgain = copy > 0
      writer.add(
        key,
        0,
        key.length,
        isAgain ? key.length : shared,
        isAgain,
        kind,
        position,
        expiresAt,
        value,
        0,
        value.length,
      )
      position -= random.integer(1, 300)
    }
    previous = Uint8Array.from(key)
  }
  const end = writer.finish()
  return DataBlock.of(writer.bytes.slice(0, end), end)
}

function answerOf(find: (found: Found) => boolean): unknown {
  const found = new Found()
  if (!find(found)) return undefined
  const { kind, position, expiresAt, start, end } = found
  return { kind, position, expiresAt, start, end }
}

for (const [title, shape] of Object.entries(SHAPES)) {
  test(`an index answers like a walk over the block: ${title}`, () => {
    const random = seededRandom('block index')
    let indexed = 0
    for (let round = 0; round < 60; round++) {
      const block = blockOf(random, shape, random.integer(1, 60), false)
      const index = indexBlock(block)
      if (index === undefined) continue
      indexed++
      for (let i = 0; i < 300; i++) {
        const key = Uint8Array.from([...shape(random, random.integer(0, 70)), ...random.bytes(random.integer(0, 1))])
        if (key.length > 0 && random.integer(0, 3) === 0)
          key[random.integer(0, key.length - 1)]! ^= 1 << random.integer(0, 7)
        const limit = random.pick([Number.MAX_SAFE_INTEGER, random.integer(0, 1_000_000_000_000)])
        // Keys are sought where they stand in a longer array.
        const padded = Uint8Array.from([7, ...key, 9])
        const walked = answerOf((found) => findInBlock(block, padded, 1, 1 + key.length, limit, found))
        const looked = answerOf((found) => findByIndex(block, index, padded, 1, 1 + key.length, limit, found))
        expect(looked).toEqual(walked)
      }
    }
    if (title !== 'keys that go on where others end') expect(indexed).toBeGreaterThan(0)
  })
}

test('a block with two versions of a key has no index, nor one whose keys differ too late', () => {
  const random = seededRandom('no block index')
  const digits = SHAPES['digits behind a long prefix']!
  let withVersions = 0
  for (let round = 0; round < 20; round++) {
    if (indexBlock(blockOf(random, digits, 30, true)) !== undefined) withVersions++
  }
  expect(withVersions).toBe(0)
  const late: Shape = (_, i) => Buffer.from(`${i % 2 === 0 ? 'a' : 'b'}-----${String(i).padStart(4, '0')}`)
  expect(indexBlock(blockOf(random, late, 30, false))).toBeUndefined()
})

test('an index finds what is there in blocks as they are written', () => {
  const random = seededRandom('block index hits')
  const shape = SHAPES['digits behind a long prefix']!
  const block = blockOf(random, shape, 35, false)
  const index = indexBlock(block)!
  for (let i = 0; i < 35; i++) {
    const key = shape(random, i)
    const looked = answerOf((found) => findByIndex(block, index, key, 0, key.length, Number.MAX_SAFE_INTEGER, found))
    expect(looked).toBeDefined()
    expect(looked).toEqual(answerOf((found) => findInBlock(block, key, 0, key.length, Number.MAX_SAFE_INTEGER, found)))
  }
})

test('an index counts against the cap of the cache, and goes with its block', () => {
  const digits = SHAPES['digits behind a long prefix']!
  const random = seededRandom('counted block index')
  const entries = Array.from({ length: 400 }, (_, i) =>
    put(Buffer.from(digits(random, i)).toString(), i + 1, 'v'.repeat(100)),
  )
  const files = new TestFiles()
  writeTable(files, entries, {})
  const roomy = openTable(files)
  const search = ({ table }: typeof roomy): void => {
    for (const { key, position } of entries) expect(find(table, key)?.position).toBe(position)
  }
  // Every block is searched some thirty times in the first round, so all indexes are there after it.
  const { table, cache } = roomy
  const [{ key }] = entries as [(typeof entries)[0]]
  find(table, key)
  find(table, key)
  const before = cache.stats().bytes
  find(table, key)
  expect(cache.stats().bytes).toBeGreaterThan(before + 100)
  search(roomy)
  table.close()
  expect(cache.stats().bytes).toBe(0)

  const tight = openTable(files, { cacheBytes: 16 * 1024 })
  for (let round = 0; round < 3; round++) search(tight)
  expect(tight.cache.stats().evictions).toBeGreaterThan(0)
  expect(tight.cache.stats().bytes).toBeLessThanOrEqual(16 * 1024)
})
