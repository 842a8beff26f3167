import { describe, expect, it } from 'vitest'
import {
  getU16,
  getU32,
  getU64,
  putU16,
  putU32,
  putU64,
  putVarint,
  VarintReader,
  varintLength,
} from '../../src/bytes/integers.js'

/** The numbers around every power of two up to `bits`, which is where encodings change their minds. */
function around(bits: number): number[] {
  const numbers = new Set<number>()
  for (let bit = 0; bit <= bits; bit++) for (const step of [-1, 0, 1]) numbers.add(2 ** bit + step)
  return [...numbers].filter((number) => number >= 0 && number < 2 ** bits)
}

describe('fixed-width integers', () => {
  it('are little-endian', () => {
    const bytes = new Uint8Array(14)
    putU16(bytes, 0, 0x0102)
    putU32(bytes, 2, 0x03040506)
    putU64(bytes, 6, 0x0708090a0b0c)
    expect(Buffer.from(bytes).toString('hex')).toBe('020106050403' + '0c0b0a0908070000')
  })

  it('come back as they went, and touch no other byte', () => {
    for (const [bits, put, get] of [
      [16, putU16, getU16],
      [32, putU32, getU32],
      [53, putU64, getU64],
    ] as const) {
      const width = bits === 53 ? 8 : bits / 8
      for (const number of around(bits)) {
        const bytes = new Uint8Array(width + 2).fill(0xee)
        put(bytes, 1, number)
        expect(get(bytes, 1)).toBe(number)
        expect([bytes[0], bytes[width + 1]]).toEqual([0xee, 0xee])
      }
    }
  })
})

describe('varints', () => {
  it('come back as they went, one behind the other, in as many bytes as announced', () => {
    const numbers = around(53)
    const bytes = new Uint8Array(numbers.length * 8)
    const starts: number[] = []
    let at = 0
    for (const number of numbers) {
      starts.push(at)
      const end = putVarint(bytes, at, number)
      expect(end - at).toBe(varintLength(number))
      at = end
    }
    const reader = new VarintReader()
    for (const [i, number] of numbers.entries()) {
      expect(reader.read(bytes, starts[i]!)).toBe(number)
      expect(reader.end).toBe(starts[i + 1] ?? at)
    }
  })

  it('take a byte for every seven bits', () => {
    expect([0, 127, 128, 2 ** 14 - 1, 2 ** 14, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1].map(varintLength)).toEqual([
      1, 1, 2, 2, 3, 7, 8, 8,
    ])
  })

  it('that never end are given up after eight bytes', () => {
    const reader = new VarintReader()
    reader.read(new Uint8Array(100).fill(0xff), 10)
    expect(reader.end).toBe(18)
  })

  it('that are cut off end behind the bytes there are', () => {
    const reader = new VarintReader()
    for (const bytes of [[], [0x80], [0x80, 0xff]]) {
      reader.read(Uint8Array.from(bytes), 0)
      expect(reader.end).toBeGreaterThan(bytes.length)
    }
  })
})
