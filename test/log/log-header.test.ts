import { describe, expect, it } from 'vitest'
import { hash32, loadHash } from '../../src/bytes/hash.js'
import { putU32 } from '../../src/bytes/integers.js'
import {
  FORMAT_VERSION,
  LOG_HEADER_BYTES,
  type LogHeader,
  putLogHeader,
  readLogHeader,
} from '../../src/log/log-header.js'

await loadHash()

const header: LogHeader = {
  magic: 'SILTLOG\n',
  number: 4_000_000_000,
  base: 2 ** 52 + 3,
  previousEnd: 2 ** 52 - 5,
  capacity: 64 << 20,
  lastEdit: 12_345_678_901,
  createdAt: 1_700_000_000_000,
  storeId: 2 ** 53 - 1,
  salt: [0xffffffff, 1],
}

function written(): Uint8Array {
  const bytes = new Uint8Array(LOG_HEADER_BYTES + 20).fill(0xaa)
  putLogHeader(bytes, header)
  return bytes
}

function read(bytes: Uint8Array, fileBytes = bytes.length): LogHeader | undefined {
  return readLogHeader(bytes, fileBytes, 'SILTLOG\n', '/db/1.log')
}

describe('the header of a log', () => {
  it('is read as it was written, and touches nothing behind it', () => {
    const bytes = written()
    expect(read(bytes)).toEqual(header)
    expect([...bytes.subarray(LOG_HEADER_BYTES)]).toEqual(new Array(20).fill(0xaa))
  })

  it('is not there yet where the file ends inside it or holds only zeros', () => {
    for (let length = 0; length < LOG_HEADER_BYTES; length++) expect(read(written(), length)).toBeUndefined()
    expect(read(new Uint8Array(LOG_HEADER_BYTES))).toBeUndefined()
    expect(read(new Uint8Array(1 << 16))).toBeUndefined()
  })

  it('is damaged with any one bit flipped', () => {
    const bytes = written()
    for (let offset = 0; offset < LOG_HEADER_BYTES; offset++) {
      for (let bit = 0; bit < 8; bit++) {
        bytes[offset]! ^= 1 << bit
        const refusal = expect.objectContaining({ code: 'SILT_CORRUPTION', file: '/db/1.log' })
        expect(() => read(bytes), `byte ${offset}, bit ${bit}`).toThrow(refusal)
        bytes[offset]! ^= 1 << bit
      }
    }
  })

  it('of a manifest is not that of a segment', () => {
    expect(() => readLogHeader(written(), 100, 'SILTMAN\n', '/db/1.log')).toThrow('begin like a Siltstone log')
  })

  it('of a later version asks for a newer Siltstone instead of calling itself damaged', () => {
    const bytes = written()
    putU32(bytes, 8, FORMAT_VERSION + 1)
    putU32(bytes, 76, hash32(bytes, 0, 76, 0))
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'SILT_FORMAT', file: '/db/1.log' }))
  })
})
