import type { Segment } from '../log/segment.js'

/** Hears how its commit ended, in the moment in which that is settled and before anything else can be issued. */
export interface CommitOutcome {
  /** The commit is visible. */
  committed(): void
  /** Nothing of it ever will be. Of several commits that are refused together the last one issued hears of it first. */
  refused(error: unknown): void
}

/** Writes that share one `writeSync`, one fdatasync if anyone asked for it, and one promise. */
export class CommitGroup {
  /** Where its records are. */
  readonly segment: Segment
  readonly start: number
  end = 0
  sync = false
  /** Its records are indexed, though nobody may see them yet. */
  isApplied = false
  isVisible = false
  /** How long after it is visible its writers hear of it, because they write faster than the store compacts. */
  delayMs = 0
  /** When its first write was issued, if it is one of those that are measured; else 0. */
  readonly measuredFrom: number
  readonly done: Promise<void>
  /** In the order in which the commits were issued. */
  outcomes: CommitOutcome[] = []
  private resolve!: () => void
  private fail!: (error: unknown) => void

  constructor(segment: Segment, start: number, measuredFrom: number) {
    this.segment = segment
    this.start = start
    this.measuredFrom = measuredFrom
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.fail = reject
    })
  }

  /** Its records can be read from here on. */
  commit(): void {
    this.isVisible = true
    for (const outcome of this.outcomes) outcome.committed()
  }

  acknowledge(): void {
    this.resolve()
  }

  /** What is visible stays so; its writers hear that it may not be on disk. */
  reject(error: unknown): void {
    const { outcomes } = this
    this.outcomes = []
    if (!this.isVisible) for (const outcome of outcomes.reverse()) outcome.refused(error)
    this.fail(error)
  }
}
