import type { KeyRange } from '../tree/key-range.js'
import type { TreeState } from './tree-state.js'

/** From so many on, deletions in a memtable that scans have to pass are worth a flush. */
const MANY = 4096

/**
 * What is done about scans that pass entry after entry which is deleted: a reader who asks for the first entries of a range that
 * another empties pays for all that was ever there. Tables with such deletions are compacted sooner, and a memtable that holds many of
 * them becomes one.
 */
export class Crawls {
  private readonly flush: () => Promise<void>

  /** `flush` moves the memtables into tables. */
  constructor(flush: () => Promise<void>) {
    this.flush = flush
  }

  /** A scan passed so many entries of a range in a row that are not to be seen. */
  met(state: TreeState, range: KeyRange, hidden: number): void {
    state.tree?.hintTombstones(range)
    const deletions = state.active?.deletionCount ?? 0
    if (hidden < MANY || deletions < MANY) return
    // Nobody waits for it. Should it fail, it is tried again in the background like any flush; a reader cannot do it.
    this.flush().catch(() => {})
  }
}
