import type { Allocate } from '../bytes/compression.js'
import { Copier } from '../bytes/copier.js'
import type { Found } from '../bytes/cursor.js'
import { getU32, getU64, putU32, putU64, putVarint, VarintReader } from '../bytes/integers.js'
import { LAST_NUMBER } from '../bytes/units.js'
import { isPassing } from '../bytes/workspace.js'
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRING, LONGEST_KEY_BYTES } from '../log/operation.js'
import { Resident } from './resident.js'

/*
 * A data block: sorted entries that share key prefixes, searched in place. Never to change within format version 1.
 *
 *   +---------+---------+-----+------------------+-----+---------------+---------------+
 *   | entry 0 | entry 1 | …   | restart offset 0 | …   | base position | restart count |
 *   |         |         |     | u32              |     | u64           | u32           |
 *   +---------+---------+-----+------------------+-----+---------------+---------------+
 *
 * An entry:
 *
 *   +--------+----------+--------------+------+--------------+---------------+------------+-------+
 *   | shared | unshared | value length | head | position     | expiry        | key suffix | value |
 *   | varint | varint   | varint       | u8   | 0 to 7 bytes | u48, ms, only |            |       |
 *   |        |          |              |      |              | of kind 2     |            |       |
 *   +--------+----------+--------------+------+--------------+---------------+------------+-------+
 *
 *   head:  bit 7: zero | bits 4-6: bytes of position | bit 3: position is below the base | bits 0-2: kind
 *
 * The key is the first `shared` bytes of the key before it and then the suffix. Positions are distances to the position of the
 * block's first entry; their length stands in the head, so that a step skips them without decoding.
 *
 * All versions of a key stand in one block, newest first; an older version is an entry that shares the whole key and adds
 * nothing. Restart points are entries that share nothing; they come every `restartInterval` entries, but only where the key
 * changes. So the newest version of a key is what a search for the key finds, and no search needs to look back.
 *
 * Invariant: a `DataBlock` is checked from end to end when it is made (0.2 us for 4 KiB). Afterwards every length in it is
 * known to fit, and neither search nor cursor checks bounds, however the bytes came about.
 */

const KIND_BITS = 7
const BELOW_BASE = 8
const POSITION_BYTES_SHIFT = 4
const MOST_POSITION_BYTES = 7
const EXPIRY_BYTES = 6
const TAIL_BYTES = 12
/** Three varints of at most five bytes, head, position, expiry. */
const LONGEST_HEADER_BYTES = 5 * 3 + 1 + MOST_POSITION_BYTES + EXPIRY_BYTES
const TWO_32 = 2 ** 32
const KEPT_BUFFER_BYTES = 1024 * 1024
const TAIL_ROOM_BYTES = 4096

const varint = new VarintReader()

/** Encodes one block after the other into the same buffer. */
export class BlockWriter {
  bytes: Uint8Array
  #end = 0
  #restarts: number[] = []
  #entriesSinceRestart = 0
  #basePosition = 0
  readonly #restartInterval: number

  readonly #copier = new Copier()

  constructor(expectedBytes: number, restartInterval: number) {
    this.bytes = new Uint8Array(expectedBytes * 2)
    this.#restartInterval = restartInterval
  }

  /** How long the block is if it is finished now. */
  get byteLength(): number {
    return this.#end + this.#restarts.length * 4 + TAIL_BYTES
  }

  get isEmpty(): boolean {
    return this.#restarts.length === 0
  }

