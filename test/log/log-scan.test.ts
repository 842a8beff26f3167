import { describe, expect, it } from 'vitest'
import { loadHash } from '../../src/bytes/hash.js'
import { frameOf, LOG_HEADER_BYTES } from '../../src/log/log-header.js'
import { type LogScan, provesHeader, scanLog } from '../../src/log/log-scan.js'
import { RECORD_HEADER_BYTES, sealRecord } from '../../src/log/record.js'

await loadHash()

const FILE = 3
const FRAME = frameOf({ number: FILE, salt: [0x01010101, 0x01010101] })
const BASE = 10_000
const PAYLOAD = 20
const RECORD = RECORD_HEADER_BYTES + PAYLOAD

/** A file of records, each of which names as synced what `synced` says of it: an offset. */
function fileOf(...synced: number[]): Uint8Array {
  const bytes = new Uint8Array(LOG_HEADER_BYTES + synced.length * RECORD)
  bytes.fill(1, 0, LOG_HEADER_BYTES)
  for (const [i, offset] of synced.entries()) {
    const start = offsetOf(i)
    bytes.fill(i + 1, start, start + RECORD)
    sealRecord(
      new DataView(bytes.buffer),
      start,
      start + RECORD,
      FRAME,
      1,
      BASE + start,
      offset === 0 ? 0 : BASE + offset,
    )
  }
  return bytes
}

function offsetOf(record: number): number {
  return LOG_HEADER_BYTES + record * RECORD
}

function scan(bytes: Uint8Array, fileBytes = bytes.length): LogScan {
  return scanLog(bytes, fileBytes, FRAME, BASE)
}

function grown(bytes: Uint8Array, extra: Uint8Array): Uint8Array {
  return Uint8Array.of(...bytes, ...extra)
}

describe('a log that ends well', () => {
  it('is read to its end', () => {
    const { records, end, synced, damage } = scan(fileOf(0, offsetOf(1), offsetOf(1)))
    expect(records).toEqual([offsetOf(0), offsetOf(1), offsetOf(2)])
    expect({ end, synced, damage }).toEqual({ end: offsetOf(3), synced: BASE + offsetOf(1), damage: undefined })
  })

  it('may hold no record at all', () => {
    expect(scan(fileOf())).toEqual({ records: [], end: LOG_HEADER_BYTES, synced: 0 })
  })

  it('may go on with zeros, which a file has that grew before its bytes came', () => {
    for (const zeros of [1, RECORD, 10_000]) {
      const { end, damage } = scan(grown(fileOf(0, 0), new Uint8Array(zeros)))
      expect({ end, damage }).toEqual({ end: offsetOf(2), damage: undefined })
    }
  })
})

describe('a torn tail', () => {
  it('is cut off at every length, and costs only the record that it tears', () => {
    const whole = fileOf(0, offsetOf(1), offsetOf(2))
    for (let length = offsetOf(2) + 1; length < offsetOf(3); length++) {
      const { records, end, damage } = scan(whole.slice(0, length))
      expect({ count: records.length, end }).toEqual({ count: 2, end: offsetOf(2) })
      expect(damage).toEqual({ offset: offsetOf(2), bytes: length - offsetOf(2), kind: 'torn' })
    }
  })

  it('does not depend on what stands in memory behind the file', () => {
    const { records, damage } = scan(fileOf(0, 0, 0), offsetOf(3) - 1)
    expect(records.length).toBe(2)
    expect(damage?.kind).toBe('torn')
  })

  it('may be followed by records that came to the disk before it: none of them says that it was safe', () => {
    const bytes = fileOf(0, offsetOf(1), offsetOf(1), offsetOf(1))
    bytes[offsetOf(1) + 40]! ^= 1
    expect(scan(bytes)).toMatchObject({ end: offsetOf(1), damage: { offset: offsetOf(1), kind: 'torn' } })
  })

  it('may be garbage', () => {
    const garbage = Uint8Array.from({ length: 3 * RECORD }, (_, i) => (i * 151) & 0xff)
    expect(scan(grown(fileOf(0), garbage)).damage).toEqual({
      offset: offsetOf(1),
      bytes: garbage.length,
      kind: 'torn',
    })
  })
})

describe('rot', () => {
  it('is damage in what a later record names as synced, wherever in the record it is', () => {
    const bytes = fileOf(0, offsetOf(1), offsetOf(2), offsetOf(2))
    for (let offset = offsetOf(1); offset < offsetOf(2); offset++) {
      bytes[offset]! ^= 0x10
      const { records, end, damage } = scan(bytes)
      expect({ records, end }).toEqual({ records: [offsetOf(0)], end: offsetOf(1) })
      expect(damage).toEqual({ offset: offsetOf(1), bytes: 3 * RECORD, kind: 'rot' })
      bytes[offset]! ^= 0x10
    }
  })

  it('is told from a torn tail also when it zeroed several records', () => {
    const bytes = fileOf(0, 0, 0, 0, offsetOf(3))
    bytes.fill(0, offsetOf(1), offsetOf(4))
    expect(scan(bytes).damage).toMatchObject({ offset: offsetOf(1), kind: 'rot' })
  })

  it('is not concluded from a record of another file, or one out of its place', () => {
    const stale = fileOf(0, 0, offsetOf(2)).slice(offsetOf(2))
    expect(scan(grown(fileOf(0), Uint8Array.of(9, ...stale))).damage?.kind).toBe('torn')
    const other = fileOf(0, 0, 0)
    sealRecord(
      new DataView(other.buffer),
      offsetOf(2),
      offsetOf(3),
      { ...FRAME, tag: FRAME.tag + 1 },
      1,
      BASE + offsetOf(2),
      BASE + offsetOf(2),
    )
    other[offsetOf(1) + 40]! ^= 1
    expect(scan(other).damage?.kind).toBe('torn')
  })
})

describe('a header that cannot be read', () => {
  it('was on disk if a record beside it is, or if any record says so', () => {
    const proven = (bytes: Uint8Array): boolean => provesHeader(bytes, bytes.length, FILE)
    expect(proven(fileOf(0, 0))).toBe(true)
    const late = fileOf(0, 0, offsetOf(1))
    late.fill(7, 0, offsetOf(1))
    expect(proven(late)).toBe(true)
  })

  it('may never have been, if there is nothing or nothing but records that were not synced', () => {
    const proven = (bytes: Uint8Array): boolean => provesHeader(bytes, bytes.length, FILE)
    expect(proven(fileOf())).toBe(false)
    const unsynced = fileOf(0, 0, 0)
    unsynced.fill(7, 0, offsetOf(1))
    expect(proven(unsynced)).toBe(false)
  })
})
