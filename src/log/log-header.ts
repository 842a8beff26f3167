import { corruption, SiltstoneError } from '../bytes/errors.js'
import { hash32 } from '../bytes/hash.js'
import { getU32, getU64, putU32, putU64 } from '../bytes/integers.js'
import type { EpochMs, FileNumber, Position } from '../bytes/units.js'

/*
 * The first bytes of every log file, be it a segment of the commit log or a manifest. Never to change within format
 * version 1.
 *
 *   0       8         12       16     24         32         40         48        56         64         76         80
 *   +-------+---------+--------+------+----------+----------+----------+---------+----------+----------+----------+
 *   | magic | version | number | base | previous | capacity | last     | created | store    | reserved | checksum |
 *   | 8     | u32     | u32    | u64  | end u64  | u64      | edit u64 | at u64  | id u64   | 12       | u32      |
 *   +-------+---------+--------+------+----------+----------+----------+---------+----------+----------+----------+
 *
 *   base          the log position of the file's first byte
 *   previous end  where the file before it ended: a gap between the two means that something is missing. It differs from
 *                 base after a crash, when a whole range of positions is skipped rather than used a second time
 *   capacity      positions of this file are below base + capacity
 *   last edit     the newest manifest edit that was on disk when this file was made: a manifest that ends before it was cut
 *   store id      random, one per store: a file copied in from another store is noticed
 */

export const LOG_HEADER_BYTES = 80
export const FORMAT_VERSION = 1

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
}

export function putLogHeader(bytes: Uint8Array, header: LogHeader): void {
  bytes.fill(0, 0, LOG_HEADER_BYTES)
  for (let i = 0; i < 8; i++) bytes[i] = header.magic.charCodeAt(i)
  putU32(bytes, 8, FORMAT_VERSION)
  putU32(bytes, 12, header.number)
  putU64(bytes, 16, header.base)
  putU64(bytes, 24, header.previousEnd)
  putU64(bytes, 32, header.capacity)
  putU64(bytes, 40, header.lastEdit)
  putU64(bytes, 48, header.createdAt)
  putU64(bytes, 56, header.storeId)
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
  if (version > FORMAT_VERSION) {
    throw new SiltstoneError(
      'SILT_FORMAT',
      `${path} has format version ${version}, this Siltstone reads up to ${FORMAT_VERSION}; open it with a newer one`,
      { file: path },
    )
  }
  return {
    magic,
    number: getU32(bytes, 12),
    base: getU64(bytes, 16),
    previousEnd: getU64(bytes, 24),
    capacity: getU64(bytes, 32),
    lastEdit: getU64(bytes, 40),
    createdAt: getU64(bytes, 48),
    storeId: getU64(bytes, 56),
  }
}
