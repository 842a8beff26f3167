import type { Found } from '../bytes/cursor.js'
import { corruption } from '../bytes/errors.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { DataBlock, findInBlock } from './block.js'
import type { BlockCache, BlockSource, CacheMode } from './block-cache.js'
import { blockIndexBytes, findByIndex, indexBlock } from './block-index.js'
import { BlockSearch, LONGEST_AT_DESK_BYTES } from './block-search.js'
import type { BlockWalk } from './block-walk.js'
import type { EntryGroup } from './entry-group.js'
import { envelopeRawBytes, openEnvelope } from './envelope.js'
import { FilterBlock } from './filter.js'
import { type BlockHandle, decodeFooter, type Footer } from './footer.js'
import { IndexNode } from './index-node.js'
import { decodeProperties, type TableProperties } from './properties.js'
import type { ReadAhead } from './read-ahead.js'
import { type AuditFinding, auditTable, type Stretch } from './table-audit.js'
import { TableCursor } from './table-cursor.js'
import type { TableFile, TableFiles } from './table-files.js'

/** Footer, properties, top index and range tombstones of nearly every table come with this one read. */
const TAIL_BYTES = 8 * 1024
/** A filter that takes more of the cache than this would push out what it saves reads of. */
const LARGEST_FILTER_SHARE = 0.5

const SEARCHES_BEFORE_INDEX = 3

/*
 * A filter costs a seventh of a lookup that finds its key, and saves four fifths of one that does not. A table in which nearly all that is
 * looked for is found does not ask it: one that is not found takes as much trust away as so many that are found have made. On a
 * slow disk it is always asked.
 */
const TRUST_LOST = 16
const TRUSTED = 64
const MOST_TRUST = 128

const parseBlock = (bytes: Uint8Array, end: number): DataBlock => DataBlock.of(bytes, end)
const parseFilter = (bytes: Uint8Array, end: number): FilterBlock => new FilterBlock(bytes, end)

/**
 * An immutable table, open for reading. It holds the top of its index, its properties and its range tombstones; everything
 * else comes through the block cache and may throw `BlockNotResident` where the cache is not to block.
 */
export class Table implements BlockSource, BlockWalk {
  readonly file: TableFile
  readonly fileNumber: FileNumber
  readonly fileBytes: number
  readonly properties: TableProperties
  readonly rangeTombstones: RangeTombstones
  readonly #cache: BlockCache
  /** Its children: one slot for each partition, and a last one for the filter. */
  readonly #top: IndexNode
  readonly #filter: BlockHandle
  readonly #hasUsableFilter: boolean
  readonly #parsePartition: (bytes: Uint8Array, end: number) => IndexNode
  /** Goes up with every key that is found here, and down with every key that is not. */
  #trust = 0
  #closed = false

  private constructor(
    file: TableFile,
    cache: BlockCache,
    fileBytes: number,
    footer: Footer,
    properties: TableProperties,
    rangeTombstones: RangeTombstones,
    top: IndexNode,
  ) {
    this.file = file
    this.fileNumber = footer.fileNumber
    this.fileBytes = fileBytes
    this.properties = properties
    this.rangeTombstones = rangeTombstones
    this.#cache = cache
    this.#top = top
    this.#filter = footer.filter
    this.#hasUsableFilter = footer.filter.bytes > 0 && footer.filter.bytes <= cache.capBytes * LARGEST_FILTER_SHARE
    this.#parsePartition = (raw, end) => partitionOf(raw, end, footer.topIndex.offset)
    cache.hold(top)
  }

