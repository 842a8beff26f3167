import { hash32 } from '../bytes/hash.js'
import { operationKeyLength, operationKeyStart } from '../log/operation.js'
import type { OrderedIndex } from './ordered-index.js'

/*
 * A hash table over a memtable: where the newest version of each key stands in the segment.
 *
 * It is in parts, each an array of pairs: the key's hash, and the reference plus one; 0 is an empty pair. The highest bits of
 * the hash choose the part, the lowest where a search in it begins. Parts double one at a time and without looking at keys: a table
 * of 200,000 keys in one piece would stop the program for a millisecond.
 */

const PARTS = 16
const PART_SHIFT = 28
const FEWEST_PAIRS = 64
/** Of four pairs three are taken at most. */
const FULL = 0.75

export class KeyTable {
  /** Of no meaning: a sum that nobody takes would not be computed. */
  fetched = 0
  readonly #index: OrderedIndex
  readonly #bytes: Uint8Array
  readonly #parts: Uint32Array[]
  readonly #counts = new Uint32Array(PARTS)
  /** The first entry of the leaf that is taken in next; -1 when all are. */
  #next: number

  /** A table that is empty still: `takeLeaf` takes the entries in that the index holds, `add` those that come. */
  constructor(index: OrderedIndex) {
    this.#index = index
    this.#bytes = index.bytes
    const pairs = Math.max(FEWEST_PAIRS, 2 ** Math.ceil(Math.log2(index.entryCount / PARTS / FULL)))
    this.#parts = Array.from({ length: PARTS }, () => new Uint32Array(pairs * 2))
    this.#next = index.placeOfFirst()
  }

  /** Whether it knows every key of the index, so that a key which is not found is not there. */
  get isComplete(): boolean {
    return this.#next < 0
  }

  get byteLength(): number {
    return this.#parts.reduce((sum, part) => sum + part.byteLength, 0)
  }

  /**
   * Takes the entries of one more leaf in. Those that come meanwhile are added by who adds them, so it does not matter that half
   * of a leaf may move into one behind it.
   */
  takeLeaf(): void {
    const index = this.#index
    let place = this.#next
    if (place < 0) return
    this.fetched = index.fetchLeaf(place)
    do {
      this.add(index.referenceAt(place))
      place = index.placeAfter(place)
    } while (place >= 0 && !index.beginsLeaf(place))
    this.#next = place
  }

  /** Takes an operation in, unless a newer one of its key is there. */
  add(reference: number): void {
    const bytes = this.#bytes
    const start = operationKeyStart(bytes, reference)
    const end = start + operationKeyLength(bytes, reference)
    const hash = hash32(bytes, start, end, 0)
    const pair = this.#pairOf(hash, bytes, start, end)
    const number = hash >>> PART_SHIFT
    const part = this.#parts[number]!
    if (part[pair + 1]! > reference) return
    const isNew = part[pair + 1] === 0
    part[pair] = hash
    part[pair + 1] = reference + 1
    if (isNew && ++this.#counts[number]! > (part.length / 2) * FULL) this.#parts[number] = doubled(part)
  }

  /** The newest operation of a key, or -1. */
  find(key: Uint8Array, start: number, end: number): number {
    const hash = hash32(key, start, end, 0)
    return this.#parts[hash >>> PART_SHIFT]![this.#pairOf(hash, key, start, end) + 1]! - 1
  }

  /** Where in its part the pair of a key stands or would stand. */
  #pairOf(hash: number, key: Uint8Array, start: number, end: number): number {
    const part = this.#parts[hash >>> PART_SHIFT]!
    const last = part.length - 1
    for (let pair = (hash << 1) & last; ; pair = (pair + 2) & last) {
      const reference = part[pair + 1]!
      if (reference === 0 || (part[pair] === hash && this.#isKeyOf(reference - 1, key, start, end))) return pair
    }
  }

  #isKeyOf(reference: number, key: Uint8Array, keyStart: number, keyEnd: number): boolean {
    const bytes = this.#bytes
    const length = keyEnd - keyStart
    if (operationKeyLength(bytes, reference) !== length) return false
    const start = operationKeyStart(bytes, reference)
    for (let i = 0; i < length; i++) if (bytes[start + i] !== key[keyStart + i]) return false
    return true
  }
}

function doubled(part: Uint32Array): Uint32Array {
  const larger = new Uint32Array(part.length * 2)
  const last = larger.length - 1
  for (let i = 0; i < part.length; i += 2) {
    if (part[i + 1] === 0) continue
    let pair = (part[i]! << 1) & last
    while (larger[pair + 1] !== 0) pair = (pair + 2) & last
    larger[pair] = part[i]!
    larger[pair + 1] = part[i + 1]!
  }
  return larger
}
