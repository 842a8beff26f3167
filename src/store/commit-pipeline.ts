import { endsWriting, SiltstoneError } from '../bytes/errors.js'
import { Latency } from '../bytes/latency.js'
import type { Position } from '../bytes/units.js'
import type { CommitLog } from '../log/commit-log.js'
import type { Segment } from '../log/segment.js'
import type { Admission } from './admission.js'
import { CommitGroup, type CommitOutcome } from './commit-group.js'
import type { Listeners } from './listeners.js'
import type { Turn } from './turn.js'

/** What the pipeline needs of the store around it. */
export interface CommitTarget {
  /** Indexes the records between two offsets of a segment; `isAhead` where nobody is to see them yet. */
  apply(segment: Segment, start: number, end: number, isAhead: boolean): void
  /**
   * Sees to it that a record with this much payload fits, in a new segment if need be. Only where it may wait does it wait for flushes and
   * syncs. `leave` is called when nothing more comes into the active segment; it returns the position up to which all is visible.
   */
  makeRoom(payloadBytes: number, mayWait: boolean, leave: () => Position): void
  /** What was applied ahead is visible up to this position. */
  caughtUp(visible: Position): void
  /** What is on its way to the disk and has to be there before anything is visible; `undefined` where there is nothing. */
  readonly promised: Promise<void> | undefined
  /** Brings that to the disk on this thread; false where that failed. */
  keepPromises(): boolean
  /** Whether writers are to wait for a flush before they go on … */
  readonly isFull: boolean
  /** … and how long. */
  room(): Promise<void>
  /** Throws where the store may not be written to any more, because somebody else has it. */
  checkLock(): void
  /** The disk broke a promise (a failed fsync), or somebody else has the store: nothing may be acknowledged any more. */
  fail(error: unknown): void
}

/** Records that have become visible: those between two offsets of a segment. */
export type CommitListeners = Listeners<[segment: Segment, start: number, end: number]>

/**
 * The write path: admit, encode into the segment, group, `writeSync`, fdatasync if asked, index, publish, settle.
 *
 * A writer calls `begin`, encodes its operations at the offset it gets, and calls `commit` or `commitSync`. Nothing is
 * visible before it is in the log file, nothing is acknowledged as synced before it is on disk, and everything becomes visible in
 * the order in which it was issued: while a group is being synced, the next one gathers behind it.
 *
 * Writes of one turn of the event loop form a group. `process.nextTick` is the end of the turn as far as promises go: called from
 * promise callbacks it runs when all of them have run, so 64 writers that each await their own put share one write.
 */
export class CommitPipeline {
  private readonly log: CommitLog
  private readonly target: CommitTarget
  private readonly admission: Admission
  private readonly turn: Turn
  private readonly listeners: CommitListeners
  /** Encoded, not yet written. */
  private gathering: CommitGroup | undefined
  /**
   * Written, waiting for the disk: set for as long as its sync is on its way, though a drain may have made it visible meanwhile. So there
   * is one sync at a time off this thread, and whatever its error says is known before anything behind it is written.
   */
  private syncing: CommitGroup | undefined
  /** Written before that sync began, too, and visible behind it. */
  private followers: CommitGroup[] = []
  /** Written since, in segments that were left since: the next sync is for them. */
  private aside: CommitGroup[] = []
  /** Synced on this thread while that one was on its way: they are acknowledged with it. */
  private held: CommitGroup[] = []
  /** Visible, and to be heard of later. */
  private delayed: CommitGroup[] = []
  /** The same, when there is room again. */
  private stalled: CommitGroup[] = []
  private scheduled = false
  private refusal: SiltstoneError | undefined
  /** What the disk broke its promise with. */
  private failure: SiltstoneError | undefined
  /** Everything before this position is visible. */
  visible: Position
  readonly commitLatency = new Latency()
  readonly syncLatency = new Latency()
  private groupCount = 0
  private readonly flushGathered = (): void => this.onTurnEnd()
  private readonly acknowledgeDelayed = (): void => {
    this.turn.turned()
    this.releaseDelayed()
  }
  private readonly flushAfterTurn = (): void => {
    this.turn.turned()
    this.onTurnEnd()
  }

  constructor(log: CommitLog, target: CommitTarget, admission: Admission, turn: Turn, listeners: CommitListeners) {
    this.log = log
    this.target = target
    this.admission = admission
    this.turn = turn
    this.listeners = listeners
    this.visible = log.end
  }

  /** From now on every write is refused with this error. */
  refuse(error: SiltstoneError): void {
    this.refusal ??= error
  }

  /** Whether no write is taken any more. */
  get isRefusing(): boolean {
    return this.refusal !== undefined
  }

