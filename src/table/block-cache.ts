import { type Allocate, LZ4_ID } from '../bytes/compression.js'
import type { Found } from '../bytes/cursor.js'
import { corruption, isOutOfMemory, SiltstoneError } from '../bytes/errors.js'
import { Latency } from '../bytes/latency.js'
import type { Position } from '../bytes/units.js'
import { isPassing, workspaceFor } from '../bytes/workspace.js'
import { DataBlock, findInBlock, showEntry } from './block.js'
import { BlockMemory } from './block-memory.js'
import { BlockNotResident } from './block-not-resident.js'
import { BlockSearch } from './block-search.js'
import type { EntryGroup } from './entry-group.js'
import { ENVELOPE_BYTES, envelopeCodec, envelopeRawBytes, openEnvelope } from './envelope.js'
import type { IndexNode } from './index-node.js'
import { type PackedBlock, PackedBlocks } from './packed-blocks.js'
import type { ReadAhead } from './read-ahead.js'
import { ReadPace } from './read-pace.js'
import type { Resident } from './resident.js'
import { ResidentRing } from './resident-ring.js'
import type { TableFile } from './table-files.js'

/** Where a block stands on disk, and how it becomes something in memory. Parsing throws a plain `Error` on bad bytes. */
export interface BlockSource {
  readonly file: TableFile
  readonly fileNumber: number
}
export type ParseBlock = (bytes: Uint8Array, end: number) => Resident

/**
 * - `keep`: a lookup wants it and may want it again.
 * - `pass`: a scan wants it; it is the first to go when room is needed.
 * - `skip`: a compaction wants it and will delete the file afterwards, or an audit that is to see the disk itself. It is
 *   always read on this thread, and passes the cache by.
 */
export type CacheMode = 'keep' | 'pass' | 'skip'

export interface BlockCacheStats {
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  /** In use, what V8 keeps around the blocks included. */
  readonly bytes: number
  /** Of these, what holds blocks in the form in which they stand in their files. */
  readonly packedBytes: number
  readonly capBytes: number
}

/** A block loaded for somebody who did not come back within so many loads is given up on. */
const LOADS_AWAITED = 1024
/** Missed again within so many misses as an eighth of what the cache holds, a block is wanted. */
const WANTED_SHIFT = 3
const LEAST_WANTED = 2
/** Of so many that are not, one is kept. */
const KEPT_ALL_THE_SAME = 16

/** The cap in segments of packed blocks; a cache whose segments would be smaller than the least has none. */
const SEGMENTS = 256
const LEAST_SEGMENT_BYTES = 16 * 1024
/** How many steps the hand takes for room where packed blocks could make room as well. */
const STEPS_FOR_A_BLOCK = 64
const STEPS_FOR_A_SEGMENT = 2048
/**
 * A block takes the place of two packed ones, and to find it as it is saves a tenth of what a miss costs: it is worth it if it is used so many times
 * as often as they are.
 */
const USES_WORTH_TWO = 8

/**
 * The blocks of all tables in memory, below one cap: data blocks decompressed, index partitions parsed, filters. It is
 * the only thing between a lookup and the disk, and every byte that passes is verified.
 *
 * A hit does not come here: it is found in its parent's `children`, and whoever found it marks it as used. Only a miss calls
 * `fetch`. What goes is decided by a clock: a hand walks the ring of residents, drops those that were not used since it
 * last came by, and takes the mark off the others. A parent stays as long as one of its children does, so that
 * the children are found.
 */
