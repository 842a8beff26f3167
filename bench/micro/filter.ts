/*
 * What a bloom filter of ten bits a key costs for keys of 16 bytes, beside the package as it comes, which hashes by itself, and a
 * Set of texts, which is never wrong and takes some fifty times the memory.
 */
import { createRequire } from 'node:module'
import b from 'benny'
import { keyHash, TableFilter } from '../../src/table/filter.js'
import { KEY_BYTES, keysOf, random } from './sample-table.js'
import type { Suites } from './suites.js'

const KEY_COUNT = 100_000
/** The package takes a second for all of them. */
const FEW = 1000

const { BloomFilter } = createRequire(import.meta.url)('bloom-filters') as typeof import('bloom-filters')

export const suites: Suites = async function* () {
  const present = keysOf(KEY_COUNT)
  const absent = keysOf(KEY_COUNT, 3)
  const hashes = Uint32Array.from({ length: KEY_COUNT }, (_, i) => hashAt(present, i))
  const texts = Array.from({ length: KEY_COUNT }, (_, i) => textAt(present, i))
  const filter = TableFilter.build(hashes, KEY_COUNT, 10)
  const packaged = BloomFilter.from(texts.slice(0, FEW), 0.01)
  const set = new Set(texts)
  let hits = 0

  yield await b.suite(
    'ask for a key',
    b.add('filter, a key that is there', () => {
      if (filter.hasHash(hashAt(present, random(KEY_COUNT)))) hits++
    }),
    b.add('filter, a key that is not', () => {
      if (filter.hasHash(hashAt(absent, random(KEY_COUNT)))) hits++
    }),
    b.add('filter, hash at hand', () => {
      if (filter.hasHash(hashes[random(KEY_COUNT)]!)) hits++
    }),
    b.add('bloom-filters as it comes', () => {
      if (packaged.has(texts[random(FEW)]!)) hits++
    }),
    b.add('Set of strings, a key that is not', () => {
      if (set.has(textAt(absent, random(KEY_COUNT)))) hits++
    }),
    b.cycle(),
  )
  yield await b.suite(
    `build a filter of ${FEW} keys`,
    b.add('filter', () => {
      TableFilter.build(hashes, FEW, 10)
    }),
    b.add('bloom-filters as it comes', () => {
      BloomFilter.from(texts.slice(0, FEW), 0.01)
    }),
    b.cycle(),
  )
  if (hits === 0) throw new Error('No filter found anything')
}

function hashAt(keys: Uint8Array, i: number): number {
  return keyHash(keys, i * KEY_BYTES, (i + 1) * KEY_BYTES)
}

function textAt(keys: Uint8Array, i: number): string {
  return Buffer.from(keys.buffer, i * KEY_BYTES, KEY_BYTES).toString('latin1')
}