  /** Whether the disk has broken a promise, so that nothing more is written, not even the end of a session. */
  get hasFailed(): boolean {
    return this.failure !== undefined
  }

  /** Throws what writes are refused with, if they are. */
  checkUsable(): void {
    if (this.refusal !== undefined) throw this.refusal
  }

  /**
   * Admits a write of at most `payloadBytes` and returns the offset in `bytes` at which its operations go. Where it `mayWait`, this thread
   * may stand still for that; otherwise its promise does.
   */
  begin(payloadBytes: number, mayWait: boolean): number {
    if (this.refusal !== undefined) throw this.refusal
    if (!this.log.fits(payloadBytes)) this.makeRoom(payloadBytes, mayWait)
    return this.log.beginRecord(payloadBytes)
  }

  /** Whether a write of that size is admitted as things are: without room being made, which may refuse what was issued before. */
  fits(payloadBytes: number): boolean {
    return this.log.fits(payloadBytes)
  }

  /** Sees to it that a write of that size fits. */
  makeRoom(payloadBytes: number, mayWait: boolean): void {
    if (mayWait) this.drain(false)
    this.leaveSegment((leave) => this.target.makeRoom(payloadBytes, mayWait, leave))
  }

  /** Has `makeRoom` go on in another segment, though what stands in this one may not be visible yet. */
  leaveSegment(makeRoom: (leave: () => Position) => void): void {
    this.setAside()
    try {
      makeRoom(() => this.applyAhead())
    } catch (error) {
      throw this.heeded(error)
    }
  }

  /** Writes what has gathered. What has to wait for the disk does, behind what waits already. */
  private setAside(): void {
    const group = this.gathering
    if (group === undefined) return
    this.gathering = undefined
    if (!this.write(group)) return
    group.delayMs = this.admission.charge(group.end - group.start)
    const mustWait = group.sync || this.target.promised !== undefined
    if (this.syncing !== undefined) this.aside.push(group)
    else if (mustWait) this.syncThenSettle(group, [])
    else this.settle(group)
  }

  /** A memtable is complete when its segment is left, whatever of it is visible by then. */
  private applyAhead(): Position {
    for (const group of this.unseen()) {
      if (!group.isApplied) this.target.apply(group.segment, group.start, group.end, true)
      group.isApplied = true
    }
    return this.visible
  }

  /** What is written and not visible, in order. */
  private unseen(): CommitGroup[] {
    const { syncing } = this
    const written = syncing === undefined ? [] : [syncing, ...this.followers, ...this.aside]
    return written.filter((group) => !group.isVisible)
  }

  /** The memory into which operations are encoded; ask again after every `begin`. */
  get bytes(): Uint8Array {
    return this.log.active.bytes
  }

  /** Commits the record begun last with the group of this turn. `outcome` hears how it ended, also where this throws. */
  commit(payloadEnd: number, operationCount: number, sync: boolean, outcome?: CommitOutcome): Promise<void> {
    const group = this.gather(payloadEnd, operationCount, outcome)
    if (sync) group.sync = true
    if (!this.scheduled && this.syncing === undefined) this.schedule()
    return group.done
  }

  /** Commits the record begun last, and all before it, before it returns. */
  commitSync(payloadEnd: number, operationCount: number, sync: boolean, outcome?: CommitOutcome): void {
    const { promised } = this.target
    if (this.gathering === undefined && this.syncing === undefined && !sync && outcome === undefined && !promised) {
      // One put after the other on this thread: no group, no promise.
      const start = this.log.active.end
      const measuredFrom = this.measuringFrom()
      const { active } = this.log
      this.log.endRecord(payloadEnd, operationCount)
      this.writePending()
      this.requireLock()
      this.target.apply(active, start, payloadEnd, false)
      this.publish(active, start, payloadEnd)
      this.measureCommit(measuredFrom)
      this.admission.chargeSync(payloadEnd - start)
      return
    }
    const group = this.gather(payloadEnd, operationCount, outcome)
    // The promise is for those who gathered before; this caller gets the error thrown.
    group.done.catch(() => {})
    if (sync) group.sync = true
    this.drain(true)
  }

  /** Resolves when everything issued so far is committed. */
  async settled(): Promise<void> {
    this.releaseStalled()
    while (this.gathering !== undefined || this.syncing !== undefined) {
      await (this.syncing ?? this.gathering)!.done.catch(() => {})
    }
    this.releaseDelayed()
    this.releaseStalled()
  }

  /** Resolves when everything issued so far is committed or refused, whatever is issued meanwhile. */
  async issued(): Promise<void> {
    // A group that gathers stands behind the one that is being synced, and those between.
    await (this.gathering ?? this.aside.at(-1) ?? this.followers.at(-1) ?? this.syncing)?.done.catch(() => {})
  }

