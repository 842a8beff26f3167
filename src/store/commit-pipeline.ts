import { endsWriting, SiltstoneError } from '../bytes/errors.js'
import { Latency } from '../bytes/latency.js'
import type { Position } from '../bytes/units.js'
import type { CommitLog } from '../log/commit-log.js'
import type { Segment } from '../log/segment.js'
import type { Admission } from './admission.js'
import type { Listeners } from './listeners.js'
import type { Turn } from './turn.js'

/** What the pipeline needs of the store around it. */
export interface CommitTarget {
  /** Indexes the records between two offsets of the active segment. */
  apply(start: number, end: number): void
  /** Sees to it that a record with this much payload fits, in a new segment if need be. */
  makeRoom(payloadBytes: number): void
  /** Throws where the store may not be written to any more, because somebody else has it. */
  checkLock(): void
  /** The disk broke a promise (a failed fsync), or somebody else has the store: nothing may be acknowledged any more. */
  fail(error: unknown): void
}

/** Records that have become visible: those between two offsets of a segment. */
export type CommitListeners = Listeners<[segment: Segment, start: number, end: number]>

/** Hears how its commit ended, in the moment in which that is settled and before anything else can be issued. */
export interface CommitOutcome {
  /** The commit is visible. */
  committed(): void
  /** Nothing of it ever will be. Of several commits that are refused together the last one issued hears of it first. */
  refused(error: unknown): void
}

/** Writes that share one `writeSync`, one fdatasync if anyone asked for it, and one promise. */
class Group {
  /** Where its records begin in the active segment. */
  readonly start: number
  end = 0
  sync = false
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

