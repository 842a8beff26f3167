import { expect, test } from 'vitest'
import { Found } from '../../src/bytes/cursor.js'
import { findInBlock } from '../../src/table/block.js'
import { findByIndex, indexBlock } from '../../src/table/block-index.js'
import { seededRandom } from './random.js'
import { find, openTable, put, writeTable } from './sample.js'
import { blockOf, SHAPES, type Shape } from './sample-blocks.js'
import { TestFiles } from './test-files.js'

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
      const { block } = blockOf(random, shape, random.integer(1, 60), false)
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
    if (indexBlock(blockOf(random, digits, 30, true).block) !== undefined) withVersions++
  }
  expect(withVersions).toBe(0)
  const late: Shape = (_, i) => Buffer.from(`${i % 2 === 0 ? 'a' : 'b'}-----${String(i).padStart(4, '0')}`)
  expect(indexBlock(blockOf(random, late, 30, false).block)).toBeUndefined()
})

test('an index finds what is there in blocks as they are written', () => {
  const random = seededRandom('block index hits')
  const shape = SHAPES['digits behind a long prefix']!
  const { block } = blockOf(random, shape, 35, false)
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
