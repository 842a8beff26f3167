import { unzeroed } from '../bytes/compression.js'

// Blocks of one table differ by an entry or two in length; rounded up to this most fit into each other's memory. A block of 4 KiB
// is a few bytes longer than that: steps of 512 would leave a tenth of the cache unused.
const CLASS_BYTES = 128
// Larger blocks are rare, and their memory is worth giving back.
const LARGEST_BYTES = 64 * 1024
// A miss drops what it needs room for just before it takes memory, so a handful is enough.
const KEPT_PER_CLASS = 16

/**
 * Memory of dropped blocks for the next ones. A cache that is full takes as many blocks in as it drops, and allocating and
 * collecting 4 KiB each time was a fifth of the time of a lookup that misses.
 */
export class BlockMemory {
  /** By size, in steps of CLASS_BYTES. */
  readonly #free: Uint8Array[][] = []

  /** Memory for at least so many bytes. Bound, because it is handed on as a function. */
  readonly take = (bytes: number): Uint8Array => {
    if (bytes > LARGEST_BYTES) return unzeroed(bytes)
    const size = Math.ceil(bytes / CLASS_BYTES)
    return this.#free[size]?.pop() ?? unzeroed(size * CLASS_BYTES)
  }

  /** Requires: nobody reads from it any more. */
  give(memory: Uint8Array): void {
    const size = memory.length / CLASS_BYTES
    if (!Number.isInteger(size) || memory.length > LARGEST_BYTES) return
    while (this.#free.length <= size) this.#free.push([])
    const free = this.#free[size]!
    if (free.length < KEPT_PER_CLASS) free.push(memory)
  }
}
