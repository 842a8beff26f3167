import { assert, corruption, SiltstoneError } from '../bytes/errors.js'
import { hash32 } from '../bytes/hash.js'
import { getU32, getU64, putU32, putU64, TWO_32 } from '../bytes/integers.js'
import { type EpochMs, type FileNumber, LAST_NUMBER, LATEST_EXPIRY, type Position } from '../bytes/units.js'
import { LONGEST_RECORD_BYTES, type RecordFrame } from './record.js'

/*
 * The first bytes of every log file, be it a segment of the commit log or a manifest. Never to change within format
 * versions 1 and 2, which differ in the salt alone: version 1 has zeros there.
 *
 *   0       8         12       16     24         32         40         48        56         64      72       76         80
 *   +-------+---------+--------+------+----------+----------+----------+---------+----------+-------+--------+----------+
 *   | magic | version | number | base | previous | capacity | last     | created | store    | salt  | upper  | checksum |
 *   | 8     | u32     | u32    | u64  | end u64  | u64      | edit u64 | at u64  | id u64   | 2 u32 | number | u32      |
 *   +-------+---------+--------+------+----------+----------+----------+---------+----------+-------+--------+----------+
 *
 *   number        its lower 32 bits; the upper ones stand behind the salt, zeros where nobody has got so far
 *   base          the log position of the file's first byte
 *   previous end  where the file before it ended: a gap between the two means that something is missing. It differs from
 *                 base after a crash, when a whole range of positions is skipped rather than used a second time
 *   capacity      positions of this file are below base + capacity
 *   last edit     the newest manifest edit that was on disk when this file was made: a manifest that ends before it was cut
 *   store id      random, one per store: a file copied in from another store is noticed
 *   salt          random, of this file alone, and part of each of its records (record.ts): bytes that were made somewhere else, in a
 *                 value for instance, are none of its records. A copy of the file for another store keeps it
 */

export const LOG_HEADER_BYTES = 80
export const FORMAT_VERSION = 2
/** Of files whose records are not bound to them by a salt. */
const UNSALTED_VERSION = 1
const SALT_AT = 64
const NUMBER_AT = 12
const UPPER_NUMBER_AT = 72

/** The longest record, its header, and what is filled with zeros ahead of it. */
export const LONGEST_LOG_BYTES = 2 ** 32

export type LogMagic = 'SILTLOG\n' | 'SILTMAN\n'

export interface LogHeader {
  readonly magic: LogMagic
  readonly number: FileNumber
  readonly base: Position
  readonly previousEnd: Position
  readonly capacity: number
  readonly lastEdit: number
  readonly createdAt: EpochMs
  readonly storeId: number
  readonly salt: LogSalt
}

/** Both halves are 0 in a file of format version 1, and neither of them in any other. */
export type LogSalt = readonly [tag: number, seed: number]

const NO_SALT: LogSalt = [0, 0]

/** A header but for what is drawn by lot. */
export type LogHeaderPlan = Omit<LogHeader, 'salt'>

/** A salt of random bytes: `random` gives as many as it is asked for. */
export function newSalt(random: (count: number) => Uint8Array): LogSalt {
  for (;;) {
    const bytes = random(8)
    const salt = saltAt(bytes, 0)
    if (isSalt(salt)) return salt
  }
}

/** Whether the records of the file are bound to it. */
export function isSalted({ salt }: LogHeader): boolean {
  return isSalt(salt)
}

/** What the records of a file have in common. */
export function frameOf({ number, salt }: Pick<LogHeader, 'number' | 'salt'>): RecordFrame {
  return { tag: (number ^ salt[0]) >>> 0, seed: salt[1] }
}

function isSalt([tag, seed]: LogSalt): boolean {
  return tag !== 0 && seed !== 0
}

function saltAt(bytes: Uint8Array, offset: number): LogSalt {
  return [getU32(bytes, offset), getU32(bytes, offset + 4)]
}

export function putLogHeader(bytes: Uint8Array, header: LogHeader): void {
  for (const value of numbersOf(header))
    assert(Number.isSafeInteger(value) && value >= 0, 'a header holds safe integers')
  bytes.fill(0, 0, LOG_HEADER_BYTES)
  for (let i = 0; i < 8; i++) bytes[i] = header.magic.charCodeAt(i)
  putU32(bytes, 8, isSalted(header) ? FORMAT_VERSION : UNSALTED_VERSION)
  putU32(bytes, NUMBER_AT, header.number >>> 0)
  putU32(bytes, UPPER_NUMBER_AT, Math.floor(header.number / TWO_32))
  putU64(bytes, 16, header.base)
  putU64(bytes, 24, header.previousEnd)
  putU64(bytes, 32, header.capacity)
  putU64(bytes, 40, header.lastEdit)
  putU64(bytes, 48, momentOf(header.createdAt))
  putU64(bytes, 56, header.storeId)
  putU32(bytes, SALT_AT, header.salt[0])
  putU32(bytes, SALT_AT + 4, header.salt[1])
  putU32(bytes, 76, hash32(bytes, 0, 76, 0))
}

