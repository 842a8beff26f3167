import * as required from 'bloom-filters/dist/bloom/bloom-filter.js'
import { hash32 } from '../bytes/hash.js'
import { Resident } from './resident.js'

/*
 * The filter of a table: answers "not in here" for 99 of 100 missing keys at ten bits a key. Never to change.
 *
 *   +-------------------------------+--------+
 *   | bits, low ones of a byte      | probes |
 *   | first, a whole number of bytes| u8     |
 *   +-------------------------------+--------+
 *
 * A key is hashed once, whatever the number of tables asked. Probe i looks at bit floor(h_i * bits / 2^32), where h_0 is the
 * hash and every next one is STEP times the one before. Scaling costs a fifth of a division; adding a second hash instead of
 * multiplying let 1.3 % through where this lets 0.9.
 */

// The package as a whole takes 40 ms to load, this module of it 10. Loaders and bundlers disagree about what the default export of a
// CommonJS module is that has one called `default` of its own: the class, or what it stands in.
let found: unknown = required
while (typeof found !== 'function') found = (found as { default: unknown }).default
const BloomFilter = found as typeof import('bloom-filters/dist/bloom/bloom-filter.js').default

/** The seed under which keys are hashed for filters. Never to change. */
export const KEY_HASH_SEED = 0x51175704

/** The hash of a key for `Table.lookup` and `TableFilter`. */
export function keyHash(bytes: Uint8Array, start: number, end: number): number {
  return hash32(bytes, start, end, KEY_HASH_SEED)
}

const STEP = 0x9e3779b1
const TWO_32 = 2 ** 32
const MOST_PROBES = 30

/**
 * A `BloomFilter` whose hashing is replaced: hashing inside the package costs 10 us a key, this 0.05. Keys come as hashes. What
 * is inherited still works and sees the same bits.
 */
export class TableFilter extends BloomFilter {
  readonly #bits: Uint8Array
  readonly #scale: number
  readonly #probes: number

  private constructor(bits: Uint8Array, probes: number) {
    // The package allocates as many bits as it is told of: one byte, to be replaced by ours.
    super(8, probes)
    this._size = bits.length * 8
    Object.assign(this._filter, { size: this._size, array: bits })
    this._hashing.getIndexes = (element: unknown) => {
      const key = element as Uint8Array
      return this.#indexes(keyHash(key, 0, key.length))
    }
    this.#bits = bits
    this.#scale = this._size / TWO_32
    this.#probes = probes
  }

  /** A filter that holds the first `count` hashes. */
  static build(hashes: Uint32Array, count: number, bitsPerKey: number): TableFilter {
    // Below 64 bits chance rules; the number of probes is best at bits per key times ln 2.
    const bytes = Math.min(2 ** 29, Math.max(8, Math.ceil((count * bitsPerKey) / 8)))
    const probes = Math.max(1, Math.min(MOST_PROBES, Math.round(bitsPerKey * Math.LN2)))
    const filter = new TableFilter(new Uint8Array(bytes), probes)
    for (let i = 0; i < count; i++) filter.addHash(hashes[i]!)
    return filter
  }

  /** Reads a copy of bytes that `encode` wrote. Throws a plain `Error` where they are not a filter. */
  static decode(bytes: Uint8Array, end: number): TableFilter {
    const probes = end < 2 ? 0 : bytes[end - 1]!
    if (probes === 0 || probes > MOST_PROBES) throw new Error('a filter has no believable number of probes')
    return new TableFilter(bytes.slice(0, end - 1), probes)
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#bits.length + 1)
    bytes.set(this.#bits)
    bytes[this.#bits.length] = this.#probes
    return bytes
  }

  addHash(hash: number): void {
    const bits = this.#bits
    const scale = this.#scale
    let current = hash >>> 0
    for (let i = this.#probes; i > 0; i--) {
      const bit = Math.floor(current * scale)
      bits[bit >>> 3]! |= 1 << (bit & 7)
      current = Math.imul(current, STEP) >>> 0
    }
  }

  /** Whether a key with this hash may be among those added; false is certain. */
  hasHash(hash: number): boolean {
    const bits = this.#bits
    const scale = this.#scale
    let current = hash >>> 0
    for (let i = this.#probes; i > 0; i--) {
      const bit = Math.floor(current * scale)
      if ((bits[bit >>> 3]! & (1 << (bit & 7))) === 0) return false
      current = Math.imul(current, STEP) >>> 0
    }
    return true
  }

  #indexes(hash: number): number[] {
    let current = hash
    return Array.from({ length: this.#probes }, () => {
      const bit = Math.floor(current * this.#scale)
      current = Math.imul(current, STEP) >>> 0
      return bit
    })
  }
}

/** A filter as the block cache holds it. */
export class FilterBlock extends Resident {
  readonly filter: TableFilter

  constructor(bytes: Uint8Array, end: number) {
    super(end)
    this.filter = TableFilter.decode(bytes, end)
  }
}
