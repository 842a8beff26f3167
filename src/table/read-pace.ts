/*
 * Whether the disk answers like memory. A block out of the page cache takes 1.3 us on this thread, and 20 to 45 us by way of
 * the thread pool, whatever it would have taken here. A block from a real disk takes 80 us to 10 ms, and for that long
 * nothing else would run. So blocks are read here as long as that was fast, and by the pool once it was not.
 */

/** A pause of the collector or the scheduler looks like a slow disk now and then; that costs a few hops, no more. */
const SYNC_BUDGET_MS = 0.06
/** A hop to the pool and back, and waiting for a loop that is busy. */
const POOL_BUDGET_MS = 0.25
/** A page cache copies faster than 1 GB/s. */
const BUDGET_MS_PER_BYTE = 1e-6

const LEAST_PATIENCE = 4
const MOST_PATIENCE = 256
/** What a fast answer of the pool counts for: a disk that woke up is found out four times sooner. */
const FAST_ANSWER = 4
const FORGIVEN_AFTER = 64

export class ReadPace {
  /** Reads should go to the thread pool. */
  slow = false
  /** How many answers of the pool are waited for before a read is tried here again; doubles while that turns out slow. */
  #patience = LEAST_PATIENCE
  #waitingFor = 0
  #fastReads = 0

  /** A read on this thread took so long. */
  readHere(elapsedMs: number, bytes: number): void {
    if (elapsedMs <= SYNC_BUDGET_MS + bytes * BUDGET_MS_PER_BYTE) {
      if (++this.#fastReads >= FORGIVEN_AFTER) this.#patience = LEAST_PATIENCE
      // Reads come here from callers that block, whatever the pace.
      if (this.slow && --this.#waitingFor <= 0) this.slow = false
      return
    }
    this.slow = true
    if (this.#fastReads < FORGIVEN_AFTER) this.#patience = Math.min(MOST_PATIENCE, this.#patience * 2)
    this.#waitingFor = this.#patience
    this.#fastReads = 0
  }

  /** A read on the thread pool took so long, the way there and back included. */
  readInPool(elapsedMs: number, bytes: number): void {
    if (!this.slow) return
    this.#waitingFor -= elapsedMs <= POOL_BUDGET_MS + bytes * BUDGET_MS_PER_BYTE ? FAST_ANSWER : 1
    if (this.#waitingFor <= 0) this.slow = false
  }
}
