import { sharedPrefixLength } from '../bytes/compare.js'
import { getU32, getU64, putU32, putU64, putVarint, VarintReader } from '../bytes/integers.js'
import { LONGEST_KEY_BYTES } from '../log/operation.js'
import { ENVELOPE_BYTES } from './envelope.js'
import { CHILD_MEMORY_BYTES, Resident } from './resident.js'

/*
 * A node of a table's index: which of the blocks that stand one behind the other holds a key. Partitions point to data blocks,
 * the top points to partitions; both look alike. Never to change within format version 1.
 *
 *   +-------+--------------------+---------+---------+-----
 *   | count | offset of block 0  | entry 0 | entry 1 | …
 *   | u32   | u64                |         |         |
 *   +-------+--------------------+---------+---------+-----
 *
 * An entry:
 *
 *   +--------+----------+-------------------------+------------------+
 *   | shared | unshared | bytes of the block with | separator suffix |
 *   | varint | varint   | its envelope, varint    |                  |
 *   +--------+----------+-------------------------+------------------+
 *
 * A separator is the shortest prefix of a block's first key that is above every key of the block before. The first one of a node is
 * never compared: whoever came down to this node has done so already.
 *
 * In memory a node is searched by integers: `prefix` is what all separators but the first share, `heads` the four bytes behind
 * it, big-endian with the highest bit flipped, so that comparing them as signed integers compares them as bytes.
 */

const HEADER_BYTES = 12
/** Offset, head, start of the separator: what an entry takes beside its separator and its child. */
const ENTRY_OWN_BYTES = 8 + 4 + 4
/** A partition has 16 KiB, and the top one separator for each of them. */
const MOST_SUFFIX_BYTES = 256 * 1024 * 1024

const EMPTY = new Uint8Array(0)
const varint = new VarintReader()

/** Encodes one node. */
export class IndexWriter {
  count = 0
  /** What the node takes in memory when it is read back, which is what its size is limited by. */
  memoryBytes = 0
  firstSeparator: Uint8Array = EMPTY
  #bytes = new Uint8Array(4096)
  #end = HEADER_BYTES
  #last: Uint8Array = EMPTY

