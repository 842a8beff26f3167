import type { BlockCache } from './block-cache.js'
import { BlockNotResident } from './block-not-resident.js'

/** How often what was loaded already may be missing again. */
const MOST_REPEATS = 8

/**
 * The rounds of one read that waits for what is not in memory. Each of them brings one block, of as many tables as the read needs. But in
 * a cache too small to hold together what a read needs, many reads could take turns at driving each other's out for ever: one
 * that meets the same gaps again and again reads on this thread.
 */
export class Rounds {
  readonly #seen = new Set<string>()
  #repeats = 0

  /** Waits for what is missing. */
  async load(missing: BlockNotResident): Promise<void> {
    const place = `${missing.fileNumber} ${missing.offset}`
    if (this.#seen.has(place)) this.#repeats++
    this.#seen.add(place)
    await missing.load()
  }

  /** Whether the next round must end the read. */
  get isLast(): boolean {
    return this.#repeats >= MOST_REPEATS
  }

  /** The read has come further: what follows is one of its own. */
  reset(): void {
    if (this.#seen.size > 0) this.#seen.clear()
    this.#repeats = 0
  }
}

/** What `read` returns, without a wait of this thread for the disk. It is called again for each block that was missing. */
export async function whenResident<T>(cache: BlockCache, read: () => T): Promise<T> {
  for (const rounds = new Rounds(); ; ) {
    cache.blocking = rounds.isLast
    try {
      return read()
    } catch (error) {
      if (!(error instanceof BlockNotResident)) throw error
      cache.blocking = true
      await rounds.load(error)
    } finally {
      cache.blocking = true
    }
  }
}
