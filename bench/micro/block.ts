/*
 * What a block costs: writing one of 4 KiB, finding a key in it, and for comparison a binary search over keys that stand apart,
 * which is what a block without prefix compression would be.
 */
import b from 'benny'
import { compareBytes } from '../../src/bytes/compare.js'
import { Found } from '../../src/bytes/cursor.js'
import { findInBlock } from '../../src/table/block.js'
import { KEY_BYTES, keysOf, NEWEST, random, SampleTables } from './sample-table.js'
import type { Suites } from './suites.js'

const KEY_COUNT = 10_000
/** So many entries are in the first block at least. */
const IN_FIRST_BLOCK = 30

export const suites: Suites = async function* () {
  const keys = keysOf(KEY_COUNT)
  const tables = new SampleTables()
  const table = tables.add(keys)
  const block = table.block(table.partition(0, 'keep'), 0, 'keep')
  const found = new Found()
  let sink = 0

  yield await b.suite(
    'find one of 30 keys in a block',
    b.add('block', () => {
      const key = random(IN_FIRST_BLOCK) * KEY_BYTES
      findInBlock(block, keys, key, key + KEY_BYTES, NEWEST, found)
    }),
    b.add('keys apart', () => {
      sink += lowerBound(keys, IN_FIRST_BLOCK, random(IN_FIRST_BLOCK) * KEY_BYTES)
    }),
    b.cycle(),
  )
  yield await b.suite(
    `write a table of ${KEY_COUNT} entries`,
    b.add('blocks as they are', () => {
      tables.add(keys, 'none')
    }),
    b.add('blocks in lz4', () => {
      tables.add(keys, 'lz4')
    }),
    b.cycle(),
  )
  tables.close()
  if (Number.isNaN(sink)) throw new Error('A search came to nothing')
}

function lowerBound(keys: Uint8Array, count: number, wanted: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = middle * KEY_BYTES
    if (compareBytes(keys, key, key + KEY_BYTES, keys, wanted, wanted + KEY_BYTES) < 0) low = middle + 1
    else high = middle
  }
  return low
}
