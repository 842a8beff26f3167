import { beforeEach, describe, expect, it, vi } from 'vitest'
import { putU64 } from '../../src/bytes/integers.js'
import { createSegment } from '../../src/log/commit-log.js'
import { frameOf, LOG_HEADER_BYTES, type LogHeader, putLogHeader, readLogHeader } from '../../src/log/log-header.js'
import { type LogSalvage, salvageLog } from '../../src/log/log-salvage.js'
import { provesHeader, scanLog } from '../../src/log/log-scan.js'
import { KIND_PUT, operationBytes, putOperationHeader } from '../../src/log/operation.js'
import { RECORD_HEADER_BYTES, type RecordFrame, sealRecord } from '../../src/log/record.js'
import { SeededRandom } from '../simulation/seeded-random.js'
import { logPath, newDisk, newSegment, STORE } from './sample-log.js'

const hashed = vi.hoisted(() => ({ bytes: 0 }))

vi.mock('../../src/bytes/hash.js', async (original) => {
  const hash = await original<typeof import('../../src/bytes/hash.js')>()
  return {
    ...hash,
    hash32: (bytes: Uint8Array, start: number, end: number, seed: number) => {
      hashed.bytes += end - start
      return hash.hash32(bytes, start, end, seed)
    },
  }
})

const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)
const NUMBER = 1
const BASE = 5000
const V1: LogHeader = {
  magic: 'SILTLOG\n',
  number: NUMBER,
  base: BASE,
  previousEnd: BASE,
  capacity: 1 << 20,
  lastEdit: 0,
  createdAt: 0,
  storeId: STORE,
  salt: [0, 0],
}
const V2: LogHeader = { ...V1, salt: [0x12345678, 0x9abcdef0] }

beforeEach(() => {
  hashed.bytes = 0
})

/** A record with one put, at its place in a file with this base. */
function putRecord(frame: RecordFrame, offset: number, value: Uint8Array, synced = 0): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + operationBytes(KIND_PUT, 1, value.length))
  const key = putOperationHeader(record, RECORD_HEADER_BYTES, 0, KIND_PUT, 1, value.length, 0)
  record[key] = 0x6b
  record.set(value, key + 1)
  sealRecord(new DataView(record.buffer), 0, record.length, frame, 1, BASE + offset, synced)
  return record
}