/**
 * Reads the header, or `undefined` where the file ends inside it or holds only zeros: a file that was being made when
 * the power went. Anything else that is not a header is corruption.
 */
export function readLogHeader(
  bytes: Uint8Array,
  fileBytes: number,
  magic: LogMagic,
  path: string,
): LogHeader | undefined {
  const limit = Math.min(fileBytes, LOG_HEADER_BYTES)
  let blank = true
  for (let i = 0; i < limit && blank; i++) blank = bytes[i] === 0
  if (blank || fileBytes < LOG_HEADER_BYTES) return undefined
  for (let i = 0; i < 8; i++) {
    if (bytes[i] !== magic.charCodeAt(i)) throw corruption(path, i, 'it does not begin like a Siltstone log')
  }
  if (getU32(bytes, 76) !== hash32(bytes, 0, 76, 0)) throw corruption(path, 76, 'the checksum of its header is wrong')
  const version = getU32(bytes, 8)
  if (version === 0) throw corruption(path, 8, 'its header has no version')
  if (version > FORMAT_VERSION) {
    throw new SiltstoneError(
      'SILT_FORMAT',
      `${path} has format version ${version}, this Siltstone reads up to ${FORMAT_VERSION}; open it with a newer one`,
      { file: path },
    )
  }
  requirePlausible(bytes, path)
  const salt = version === UNSALTED_VERSION ? NO_SALT : saltAt(bytes, SALT_AT)
  if (version !== UNSALTED_VERSION && !isSalt(salt)) throw corruption(path, SALT_AT, 'its header has no salt')
  return {
    magic,
    number: getU32(bytes, NUMBER_AT) + getU32(bytes, UPPER_NUMBER_AT) * TWO_32,
    base: getU64(bytes, 16),
    previousEnd: getU64(bytes, 24),
    capacity: getU64(bytes, 32),
    lastEdit: getU64(bytes, 40),
    createdAt: getU64(bytes, 48),
    storeId: getU64(bytes, 56),
    salt,
  }
}

/** A header under a right checksum may still say what no store has written. */
function requirePlausible(bytes: Uint8Array, path: string): void {
  for (let offset = 16; offset < SALT_AT; offset += 8) {
    if (!Number.isSafeInteger(getU64(bytes, offset)))
      throw corruption(path, offset, 'its header holds an impossible number')
  }
  const number = getU32(bytes, NUMBER_AT) + getU32(bytes, UPPER_NUMBER_AT) * TWO_32
  if (number < 1 || number > LAST_NUMBER)
    throw corruption(path, NUMBER_AT, 'its header has no number that a file can have')
  const base = getU64(bytes, 16)
  if (base > LAST_NUMBER) throw corruption(path, 16, 'it begins behind the last position that there is')
  if (getU64(bytes, 24) > base) throw corruption(path, 24, 'it begins before the file that it follows has ended')
  const capacity = getU64(bytes, 32)
  if (capacity > LONGEST_RECORD_BYTES + LOG_HEADER_BYTES || !Number.isSafeInteger(base + capacity)) {
    throw corruption(path, 32, `its header says that it may become ${capacity} bytes long, which no log does`)
  }
}

/**
 * The frame of the records behind a header that cannot be read. One wrong byte is found by the checksum; failing that, version and
 * salt are tried as they stand. `undefined` where there is no salt: without one nothing tells a record from what looks like one.
 */
export function frameBehindDamage(bytes: Uint8Array, number: FileNumber, magic: LogMagic): RecordFrame | undefined {
  if (bytes.length < LOG_HEADER_BYTES) return undefined
  const mended = mendedHeader(bytes, magic)
  if (mended?.number === number) return frameOf(mended)
  if (getU32(bytes, 8) === UNSALTED_VERSION) return frameOf({ number, salt: NO_SALT })
  const salt = saltAt(bytes, SALT_AT)
  return isSalt(salt) ? frameOf({ number, salt }) : undefined
}

/** A header of which a single byte is wrong, as it was. */
function mendedHeader(damaged: Uint8Array, magic: LogMagic): LogHeader | undefined {
  const bytes = damaged.slice(0, LOG_HEADER_BYTES)
  for (let i = 0; i < LOG_HEADER_BYTES; i++) {
    const found = bytes[i]!
    for (let change = 1; change < 256; change++) {
      bytes[i] = found ^ change
      if (getU32(bytes, 76) !== hash32(bytes, 0, 76, 0)) continue
      try {
        return readLogHeader(bytes, bytes.length, magic, '')
      } catch {
        // The checksum is right by accident.
      }
    }
    bytes[i] = found
  }
  return undefined
}

function numbersOf({ number, base, previousEnd, capacity, lastEdit, storeId }: LogHeader): number[] {
  return [number, base, previousEnd, capacity, lastEdit, storeId]
}

/** A clock may stand before 1970, and between two milliseconds. */
function momentOf(now: EpochMs): EpochMs {
  return Math.min(Math.max(0, Math.floor(now)), LATEST_EXPIRY)
}