  /**
   * Appends an entry. `shared` is the length of the prefix that the key has in common with the key before it, `sameKey` says
   * that it is another version of that key.
   */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    shared: number,
    sameKey: boolean,
    kind: number,
    position: number,
    expiresAt: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    if (this.#restarts.length === 0) this.#basePosition = position
    if (this.#restarts.length === 0 || (this.#entriesSinceRestart >= this.#restartInterval && !sameKey)) {
      this.#restarts.push(this.#end)
      this.#entriesSinceRestart = 0
      shared = 0
    }
    this.#entriesSinceRestart++

    const unshared = keyEnd - keyStart - shared
    const valueLength = valueEnd - valueStart
    this.#reserve(LONGEST_HEADER_BYTES + unshared + valueLength)
    const bytes = this.bytes
    let at = this.#end
    if ((shared | unshared | valueLength) < 128) {
      bytes[at] = shared
      bytes[at + 1] = unshared
      bytes[at + 2] = valueLength
      at += 3
    } else {
      at = putVarint(bytes, putVarint(bytes, putVarint(bytes, at, shared), unshared), valueLength)
    }
    const headAt = at++
    const below = position < this.#basePosition
    for (
      let distance = below ? this.#basePosition - position : position - this.#basePosition;
      distance > 0;
      distance = distance < TWO_32 ? distance >>> 8 : Math.floor(distance / 256)
    ) {
      bytes[at++] = distance
    }
    bytes[headAt] = kind | (below ? BELOW_BASE : 0) | ((at - headAt - 1) << POSITION_BYTES_SHIFT)
    if (kind === KIND_PUT_EXPIRING) {
      putU32(bytes, at, expiresAt >>> 0)
      bytes[at + 4] = expiresAt / TWO_32
      bytes[at + 5] = expiresAt / (TWO_32 * 256)
      at += EXPIRY_BYTES
    }
    for (let i = keyStart + shared; i < keyEnd; i++) bytes[at++] = key[i]!
    this.#end = at + valueLength
    // The native copy costs 40 ns before it copies the first byte.
    if (valueLength < 48) for (let i = valueStart; i < valueEnd; i++) bytes[at++] = value[i]!
    else this.#copier.copy(value, valueStart, valueEnd, bytes, at)
  }

