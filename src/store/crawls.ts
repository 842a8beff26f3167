import type { KeyRange } from '../tree/key-range.js'
import type { TreeState } from './tree-state.js'

/** From so many on, deletions in memory that scans have to pass are worth a flush. */
const MANY = 4096
/** A flush may not help, because a snapshot needs what was deleted: then the next one is not to follow at once. */
const PAUSE_MS = 1000

/**
 * What is done about scans that pass entry after entry which is deleted: a reader who asks for the first entries of a range that
 * another empties pays for all that was ever there. Tables with such deletions are compacted sooner, and a memtable that holds many of
 * them becomes one.
 */
export class Crawls {
  private readonly now: () => number
  private readonly flush: () => Promise<void>
  private lastFlush = Number.NEGATIVE_INFINITY

  /** `flush` moves the memtables into tables, unless some are on their way already. */
  constructor(now: () => number, flush: () => Promise<void>) {
    this.now = now
    this.flush = flush
  }

  /** A scan passed entries of a range in a row that are not to be seen; so many of them stand in memory. */
  met(state: TreeState, range: KeyRange, hiddenInMemory: number): void {
    state.tree?.hintTombstones(range)
    if (hiddenInMemory < MANY || (state.active?.deletionCount ?? 0) < MANY) return
    const now = this.now()
    if (Math.abs(now - this.lastFlush) < PAUSE_MS) return
    this.lastFlush = now
    // Nobody waits for it. Should it fail, it is tried again in the background like any flush; a reader cannot do it.
    this.flush().catch(() => {})
  }
}
