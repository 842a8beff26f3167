import * as zlib from 'node:zlib'
import { SiltstoneError } from './errors.js'
import { lz4Compress, lz4Decompress } from './lz4.js'
import { oneOf } from './shape.js'

/**
 * A way to make blocks smaller. The id stands beside every block on disk and is never to change, so a table whose blocks were
 * written with several of them reads like any other.
 */
export interface Compression {
  readonly id: number
  readonly name: CompressionName
  /**
   * The compressed form of a range, valid until the next call; `undefined` where it would save less than an eighth: then
   * reading the block as it is costs less than decompressing it would.
   */
  compress(source: Uint8Array, start: number, end: number): Uint8Array | undefined
  /**
   * The `rawBytes` that a range was made of, in memory that `allocate` gave or that is theirs alone. Throws a plain `Error` where
   * the range was not made like that.
   */
  decompress(source: Uint8Array, start: number, end: number, rawBytes: number, allocate?: Allocate): Uint8Array
}

/** Memory for so many bytes, or a little more; what stands in it is anybody's guess. */
export type Allocate = (bytes: number) => Uint8Array

/** How blocks are compressed; 'zstd' where this Node has it. */
export type CompressionName = 'none' | 'lz4' | 'deflate' | 'zstd'

/** What the name of one has to be in a file. */
export const compressionShape = oneOf('none', 'lz4', 'deflate', 'zstd')

function largestThatPays(rawBytes: number): number {
  return rawBytes - (rawBytes >>> 3)
}

const none: Compression = {
  id: 0,
  name: 'none',
  compress: () => undefined,
  decompress(source, start, end, rawBytes, allocate = unzeroed) {
    if (end - start !== rawBytes) throw new Error('bytes are not as long as they should be')
    const target = allocate(rawBytes)
    target.set(source.subarray(start, end))
    return target
  },
}

/** The id of the one that is read so fast that blocks may be kept compressed in memory. */
export const LZ4_ID = 1

const MOST_LZ4_EXPANSION = 255

/** Fast both ways, 0.6 us to read a block of 4 KiB: what a lookup that misses the cache can afford. */
const lz4: Compression = {
  id: LZ4_ID,
  name: 'lz4',
  compress: (source, start, end) => lz4Compress(source, start, end, largestThatPays(end - start)),
  decompress(source, start, end, rawBytes, allocate = unzeroed) {
    // A byte stands for 255 at the most; memory for more would be for nothing.
    if (rawBytes > (end - start) * MOST_LZ4_EXPANSION) throw new Error('so few compressed bytes are never so many')
    const target = allocate(rawBytes)
    lz4Decompress(source, start, end, target, rawBytes)
    return target
  },
}

/** Every byte is going to be written, so none has to be zeroed first. */
export function unzeroed(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
}

/** What node:zlib returned, held to the length that was promised and freed from the 16 KiB chunk it stands in. */
function exactly(decompressed: Buffer, rawBytes: number): Uint8Array {
  if (decompressed.length !== rawBytes) throw new Error('compressed bytes are not as long as they should be')
  return new Uint8Array(decompressed)
}

function ifItPays(compressed: Buffer, rawBytes: number): Uint8Array | undefined {
  return compressed.length <= largestThatPays(rawBytes) ? compressed : undefined
}

/** A fifth smaller than LZ4 and five times slower: for data that is written once and hardly read. */
const deflate: Compression = {
  id: 2,
  name: 'deflate',
  compress: (source, start, end) =>
    ifItPays(zlib.deflateRawSync(source.subarray(start, end), { level: 1 }), end - start),
  decompress: (source, start, end, rawBytes) =>
    exactly(zlib.inflateRawSync(source.subarray(start, end), { maxOutputLength: Math.max(1, rawBytes) }), rawBytes),
}

/** What newer versions of node:zlib bring; the types of Node 20 do not know it. */
interface ZstdOfNode {
  zstdCompressSync?(source: Uint8Array): Buffer
  zstdDecompressSync?(source: Uint8Array, options: { maxOutputLength: number }): Buffer
}
const { zstdCompressSync, zstdDecompressSync } = zlib as unknown as ZstdOfNode

function zstdMissing(): SiltstoneError {
  return new SiltstoneError(
    'SILT_NOT_SUPPORTED',
    `Node ${process.versions.node} has no zstd; use 'lz4' or 'deflate', or Node 22.15 or newer`,
  )
}

const zstd: Compression = {
  id: 3,
  name: 'zstd',
  compress(source, start, end) {
    if (zstdCompressSync === undefined) throw zstdMissing()
    return ifItPays(zstdCompressSync(source.subarray(start, end)), end - start)
  },
  decompress(source, start, end, rawBytes) {
    if (zstdDecompressSync === undefined) throw zstdMissing()
    const options = { maxOutputLength: Math.max(1, rawBytes) }
    return exactly(zstdDecompressSync(source.subarray(start, end), options), rawBytes)
  },
}

const BY_ID: readonly Compression[] = [none, lz4, deflate, zstd]

/** Throws `SILT_NOT_SUPPORTED` where this Node cannot do it, so that a store says so when it is opened. */
export function compressionNamed(name: CompressionName): Compression {
  if (name === 'zstd' && zstdCompressSync === undefined) throw zstdMissing()
  return BY_ID.find((compression) => compression.name === name)!
}

/** `undefined` for an id that no compression has. */
export function compressionWithId(id: number): Compression | undefined {
  return BY_ID[id]
}
