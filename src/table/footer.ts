import { corruption, SiltstoneError } from '../bytes/errors.js'
import { blockHash } from '../bytes/hash.js'
import { getU32, getU64, putU32, putU64 } from '../bytes/integers.js'

/*
 * The last bytes of a table, from which everything else in it is found. Never to change: a later format version keeps length,
 * place of the version, checksum and magic, so that this one can say that it is too old.
 *
 *   +------------+------------------+--------+-----------+-------------+----------------+----------+------------+
 *   | properties | range tombstones | filter | top index | file number | format version | checksum | "SILTABLE" |
 *   | handle     | handle           | handle | handle    | u64         | u32            | u32      | 8 bytes    |
 *   +------------+------------------+--------+-----------+-------------+----------------+----------+------------+
 *
 *   handle: offset u64, bytes with envelope u32; no bytes where the table has none of it
 *
 * The whole file, in this order:
 *
 *   data blocks | index partitions | filter | range tombstones | top index | properties | footer
 */

export const TABLE_FORMAT_VERSION = 1
export const FOOTER_BYTES = 72

const HANDLE_BYTES = 12
const FILE_NUMBER_AT = 4 * HANDLE_BYTES
const VERSION_AT = FILE_NUMBER_AT + 8
const CHECKSUM_AT = VERSION_AT + 4
const MAGIC_AT = CHECKSUM_AT + 4
export const TABLE_MAGIC = [0x53, 0x49, 0x4c, 0x54, 0x41, 0x42, 0x4c, 0x45]

export interface BlockHandle {
  readonly offset: number
  readonly bytes: number
}

export interface Footer {
  readonly properties: BlockHandle
  readonly rangeTombstones: BlockHandle
  readonly filter: BlockHandle
  readonly topIndex: BlockHandle
  readonly fileNumber: number
}

const HANDLES = ['properties', 'rangeTombstones', 'filter', 'topIndex'] as const

export function encodeFooter(footer: Footer): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  HANDLES.forEach((name, i) => {
    putU64(bytes, i * HANDLE_BYTES, footer[name].offset)
    putU32(bytes, i * HANDLE_BYTES + 8, footer[name].bytes)
  })
  putU64(bytes, FILE_NUMBER_AT, footer.fileNumber)
  putU32(bytes, VERSION_AT, TABLE_FORMAT_VERSION)
  putU32(bytes, CHECKSUM_AT, blockHash(bytes, 0, CHECKSUM_AT, 0))
  bytes.set(TABLE_MAGIC, MAGIC_AT)
  return bytes
}

/** Reads the footer from the end of `tail`, which are the last bytes of a file of `fileBytes`. */
export function decodeFooter(tail: Uint8Array, fileBytes: number, fileNumber: number, path: string): Footer {
  const start = tail.length - FOOTER_BYTES
  if (start < 0) throw corruption(path, 0, `${fileBytes} bytes are too few for a table`)
  const offset = fileBytes - FOOTER_BYTES
  if (TABLE_MAGIC.some((byte, i) => tail[start + MAGIC_AT + i] !== byte)) {
    throw corruption(
      path,
      offset + MAGIC_AT,
      'the file does not end like a table; it was cut short or is something else',
    )
  }
  if (getU32(tail, start + CHECKSUM_AT) !== blockHash(tail, start, start + CHECKSUM_AT, 0)) {
    throw corruption(path, offset, 'the checksum of the footer does not match')
  }
  const version = getU32(tail, start + VERSION_AT)
  if (version > TABLE_FORMAT_VERSION) {
    const message = `${path} has table format ${version}, this version of Siltstone reads up to ${TABLE_FORMAT_VERSION}`
    throw new SiltstoneError('SILT_FORMAT', `${message}; open it with a newer one`, { file: path })
  }
  const named = getU64(tail, start + FILE_NUMBER_AT)
  if (named !== fileNumber) throw corruption(path, offset, `the table is number ${named}, its name says ${fileNumber}`)
  const [properties, rangeTombstones, filter, topIndex] = HANDLES.map((_, i) => {
    const at = start + i * HANDLE_BYTES
    const handle: BlockHandle = { offset: getU64(tail, at), bytes: getU32(tail, at + 8) }
    if (handle.offset + handle.bytes > offset) throw corruption(path, offset, 'the footer points behind itself')
    return handle
  }) as [BlockHandle, BlockHandle, BlockHandle, BlockHandle]
  return { properties, rangeTombstones, filter, topIndex, fileNumber }
}
