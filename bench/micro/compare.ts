/*
 * Comparing and hashing keys. The pairs agree up to their last byte, the worst case.
 */
import b from 'benny'
import { compareBytes, sharedPrefixLength } from '../../src/bytes/compare.js'
import { hash32 } from '../../src/bytes/hash.js'
import type { Suites } from './suites.js'

function pair(length: number): [Buffer, Buffer] {
  const [left, right] = [Buffer.alloc(length, 'k'), Buffer.alloc(length, 'k')]
  right[length - 1] = 0x7a
  return [left, right]
}

// What a call answers goes here, so that none of them is optimised away.
let sink = 0

export const suites: Suites = async function* () {
  for (const length of [16, 100, 1000]) {
    const [left, right] = pair(length)
    yield await b.suite(
      `keys of ${length} bytes`,
      b.add('compareBytes', () => {
        sink += compareBytes(left, 0, length, right, 0, length)
      }),
      b.add('Buffer.compare', () => {
        sink += Buffer.compare(left, right)
      }),
      b.add('sharedPrefixLength', () => {
        sink += sharedPrefixLength(left, 0, length, right, 0, length)
      }),
      b.add('hash32', () => {
        sink += hash32(left, 0, length, 0)
      }),
      b.cycle(),
    )
  }
  if (Number.isNaN(sink)) throw new Error('A comparison came to nothing')
}