  /** Opens a table on this thread and verifies everything but the blocks that lookups will read. */
  static open(files: TableFiles, cache: BlockCache, path: string, fileNumber: FileNumber): Table {
    const file = files.file(path)
    try {
      const steps = Table.#opening(file, cache, fileNumber)
      for (let step = steps.next(); ; ) {
        if (step.done === true) return step.value
        const { offset, bytes } = step.value
        step = steps.next(cache.readHere(file, offset, bytes))
      }
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** The same on the thread pool. */
  static async openInPool(files: TableFiles, cache: BlockCache, path: string, fileNumber: FileNumber): Promise<Table> {
    const file = files.file(path)
    try {
      await file.openInPool()
      const steps = Table.#opening(file, cache, fileNumber)
      for (let step = steps.next(); ; ) {
        if (step.done === true) return step.value
        const { offset, bytes } = step.value
        step = steps.next(await cache.readInPool(file, offset, bytes))
      }
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Asks for one part of the file after the other, and makes the table of them. */
  static *#opening(file: TableFile, cache: BlockCache, fileNumber: FileNumber): Generator<Stretch, Table, Uint8Array> {
    const { path } = file
    const fileBytes = file.byteLength()
    const tailBytes = Math.min(fileBytes, TAIL_BYTES)
    const tailOffset = fileBytes - tailBytes
    const tail = yield { offset: tailOffset, bytes: tailBytes }
    const footer = decodeFooter(tail, fileBytes, fileNumber, path)

    function* block<T>(
      { offset, bytes }: BlockHandle,
      what: string,
      parse: (raw: Uint8Array, end: number) => T,
    ): Generator<Stretch, T, Uint8Array> {
      let stored = tail
      let start = offset - tailOffset
      if (start < 0) {
        stored = yield { offset, bytes }
        start = 0
      }
      const raw = openEnvelope(stored, start, start + bytes, fileNumber, offset, path, false)
      try {
        return parse(raw, envelopeRawBytes(stored, start + bytes))
      } catch (error) {
        throw corruption(path, offset, `the ${what} are not well-formed`, error)
      }
    }
    const properties = yield* block(footer.properties, 'properties', decodeProperties)
    const top = yield* block(footer.topIndex, 'index entries', (raw, end) =>
      IndexNode.decode(raw, end, footer.topIndex.offset, 1),
    )
    const tombstones =
      footer.rangeTombstones.bytes === 0
        ? new RangeTombstones()
        : yield* block(footer.rangeTombstones, 'range tombstones', (raw, end) => RangeTombstones.decode(raw, 0, end))
    const contradiction = contradictionIn(properties, footer, top, tombstones)
    if (contradiction !== undefined) throw corruption(path, footer.properties.offset, contradiction)
    return new Table(file, cache, fileBytes, footer, properties, tombstones, top)
  }

  /** Gives back the descriptor and all cached blocks. Twice is once. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cache.release(this.#top)
    this.file.close()
  }

  /** Whether a key with this hash (`keyHash`) may be in the table; false is certain. */
  mayContain(hash: number): boolean {
    if (!this.#hasUsableFilter) return this.#top.count > 0
    return this.filterBlock('keep').filter.hasHash(hash)
  }

  /**
   * Looks for the newest version of a key below `limit` and says whether there is one; a deletion counts. Range tombstones are the
   * caller's to ask. `hash` is the key's `keyHash`.
   */
  lookup(key: Uint8Array, keyStart: number, keyEnd: number, hash: number, limit: Position, found: Found): boolean {
    const cache = this.#cache
    const isFiltered = this.#hasUsableFilter && (this.#trust < TRUSTED || cache.isSlow)
    if (isFiltered) {
      cache.filterChecks++
      if (!this.filterBlock('keep').filter.hasHash(hash)) {
        cache.filterNegatives++
        this.#distrust()
        return false
      }
    }
    if (this.#top.count === 0) return false
    const partition = this.partition(this.#top.find(key, keyStart, keyEnd), 'keep')
    if (this.#find(partition, partition.find(key, keyStart, keyEnd), key, keyStart, keyEnd, limit, found)) {
      if (this.#trust < MOST_TRUST) this.#trust++
      return true
    }
    if (isFiltered) cache.filterFalsePositives++
    this.#distrust()
    return false
  }

  #distrust(): void {
    this.#trust = Math.max(0, this.#trust - TRUST_LOST)
  }

  #find(
    partition: IndexNode,
    ordinal: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    found: Found,
  ): boolean {
    if (partition.children[ordinal] === undefined && partition.packedAt[ordinal] !== 0) {
      return this.#cache.findPacked(partition, ordinal, key, keyStart, keyEnd, limit, found)
    }
    const block = this.block(partition, ordinal, 'keep')
    const { index } = block
    return index === undefined
      ? this.#findUnindexed(block, key, keyStart, keyEnd, limit, found)
      : findByIndex(block, index, key, keyStart, keyEnd, limit, found)
  }

  /** In a block that was met again and again an index pays: making one costs about as much as three lookups without. */
  #findUnindexed(
    block: DataBlock,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    found: Found,
  ): boolean {
    if (block.ringSlot >= 0 && ++block.searches === SEARCHES_BEFORE_INDEX) {
      block.index = indexBlock(block)
      if (block.index !== undefined) this.#cache.grew(block, blockIndexBytes(block.index))
    }
    return findInBlock(block, key, keyStart, keyEnd, limit, found)
  }

  /** A walk over the newest version below `limit` of every key, both ways. */
  cursor(limit: Position, mode: 'pass' | 'skip' = 'pass'): TableCursor {
    return new TableCursor(this, limit, this.properties.maxPosition, mode)
  }

  /** A walk over every version of every key, forwards only, as compaction reads. */
  versionCursor(mode: 'pass' | 'skip' = 'skip'): TableCursor {
    return new TableCursor(this, undefined, this.properties.maxPosition, mode)
  }

  /** About how many bytes of the file stand before a key. */
  approximateOffset(key: Uint8Array, keyStart: number, keyEnd: number): number {
    if (this.#top.count === 0) return 0
    const partition = this.partition(this.#top.find(key, keyStart, keyEnd), 'pass')
    return partition.childOffset(partition.find(key, keyStart, keyEnd))
  }

  /** Reads the whole table from the disk, on this thread, and says what is wrong with it; nothing, if all is well. */
  verify(): AuditFinding[] {
    const audit = this.verifySteps()
    for (;;) {
      const { done, value } = audit.next()
      if (done === true) return value
    }
  }

  /** The same, one block at a step; says before each where it stands. */
  verifySteps(): Generator<Stretch, AuditFinding[]> {
    return auditTable(this)
  }

  get partitionCount(): number {
    return this.#top.count
  }

  partitionOf(key: Uint8Array, start: number, end: number): number {
    return this.#top.find(key, start, end)
  }

  partition(ordinal: number, mode: CacheMode): IndexNode {
    const top = this.#top
    const present = top.children[ordinal]
    if (present !== undefined && mode !== 'skip') {
      this.#cache.hits++
      present.use(mode === 'keep')
      return present as IndexNode
    }
    const offset = top.childOffset(ordinal)
    return this.#cache.fetch(
      this,
      top,
      ordinal,
      offset,
      top.childBytes(ordinal),
      this.#parsePartition,
      mode,
    ) as IndexNode
  }

  /** Whoever walks from block to block brings an `ahead`. */
  block(partition: IndexNode, ordinal: number, mode: CacheMode, ahead?: ReadAhead): DataBlock {
    const present = partition.children[ordinal]
    if (present !== undefined && mode !== 'skip') {
      this.#cache.hits++
      present.use(mode === 'keep')
      if (mode !== 'keep') present.lent = true
      return present as DataBlock
    }
    const block =
      ahead !== undefined && partition.packedAt[ordinal] !== 0 && mode !== 'skip'
        ? this.#cache.unpack(partition, ordinal, ahead)
        : this.#fetchBlock(partition, ordinal, mode, ahead)
    // A lookup is done with a block before anything else happens; a cursor holds on to it.
    if (mode !== 'keep') block.lent = true
    return block
  }

  /**
   * Picks the first entries at or after a key out of a block, up to `most` of them, as a lookup finds one: nothing of the block is held on to
   * afterwards. Returns how many, or -1 where the whole block is better brought.
   */
  pick(
    partition: IndexNode,
    ordinal: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    most: number,
    into: EntryGroup,
  ): number {
    if (partition.children[ordinal] === undefined && partition.packedAt[ordinal] !== 0) {
      return this.#cache.pickPacked(partition, ordinal, key, keyStart, keyEnd, limit, most, into)
    }
    const search = BlockSearch.atDesk()
    if (search === undefined || partition.childBytes(ordinal) > LONGEST_AT_DESK_BYTES) return -1
    const block = this.block(partition, ordinal, 'keep')
    return search.pickFrom(block, key, keyStart, keyEnd, limit, most, into)
  }

  #fetchBlock(partition: IndexNode, ordinal: number, mode: CacheMode, ahead: ReadAhead | undefined): DataBlock {
    const offset = partition.childOffset(ordinal)
    const bytes = partition.childBytes(ordinal)
    return this.#cache.fetch(this, partition, ordinal, offset, bytes, parseBlock, mode, ahead) as DataBlock
  }

  get filterPlace(): Stretch {
    return this.#filter
  }

  partitionPlace(ordinal: number): Stretch {
    return { offset: this.#top.childOffset(ordinal), bytes: this.#top.childBytes(ordinal) }
  }

  get hasFilter(): boolean {
    return this.#filter.bytes > 0
  }

  /** Requires: `hasFilter`. */
  filterBlock(mode: CacheMode): FilterBlock {
    const ordinal = this.#top.count
    const present = this.#top.children[ordinal]
    if (present !== undefined && mode !== 'skip') {
      this.#cache.hits++
      present.use(mode === 'keep')
      return present as FilterBlock
    }
    const { offset, bytes } = this.#filter
    return this.#cache.fetch(this, this.#top, ordinal, offset, bytes, parseFilter, mode) as FilterBlock
  }
}

function partitionOf(bytes: Uint8Array, end: number, limit: number): IndexNode {
  const partition = IndexNode.decode(bytes, end, limit)
  if (partition.count === 0) throw new Error('a part of the index names no block')
  return partition
}

/** What of a table's parts, each of which is right in itself, cannot be true together. */
function contradictionIn(
  properties: TableProperties,
  footer: Footer,
  top: IndexNode,
  tombstones: RangeTombstones,
): string | undefined {
  const { fileNumber, entryCount, dataBlockCount, rangeTombstoneCount, minPosition, maxPosition } = properties
  if (fileNumber !== footer.fileNumber) return `the properties are those of table ${fileNumber}`
  if (minPosition > maxPosition) return 'the positions end before they begin'
  if (rangeTombstoneCount !== tombstones.size) return 'the properties promise other range tombstones'
  if (top.count > dataBlockCount || dataBlockCount > entryCount || (top.count === 0) !== (entryCount === 0)) {
    return 'the properties promise as many entries as there cannot be'
  }
  if (entryCount > 0 && (properties.smallestKey === undefined || properties.largestKey === undefined)) {
    return 'the properties do not say where the keys begin and end'
  }
  if (tombstones.size > 0 && properties.rangeStart === undefined) return 'the properties do not say where ranges begin'
  return undefined
}