export class BlockCache {
  hits = 0
  misses = 0
  /** Lookups that asked a filter, those that it answered alone, and those that it let through to a block without the key. */
  filterChecks = 0
  filterNegatives = 0
  filterFalsePositives = 0
  /** Reads from the disk or its page cache, here and in the pool. */
  readonly readLatency = new Latency()
  /** Whether a missing block is always read on this thread. Set by the caller before every operation. */
  blocking = true
  readonly capBytes: number
  readonly #now: () => number
  readonly #pace = new ReadPace()
  readonly #memory = new BlockMemory()
  readonly #packed: PackedBlocks | undefined
  #bytes = 0
  #evictions = 0
  #loads = 0
  #unwanted = 0
  /** Whether the last segment of packed blocks had to be taken from others of them. */
  #isTight = false
  /** How often a block was used since the hand last passed, to stay. */
  #leastUses = 1
  /** Whether the last walk of the hand dropped anything. */
  #hasEvicted = false
  readonly #ring = new ResidentRing()
  #round = 0
  readonly #underWay = new Map<Resident, Map<number, Promise<void>>>()

  /** `now` in milliseconds with fractions; tests bring their own. */
  constructor(capBytes: number, now: () => number = () => performance.now()) {
    this.capBytes = capBytes
    this.#now = now
    const segmentBytes = capBytes / SEGMENTS
    if (segmentBytes >= LEAST_SEGMENT_BYTES) this.#packed = new PackedBlocks(2 ** Math.floor(Math.log2(segmentBytes)))
  }

  /** Whether reads from the disk took long of late. */
  get isSlow(): boolean {
    return this.#pace.slow
  }

  /** Whether whoever reads now may wait for the disk on this thread, or need not. */
  get mayReadHere(): boolean {
    return this.blocking || !this.#pace.slow
  }

  /** Reads a part of a file that is no block of the cache, on this thread. */
  readHere(file: TableFile, offset: number, length: number): Uint8Array {
    const target = new Uint8Array(length)
    const startedAt = this.#now()
    file.readSync(target, length, offset)
    this.#pace.readHere(this.#now() - startedAt, length)
    return target
  }

  /** The same on the thread pool. */
  async readInPool(file: TableFile, offset: number, length: number): Promise<Uint8Array> {
    const target = new Uint8Array(length)
    const startedAt = this.#now()
    await file.read(target, length, offset)
    this.#pace.readInPool(this.#now() - startedAt, length)
    return target
  }

  stats(): BlockCacheStats {
    return {
      hits: this.hits,
      misses: this.misses,
      evictions: this.#evictions,
      bytes: this.#bytes,
      packedBytes: this.#packed === undefined ? 0 : this.#packed.segmentCount * this.#packed.segmentBytes,
      capBytes: this.capBytes,
    }
  }

  /** Counts something against the cap that is never dropped, such as the top of an open table's index. */
  hold(resident: Resident): void {
    this.#bytes += resident.memoryBytes
    this.#makeRoom(0)
  }

  /** Counts what was made for a resident that is in the cache; it goes with it. */
  grew(resident: Resident, bytes: number): void {
    resident.memoryBytes += bytes
    this.#bytes += bytes
    // Whoever made it is about to read from the resident: its memory must not be given to the next one that is fetched.
    resident.residentChildren++
    this.#makeRoom(0)
    resident.residentChildren--
  }

  /** Drops everything below a resident that was held, and that itself. */
  release(resident: Resident): void {
    this.#drop(resident)
    this.#bytes -= resident.memoryBytes
    this.#isTight = false
  }