  constructor(start: number, measuredFrom: number) {
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
    if (!this.isVisible) for (const outcome of this.outcomes.toReversed()) outcome.refused(error)
    this.fail(error)
  }
}

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
  private gathering: Group | undefined
  /**
   * Written, waiting for the disk: set for as long as its sync is on its way, though a drain may have made it visible meanwhile. So there
   * is one sync at a time off this thread, and whatever its error says is known before anything behind it is written.
   */
  private syncing: Group | undefined
  /** Synced on this thread while that one was on its way: they are acknowledged with it. */
  private held: Group[] = []
  /** Visible, and to be heard of later. */
  private delayed: Group[] = []
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

  /** Admits a write of at most `payloadBytes` and returns the offset in `bytes` at which its operations go. */
  begin(payloadBytes: number): number {
    if (this.refusal !== undefined) throw this.refusal
    if (!this.log.fits(payloadBytes)) this.makeRoom(payloadBytes)
    return this.log.beginRecord(payloadBytes)
  }

  /** Whether a write of that size is admitted as things are: without room being made, which may refuse what was issued before. */
  fits(payloadBytes: number): boolean {
    return this.log.fits(payloadBytes)
  }

  /** Sees to it that a write of that size fits. */
  makeRoom(payloadBytes: number): void {
    this.drain(false)
    try {
      this.target.makeRoom(payloadBytes)
    } catch (error) {
      throw this.heeded(error)
    }
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
    if (this.gathering === undefined && this.syncing === undefined && !sync && outcome === undefined) {
      // One put after the other on this thread: no group, no promise.
      const start = this.log.active.end
      const measuredFrom = this.measuringFrom()
      this.log.endRecord(payloadEnd, operationCount)
      this.writePending()
      this.requireLock()
      this.publish(start, payloadEnd)
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
    while (this.gathering !== undefined || this.syncing !== undefined) {
      await (this.syncing ?? this.gathering)!.done.catch(() => {})
    }
    this.releaseDelayed()
  }

  /** Resolves when everything issued so far is committed or refused, whatever is issued meanwhile. */
  async issued(): Promise<void> {
    // A group that gathers stands behind the one that is being synced.
    await (this.gathering ?? this.syncing)?.done.catch(() => {})
  }

  private gather(payloadEnd: number, operationCount: number, outcome: CommitOutcome | undefined): Group {
    const start = this.log.active.end
    try {
      this.log.endRecord(payloadEnd, operationCount)
    } catch (error) {
      // The record is not what was promised. Nothing was gathered.
      outcome?.refused(error)
      throw error
    }
    this.gathering ??= new Group(start, this.measuringFrom())
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
    if (group.sync) this.syncThenSettle(group)
    else {
      try {
        this.settle(group)
      } catch {
        // Its writers know.
      }
    }
  }

  private write(group: Group): boolean {
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

  private syncThenSettle(group: Group): void {
    this.syncing = group
    const startedAt = performance.now()
    this.log.sync().then(
      () => {
        this.syncLatency.record(performance.now() - startedAt)
        // A sync on this thread may have failed meanwhile.
        if (this.syncing === group) this.onSynced(group)
      },
      // Even if a drain has synced the group meanwhile: the kernel tells of an error once, to whoever asks first.
      (error) => this.failSync(error),
    )
  }

  private onSynced(group: Group): void {
    this.syncing = undefined
    const { held } = this
    this.held = []
    try {
      this.requireLock()
    } catch (error) {
      for (const each of held.reverse()) each.reject(error)
      group.reject(error)
      if (this.gathering !== undefined && !this.scheduled) this.onTurnEnd()
      return
    }
    if (!group.isVisible) this.show(group)
    this.acknowledge(group)
    for (const each of held) this.acknowledge(each)
    if (this.gathering !== undefined && !this.scheduled) this.onTurnEnd()
  }

  /** Makes everything that was issued visible, on this thread. Throws what the last group failed with, if `mustSucceed`. */
  drain(mustSucceed: boolean): void {
    const { syncing } = this
    if (syncing !== undefined && !syncing.isVisible) {
      if (!this.syncHere()) throw this.failure!
      try {
        this.show(syncing)
      } catch (error) {
        this.syncing = undefined
        throw error
      }
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
    this.gathering = undefined
    this.show(group)
    // The sync that is on its way may be the one that is told of an error.
    if (group.sync && syncing !== undefined) this.held.push(group)
    else this.acknowledge(group)
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
    const error = new SiltstoneError(
      'SILT_FAILED',
      'The disk failed to sync the commit log, so it is not known what of it is safe. Reading goes on; close the store, check the disk and open it again to write',
      { cause, file: this.log.active.path },
    )
    const { syncing, held, gathering } = this
    this.syncing = undefined
    this.held = []
    this.gathering = undefined
    this.fail(error)
    // What is visible stays; what never became visible must not come back with the next opening.
    const unseen = syncing?.isVisible === false ? syncing : gathering
    if (unseen !== undefined) this.cutBack(unseen.start)
    gathering?.reject(error)
    for (const each of held.reverse()) each.reject(error)
    syncing?.reject(error)
  }

  private cutBack(offset: number): void {
    try {
      if (offset < this.log.active.written) this.log.cutBackTo(offset)
      else this.log.dropPending()
    } catch {
      // The file keeps bytes that were refused; the error already says that the disk is not to be trusted.
    }
  }

  /** Throws what the group was refused with, if it was. */
  private settle(group: Group): void {
    this.show(group)
    this.acknowledge(group)
  }

  private show(group: Group): void {
    try {
      this.requireLock()
    } catch (error) {
      group.reject(error)
      throw error
    }
    this.publish(group.start, group.end)
    this.measureCommit(group.measuredFrom)
    group.commit()
  }

  private acknowledge(group: Group): void {
    if (group.delayMs === 0) group.acknowledge()
    else this.delay(group)
  }

  private delay(group: Group): void {
    if (this.delayed.push(group) === 1) this.admission.after(group.delayMs, this.acknowledgeDelayed)
  }

  private releaseDelayed(): void {
    const { delayed } = this
    this.delayed = []
    for (const group of delayed) group.acknowledge()
  }

  private publish(start: number, end: number): void {
    const { active } = this.log
    this.target.apply(start, end)
    this.visible = active.base + end
    if (this.listeners.count > 0) this.listeners.call(active, start, end)
  }
}
