/**
 * Thrown where something of a table is not in memory, the disk is slow and this thread must not wait for it. Not an `Error`: on a cold
 * store it is thrown for every read, and a stack trace would cost more than the rest of the lookup. Whoever catches it awaits `load`
 * and does the same thing again from the start.
 */
export class BlockNotResident {
  /** Which table it is of, and where in its file. */
  readonly fileNumber: number
  readonly offset: number
  readonly #load: () => Promise<void>

  constructor(fileNumber: number, offset: number, load: () => Promise<void>) {
    this.fileNumber = fileNumber
    this.offset = offset
    this.#load = load
  }

  /**
   * Reads it on the thread pool. A block stays in memory, whatever the cache's size, until somebody has found it there. A lookup
   * needs several blocks, so in a cache smaller than those it may take turns with others for long: see `Rounds`.
   */
  load(): Promise<void> {
    return this.#load()
  }
}
