import { expect, test } from 'vitest'
import { type CompressionName, compressionNamed, compressionWithId } from '../../src/bytes/compression.js'
import { lz4Compress, lz4Decompress } from '../../src/bytes/lz4.js'
import { type SeededRandom, seededRandom } from '../table/random.js'

/** Bytes of some compressibility: noise, runs, repeated phrases, text. */
function someBytes(random: SeededRandom, most: number): Uint8Array {
  const bytes = new Uint8Array(random.integer(0, most))
  const phrase = random.bytes(random.integer(1, 40))
  for (let at = 0; at < bytes.length; ) {
    const piece = random
      .pick([
        random.bytes(random.integer(1, 60)),
        phrase,
        new Uint8Array(random.integer(1, 700)).fill(random.integer(0, 3)),
        bytes.slice(Math.max(0, at - random.integer(1, 70_000)), at),
      ])
      .subarray(0, bytes.length - at)
    bytes.set(piece, at)
    at += Math.max(1, piece.length)
  }
  return bytes
}

const hasZstd = 'zstdCompressSync' in (await import('node:zlib'))
const names: CompressionName[] = hasZstd ? ['lz4', 'deflate', 'zstd'] : ['lz4', 'deflate']

for (const name of names) {
  test(`${name} gives back what it was given`, () => {
    const random = seededRandom(name)
    const compression = compressionNamed(name)
    expect(compressionWithId(compression.id)).toBe(compression)
    for (let round = 0; round < 300; round++) {
      const bytes = someBytes(random, round < 10 ? 300_000 : 6000)
      const start = random.integer(0, Math.min(20, bytes.length))
      const compressed = compression.compress(bytes, start, bytes.length)
      if (compressed === undefined) continue
      expect(compressed.length).toBeLessThan(bytes.length - start)
      // Among other bytes, because that is how a block stands in what was read from a file.
      const among = Uint8Array.of(1, 2, 3, ...compressed, 9, 9, 9, 9, 9, 9, 9, 9, 9)
      const back = compression.decompress(among, 3, 3 + compressed.length, bytes.length - start)
      expect(Buffer.compare(back, bytes.subarray(start))).toBe(0)
    }
  })

  test(`${name} leaves alone what does not shrink`, () => {
    const noise = seededRandom('noise').bytes(4096)
    expect(compressionNamed(name).compress(noise, 0, noise.length)).toBeUndefined()
    expect(compressionNamed(name).compress(noise, 0, 0)).toBeUndefined()
  })

  test(`${name} refuses damaged bytes or gives back as many as promised, and never hangs`, () => {
    const random = seededRandom(`damaged ${name}`)
    const compression = compressionNamed(name)
    for (let round = 0; round < 2000; round++) {
      const bytes = someBytes(random, 400)
      const compressed = compression.compress(bytes, 0, bytes.length)?.slice() ?? random.bytes(random.integer(0, 40))
      for (let i = random.integer(1, 4); i > 0 && compressed.length > 0; i--) {
        compressed[random.integer(0, compressed.length - 1)] = random.pick([0, 15, 240, 255, random.integer(0, 255)])
      }
      const end = random.integer(0, compressed.length)
      let back: Uint8Array
      try {
        back = compression.decompress(compressed, 0, end, bytes.length)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
        continue
      }
      expect(back.length).toBe(bytes.length)
    }
  })
}

test('a compression that this Node lacks is refused by name', () => {
  if (hasZstd) return
  expect(() => compressionNamed('zstd')).toThrow(expect.objectContaining({ code: 'SILT_NOT_SUPPORTED' }))
})

// Written down by hand from the description of the format, not by our encoder.
const BLOCKS_OF_OTHERS: [string, number[], string][] = [
  ['literals alone', [0x30, 97, 98, 99], 'abc'],
  ['a match that overlaps itself', [0x1b, 97, 1, 0, 0x50, 98, 99, 100, 101, 102], `${'a'.repeat(16)}bcdef`],
  ['a long match', [0x1f, 97, 1, 0, 255, 6, 0x10, 98], `${'a'.repeat(281)}b`],
  ['a pattern of three', [0x32, 97, 98, 99, 3, 0, 0x10, 33], 'abcabcabc!'],
]

for (const [what, block, expected] of BLOCKS_OF_OTHERS) {
  test(`an LZ4 block of another encoder is read: ${what}`, () => {
    const target = new Uint8Array(expected.length)
    lz4Decompress(Uint8Array.from(block), 0, block.length, target)
    expect(Buffer.from(target).toString()).toBe(expected)
  })
}

test('an LZ4 block ends as decoders elsewhere expect: five literals, no match in the last twelve bytes', () => {
  const random = seededRandom('lz4 end')
  for (let round = 0; round < 500; round++) {
    const bytes = someBytes(random, 500)
    const target = lz4Compress(bytes, 0, bytes.length, 2000)!
    const { length } = target
    let at = 0
    let out = 0
    const lengthAt = (first: number): number => {
      let total = first
      if (first === 15)
        do total += target[at]!
        while (target[at++] === 255)
      return total
    }
    for (;;) {
      const token = target[at++]!
      const literals = lengthAt(token >> 4)
      at += literals
      out += literals
      if (at === length) {
        expect(literals).toBeGreaterThanOrEqual(Math.min(5, bytes.length))
        break
      }
      expect(out).toBeLessThanOrEqual(bytes.length - 12)
      at += 2
      out += lengthAt(token & 15) + 4
    }
  }
})
