import { type Allocate, compressionWithId } from '../bytes/compression.js'
import { corruption, isOutOfMemory, SiltstoneError } from '../bytes/errors.js'
import { blockHash } from '../bytes/hash.js'
import { getU32, putU32 } from '../bytes/integers.js'

/*
 * What stands around every block of a table: data, index, filter, range tombstones and properties alike. Never to change.
 *
 *   +---------+------------+-------+----------+
 *   | payload | raw length | codec | checksum |
 *   |         | u32        | u8    | u32      |
 *   +---------+------------+-------+----------+
 *
 * The payload is the block as the codec left it, the raw length what it was before. The checksum covers all that precedes it
 * and is mixed with file number and offset: a block that a disk or a program put in the wrong place does not pass.
 */

export const ENVELOPE_BYTES = 9
/** A block with one value of the greatest length and room to spare. A longer one is not compressed: then its length can be believed. */
export const LONGEST_COMPRESSED_BYTES = 320 * 1024 * 1024

/** Different for any two offsets below 4 GiB of one file, because multiplying by an odd number loses nothing. */
function placeSeed(fileNumber: number, offset: number): number {
  const high = Math.floor(offset / 2 ** 32)
  return Math.imul(offset, 0x9e3779b1) ^ Math.imul(high + 1, 0x85ebca77) ^ Math.imul(fileNumber, 0xc2b2ae3d)
}

/** Writes the envelope behind a payload that stands at `[start, end)` and is going to `offset`; returns where it ends. */
export function sealEnvelope(
  bytes: Uint8Array,
  start: number,
  end: number,
  rawBytes: number,
  codec: number,
  fileNumber: number,
  offset: number,
): number {
  putU32(bytes, end, rawBytes)
  bytes[end + 4] = codec
  putU32(bytes, end + 5, blockHash(bytes, start, end + 5, placeSeed(fileNumber, offset)))
  return end + ENVELOPE_BYTES
}

/** Whether what stands at `[start, end)` is an envelope that belongs to `offset`, judged by its checksum alone. */
export function isSealed(bytes: Uint8Array, start: number, end: number, fileNumber: number, offset: number): boolean {
  return getU32(bytes, end - 4) === blockHash(bytes, start, end - 4, placeSeed(fileNumber, offset))
}

/**
 * The block inside an envelope that stands at `[start, end)` and came from `offset`, verified and decompressed into what `allocate` gave;
 * `envelopeRawBytes` says how much of that it is. With `keep`, `bytes` hold nothing but this envelope and are given away: an
 * uncompressed block then stays where it is.
 */
export function openEnvelope(
  bytes: Uint8Array,
  start: number,
  end: number,
  fileNumber: number,
  offset: number,
  path: string,
  keep: boolean,
  allocate?: Allocate,
): Uint8Array {
  const payloadEnd = end - ENVELOPE_BYTES
  if (payloadEnd < start) throw corruption(path, offset, 'a block is shorter than its envelope')
  if (!isSealed(bytes, start, end, fileNumber, offset)) {
    throw corruption(path, offset, 'the checksum of a block does not match')
  }
  const rawBytes = getU32(bytes, payloadEnd)
  const codec = bytes[payloadEnd + 4]!
  if (codec === 0 && keep) {
    if (rawBytes !== payloadEnd - start) throw corruption(path, offset, 'a block is not as long as it should be')
    return bytes
  }
  const compression = compressionWithId(codec)
  if (compression === undefined) throw corruption(path, offset, `a block is compressed in an unknown way (${codec})`)
  if (codec !== 0 && rawBytes > LONGEST_COMPRESSED_BYTES)
    throw corruption(path, offset, 'a block has no believable length')
  try {
    return compression.decompress(bytes, start, payloadEnd, rawBytes, allocate)
  } catch (error) {
    if (error instanceof SiltstoneError || isOutOfMemory(error)) throw error
    throw corruption(path, offset, 'a block does not decompress', error)
  }
}

/** How long the block inside a verified envelope that ends at `end` is. */
export function envelopeRawBytes(bytes: Uint8Array, end: number): number {
  return getU32(bytes, end - ENVELOPE_BYTES)
}

/** In which way it is compressed. */
export function envelopeCodec(bytes: Uint8Array, end: number): number {
  return bytes[end - ENVELOPE_BYTES + 4]!
}
