import { hash32 } from '../../../src/bytes/hash.js'
import { getU32, getU64, putU32, putU64 } from '../../../src/bytes/integers.js'
import { frameOf, LOG_HEADER_BYTES, type LogMagic, readLogHeader } from '../../../src/log/log-header.js'
import { scanLog } from '../../../src/log/log-scan.js'
import { operationEnd, operationKeyStart } from '../../../src/log/operation.js'
import { RECORD_HEADER_BYTES, recordCount, recordSynced, sealRecord } from '../../../src/log/record.js'
import type { SeededRandom } from '../seeded-random.js'
import { senselessBytes, senselessJson } from './senseless-json.js'

const WIDE = [
  0,
  1,
  79,
  80,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 48,
  2 ** 52,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
]

/** Offsets and widths in the header of a log file. */
const HEADER_FIELDS = [
  [8, 4],
  [12, 4],
  [16, 8],
  [24, 8],
  [32, 8],
  [40, 8],
  [48, 8],
  [56, 8],
  [64, 4],
  [68, 4],
  [72, 4],
] as const

/** A log file whose header, or a record of it, says something else, under checksums that are right. */
export function senselessLog(random: SeededRandom, bytes: Uint8Array, magic: LogMagic): Uint8Array {
  if (random.chance(0.25)) return senselessHeader(random, bytes)
  const header = readLogHeader(bytes, bytes.length, magic, '')!
  const { records, end } = scanLog(bytes, bytes.length, frameOf(header), header.base)
  if (records.length === 0) return senselessHeader(random, bytes)
  const parts = records.map((record) => ({
    payload: new Uint8Array(
      bytes.slice(record + RECORD_HEADER_BYTES, record + getU32(bytes, record + 4)),
    ) as Uint8Array,
    count: recordCount(bytes, record),
    synced: recordSynced(bytes, record),
    moved: 0,
  }))
  const part = parts[random.chance(0.3) ? 0 : random.below(parts.length)]!
  const choice = random.below(magic === 'SILTMAN\n' ? 10 : 8)
  if (choice === 0) part.count = random.pick([0, part.count + 1, 1000, 2 ** 32 - 1, Math.max(0, part.count - 1)])
  else if (choice === 1) part.synced = random.pick(WIDE)
  else if (choice === 2) part.moved = random.pick([1, -1, 2 ** 32])
  else if (magic === 'SILTMAN\n' && choice > 3) part.payload = senselessEdit(random, part.payload)
  else if (magic === 'SILTLOG\n' && choice > 3) part.payload = senselessOperation(random, part.payload, part.count)
  else part.payload = senselessBytes(random, part.payload, false)
  const length = parts.reduce((sum, { payload }) => sum + RECORD_HEADER_BYTES + payload.length, LOG_HEADER_BYTES)
  const written = new Uint8Array(length + (bytes.length - end))
  written.set(bytes.subarray(0, LOG_HEADER_BYTES))
  let at = LOG_HEADER_BYTES
  for (const { payload, count, synced, moved } of parts) {
    const next = at + RECORD_HEADER_BYTES + payload.length
    written.set(payload, at + RECORD_HEADER_BYTES)
    const position = Math.max(0, header.base + at + moved)
    sealRecord(new DataView(written.buffer), at, next, frameOf(header), count, position, synced)
    at = next
  }
  return written
}

function senselessHeader(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  const [offset, width] = random.pick(HEADER_FIELDS)
  const before = width === 4 ? getU32(copy, offset) : getU64(copy, offset)
  const value = random.chance(0.3) ? Math.max(0, before + random.pick([-1, 1, 100, -100])) : random.pick(WIDE)
  if (width === 4) putU32(copy, offset, value % 2 ** 32)
  else putU64(copy, offset, value)
  putU32(copy, 76, hash32(copy, 0, 76, 0))
  return copy
}

function senselessEdit(random: SeededRandom, payload: Uint8Array): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify(senselessJson(random, JSON.parse(Buffer.from(payload).toString()))) ?? '',
  )
}

/** An operation of which one field is something else. */
function senselessOperation(random: SeededRandom, payload: Uint8Array, count: number): Uint8Array {
  const copy = payload.slice()
  let at = 0
  for (let skip = random.below(count); skip > 0; skip--) at = operationEnd(copy, at)
  const choice = random.below(6)
  if (choice === 0) putU32(copy, at, random.pick([1, 5, 1000, 2 ** 20, 2 ** 24, 2 ** 31, 2 ** 32 - 1]))
  else if (choice === 1) copy[at + 4] = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 255])
  else if (choice === 2) copy.set([random.below(256), random.below(256)], at + 5)
  else if (choice === 3) putU32(copy, at + 7, random.pick([0, 1, 2 ** 20, 2 ** 28, 2 ** 31, 2 ** 32 - 1]))
  else if (choice === 4) copy.set(random.bytes(3), operationKeyStart(copy, at))
  else putU64(copy, at + 11, random.pick(WIDE))
  return copy.slice(0, payload.length)
}