  /**
   * The child of `parent` that is not among its children, read from the disk; throws `BlockNotResident` instead where that
   * would make this thread wait and it must not.
   */
  fetch(
    source: BlockSource,
    parent: Resident,
    ordinal: number,
    offset: number,
    storedBytes: number,
    parse: ParseBlock,
    mode: CacheMode,
    ahead?: ReadAhead,
  ): Resident {
    this.misses++
    const isAhead = ahead?.has(storedBytes, offset) === true
    if (!this.blocking && this.#pace.slow && mode !== 'skip' && !isAhead) {
      throw new BlockNotResident(source.fileNumber, offset, () =>
        this.#load(source, parent, ordinal, offset, storedBytes, parse),
      )
    }
    const bytes = workspaceFor(storedBytes).inputBytes
    if (isAhead) ahead.take(bytes, storedBytes, offset)
    else this.#read(source, bytes, storedBytes, offset, parent, ahead)
    const resident = parseStored(source, bytes, storedBytes, offset, parse, intoOutput)
    if (resident instanceof DataBlock && mode !== 'skip' && this.#canPack(parent, bytes, storedBytes)) {
      this.#admit(parent, ordinal, resident, mode, bytes, storedBytes, ahead)
      return resident
    }
    const isFull = resident instanceof DataBlock && !this.#hasRoom(resident.memoryBytes)
    if (mode === 'keep' && isFull && !this.#isWanted(parent, ordinal, WANTED_SHIFT)) return resident
    // One that is not to be kept, or would be the next to go: the walk that it was read for has it anyway. Only blocks are.
    if (ahead !== undefined && (mode === 'skip' || (mode === 'pass' && isFull && ahead.isRunning))) {
      this.#lend(resident as DataBlock, ahead)
      return resident
    }
    resident.settle(this.#memory.take)
    if (mode !== 'skip') this.#insert(parent, ordinal, resident, mode === 'keep')
    return resident
  }

  /** Takes in a block that was missed and can be packed. */
  #admit(
    parent: Resident,
    ordinal: number,
    block: DataBlock,
    mode: 'keep' | 'pass',
    stored: Uint8Array,
    storedBytes: number,
    ahead: ReadAhead | undefined,
  ): void {
    const isLookup = mode === 'keep'
    if (isLookup || (ahead?.isRunning !== true && !this.#hasRoom(block.memoryBytes))) {
      if (!this.#isTight || this.#isWanted(parent, ordinal, 0)) this.#pack(parent, ordinal, block, stored, storedBytes)
      if (isLookup) return
    }
    const isKept = this.#hasRoom(block.memoryBytes)
    if (isKept || ahead === undefined) block.settle(this.#memory.take)
    else this.#lend(block, ahead)
    if (isKept) this.#insert(parent, ordinal, block, false)
  }

  /**
   * Looks for a key in a child of `parent` that is among the packed, as `findInBlock` does. While there is room, and where it is found
   * often, the block stays in memory as it is, too. Requires: it is there.
   */
  findPacked(
    parent: Resident,
    ordinal: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    found: Found,
  ): boolean {
    this.hits++
    const packed = this.#packed!.find(parent, ordinal, true)
    if (this.#isWorthKeeping(packed)) {
      const block = this.#keepUnpacked(packed, parent, ordinal)
      return findInBlock(block, key, keyStart, keyEnd, limit, found)
    }
    const { start, end, rawBytes, entryBytes, basePosition } = packed
    const search = packed.search!
    const at = search.find(start, end, rawBytes, entryBytes, basePosition, key, keyStart, keyEnd, limit)
    if (at < 0) return false
    showEntry(search.bytes, at, basePosition, found)
    found.hit = true
    return true
  }

  /**
   * A child of `parent` that is among the packed, as it is, for a walk. While there is room it stays in memory in this form, too.
   * Requires: it is there.
   */
  unpack(parent: Resident, ordinal: number, ahead: ReadAhead): DataBlock {
    this.hits++
    const packed = this.#packed!.find(parent, ordinal, false)
    const { rawBytes } = packed
    if (!this.#hasRoom(rawBytes)) return unpacked(packed, ahead.memoryForBlock(rawBytes, this.#memory))
    const block = unpacked(packed, this.#memory.take(rawBytes))
    this.#insert(parent, ordinal, block, false)
    return block
  }

  /**
   * Picks the first entries at or after a key out of a child of `parent` that is among the packed, up to `most` of them; returns how
   * many, or -1 where they are too large. Otherwise as `findPacked`.
   */
  pickPacked(
    parent: Resident,
    ordinal: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    most: number,
    into: EntryGroup,
  ): number {
    this.hits++
    const packed = this.#packed!.find(parent, ordinal, true)
    if (this.#isWorthKeeping(packed)) {
      const block = this.#keepUnpacked(packed, parent, ordinal)
      return BlockSearch.atDesk()?.pickFrom(block, key, keyStart, keyEnd, limit, most, into) ?? -1
    }
    const { start, end, rawBytes, entryBytes, basePosition } = packed
    const search = packed.search!
    return search.pick(start, end, rawBytes, entryBytes, basePosition, key, keyStart, keyEnd, limit, most, into)
  }

  #isWorthKeeping({ isHot, rawBytes }: PackedBlock): boolean {
    return isHot || this.#hasRoom(rawBytes)
  }

  /** Keeps a packed block as it is, too. */
  #keepUnpacked(packed: PackedBlock, parent: Resident, ordinal: number): DataBlock {
    const block = unpacked(packed, this.#memory.take(packed.rawBytes))
    this.#insert(parent, ordinal, block, true)
    return block
  }

  /** Moves a block into the memory of the one walk that it is for. */
  #lend(block: DataBlock, ahead: ReadAhead): void {
    if (isPassing(block.bytes)) block.settleIn(ahead.memoryForBlock(block.length, this.#memory))
  }

  #read(
    source: BlockSource,
    target: Uint8Array,
    length: number,
    offset: number,
    parent: Resident,
    ahead: ReadAhead | undefined,
  ): void {
    const startedAt = this.#now()
    const read =
      ahead === undefined
        ? source.file.readSync(target, length, offset)
        : ahead.readSync(source.file, target, length, offset, parent as IndexNode)
    const tookMs = this.#now() - startedAt
    this.#pace.readHere(tookMs, read)
    this.readLatency.record(tookMs)
  }

  /** Whether there is room for a block as it is, which takes so much. Where some are packed already, the last room is left for a segment of them. */
  #hasRoom(bytes: number): boolean {
    const packed = this.#packed
    const left = packed === undefined || packed.segmentCount === 0 ? 0 : packed.segmentBytes
    return this.#bytes + bytes + left <= this.capBytes
  }

  /**
   * Whether a block that was missed is to be kept in a full cache: if it was missed a short time ago already. Where more is read than
   * the cache holds, most blocks would be dropped before anybody comes back for them, and taking them in costs more than
   * reading from the one that was just decompressed. Every so often one is kept all the same: what is read in rounds that are
   * longer comes in that way. The time is as many misses as the cache holds blocks, or a fraction of that by `shift`.
   */
  #isWanted(parent: Resident, ordinal: number, shift: number): boolean {
    const now = this.misses >>> 0
    const since = (now - parent.missedAt[ordinal]!) >>> 0
    parent.missedAt[ordinal] = now
    const held = this.#ring.length + (this.#packed?.count ?? 0)
    if (since <= Math.max(LEAST_WANTED, held >>> shift)) return true
    this.#unwanted = (this.#unwanted + 1) % KEPT_ALL_THE_SAME
    return this.#unwanted === 0
  }

  /** Whether a block can be kept as it stands in its file. Its parent must be where it is found. */
  #canPack(parent: Resident, bytes: Uint8Array, storedBytes: number): boolean {
    return (
      this.#packed !== undefined &&
      !this.#packed.isOff &&
      envelopeCodec(bytes, storedBytes) === LZ4_ID &&
      this.#packed.takes(storedBytes - ENVELOPE_BYTES, envelopeRawBytes(bytes, storedBytes)) &&
      parent.ringSlot >= 0
    )
  }

  /** Requires: `#canPack`. */
  #pack(parent: Resident, ordinal: number, block: DataBlock, bytes: Uint8Array, storedBytes: number): void {
    const packed = this.#packed!
    const packedBytes = storedBytes - ENVELOPE_BYTES
    // While room is made the parent counts as in use.
    parent.residentChildren++
    if (!packed.hasRoom(packedBytes)) this.#openSegment(packed)
    parent.residentChildren--
    if (!packed.hasRoom(packedBytes)) return
    packed.put(parent, ordinal, bytes, packedBytes, block)
  }

  /** A new segment if the hand soon finds enough that was not used of late, otherwise the oldest again. */
  #openSegment(packed: PackedBlocks): void {
    const { segmentBytes } = packed
    const isFirst = packed.segmentCount === 0
    const fits = this.#sweep(segmentBytes, isFirst ? this.#ring.length * 2 : STEPS_FOR_A_SEGMENT)
    this.#isTight = !(fits && packed.addSegment())
    if (!this.#isTight) this.#bytes += segmentBytes
    else if (!isFirst) this.#evictions += packed.recycle()
  }

  async #load(
    source: BlockSource,
    parent: Resident,
    ordinal: number,
    offset: number,
    storedBytes: number,
    parse: ParseBlock,
  ): Promise<void> {
    const siblings = this.#underWay.get(parent)
    const same = siblings?.get(ordinal)
    if (same !== undefined) return same
    const loading = this.#loadAlone(source, parent, ordinal, offset, storedBytes, parse)
    const all = siblings ?? new Map<number, Promise<void>>()
    all.set(ordinal, loading)
    this.#underWay.set(parent, all)
    try {
      await loading
    } finally {
      all.delete(ordinal)
      if (all.size === 0) this.#underWay.delete(parent)
    }
  }

