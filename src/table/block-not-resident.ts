/**
 * Thrown where a block is not in memory, the disk is slow and this thread must not wait for it. Not an `Error`: on a cold store it
 * is thrown for every read, and a stack trace would cost more than the rest of the lookup. Whoever catches it awaits `load` and
 * does the same thing again from the start.
 */
export class BlockNotResident {
  readonly #load: () => Promise<void>

  constructor(load: () => Promise<void>) {
    this.#load = load
  }

  /**
   * Reads the block on the thread pool. It stays in memory, whatever the cache's size, until somebody has found it there. A lookup
   * needs several blocks, so in a cache smaller than those it may take turns with others for long: callers go over
   * to blocking reads after a few rounds.
   */
  load(): Promise<void> {
    return this.#load()
  }
}
