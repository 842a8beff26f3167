import { isOutOfMemory } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import type { BlockSearch } from './block-search.js'
import { PackedRegion } from './packed-region.js'
import type { Resident } from './resident.js'

/*
 * Blocks as they stand in their files, compressed, one behind the other in segments of one size:
 *
 *   | owner | ordinal | packed bytes | raw bytes - 1, | base position | found at | streak | the block,   | …
 *   |       |         |              | entries' bytes |               |          |        | compressed   |
 *   | u32   | u32     | u32          | u16, u16       | u64           | u32      | u32    |              |
 *
 * The owner is the number of the parent; 0 says that the block was dropped. Nothing of a packed block is an object: beside
 * 2 KiB, what V8 keeps around one would be a fifth more.
 */

const HEADER_WORDS = 8
const ORDINAL = 1
const PACKED_BYTES = 2
const LENGTHS = 3
const BASE_POSITION = 4
const FOUND_AT = 6
const STREAK = 7

/** Blocks that are read in part by whoever finds them, 4 KiB as a rule: it is not worth it for long ones. */
const LONGEST_RAW_BYTES = 64 * 1024
/** A place is the number of a segment and, in words, an offset in it. 0 is no place. */
const OFFSET_BITS = 18
const OFFSET_MASK = (1 << OFFSET_BITS) - 1
const MOST_SEGMENT_BYTES = 4 << OFFSET_BITS
const MOST_SEGMENTS = 2 ** (32 - OFFSET_BITS) - 1
/** So many segments are allocated together, and given up when all of them are. */
const SEGMENTS_OF_REGION = 64

/** Found again within so many finds as an 32nd of the packed blocks, so many times in a row, a block is hot. */
const HOT_SHIFT = 5
const HOT_STREAK = 3

const TWO_32 = 2 ** 32

interface Segment {
  readonly number: number
  readonly region: PackedRegion
  /** Where it begins in the memory of its region. */
  readonly start: number
  readonly words: Uint32Array
  readonly bytes: Uint8Array
  /** Up to where it is filled, in words. */
  end: number
  /** How many of its blocks were not dropped. */
  live: number
}

/** Where a packed block stands, until the next one is put or dropped. */
export class PackedBlock {
  /** What can search it where it stands, and which of its bytes it is. */
  search: BlockSearch | undefined = undefined
  start = 0
  end = 0
  rawBytes = 0
  entryBytes = 0
  basePosition: Position = 0
  /** So often found of late that decompressing it each time costs more than keeping it as it is. */
  isHot = false
}

/** What is to be known of a block before it is decompressed. */
export interface PackedFacts {
  readonly length: number
  readonly entriesEnd: number
  readonly basePosition: Position
}

/**
 * Memory for compressed blocks. What came first goes first, unless it was found meanwhile: then it is put again, once for
 * each time round. The segments are the caller's to allow: they count as a whole.
 */
export class PackedBlocks {
  readonly segmentBytes: number
  /** How many blocks there are. */
  count = 0
  readonly #found = new PackedBlock()
  readonly #segments: (Segment | undefined)[] = []
  /** From the oldest to the one that is being filled. */
  readonly #order: Segment[] = []
  readonly #regions: PackedRegion[] = []
  readonly #owners: (Resident | undefined)[] = [undefined]
  readonly #freeOwners: number[] = []
  #mostSegments = MOST_SEGMENTS
  #finds = 0
  #findsBefore = 0

  constructor(segmentBytes: number) {
    this.segmentBytes = Math.min(segmentBytes, MOST_SEGMENT_BYTES)
  }

  /** Whether there is no memory for any block. */
  get isOff(): boolean {
    return this.#mostSegments === 0
  }

  get segmentCount(): number {
    return this.#order.length
  }