  /** Completes the block, which is then `bytes` up to the returned length, until `clear`. */
  finish(): number {
    this.#reserve(this.#restarts.length * 4 + TAIL_BYTES)
    let at = this.#end
    for (const restart of this.#restarts) {
      putU32(this.bytes, at, restart)
      at += 4
    }
    putU64(this.bytes, at, this.#basePosition)
    putU32(this.bytes, at + 8, this.#restarts.length)
    return at + TAIL_BYTES
  }

  /** Begins the next block. */
  clear(): void {
    this.#end = 0
    this.#restarts.length = 0
    this.#entriesSinceRestart = 0
    if (this.bytes.length > KEPT_BUFFER_BYTES) this.bytes = new Uint8Array(KEPT_BUFFER_BYTES)
  }

  #reserve(more: number): void {
    const needed = this.#end + more
    if (needed <= this.bytes.length) return
    // Behind a huge value there is room for the tail, so that it is not copied again for that.
    const roomy = this.bytes.length < KEPT_BUFFER_BYTES ? this.bytes.length * 2 : 0
    const larger = new Uint8Array(Math.max(needed + TAIL_ROOM_BYTES, roomy))
    larger.set(this.bytes.subarray(0, this.#end))
    this.bytes = larger
  }
}

/** What `indexBlock` makes of a block that is searched again and again. */
export interface BlockIndex {
  /** What all keys of the block begin with: so many bytes of its first key. */
  readonly prefixLength: number
  /** Where the block's first key stands. */
  readonly firstKeyAt: number
  readonly count: number
  readonly cells: Int32Array
}

/** A block in memory, checked. */
export class DataBlock extends Resident {
  /** It stands at the beginning of `bytes`, and takes so many of them. */
  length = 0
  bytes: Uint8Array
  /** Where the entries end and the restart offsets begin. */
  entriesEnd = 0
  restartCount = 0
  basePosition = 0
  /** How often a key was looked for in it without an index. */
  searches = 0
  index: BlockIndex | undefined = undefined

  private constructor(bytes: Uint8Array) {
    super(0)
    this.bytes = bytes
  }

  /** Takes over the first `end` bytes. Throws a plain `Error` where they are not a block. */
  static of(bytes: Uint8Array, end: number): DataBlock {
    if (end < TAIL_BYTES) throw new Error('a block is shorter than its tail')
    const block = DataBlock.ofChecked(bytes, end)
    if (block.restartCount === 0 || block.entriesEnd <= 0) {
      throw new Error('a block has no believable number of restarts')
    }
    if (block.basePosition > LAST_NUMBER) throw new Error('a block has no believable base position')
    checkEntries(block)
    return block
  }

  /** The same of bytes that were checked before. */
  static ofChecked(bytes: Uint8Array, end: number): DataBlock {
    const block = new DataBlock(bytes)
    block.memoryBytes += end
    block.length = end
    block.restartCount = getU32(bytes, end - 4)
    block.basePosition = getU64(bytes, end - TAIL_BYTES)
    block.entriesEnd = end - TAIL_BYTES - block.restartCount * 4
    return block
  }

  override settle(allocate: Allocate): void {
    if (isPassing(this.bytes)) this.settleIn(allocate(this.length))
  }

  /** Moves it into memory that is long enough. */
  settleIn(memory: Uint8Array): void {
    const { length } = this
    memory.set(this.bytes.subarray(0, length))
    this.bytes = memory
    this.memoryBytes += memory.length - length
  }

  /** Where a group of entries begins; for the number behind the last one, where the entries end. */
  restart(index: number): number {
    return index === this.restartCount ? this.entriesEnd : getU32(this.bytes, this.entriesEnd + index * 4)
  }
}

/** Walks all entries once and holds every length to what is there. */
function checkEntries(block: DataBlock): void {
  const bytes = block.bytes
  const end = block.entriesEnd
  let at = 0
  let keyLength = 0
  let nextRestart = 0
  let restartAt = block.restart(0)
  while (at < end) {
    let shared = bytes[at]!
    let unshared = bytes[at + 1]!
    let valueLength = bytes[at + 2]!
    const entryAt = at
    if ((shared | unshared | valueLength) < 128) {
      at += 3
    } else {
      shared = varint.read(bytes, at)
      unshared = varint.read(bytes, varint.end)
      valueLength = varint.read(bytes, varint.end)
      at = varint.end
    }
    if (entryAt === restartAt) {
      // Whoever looks for a restart point takes this for one byte.
      if (bytes[entryAt] !== 0) throw new Error('a restart point shares bytes of a key')
      nextRestart++
      restartAt = block.restart(nextRestart)
      if (restartAt <= entryAt) throw new Error('restart points do not ascend')
    } else if (entryAt > restartAt || nextRestart === 0) {
      throw new Error('a restart point is not at an entry')
    }
    const head = bytes[at]!
    const kind = head & KIND_BITS
    if (head >= 128 || (kind - KIND_PUT) >>> 0 > KIND_DELETE - KIND_PUT) throw new Error('an entry is of no known kind')
    if (shared > keyLength) throw new Error('an entry shares more bytes than the key before it has')
    keyLength = shared + unshared
    if (keyLength > LONGEST_KEY_BYTES) throw new Error('a key is longer than any key')
    at += 1 + (head >>> POSITION_BYTES_SHIFT) + (kind === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0) + unshared + valueLength
    if (at > end) throw new Error('an entry runs over the end of its block')
  }
  if (nextRestart !== block.restartCount) throw new Error('a restart point is behind the entries')
}

export function entryKind(head: number): number {
  return head & KIND_BITS
}

/** Where the key suffix of an entry begins, given its head and the offset behind the head. */
export function suffixStart(head: number, afterHead: number): number {
  const start = afterHead + (head >>> POSITION_BYTES_SHIFT)
  return (head & KIND_BITS) === KIND_PUT_EXPIRING ? start + EXPIRY_BYTES : start
}

export function entryPosition(bytes: Uint8Array, head: number, afterHead: number, basePosition: number): number {
  let distance = 0
  for (let i = afterHead + (head >>> POSITION_BYTES_SHIFT) - 1; i >= afterHead; i--)
    distance = distance * 256 + bytes[i]!
  return (head & BELOW_BASE) !== 0 ? basePosition - distance : basePosition + distance
}

/** When an entry expires; 0 where it does not. */
export function entryExpiresAt(bytes: Uint8Array, head: number, afterHead: number): number {
  if ((head & KIND_BITS) !== KIND_PUT_EXPIRING) return 0
  const at = afterHead + (head >>> POSITION_BYTES_SHIFT)
  return getU32(bytes, at) + (bytes[at + 4]! + bytes[at + 5]! * 256) * TWO_32
}

/**
 * Says of the entry that begins at `at` what a lookup wants to know of it. Searches here know that on the way, and reading it again would
 * cost them a twentieth of a lookup.
 */
export function showEntry(bytes: Uint8Array, at: number, basePosition: number, found: Found): void {
  let unshared = bytes[at + 1]!
  let valueLength = bytes[at + 2]!
  if ((bytes[at]! | unshared | valueLength) < 128) {
    at += 3
  } else {
    varint.read(bytes, at)
    unshared = varint.read(bytes, varint.end)
    valueLength = varint.read(bytes, varint.end)
    at = varint.end
  }
  const head = bytes[at++]!
  found.kind = head & KIND_BITS
  found.position = entryPosition(bytes, head, at, basePosition)
  found.expiresAt = entryExpiresAt(bytes, head, at)
  found.bytes = bytes
  found.start = suffixStart(head, at) + unshared
  found.end = found.start + valueLength
}

/** The last group whose first key is at or before the given one; 0 where there is none. */
export function lastRestartAtOrBefore(block: DataBlock, key: Uint8Array, keyStart: number, keyEnd: number): number {
  const bytes = block.bytes
  const keyLength = keyEnd - keyStart
  let low = 0
  let high = block.restartCount - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    let at = block.restart(middle)
    let length = bytes[at + 1]!
    if ((length | bytes[at + 2]!) < 128) {
      at += 3
    } else {
      length = varint.read(bytes, at + 1)
      varint.read(bytes, varint.end)
      at = varint.end
    }
    const suffix = suffixStart(bytes[at]!, at + 1)
    const limit = Math.min(length, keyLength)
    let i = 0
    while (i < limit && bytes[suffix + i] === key[keyStart + i]) i++
    const atOrBefore = i < limit ? bytes[suffix + i]! < key[keyStart + i]! : length <= keyLength
    if (atOrBefore) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * Looks for the newest version of a key whose position is below `limit`, and says whether there is one.
 *
 * No key is put together. Beside the walk goes `matched`, how many bytes the entry before has in common with the key sought:
 * an entry that shares more with its predecessor stands on the same side of the key, one that shares less has passed it, and
 * only one that shares exactly as many is compared, from there on.
 */
export function findInBlock(
  block: DataBlock,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  limit: number,
  found: Found,
): boolean {
  const bytes = block.bytes
  const group = lastRestartAtOrBefore(block, key, keyStart, keyEnd)
  const groupEnd = block.restart(group + 1)
  const keyLength = keyEnd - keyStart
  let at = block.restart(group)
  let matched = 0
  let reached = false
  while (at < groupEnd) {
    let shared = bytes[at]!
    let unshared = bytes[at + 1]!
    let valueLength = bytes[at + 2]!
    if ((shared | unshared | valueLength) < 128) {
      at += 3
    } else {
      shared = varint.read(bytes, at)
      unshared = varint.read(bytes, varint.end)
      valueLength = varint.read(bytes, varint.end)
      at = varint.end
    }
    const head = bytes[at++]!
    const suffix = suffixStart(head, at)
    const valueStart = suffix + unshared
    if (reached) {
      if (unshared !== 0 || shared !== keyLength) return false
    } else if (shared > matched) {
      at = valueStart + valueLength
      continue
    } else {
      if (shared < matched) return false
      const length = shared + unshared
      const stop = Math.min(length, keyLength)
      const bias = suffix - shared
      while (matched < stop && bytes[bias + matched] === key[keyStart + matched]) matched++
      if (matched < stop) {
        if (bytes[bias + matched]! > key[keyStart + matched]!) return false
        at = valueStart + valueLength
        continue
      }
      if (length > keyLength) return false
      if (length < keyLength) {
        at = valueStart + valueLength
        continue
      }
      reached = true
    }
    const position = entryPosition(bytes, head, at, block.basePosition)
    if (position < limit) {
      found.hit = true
      found.kind = head & KIND_BITS
      found.position = position
      found.expiresAt = entryExpiresAt(bytes, head, at)
      found.bytes = bytes
      found.start = valueStart
      found.end = valueStart + valueLength
      return true
    }
    at = valueStart + valueLength
  }
  return false
}