  /** Adds the next block; blocks stand one behind the other. Keeps `separator`. */
  add(separator: Uint8Array, offset: number, storedBytes: number): void {
    if (this.count === 0) {
      this.firstSeparator = separator
      putU64(this.#bytes, 4, offset)
    }
    const shared = sharedPrefixLength(separator, 0, separator.length, this.#last, 0, this.#last.length)
    const needed = this.#end + separator.length + 15
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(needed * 2)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    let at = putVarint(this.#bytes, this.#end, shared)
    at = putVarint(this.#bytes, at, separator.length - shared)
    at = putVarint(this.#bytes, at, storedBytes)
    this.#bytes.set(separator.subarray(shared), at)
    this.#end = at + separator.length - shared
    this.#last = separator
    this.count++
    this.memoryBytes += separator.length + ENTRY_OWN_BYTES + CHILD_MEMORY_BYTES
  }

  /** The finished node; the writer is used up. */
  finish(): Uint8Array {
    putU32(this.#bytes, 0, this.count)
    return this.#bytes.subarray(0, this.#end)
  }
}

/** A node in memory, checked. */
export class IndexNode extends Resident {
  readonly count: number
  /** Where each block begins in the file, and last where the last one ends. Doubles, because files outgrow 32 bits. */
  readonly #offsets: Float64Array
  readonly #prefix: Uint8Array
  readonly #heads: Int32Array
  /** The separators behind the prefix, one behind the other, and where each of them begins. */
  readonly #suffixes: Uint8Array
  readonly #suffixStarts: Uint32Array

  private constructor(
    offsets: Float64Array,
    prefix: Uint8Array,
    heads: Int32Array,
    suffixes: Uint8Array,
    suffixStarts: Uint32Array,
    extraChildren: number,
  ) {
    super(heads.length * ENTRY_OWN_BYTES + suffixes.length + prefix.length, heads.length + extraChildren)
    this.count = heads.length
    this.#offsets = offsets
    this.#prefix = prefix
    this.#heads = heads
    this.#suffixes = suffixes
    this.#suffixStarts = suffixStarts
  }

  /**
   * Reads what `IndexWriter` wrote of blocks that stand before `limit`. Throws a plain `Error` where the bytes are not that. `extraChildren`
   * are slots behind those of the blocks, for what hangs on the node without being found through it.
   */
  static decode(bytes: Uint8Array, end: number, limit: number, extraChildren = 0): IndexNode {
    if (end < HEADER_BYTES) throw new Error('an index node is shorter than its head')
    const count = getU32(bytes, 0)
    // An entry has at least three bytes.
    if (count > (end - HEADER_BYTES) / 3) throw new Error('an index node has no believable number of entries')
    const offsets = new Float64Array(count + 1)
    const starts = new Uint32Array(count + 1)
    offsets[0] = getU64(bytes, 4)

    const walk = (each: (entry: number, shared: number, suffix: number, unshared: number) => void): void => {
      let at = HEADER_BYTES
      let length = 0
      for (let entry = 0; entry < count; entry++) {
        const shared = varint.read(bytes, at)
        const unshared = varint.read(bytes, varint.end)
        const stored = varint.read(bytes, varint.end)
        at = varint.end
        if (shared > length || at + unshared > end) throw new Error('a separator runs over the end of its index node')
        if (shared + unshared > LONGEST_KEY_BYTES) throw new Error('a separator is longer than any key')
        if (stored <= ENVELOPE_BYTES) throw new Error('an index node names a block that is shorter than its envelope')
        offsets[entry + 1] = offsets[entry]! + stored
        each(entry, shared, at, unshared)
        at += unshared
        length = shared + unshared
      }
      if (at !== end) throw new Error('an index node is followed by something else')
    }

    // The prefix that all but the first separator share is as long as the shortest stretch two neighbours share.
    let prefixLength = count > 1 ? Number.POSITIVE_INFINITY : 0
    let totalBytes = 0
    walk((entry, shared, _suffix, unshared) => {
      if (entry === 1) prefixLength = shared + unshared
      else if (entry > 1 && shared < prefixLength) prefixLength = shared
      totalBytes += shared + unshared
    })
    if (!(offsets[count]! <= limit)) throw new Error('an index node points behind the blocks of its table')
    // Neighbours that share much are short here and long in memory.
    const suffixBytes = totalBytes - prefixLength * (count - 1)
    if (suffixBytes > MOST_SUFFIX_BYTES) throw new Error('an index node has no believable separators')

    let prefix: Uint8Array = EMPTY
    const heads = new Int32Array(count)
    const suffixes = new Uint8Array(Math.max(0, suffixBytes))
    let separator = new Uint8Array(256)
    let used = 0
    walk((entry, shared, suffix, unshared) => {
      const length = shared + unshared
      if (length > separator.length) {
        const larger = new Uint8Array(length * 2)
        larger.set(separator)
        separator = larger
      }
      for (let i = 0; i < unshared; i++) separator[shared + i] = bytes[suffix + i]!
      if (entry === 0) return
      if (entry === 1) prefix = separator.slice(0, prefixLength)
      starts[entry] = used
      for (let i = prefixLength; i < length; i++) suffixes[used++] = separator[i]!
      heads[entry] = headOf(separator, prefixLength, length)
    })
    starts[count] = used
    return new IndexNode(offsets, prefix, heads, suffixes.slice(0, used), starts, extraChildren)
  }

  childOffset(ordinal: number): number {
    return this.#offsets[ordinal]!
  }

  childBytes(ordinal: number): number {
    return this.#offsets[ordinal + 1]! - this.#offsets[ordinal]!
  }

  /** The one block that can hold the key: the last whose separator is at or before it. Requires: `count` is not 0. */
  find(key: Uint8Array, keyStart: number, keyEnd: number): number {
    const prefix = this.#prefix
    const keyLength = keyEnd - keyStart
    for (let i = 0; i < prefix.length; i++) {
      if (i >= keyLength) return 0
      const difference = key[keyStart + i]! - prefix[i]!
      if (difference !== 0) return difference < 0 ? 0 : this.count - 1
    }
    const rest = keyStart + prefix.length
    const head = headOf(key, rest, keyEnd)
    const heads = this.#heads
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const other = heads[middle]!
      if (other < head || (other === head && this.#isAtOrBefore(middle, key, rest, keyEnd))) low = middle
      else high = middle - 1
    }
    return low
  }

  #isAtOrBefore(entry: number, key: Uint8Array, rest: number, keyEnd: number): boolean {
    const suffixes = this.#suffixes
    const start = this.#suffixStarts[entry]!
    const length = this.#suffixStarts[entry + 1]! - start
    const restLength = keyEnd - rest
    const stop = Math.min(length, restLength)
    for (let i = 0; i < stop; i++) {
      const difference = suffixes[start + i]! - key[rest + i]!
      if (difference !== 0) return difference < 0
    }
    return length <= restLength
  }
}

/** Four bytes as an integer that compares like them; behind the end of a key come zeros. */
export function headOf(key: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return ((key[at]! << 24) | (key[at + 1]! << 16) | (key[at + 2]! << 8) | key[at + 3]!) ^ 0x80000000
  }
  let head = 0
  for (let i = 0; i < 4; i++) head = (head << 8) | (at + i < end ? key[at + i]! : 0)
  return head ^ 0x80000000
}

/** The shortest prefix of a key that is above the key before it, with which it shares `shared` bytes. */
export function separatorOf(key: Uint8Array, keyStart: number, keyEnd: number, shared: number): Uint8Array {
  return key.slice(keyStart, Math.min(keyEnd, keyStart + shared + 1))
}