  /** How often a block was found on average since this was asked before. */
  meanFinds(): number {
    const finds = (this.#finds - this.#findsBefore) >>> 0
    this.#findsBefore = this.#finds
    return this.count === 0 ? 0 : finds / this.count
  }

  /** Whether a block is small enough to be held at all. */
  takes(packedBytes: number, rawBytes: number): boolean {
    return rawBytes <= LONGEST_RAW_BYTES && wordsOf(packedBytes) * 4 <= this.segmentBytes >>> 2
  }

  /** Whether there is room in the segment that is being filled. */
  hasRoom(packedBytes: number): boolean {
    const open = this.#order.at(-1)
    return open !== undefined && open.end + wordsOf(packedBytes) <= open.words.length
  }

  /** Begins a new segment; false where there are as many as can be, or as there is memory for. */
  addSegment(): boolean {
    let number = 0
    while (this.#segments[number] !== undefined) number++
    if (number >= this.#mostSegments) return false
    const region = this.#regionWithRoom()
    if (region === undefined) {
      // Asking for it again with every block would cost more than the blocks are worth.
      this.#mostSegments = this.#order.length
      return false
    }
    const { segmentBytes } = this
    const { buffer } = region.bytes
    const start = region.take()
    const segment = {
      number,
      region,
      start,
      bytes: new Uint8Array(buffer, start, segmentBytes),
      words: new Uint32Array(buffer, start, segmentBytes >>> 2),
      end: 0,
      live: 0,
    }
    this.#segments[number] = segment
    this.#order.push(segment)
    return true
  }

  /**
   * Begins to fill the oldest segment again: of its blocks those stay that were found since they came, up to half of it. Returns how
   * many were dropped. Requires: there is a segment.
   */
  recycle(): number {
    const segment = this.#order.shift()!
    const { words, bytes } = segment
    const most = words.length >>> 1
    let dropped = 0
    let end = 0
    for (let at = 0; at < segment.end; ) {
      const owner = this.#owners[words[at]!]
      const length = wordsOf(words[at + PACKED_BYTES]!)
      if (owner !== undefined) {
        if (words[at + FOUND_AT] !== 0 && end + length <= most) {
          bytes.copyWithin(end * 4, at * 4, (at + length) * 4)
          words[end + FOUND_AT] = 0
          owner.packedAt[words[end + ORDINAL]!] = placeOf(segment, end)
          end += length
        } else {
          this.#forget(owner, words[at]!, words[at + ORDINAL]!)
          segment.live--
          dropped++
        }
      }
      at += length
    }
    segment.end = end
    this.#order.push(segment)
    return dropped
  }

  /** Gives up the oldest segment with all that is in it; returns how many blocks that were. Requires: there is a segment. */
  dropOldest(): number {
    const segment = this.#order.shift()!
    const { words, live } = segment
    for (let at = 0; at < segment.end; at += wordsOf(words[at + PACKED_BYTES]!)) {
      const owner = this.#owners[words[at]!]
      if (owner !== undefined) this.#forget(owner, words[at]!, words[at + ORDINAL]!)
    }
    this.#giveUp(segment)
    return live
  }

  /** Keeps a block, whose packed form `bytes` begin with, as a child of `parent`. Requires: `takes`, `hasRoom`, and that it is not held. */
  put(parent: Resident, ordinal: number, bytes: Uint8Array, packedBytes: number, block: PackedFacts): void {
    const segment = this.#order.at(-1)!
    const { words, end } = segment
    if (parent.packedCount++ === 0) {
      parent.packedOwner = this.#freeOwners.pop() ?? this.#owners.length
      this.#owners[parent.packedOwner] = parent
    }
    parent.residentChildren++
    parent.packedAt[ordinal] = placeOf(segment, end)
    words[end] = parent.packedOwner
    words[end + ORDINAL] = ordinal
    words[end + PACKED_BYTES] = packedBytes
    words[end + LENGTHS] = (block.length - 1) | (block.entriesEnd << 16)
    words[end + BASE_POSITION] = block.basePosition
    words[end + BASE_POSITION + 1] = block.basePosition / TWO_32
    words[end + FOUND_AT] = 0
    words[end + STREAK] = 0
    segment.bytes.set(bytes.subarray(0, packedBytes), (end + HEADER_WORDS) * 4)
    segment.end = end + wordsOf(packedBytes)
    segment.live++
    this.count++
  }

  /** Where a child of `parent` stands. The result is the same object each time. Requires: it is held. */
  find(parent: Resident, ordinal: number, counts: boolean): PackedBlock {
    const place = parent.packedAt[ordinal]!
    const segment = this.#segments[(place >>> OFFSET_BITS) - 1]!
    const { words } = segment
    const at = place & OFFSET_MASK
    const found = this.#found
    const lengths = words[at + LENGTHS]!
    found.search = segment.region.search
    found.start = segment.start + (at + HEADER_WORDS) * 4
    found.end = found.start + words[at + PACKED_BYTES]!
    found.rawBytes = (lengths & 0xffff) + 1
    found.entryBytes = lengths >>> 16
    found.basePosition = words[at + BASE_POSITION]! + words[at + BASE_POSITION + 1]! * TWO_32
    found.isHot = false
    if (counts) {
      this.#finds = (this.#finds + 1) >>> 0 || 1
      const before = words[at + FOUND_AT]!
      const isSoon = before !== 0 && (this.#finds - before) >>> 0 <= this.count >>> HOT_SHIFT
      words[at + FOUND_AT] = this.#finds
      words[at + STREAK] = isSoon ? words[at + STREAK]! + 1 : 0
      found.isHot = words[at + STREAK]! >= HOT_STREAK
    }
    return found
  }

  /** Drops a child of `parent`; returns how many bytes were given up with segments that are empty now. Requires: it is held. */
  drop(parent: Resident, ordinal: number): number {
    const place = parent.packedAt[ordinal]!
    const segment = this.#segments[(place >>> OFFSET_BITS) - 1]!
    segment.words[place & OFFSET_MASK] = 0
    this.#forget(parent, parent.packedOwner, ordinal)
    segment.live--
    if (segment.live > 0) return 0
    // One that was filled again and kept nothing is empty without having been emptied here.
    const empty = this.count === 0 ? [...this.#order] : [segment]
    for (const each of empty) {
      this.#order.splice(this.#order.indexOf(each), 1)
      this.#giveUp(each)
    }
    return empty.length * this.segmentBytes
  }

  #regionWithRoom(): PackedRegion | undefined {
    const present = this.#regions.find((region) => !region.isFull)
    if (present !== undefined) return present
    try {
      const made = new PackedRegion(this.segmentBytes, SEGMENTS_OF_REGION, LONGEST_RAW_BYTES)
      this.#regions.push(made)
      return made
    } catch (error) {
      if (isOutOfMemory(error)) return undefined
      throw error
    }
  }

  #giveUp({ number, region, start }: Segment): void {
    this.#segments[number] = undefined
    region.give(start)
    if (region.isEmpty) this.#regions.splice(this.#regions.indexOf(region), 1)
  }

  #forget(parent: Resident, owner: number, ordinal: number): void {
    parent.packedAt[ordinal] = 0
    parent.residentChildren--
    this.count--
    if (--parent.packedCount > 0) return
    this.#owners[owner] = undefined
    this.#freeOwners.push(owner)
    parent.packedOwner = 0
  }
}

/** What a block takes, its header included. */
function wordsOf(packedBytes: number): number {
  return HEADER_WORDS + ((packedBytes + 3) >>> 2)
}

function placeOf(segment: Segment, at: number): number {
  return (((segment.number + 1) << OFFSET_BITS) | at) >>> 0
}
