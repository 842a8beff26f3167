/**
 * Notices when promises have kept the event loop from turning. A loop of `await db.put()` runs on microtasks alone, and
 * without a pause no timer, no socket and no finished compaction would ever be heard.
 */
export class Turn {
  /** Long enough that the pause (1.3 us) costs nothing, short enough that nobody waits for it. */
  private static readonly LONGEST_MS = 2
  // Asking the clock costs 30 ns, so not every call does.
  private static readonly CALLS_PER_LOOK = 8

  private calls = 0
  private startedAt = performance.now()
  private coming: Promise<void> | undefined

  /** Whether the caller should go through `setImmediate` before it resolves anything more. */
  isDue(): boolean {
    if (++this.calls < Turn.CALLS_PER_LOOK) return false
    this.calls = 0
    return performance.now() - this.startedAt > Turn.LONGEST_MS
  }

  /** Lets others run where it is time for that. */
  async breathe(): Promise<void> {
    if (this.isDue()) await this.next()
  }

  /** The loop has turned: called where a callback is known to come from it. */
  turned(): void {
    this.startedAt = performance.now()
  }

  /**
   * Resolves behind the next turn of the loop, for all who wait for it in the same moment. Were each called from a callback of its
   * own, the first would run on microtasks until a turn is due again before the second is called at all.
   */
  next(): Promise<void> {
    this.coming ??= new Promise((resolve) => {
      setImmediate(() => {
        this.coming = undefined
        this.turned()
        resolve()
      })
    })
    return this.coming
  }

  /** The same for one alone, behind those who asked before: who conflicts with others is not to come back together with them. */
  alone(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.turned()
        resolve()
      })
    })
  }
}
