import { unzeroed } from '../bytes/compression.js'

// Blocks of one table differ by an entry or two in length; rounded up to this most fit into each other's memory. A block of 4 KiB
// is a few bytes longer than that: steps of 512 would leave a tenth of the cache unused.
const CLASS_BYTES = 128
// Larger blocks are rare, and their memory is worth giving back.
const LARGEST_BYTES = 64 * 1024
// What a miss drops is what the next one takes, so a handful is enough. It is memory beside the cache's cap.
const KEPT_BYTES = 512 * 1024

/**
 * Memory of dropped blocks for the next ones. A cache that is full takes as many blocks in as it drops, and allocating and
 * collecting 4 KiB each time was a fifth of the time of a lookup that misses.
 */
export class BlockMemory {
  /** By size, in steps of CLASS_BYTES. */
  readonly #free: Uint8Array[][] = []
  #freeBytes = 0

  /** Memory for at least so many bytes. Bound, because it is handed on as a function. */
  readonly take = (bytes: number): Uint8Array => {
    if (bytes > LARGEST_BYTES) return unzeroed(bytes)
    const size = Math.ceil(bytes / CLASS_BYTES)
    const free = this.#free[size]?.pop()
    if (free === undefined) return unzeroed(size * CLASS_BYTES)
    this.#freeBytes -= free.length
    return free
  }

  /** Requires: nobody reads from it any more. */
  give(memory: Uint8Array): void {
    const size = memory.length / CLASS_BYTES
    if (!Number.isInteger(size) || memory.length > LARGEST_BYTES) return
    // Where sizes change, what is kept is of those that came before: it goes, and the new ones are kept.
    if (this.#freeBytes + memory.length > KEPT_BYTES) this.#forget()
    while (this.#free.length <= size) this.#free.push([])
    this.#free[size]!.push(memory)
    this.#freeBytes += memory.length
  }

  #forget(): void {
    this.#free.length = 0
    this.#freeBytes = 0
  }
}