  private gather(payloadEnd: number, operationCount: number, outcome: CommitOutcome | undefined): CommitGroup {
    const start = this.log.active.end
    try {
      this.log.endRecord(payloadEnd, operationCount)
    } catch (error) {
      // The record is not what was promised. Nothing was gathered.
      outcome?.refused(error)
      throw error
    }
    this.gathering ??= new CommitGroup(this.log.active, start, this.measuringFrom())
    this.gathering.end = payloadEnd
    if (outcome !== undefined) this.gathering.outcomes.push(outcome)
    return this.gathering
  }

  /** Looking at the clock twice takes 80 ns, a commit alone in its group some 2 us: so one group of so many is measured. */
  private static readonly GROUPS_PER_MEASUREMENT = 16

  private measuringFrom(): number {
    return this.groupCount++ % CommitPipeline.GROUPS_PER_MEASUREMENT === 0 ? performance.now() : 0
  }

  private measureCommit(from: number): void {
    if (from > 0) this.commitLatency.record(performance.now() - from)
  }

  private schedule(): void {
    this.scheduled = true
    if (this.turn.isDue()) setImmediate(this.flushAfterTurn)
    else process.nextTick(this.flushGathered)
  }

  private onTurnEnd(): void {
    this.scheduled = false
    if (this.syncing !== undefined) return
    const group = this.gathering
    if (group === undefined) return
    this.gathering = undefined
    if (!this.write(group)) return
    group.delayMs = this.admission.charge(group.end - group.start)
    if (group.sync || this.target.promised !== undefined) this.syncThenSettle(group, [])
    else {
      try {
        this.settle(group)
      } catch {
        // Its writers know.
      }
    }
  }

  private write(group: CommitGroup): boolean {
    try {
      this.writePending()
      return true
    } catch (error) {
      group.reject(error)
      return false
    }
  }

  private writePending(): void {
    this.requireLock()
    try {
      this.log.writePending()
    } catch (error) {
      throw this.heeded(error)
    }
  }

  /**
   * Asked before anything is written and again before it is acknowledged: in between this process may have been stopped for so long
   * that another one has the store, and has not seen it.
   */
  private requireLock(): void {
    try {
      this.target.checkLock()
    } catch (error) {
      this.log.dropPending()
      throw this.heeded(error)
    }
  }

  /** Most errors refuse the group that they befall alone; one that says that the disk is not to be trusted ends all writing. */
  private heeded(error: unknown): unknown {
    if (endsWriting(error)) this.fail(error)
    return error
  }

  private fail(error: SiltstoneError): void {
    this.refuse(error)
    if (this.failure !== undefined) return
    this.failure = error
    this.target.fail(error)
  }

  private syncThenSettle(group: CommitGroup, followers: CommitGroup[]): void {
    this.syncing = group
    this.followers = followers
    this.reachDisk(group.sync || followers.some(({ sync }) => sync)).then(
      () => {
        // A sync on this thread may have failed meanwhile.
        if (this.syncing === group) this.onSynced(group)
      },
      // Even if a drain has synced the group meanwhile: the kernel tells of an error once, to whoever asks first.
      (error) => this.failSync(error),
    )
  }

  private async reachDisk(isSyncWanted: boolean): Promise<void> {
    const { promised } = this.target
    // Its failure is heard of below, or by the sync's.
    promised?.catch(() => {})
    if (isSyncWanted) {
      const startedAt = performance.now()
      await this.log.sync()
      this.syncLatency.record(performance.now() - startedAt)
    }
    await promised
  }

  private onSynced(group: CommitGroup): void {
    const { held, followers, aside } = this
    try {
      this.requireLock()
      this.showAll([group, ...followers])
    } catch (error) {
      this.refuseAll(error)
      return
    }
    this.syncing = undefined
    this.held = []
    this.followers = []
    this.aside = []
    for (const each of [group, ...followers, ...held]) this.acknowledge(each)
    // Those that a drain has shown meanwhile are among the held.
    const [next, ...rest] = aside.filter((each) => !each.isVisible)
    if (next !== undefined) this.syncThenSettle(next, rest)
    else if (this.gathering !== undefined && !this.scheduled) this.onTurnEnd()
  }