function fileOf(header: LogHeader, values: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(LOG_HEADER_BYTES)
  putLogHeader(head, header)
  const parts: Uint8Array[] = [head]
  let end = LOG_HEADER_BYTES
  for (const value of values) {
    parts.push(putRecord(frameOf(header), end, value))
    end += parts.at(-1)!.length
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** A value that holds records for each place at which it may come to stand, made by somebody who knows `frame`. */
function forgery(frame: RecordFrame, firstByteAt: number, count: number): Uint8Array {
  const parts: Uint8Array[] = []
  let length = 0
  for (let i = 0; i < count; i++) {
    const forged = putRecord(frame, firstByteAt + length, Buffer.from('forged'), BASE + firstByteAt)
    parts.push(forged)
    length += forged.length
  }
  return new Uint8Array(Buffer.concat(parts))
}

async function salvage(bytes: Uint8Array, onPause = () => {}): Promise<LogSalvage> {
  return salvageLog(bytes, NUMBER, '/db/1.log', async () => onPause())
}

describe('the salt of a file', () => {
  it('is drawn for each, and is the same for the same seed', () => {
    const salts = (of: number): string[] => {
      const disk = newDisk(of)
      return [1, 2, 3].map((number) => newSegment(disk, number).header.salt.join())
    }
    expect(new Set(salts(1)).size).toBe(3)
    expect(salts(1)).toEqual(salts(1))
    expect(salts(1)).not.toEqual(salts(2))
  })

  it('goes with its header into a copy, whatever else of that is changed', () => {
    const { header } = newSegment(newDisk(), 1)
    const bytes = new Uint8Array(LOG_HEADER_BYTES)
    putLogHeader(bytes, { ...header, storeId: STORE + 1 })
    expect(readLogHeader(bytes, bytes.length, 'SILTLOG\n', '')).toEqual({ ...header, storeId: STORE + 1 })
  })

  it('is asked for again where a lot is no salt', () => {
    const disk = newDisk()
    let calls = 0
    disk.randomSync = (target) => target.fill(calls++ === 0 ? 0 : 9)
    const { header } = createSegment(disk, logPath(1), { ...V1 })
    expect(header.salt).toEqual([0x09090909, 0x09090909])
  })
})

describe('a value that holds records', () => {
  const VALUE_AT = LOG_HEADER_BYTES + RECORD_HEADER_BYTES + operationBytes(KIND_PUT, 1, 0)
  /** What an outsider may know: the number of the file, the salts of other files and of old ones. */
  const frames = [
    frameOf(V1),
    frameOf({ number: NUMBER, salt: [V2.salt[0], 7] }),
    frameOf({ number: NUMBER, salt: [7, V2.salt[1]] }),
  ]

  it.each(frames)('is no record, wherever the record around it is damaged', async (frame) => {
    const bytes = fileOf(V2, [forgery(frame, VALUE_AT, 50), Buffer.from('later')])
    const later = (await salvage(bytes)).records[1]!
    for (let offset = 0; offset < VALUE_AT + 200; offset++) {
      const damaged = bytes.slice()
      damaged[offset]! ^= 0x10
      const { records } = await salvage(damaged)
      const expected = offset < LOG_HEADER_BYTES ? [LOG_HEADER_BYTES, later] : [later]
      expect(records, `damaged at ${offset}`).toEqual(expected)
      expect(scanLog(damaged, damaged.length, frameOf(V2), BASE).synced).toBe(0)
    }
  })

  it.each(frames)('is no record where the header is gone', async (frame) => {
    for (const fill of [0, 1, 0xff]) {
      const bytes = fileOf(V2, [forgery(frame, VALUE_AT, 50)])
      bytes.fill(fill, 0, VALUE_AT)
      expect((await salvage(bytes)).records).toEqual([])
    }
  })
})

describe('a header of which one byte is wrong', () => {
  it.each([V1, V2])('does not take its records with it (salt $salt)', async (header) => {
    const bytes = fileOf(header, [Buffer.from('one'), Buffer.from('two')])
    const { records, base } = await salvage(bytes)
    const random = new SeededRandom(seed)
    for (let offset = 0; offset < LOG_HEADER_BYTES; offset++) {
      const damaged = bytes.slice()
      damaged[offset]! ^= 1 + random.below(255)
      const found = await salvage(damaged)
      expect(found).toMatchObject({ header: undefined, headerProblem: { code: 'SILT_CORRUPTION' }, base, records })
      expect(provesHeader(damaged, damaged.length, NUMBER)).toBe(true)
    }
  })

  it('proves that it was there also where all of the salt is gone', () => {
    const bytes = fileOf(V2, [Buffer.from('one'), Buffer.from('two')])
    bytes.fill(0x55, 0, LOG_HEADER_BYTES)
    expect(provesHeader(bytes, bytes.length, NUMBER)).toBe(true)
    expect(provesHeader(new Uint8Array([...bytes, 0, 0, 0]), bytes.length + 3, NUMBER)).toBe(true)
    // What lay in the sector before the file was made.
    const random = new SeededRandom(seed)
    for (let round = 0; round < 40; round++) {
      const garbage = Uint8Array.from({ length: 300 }, () => random.below(256))
      expect(provesHeader(garbage, garbage.length, NUMBER), `seed ${seed}`).toBe(false)
    }
  })
})

describe('looking for records behind damage', () => {
  /** Bytes that look like the beginning of a long record of an unsalted file at every place that has room for one. */
  function lookAlikes(bytes: number): Uint8Array {
    const value = new Uint8Array(bytes)
    const view = new DataView(value.buffer)
    const place = LOG_HEADER_BYTES + RECORD_HEADER_BYTES + operationBytes(KIND_PUT, 1, 0)
    for (let at = 0; at + RECORD_HEADER_BYTES <= bytes; at += 24) {
      view.setUint32(at + 4, bytes - at, true)
      view.setUint32(at + 8, NUMBER, true)
      putU64(value, at + 16, BASE + place + at)
    }
    return value
  }

  it.each([V1, V2])('reads no more than a multiple of what there is (salt $salt)', async (header) => {
    for (const size of [1 << 16, 1 << 19]) {
      const bytes = fileOf(header, [lookAlikes(size), Buffer.from('later')])
      bytes[LOG_HEADER_BYTES] ^= 1
      hashed.bytes = 0
      await salvage(bytes)
      scanLog(bytes, bytes.length, frameOf(header), BASE)
      provesHeader(bytes, bytes.length, NUMBER)
      bytes[0] ^= 1
      bytes[1] ^= 1
      await salvage(bytes)
      expect(hashed.bytes).toBeLessThan(80 * bytes.length + (512 << 20))
    }
  })

  it('lets others run all the time', async () => {
    let pauses = 0
    const bytes = fileOf(V2, [lookAlikes(1 << 20), Buffer.from('later')])
    bytes[LOG_HEADER_BYTES] ^= 1
    expect((await salvage(bytes, () => pauses++)).records).toHaveLength(1)
    expect(pauses).toBeGreaterThanOrEqual(16)
  })
})
