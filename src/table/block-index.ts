import type { Found } from '../bytes/cursor.js'
import { VarintReader } from '../bytes/integers.js'
import { type BlockIndex, type DataBlock, entryExpiresAt, entryKind, entryPosition, suffixStart } from './block.js'
import { headOf } from './index-node.js'

/*
 * Where the entries of a cached block stand, found by integers. Walking a restart group costs a miss of the processor's cache for
 * nearly every entry on the way, because each one's place is known only from the one before: 1.1 of the 2.0 us of a lookup among
 * 200,000 entries. The heads of all entries of a block stand in three cache lines.
 *
 *   heads, ascending, signed | offsets of the entries, two in an integer
 *
 * A head is the four bytes behind the prefix that all keys of the block share. An index exists only where no two heads are equal:
 * then a block has one version of each key, and an entry shares nothing behind its head with the one before it.
 */

/** What V8 keeps around a typed array of its own. */
const OBJECT_BYTES = 250
const LARGEST_OFFSET = 0xffff
const MOST_ENTRIES = 4096

const varint = new VarintReader()
const offsets = new Uint16Array(MOST_ENTRIES)
let key = new Uint8Array(1024)

export function blockIndexBytes(index: BlockIndex): number {
  return OBJECT_BYTES + index.cells.byteLength
}

/** Makes the index of a block; `undefined` where the block can have none. */
export function indexBlock(block: DataBlock): BlockIndex | undefined {
  if (block.entriesEnd > LARGEST_OFFSET) return undefined
  let count = 0
  let firstKeyAt = 0
  const lastLength = walk(block, (entryAt, suffix) => {
    if (count === 0) firstKeyAt = suffix
    if (count === MOST_ENTRIES) return false
    offsets[count++] = entryAt
    return true
  })
  if (lastLength < 0) return undefined
  const { bytes } = block
  let prefixLength = 0
  const firstLength = firstKeyLength(bytes)
  while (
    prefixLength < firstLength &&
    prefixLength < lastLength &&
    bytes[firstKeyAt + prefixLength] === key[prefixLength]
  ) {
    prefixLength++
  }
  const cells = new Int32Array(count + ((count + 1) >> 1))
  let previous = Number.NEGATIVE_INFINITY
  let at = 0
  const ended = walk(block, (entryAt, _suffix, length) => {
    const head = headOf(key, prefixLength, length)
    if (head <= previous) return false
    previous = head
    cells[at] = head
    cells[count + (at >> 1)]! |= entryAt << ((at & 1) << 4)
    at++
    return true
  })
  return ended < 0 ? undefined : { prefixLength, firstKeyAt, count, cells }
}

/** Puts one key after the other into `key`; returns the length of the last one, or -1 where `each` wanted no more. */
function walk(block: DataBlock, each: (entryAt: number, suffix: number, keyLength: number) => boolean): number {
  const { bytes, entriesEnd } = block
  let length = 0
  for (let at = 0; at < entriesEnd; ) {
    const entryAt = at
    const shared = varint.read(bytes, at)
    const unshared = varint.read(bytes, varint.end)
    const valueLength = varint.read(bytes, varint.end)
    const suffix = suffixStart(bytes[varint.end]!, varint.end + 1)
    length = shared + unshared
    if (length > key.length) {
      const larger = new Uint8Array(length * 2)
      larger.set(key)
      key = larger
    }
    for (let i = 0; i < unshared; i++) key[shared + i] = bytes[suffix + i]!
    if (!each(entryAt, suffix, length)) return -1
    at = suffix + unshared + valueLength
  }
  return length
}

/** Of the first key, which shares nothing. */
function firstKeyLength(bytes: Uint8Array): number {
  varint.read(bytes, 0)
  return varint.read(bytes, varint.end)
}

/** Does what `findInBlock` does. */
export function findByIndex(
  block: DataBlock,
  index: BlockIndex,
  sought: Uint8Array,
  keyStart: number,
  keyEnd: number,
  limit: number,
  found: Found,
): boolean {
  const { prefixLength, cells, count } = index
  const head = headOf(sought, keyStart + prefixLength, keyEnd)
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (cells[middle]! < head) low = middle + 1
    else high = middle
  }
  if (cells[low] !== head) return false
  const { bytes } = block
  let at = (cells[count + (low >> 1)]! >>> ((low & 1) << 4)) & LARGEST_OFFSET
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
  if (shared + unshared !== keyEnd - keyStart) return false
  const entryHead = bytes[at++]!
  const suffix = suffixStart(entryHead, at)
  const bias = suffix - shared - keyStart
  for (let i = keyStart + shared; i < keyEnd; i++) if (bytes[bias + i] !== sought[i]) return false
  // What lies before the suffix is prefix and head.
  const { firstKeyAt } = index
  for (let i = Math.min(prefixLength, shared) - 1; i >= 0; i--) {
    if (bytes[firstKeyAt + i] !== sought[keyStart + i]) return false
  }
  const position = entryPosition(bytes, entryHead, at, block.basePosition)
  if (position >= limit) return false
  found.hit = true
  found.kind = entryKind(entryHead)
  found.position = position
  found.expiresAt = entryExpiresAt(bytes, entryHead, at)
  found.bytes = bytes
  found.start = suffix + unshared
  found.end = found.start + valueLength
  return true
}
