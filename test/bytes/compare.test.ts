import { describe, expect, it } from 'vitest'
import { compareBytes, compareKeys, prefixEnd, sharedPrefixLength } from '../../src/bytes/compare.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'

/** Short keys of few different bytes, so that equal ones and prefixes of one another are common. */
function someKey(random: SeededRandom): Uint8Array {
  return Uint8Array.from({ length: random.below(5) }, () => random.pick([0, 1, 0x7f, 0x80, 0xff]))
}

/** The key in the middle of other bytes, with its bounds. */
function among(random: SeededRandom, key: Uint8Array): [Uint8Array, number, number] {
  const before = random.below(4)
  return [Uint8Array.of(...random.bytes(before), ...key, ...random.bytes(3)), before, before + key.length]
}

describe('the order of keys', () => {
  it('is that of unsigned bytes, a prefix before what it begins', () =>
    withSeeds(20, (random) => {
      for (let round = 0; round < 500; round++) {
        const [a, b] = [someKey(random), someKey(random)]
        const expected = Buffer.compare(a, b)
        expect(Math.sign(compareKeys(a, b))).toBe(expected)
        expect(Math.sign(compareBytes(...among(random, a), ...among(random, b)))).toBe(expected)
      }
    }))
})

describe('what two keys share', () => {
  it('is as long as they agree, and never longer than either', () =>
    withSeeds(20, (random) => {
      for (let round = 0; round < 500; round++) {
        const [a, b] = [someKey(random), someKey(random)]
        const shared = sharedPrefixLength(...among(random, a), ...among(random, b))
        expect(a.subarray(0, shared)).toEqual(b.subarray(0, shared))
        if (shared < Math.min(a.length, b.length)) expect(a[shared]).not.toBe(b[shared])
      }
    }))
})

describe('the end of a prefix', () => {
  it('parts the keys that begin with it from those behind them', () => {
    expect(prefixEnd(Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 3))
    expect(prefixEnd(Uint8Array.of(1, 0xff, 0xff))).toEqual(Uint8Array.of(2))
    expect(prefixEnd(Uint8Array.of(0xfe))).toEqual(Uint8Array.of(0xff))
  })

  it('is not there where every later key begins with the prefix', () => {
    expect(prefixEnd(Uint8Array.of())).toBeUndefined()
    expect(prefixEnd(Uint8Array.of(0xff, 0xff))).toBeUndefined()
  })

  it('leaves the prefix as it was', () => {
    const prefix = Uint8Array.of(1, 2)
    prefixEnd(prefix)
    expect(prefix).toEqual(Uint8Array.of(1, 2))
  })
})
