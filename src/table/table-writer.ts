import { sharedPrefixLength } from '../bytes/compare.js'
import { type Compression, type CompressionName, compressionNamed } from '../bytes/compression.js'
import { assert, ioError, SiltstoneError } from '../bytes/errors.js'
import type { RangeTombstones } from '../bytes/range-tombstones.js'
import {
  type EpochMs,
  type FileNumber,
  LAST_NUMBER,
  LATEST_EXPIRY,
  type Position,
  type TreeId,
} from '../bytes/units.js'
import type { FileHandle } from '../fs/file-system.js'
import { KIND_DELETE, KIND_PUT_EXPIRING } from '../log/operation.js'
import { BlockWriter } from './block.js'
import { ENVELOPE_BYTES, LONGEST_COMPRESSED_BYTES, sealEnvelope } from './envelope.js'
import { FileOutput } from './file-output.js'
import { keyHash, TableFilter } from './filter.js'
import { type BlockHandle, encodeFooter, FOOTER_BYTES, TABLE_FORMAT_VERSION } from './footer.js'
import { IndexWriter, separatorOf } from './index-node.js'
import { encodeProperties, type TableProperties } from './properties.js'

export interface TableWriterOptions {
  readonly fileNumber: FileNumber
  /** How large a data block grows before it is cut; a block is never cut between two versions of a key. */
  readonly blockBytes: number
  /** How many entries share key prefixes before one has its key in full. */
  readonly restartInterval: number
  /** 0 for no filter. */
  readonly filterBitsPerKey: number
  readonly compression: CompressionName
  readonly level: number
  readonly tree: TreeId
  readonly createdAt: EpochMs
  readonly origin?: Readonly<Record<string, unknown>>
}

export interface TableSummary {
  readonly fileNumber: FileNumber
  readonly fileBytes: number
  readonly properties: TableProperties
}

/** A partition is read as a whole when one of its blocks is looked for: large enough to be few, small enough to be quick. */
const PARTITION_MEMORY_BYTES = 16 * 1024
const NO_BLOCK: BlockHandle = { offset: 0, bytes: 0 }
const NOTHING = new Uint8Array(0)

/**
 * Writes one table: entries in order, then `finish`. What it holds in memory meanwhile is the block being filled, the
 * index, and four bytes a key for the filter.
 */
export class TableWriter {
  readonly #file: FileHandle
  readonly #options: TableWriterOptions
  readonly #compression: Compression
  readonly #output: FileOutput
  readonly #block: BlockWriter

  /** The first key of the block being filled, cut to what sets it off from the block before. */
  #separator: Uint8Array = NOTHING
  #partition = new IndexWriter()
  readonly #partitions: IndexWriter[] = []
  #hashes = new Uint32Array(1024)
  #hashCount = 0
  #rangeTombstones: RangeTombstones | undefined

  #lastKey = new Uint8Array(64)
  #lastKeyLength = 0
  #lastPosition: Position = 0
  #smallestKey: Uint8Array | undefined
  #dataBlockCount = 0
  #entryCount = 0
  #deletionCount = 0
  #expiringCount = 0
  #keyCount = 0
  #rawKeyBytes = 0
  #rawValueBytes = 0
  #minPosition: Position = Number.POSITIVE_INFINITY
  #maxPosition: Position = 0
  #minExpiresAt: EpochMs = Number.POSITIVE_INFINITY
  #maxExpiresAt: EpochMs = 0

  /** The file is new and empty, and stays the caller's to close. */
  constructor(file: FileHandle, options: TableWriterOptions) {
    this.#file = file
    this.#options = options
    this.#compression = compressionNamed(options.compression)
    this.#output = new FileOutput(file)
    this.#block = new BlockWriter(options.blockBytes, options.restartInterval)
  }

  get entryCount(): number {
    return this.#entryCount
  }

