import { describe, expect, it } from 'vitest'
import createXxhash from 'xxhash-wasm'
import { blockHash, hash32, hash64, loadHash, viewHash32 } from '../../src/bytes/hash.js'
import { SeededRandom } from '../simulation/seeded-random.js'

const xxhash = await createXxhash()
await loadHash()

const SEEDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x9e3779b1]

describe('the 32-bit hash', () => {
  it('is XXH32 at every length, be it read byte by byte or through a view', () => {
    const random = new SeededRandom(1)
    for (const length of [...Array.from({ length: 201 }, (_, i) => i), 4096, 1_000_003]) {
      const bytes = random.bytes(length)
      const among = new Uint8Array([9, 9, 9, ...bytes.subarray(0, 5000), 9])
      for (const seed of SEEDS) {
        const expected = xxhash.h32Raw(bytes, seed)
        expect(hash32(bytes, 0, length, seed), `${length} bytes, seed ${seed}`).toBe(expected)
        if (length > 5000) continue
        const view = new DataView(among.buffer)
        expect(viewHash32(view, 3, 3 + length, seed), `${length} bytes, seed ${seed}, a view`).toBe(expected)
      }
    }
  })

  it('is the one that others compute', () => {
    // From the test vectors of the reference implementation.
    expect(hash32(new Uint8Array(0), 0, 0, 0)).toBe(0x02cc5d05)
    expect(hash32(Buffer.from('abc'), 0, 3, 0)).toBe(0x32d153ff)
  })

  it('sees its range and nothing around it, in shared memory too', () => {
    const random = new SeededRandom(2)
    for (const length of [0, 3, 16, 48, 49, 1000]) {
      const shared = new Uint8Array(new SharedArrayBuffer(length + 20))
      shared.set(random.bytes(shared.length))
      const copy = shared.slice(7, 7 + length)
      expect(hash32(shared, 7, 7 + length, 5)).toBe(hash32(copy, 0, length, 5))
      expect(blockHash(shared, 7, 7 + length, 5)).toBe(blockHash(copy, 0, length, 5))
    }
  })
})

describe('the hash of a block', () => {
  it('is the low half of XXH64, mixed with a seed', () => {
    const random = new SeededRandom(3)
    for (const length of [0, 1, 31, 32, 33, 4096]) {
      const bytes = random.bytes(length)
      const low = Number(xxhash.h64Raw(bytes) & 0xffffffffn)
      expect(blockHash(bytes, 0, length, 0)).toBe(low)
      expect(blockHash(bytes, 0, length, 0xdeadbeef)).toBe((low ^ 0xdeadbeef) >>> 0)
    }
  })
})

describe('the 64-bit hash', () => {
  it('is XXH64, in one piece or in many', () => {
    const random = new SeededRandom(4)
    for (const length of [0, 1, 31, 32, 4096, 1024 * 1024, 1024 * 1024 + 1, 2_500_000]) {
      const bytes = random.bytes(length)
      for (const seed of [0n, 1n, 0xdeadbeefn, 0xffffffffffffffffn]) {
        expect(hash64(bytes, seed), `${length} bytes, seed ${seed}`).toBe(xxhash.h64Raw(bytes, seed))
      }
    }
  })
})
