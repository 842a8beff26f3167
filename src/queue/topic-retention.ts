import type { Change } from './change.js'
import { commitChange } from './change.js'
import { sentAtOf } from './message-format.js'
import { isSameRetention, type Retention, RetentionPoint } from './retention.js'
import type { StoredRun } from './stored-run.js'

/** Takes away what the retention of a topic does not keep: with every commit that adds to it, and when something gets too old. */
export class TopicRetention {
  private readonly run: StoredRun
  private readonly point: RetentionPoint
  private cancelTimer: (() => void) | undefined

  constructor(run: StoredRun) {
    this.run = run
    this.point = new RetentionPoint(run.log)
  }

  /** Another retention than before: it is stored with the topic at once, and holds from here on. */
  set(retention: Retention): void {
    const { run } = this
    const { post, retention: before, isRetentionRecorded: wasRecorded } = run
    if (isSameRetention(retention, before)) return
    post.engine.checkWritable()
    run.retention = retention
    try {
      // Should it be refused later, the next commit carries the retention.
      commitChange(post.engine, post.sync, (change) => {
        change.touch(run)
        this.trim(change)
      }).catch(() => {})
    } catch (error) {
      run.takeBackRetention(before, wasRecorded)
      throw error
    }
    this.cancelTimer?.()
    this.cancelTimer = undefined
    this.arm()
  }

  /** A message was appended, as part of a commit. */
  appended(change: Change, message: Uint8Array): void {
    this.point.appended(change, message.length, sentAtOf(message))
  }

  /** Moves the trim point to where the retention says, as part of the commit that appended. */
  trim(change: Change): void {
    const { run } = this
    const first = this.firstKept()
    if (first > run.first) run.trim(change, first)
    // Whether and when something gets too old may need a read, which has no place in a commit.
    if (run.retention.age !== undefined) change.onCommitted(() => queueMicrotask(() => this.arm()))
  }

  /** Takes away what is too old, and looks again when the next one is. */
  age(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    const { run } = this
    const { post, closing } = run
    if (!post.isWritable || closing.signal.aborted) return
    const first = this.firstKept()
    if (first > run.first) {
      try {
        commitChange(post.engine, false, (change) => run.trim(change, first)).catch(() => {})
      } catch {
        // No write is taken now; the next message that is published trims as well.
      }
    }
    this.arm()
  }

  /** The first offset that is kept. Where the disk cannot be read now, nothing goes before it can. */
  private firstKept(): number {
    const { run, point } = this
    try {
      return point.find(run.retention, run.first, run.post.clock.now())
    } catch {
      return run.first
    }
  }

  private arm(): void {
    const { run } = this
    const { age } = run.retention
    const { closing, post } = run
    if (age === undefined || this.cancelTimer !== undefined || closing.signal.aborted || !post.isWritable) return
    const sentAt = this.firstSentAt()
    if (sentAt === undefined) return
    const cancel = post.clock.after(Math.max(1, sentAt + age - post.clock.now()), () => this.age())
    closing.signal.addEventListener('abort', cancel, { once: true })
    this.cancelTimer = () => {
      cancel()
      closing.signal.removeEventListener('abort', cancel)
    }
  }

  private firstSentAt(): number | undefined {
    const { log, first } = this.run
    try {
      return first < log.visible ? this.point.sentAt(first) : undefined
    } catch {
      // A disk that cannot be read now: the next message that is published looks again.
      return undefined
    }
  }
}