  async #loadAlone(
    source: BlockSource,
    parent: Resident,
    ordinal: number,
    offset: number,
    storedBytes: number,
    parse: ParseBlock,
  ): Promise<void> {
    const startedAt = this.#now()
    let bytes: Uint8Array
    try {
      bytes = await this.readInPool(source.file, offset, storedBytes)
      this.readLatency.record(this.#now() - startedAt)
    } catch (error) {
      // Closed meanwhile, and perhaps removed: whoever waits finds the tables that have taken its place.
      if (source.file.closed) return
      throw error
    }
    if (source.file.closed) return
    const resident = parseStored(source, bytes, storedBytes, offset, parse)
    if (
      resident instanceof DataBlock &&
      !this.#hasRoom(resident.memoryBytes) &&
      this.#canPack(parent, bytes, storedBytes)
    ) {
      if (parent.children[ordinal] === undefined && parent.packedAt[ordinal] === 0) {
        this.#pack(parent, ordinal, resident, bytes, storedBytes)
      }
      return
    }
    resident.awaitedSince = ++this.#loads
    this.#insert(parent, ordinal, resident, true)
  }

  /**
   * Requires: `parent` is or was in the tree of an open table. One that was dropped while a child of it was under way comes back
   * with it, because the child is found through it alone; where it was read again meanwhile, that copy is the parent.
   */
  #insert(parent: Resident, ordinal: number, resident: Resident, referenced: boolean): void {
    const grandparent = parent.parent
    const isLost = grandparent !== undefined && parent.ringSlot < 0
    const copy = isLost ? grandparent.children[parent.ordinal] : undefined
    const home = copy ?? parent
    if (home.children[ordinal] !== undefined) return
    const comesBack = isLost && copy === undefined
    // While room is made the parent counts as in use: it must not be what is dropped for its child.
    home.residentChildren++
    const fits = this.#makeRoom(resident.memoryBytes + (comesBack ? parent.memoryBytes : 0))
    home.residentChildren--
    if (!fits && resident.awaitedSince === 0) return
    if (comesBack) this.#attach(grandparent, parent.ordinal, parent, true)
    this.#attach(home, ordinal, resident, referenced)
    // The hand meets what a scan brought in before anything else: a scan larger than the cache takes one place in it, again
    // and again, where it would have taken all of them.
    if (!referenced) this.#ring.aim(resident)
  }

  #attach(parent: Resident, ordinal: number, resident: Resident, referenced: boolean): void {
    resident.parent = parent
    resident.ordinal = ordinal
    resident.uses = referenced ? 1 : 0
    this.#ring.add(resident)
    parent.children[ordinal] = resident
    parent.residentChildren++
    this.#bytes += resident.memoryBytes
  }

  #detach(resident: Resident): void {
    const parent = resident.parent!
    parent.children[resident.ordinal] = undefined
    parent.residentChildren--
    this.#ring.remove(resident)
    this.#bytes -= resident.memoryBytes
  }

  #drop(resident: Resident): void {
    for (const [ordinal, child] of resident.children.entries()) {
      if (resident.packedAt[ordinal] !== 0) this.#bytes -= this.#packed!.drop(resident, ordinal)
      if (child === undefined) continue
      this.#drop(child)
      this.#detach(child)
    }
  }

  /** Drops until so many bytes fit below the cap; false where everything that may go is gone and they do not. */
  #makeRoom(bytes: number): boolean {
    const packed = this.#packed
    while (packed !== undefined && packed.segmentCount > 0) {
      if (this.#sweep(bytes, STEPS_FOR_A_BLOCK)) return true
      this.#evictions += packed.dropOldest()
      this.#bytes -= packed.segmentBytes
      this.#isTight = true
    }
    // In one lap the marks go, in the next the unmarked; then the parents whose last child went.
    while (!this.#sweep(bytes, this.#ring.length * 2)) if (!this.#hasEvicted) return false
    return true
  }

  /** Lets the hand walk, for so many steps at most, until so many bytes fit below the cap. */
  #sweep(bytes: number, steps: number): boolean {
    const ring = this.#ring
    this.#hasEvicted = false
    while (this.#bytes + bytes > this.capBytes && steps-- > 0) {
      const resident = ring.step()
      if (ring.rounds !== this.#round) this.#beginRound()
      if (resident === undefined || resident.residentChildren > 0 || this.#isAwaited(resident)) continue
      const { uses } = resident
      resident.uses = 0
      if (uses >= (resident instanceof DataBlock ? this.#leastUses : 1)) continue
      this.#detach(resident)
      if (resident instanceof DataBlock && !resident.lent) this.#memory.give(resident.bytes)
      this.#evictions++
      this.#hasEvicted = true
    }
    return this.#bytes + bytes <= this.capBytes
  }

  #beginRound(): void {
    this.#round = this.#ring.rounds
    this.#leastUses = this.#packed === undefined ? 1 : 1 + Math.ceil(this.#packed.meanFinds() * USES_WORTH_TWO)
  }

  #isAwaited(resident: Resident): boolean {
    return resident.awaitedSince !== 0 && this.#loads - resident.awaitedSince < LOADS_AWAITED
  }
}

/** A packed block as it is, in memory that is long enough. */
function unpacked({ search, start, end, rawBytes }: PackedBlock, memory: Uint8Array): DataBlock {
  search!.unpack(start, end, rawBytes, memory)
  const block = DataBlock.ofChecked(memory, rawBytes)
  block.memoryBytes += memory.length - rawBytes
  return block
}

/** Where a block is looked at before it is known whether it stays. */
function intoOutput(bytes: number): Uint8Array {
  return workspaceFor(bytes).outputBytes
}

function parseStored(
  source: BlockSource,
  bytes: Uint8Array,
  storedBytes: number,
  offset: number,
  parse: ParseBlock,
  allocate?: Allocate,
): Resident {
  const { path } = source.file
  const raw = openEnvelope(bytes, 0, storedBytes, source.fileNumber, offset, path, true, allocate)
  try {
    return parse(raw, envelopeRawBytes(bytes, storedBytes))
  } catch (error) {
    if (error instanceof SiltstoneError || isOutOfMemory(error)) throw error
    throw corruption(path, offset, 'a block is not well-formed', error)
  }
}
