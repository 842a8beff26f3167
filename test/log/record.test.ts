import { describe, expect, it } from 'vitest'
import { loadHash } from '../../src/bytes/hash.js'
import { RECORD_HEADER_BYTES, recordCount, recordSynced, sealRecord, soundRecordLength } from '../../src/log/record.js'

await loadHash()

const FILE = 7
const SEED = 0x9abcdef0
const START = 80
const POSITION = 2 ** 40 + 80

function sealed(
  payload: string,
  { file = FILE, position = POSITION, count = 3, synced = 2 ** 40, seed = SEED } = {},
): Uint8Array {
  const bytes = new Uint8Array(START + RECORD_HEADER_BYTES + payload.length)
  bytes.set(Buffer.from(payload), START + RECORD_HEADER_BYTES)
  sealRecord(new DataView(bytes.buffer), START, bytes.length, { tag: file, seed }, count, position, synced)
  return bytes
}

function soundLength(bytes: Uint8Array, limit = bytes.length): number {
  return soundRecordLength(bytes, START, limit, { tag: FILE, seed: SEED }, POSITION)
}

describe('a record', () => {
  it('is recognised by its file and position, and says what it holds and what was synced', () => {
    const bytes = sealed('payload')
    expect(soundLength(bytes)).toBe(RECORD_HEADER_BYTES + 7)
    expect(recordCount(bytes, START)).toBe(3)
    expect(recordSynced(bytes, START)).toBe(2 ** 40)
  })

  for (const payload of ['x', 'some bytes', 'longer than the short hash takes '.repeat(4)]) {
    it(`of ${payload.length} bytes is refused with any one bit flipped`, () => {
      const bytes = sealed(payload)
      const accepted: string[] = []
      for (let offset = START; offset < bytes.length; offset++) {
        for (let bit = 0; bit < 8; bit++) {
          bytes[offset]! ^= 1 << bit
          if (soundLength(bytes) !== 0) accepted.push(`byte ${offset - START}, bit ${bit}`)
          bytes[offset]! ^= 1 << bit
        }
      }
      expect(accepted).toEqual([])
      expect(soundLength(bytes)).toBeGreaterThan(0)
    })

    it(`of ${payload.length} bytes is refused wherever the file ends before it does`, () => {
      const bytes = sealed(payload)
      for (let limit = START; limit < bytes.length; limit++) expect(soundLength(bytes, limit)).toBe(0)
    })
  }

  it('of another file is refused: it is what the file held before it was used again', () => {
    expect(soundLength(sealed('payload', { file: FILE - 1 }))).toBe(0)
  })

  it('of a file with another salt is refused', () => {
    expect(soundLength(sealed('payload', { seed: SEED + 1 }))).toBe(0)
    expect(soundLength(sealed('payload', { seed: 0 }))).toBe(0)
  })

  it('of another place is refused, be it a byte or 4 GiB away', () => {
    expect(soundLength(sealed('payload', { position: POSITION + 1 }))).toBe(0)
    expect(soundLength(sealed('payload', { position: POSITION + 2 ** 32 }))).toBe(0)
  })

  it('that holds nothing is not one, and neither are zeros', () => {
    expect(soundLength(sealed(''))).toBe(0)
    expect(soundLength(new Uint8Array(START + 100))).toBe(0)
  })
})