  /** How large the file would be if it were finished now, the last block not yet compressed. */
  get estimatedBytes(): number {
    const filterBytes = (this.#hashCount * this.#options.filterBitsPerKey) / 8
    const indexBytes = this.#partitions.length * PARTITION_MEMORY_BYTES + this.#partition.memoryBytes
    return this.#output.offset + this.#block.byteLength + filterBytes + indexBytes
  }

  /** Whether the last entry has this key: then the table must not end here, because all versions of a key stand in one table. */
  lastKeyEquals(key: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    return (
      this.#entryCount > 0 &&
      length === this.#lastKeyLength &&
      sharedPrefixLength(key, start, end, this.#lastKey, 0, length) === length
    )
  }

  /** Adds an entry. Requires: keys ascend, and the positions of one key's versions descend. */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    kind: number,
    position: Position,
    expiresAt: EpochMs,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const keyLength = keyEnd - keyStart
    const shared = sharedPrefixLength(key, keyStart, keyEnd, this.#lastKey, 0, this.#lastKeyLength)
    const isFirst = this.#entryCount === 0
    const sameKey = shared === keyLength && keyLength === this.#lastKeyLength && !isFirst
    if (position < 0 || position > LAST_NUMBER) throw disorder(this.#options.fileNumber)
    if (sameKey) {
      if (position >= this.#lastPosition) throw disorder(this.#options.fileNumber)
    } else {
      const isBehind =
        isFirst ||
        (shared < keyLength && (shared === this.#lastKeyLength || key[keyStart + shared]! > this.#lastKey[shared]!))
      if (!isBehind) throw disorder(this.#options.fileNumber)
      this.#beginKey(key, keyStart, keyEnd, shared)
    }
    this.#block.add(key, keyStart, keyEnd, shared, sameKey, kind, position, expiresAt, value, valueStart, valueEnd)

    this.#lastPosition = position
    this.#entryCount++
    this.#rawKeyBytes += keyLength
    this.#rawValueBytes += valueEnd - valueStart
    if (position < this.#minPosition) this.#minPosition = position
    if (position > this.#maxPosition) this.#maxPosition = position
    if (kind === KIND_DELETE) {
      this.#deletionCount++
    } else if (kind === KIND_PUT_EXPIRING) {
      assert(expiresAt <= LATEST_EXPIRY, 'an expiry fits into its 48 bits')
      this.#expiringCount++
      if (expiresAt < this.#minExpiresAt) this.#minExpiresAt = expiresAt
      if (expiresAt > this.#maxExpiresAt) this.#maxExpiresAt = expiresAt
    }
  }

  /** Gives the table its range tombstones; once, at any time before `finish`. */
  addRangeTombstones(tombstones: RangeTombstones): void {
    assert(this.#rangeTombstones === undefined, 'a table is given its range tombstones once')
    this.#rangeTombstones = tombstones
  }

  /** Writes what is left and makes the file durable; its name is the caller's. `origin` is what to add to the one given before. */
  finish(origin: Readonly<Record<string, unknown>> = {}): TableSummary {
    this.#finishBlock()
    this.#finishPartition()
    const top = new IndexWriter()
    for (const partition of this.#partitions) {
      const handle = this.#writeBlock(partition.finish())
      top.add(partition.firstSeparator, handle.offset, handle.bytes)
    }
    const filter = this.#writeFilter()
    const tombstones = this.#rangeTombstones
    const rangeTombstones =
      tombstones === undefined || tombstones.size === 0 ? NO_BLOCK : this.#writeBlock(tombstones.encode())
    const topIndex = this.#writeBlock(top.finish())
    const summary = this.#properties(origin)
    const properties = this.#writeBlock(encodeProperties(summary))
    const { fileNumber } = this.#options
    this.#output.chunk.set(
      encodeFooter({ properties, rangeTombstones, filter, topIndex, fileNumber }),
      this.#output.reserve(FOOTER_BYTES),
    )
    this.#output.commit(FOOTER_BYTES)
    this.#output.flush()
    try {
      this.#file.syncSync()
    } catch (error) {
      throw ioError(error, 'sync', this.#file.path)
    }
    return { fileNumber, fileBytes: this.#output.offset, properties: summary }
  }

  #beginKey(key: Uint8Array, keyStart: number, keyEnd: number, shared: number): void {
    if (this.#block.byteLength >= this.#options.blockBytes) this.#finishBlock()
    if (this.#block.isEmpty) this.#separator = separatorOf(key, keyStart, keyEnd, shared)
    if (this.#entryCount === 0) this.#smallestKey = key.slice(keyStart, keyEnd)
    const keyLength = keyEnd - keyStart
    if (keyLength > this.#lastKey.length) {
      const larger = new Uint8Array(keyLength * 2)
      larger.set(this.#lastKey)
      this.#lastKey = larger
    }
    const lastKey = this.#lastKey
    for (let i = shared; i < keyLength; i++) lastKey[i] = key[keyStart + i]!
    this.#lastKeyLength = keyLength
    this.#keyCount++
    if (this.#options.filterBitsPerKey === 0) return
    if (this.#hashCount === this.#hashes.length) {
      const larger = new Uint32Array(this.#hashes.length * 2)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes[this.#hashCount++] = keyHash(key, keyStart, keyEnd)
  }

  #finishBlock(): void {
    if (this.#block.isEmpty) return
    const end = this.#block.finish()
    const handle = this.#writeBlock(this.#block.bytes, end)
    this.#block.clear()
    this.#dataBlockCount++
    this.#partition.add(this.#separator, handle.offset, handle.bytes)
    if (this.#partition.memoryBytes >= PARTITION_MEMORY_BYTES) this.#finishPartition()
  }

  #finishPartition(): void {
    if (this.#partition.count === 0) return
    this.#partitions.push(this.#partition)
    this.#partition = new IndexWriter()
  }

  #writeFilter(): BlockHandle {
    if (this.#hashCount === 0) return NO_BLOCK
    const filter = TableFilter.build(this.#hashes, this.#hashCount, this.#options.filterBitsPerKey)
    return this.#writeBlock(filter.encode())
  }

  #writeBlock(bytes: Uint8Array, end = bytes.length): BlockHandle {
    const compressed = end > LONGEST_COMPRESSED_BYTES ? undefined : this.#compression.compress(bytes, 0, end)
    const payload = compressed ?? bytes.subarray(0, end)
    const output = this.#output
    const start = output.reserve(payload.length + ENVELOPE_BYTES)
    const offset = output.offset
    output.chunk.set(payload, start)
    const codec = compressed === undefined ? 0 : this.#compression.id
    sealEnvelope(output.chunk, start, start + payload.length, end, codec, this.#options.fileNumber, offset)
    output.commit(payload.length + ENVELOPE_BYTES)
    return { offset, bytes: payload.length + ENVELOPE_BYTES }
  }

  #properties(moreOrigin: Readonly<Record<string, unknown>>): TableProperties {
    const { fileNumber, tree, level, createdAt, compression, filterBitsPerKey, origin } = this.#options
    const tombstones = this.#rangeTombstones
    const fragmentCount = tombstones?.size ?? 0
    let minPosition = this.#minPosition
    let maxPosition = this.#maxPosition
    for (let i = 0; i < fragmentCount; i++) {
      const positions = tombstones!.fragmentPositions(i)
      minPosition = Math.min(minPosition, positions[positions.length - 1]!)
      maxPosition = Math.max(maxPosition, positions[0]!)
    }
    return Object.freeze({
      fileNumber,
      formatVersion: TABLE_FORMAT_VERSION,
      tree,
      level,
      createdAt,
      entryCount: this.#entryCount,
      deletionCount: this.#deletionCount,
      expiringCount: this.#expiringCount,
      rangeTombstoneCount: fragmentCount,
      uniqueKeys: this.#keyCount === this.#entryCount,
      rawKeyBytes: this.#rawKeyBytes,
      rawValueBytes: this.#rawValueBytes,
      dataBlockCount: this.#dataBlockCount,
      compression,
      filterBitsPerKey,
      smallestKey: this.#smallestKey,
      largestKey: this.#entryCount === 0 ? undefined : this.#lastKey.slice(0, this.#lastKeyLength),
      rangeStart: fragmentCount === 0 ? undefined : tombstones!.fragmentStart(0),
      rangeEnd: fragmentCount === 0 ? undefined : tombstones!.fragmentEnd(fragmentCount - 1),
      minPosition: minPosition === Number.POSITIVE_INFINITY ? 0 : minPosition,
      maxPosition,
      minExpiresAt: this.#expiringCount === 0 ? 0 : this.#minExpiresAt,
      maxExpiresAt: this.#maxExpiresAt,
      origin: { ...origin, ...moreOrigin },
    })
  }
}

/** Whoever merges tables relies on the order of each. */
function disorder(fileNumber: FileNumber): SiltstoneError {
  return new SiltstoneError(
    'SILT_CORRUPTION',
    `Entries came out of order while table ${fileNumber} was written: a table that it is made of is damaged. verify() says which, repair() mends it`,
  )
}