  /** Makes everything that was issued visible, on this thread. Throws what the last group failed with, if `mustSucceed`. */
  drain(mustSucceed: boolean): void {
    const { syncing } = this
    const unseen = this.unseen()
    if (unseen.length > 0) {
      if (unseen.some(({ sync }) => sync) && !this.syncHere()) throw this.failure!
      if (!this.promisesKept()) throw this.failure!
      this.showAll(unseen)
      this.held.push(...this.aside)
      this.aside = []
    }
    const group = this.gathering
    if (group === undefined) return
    try {
      this.writePending()
    } catch (error) {
      this.gathering = undefined
      group.reject(error)
      if (mustSucceed) throw error
      return
    }
    if (group.sync && !this.syncHere()) throw this.failure!
    if (!this.promisesKept()) throw this.failure!
    this.gathering = undefined
    this.showAll([group])
    // The sync that is on its way may be the one that is told of an error.
    if (group.sync && syncing !== undefined) this.held.push(group)
    else this.acknowledge(group)
  }

  private promisesKept(): boolean {
    if (this.target.promised === undefined || this.target.keepPromises()) return true
    this.failSync(this.refusal)
    return false
  }

  private syncHere(): boolean {
    const startedAt = performance.now()
    try {
      this.log.syncSync()
      this.syncLatency.record(performance.now() - startedAt)
      return true
    } catch (error) {
      this.failSync(error)
      return false
    }
  }

  /**
   * What the disk could not promise is not retried: after a failed fsync the kernel forgets which pages were dirty. Every group that was
   * not acknowledged is refused, whichever sync it was that failed.
   */
  private failSync(cause: unknown): void {
    const error = endsWriting(cause)
      ? cause
      : new SiltstoneError(
          'SILT_FAILED',
          'The disk failed to sync the commit log, so it is not known what of it is safe. Reading goes on; close the store, check the disk and open it again to write',
          { cause, file: this.log.active.path },
        )
    const unseen = this.unseen()[0] ?? this.gathering
    this.fail(error)
    // What is visible stays; what never became visible must not come back with the next opening, unless that is somebody else's by now.
    if (unseen !== undefined && error.code !== 'SILT_FENCED') this.cutBack(unseen)
    this.refuseAll(error)
  }

  /** Every group that was not acknowledged, the last one first. */
  private refuseAll(error: unknown): void {
    const { syncing, followers, aside, held, gathering } = this
    this.syncing = undefined
    this.followers = []
    this.aside = []
    this.held = []
    this.gathering = undefined
    gathering?.reject(error)
    for (const each of aside.reverse()) each.reject(error)
    for (const each of held.reverse()) each.reject(error)
    for (const each of followers.reverse()) each.reject(error)
    syncing?.reject(error)
  }

  private cutBack({ segment, start }: CommitGroup): void {
    try {
      if (start < segment.written) this.log.cutBackTo(segment, start)
      else this.log.dropPending()
    } catch {
      // The file keeps bytes that were refused; the error already says that the disk is not to be trusted.
    }
  }

  /** Throws what the group was refused with, if it was. */
  private settle(group: CommitGroup): void {
    this.show(group)
    this.acknowledge(group)
  }

  /** Throws what they were refused with, if they were, and everything behind them too. */
  private showAll(groups: readonly CommitGroup[]): void {
    let wasAhead = false
    try {
      for (const group of groups) {
        if (group.isVisible) continue
        wasAhead ||= group.isApplied
        this.show(group)
      }
    } catch (error) {
      this.refuseAll(error)
      throw error
    }
    if (wasAhead) this.target.caughtUp(this.visible)
  }

  private show(group: CommitGroup): void {
    try {
      this.requireLock()
    } catch (error) {
      group.reject(error)
      throw error
    }
    const { segment, start, end } = group
    if (!group.isApplied) this.target.apply(segment, start, end, false)
    this.publish(segment, start, end)
    this.measureCommit(group.measuredFrom)
    group.commit()
  }

  private acknowledge(group: CommitGroup): void {
    if (this.target.isFull) this.stall(group)
    else if (group.delayMs === 0) group.acknowledge()
    else this.delay(group)
  }

  /** Who waits for its writes writes no more until a flush has made room; the write itself is as safe as any. */
  private stall(group: CommitGroup): void {
    if (this.stalled.push(group) === 1) void this.target.room().then(() => this.releaseStalled())
  }

  private releaseStalled(): void {
    const { stalled } = this
    this.stalled = []
    for (const group of stalled) group.acknowledge()
  }

  private delay(group: CommitGroup): void {
    if (this.delayed.push(group) === 1) this.admission.after(group.delayMs, this.acknowledgeDelayed)
  }

  private releaseDelayed(): void {
    const { delayed } = this
    this.delayed = []
    for (const group of delayed) group.acknowledge()
  }

  private publish(segment: Segment, start: number, end: number): void {
    this.visible = segment.base + end
    if (this.listeners.count > 0) this.listeners.call(segment, start, end)
  }
}
