import type { Clock } from '../bytes/clock.js'
import type { Position } from '../bytes/units.js'
import type { DescriptorReserve } from '../fs/descriptors.js'
import type { FileSystem } from '../fs/file-system.js'
import { type CommitLog, createSegment } from '../log/commit-log.js'
import { LOG_HEADER_BYTES, type LogHeaderPlan } from '../log/log-header.js'
import { RECORD_HEADER_BYTES } from '../log/record.js'
import type { Segment } from '../log/segment.js'
import type { Memtable } from '../memtable/memtable.js'
import { segmentName } from '../tree/file-names.js'
import type { Forest } from '../tree/forest.js'
import type { Admission } from './admission.js'
import type { CommitPipeline } from './commit-pipeline.js'
import { keepAlive } from './keep-alive.js'
import type { RetainedLog } from './retained-log.js'
import type { TreeState } from './tree-state.js'

/** A sealed segment and the memtables that read from it. */
interface SealedSegment {
  readonly segment: Segment
  readonly memtables: {
    readonly state: TreeState
    readonly memtable: Memtable
    /**
     * What the tree did not need when the segment was sealed. What moved the trim point stands in this segment or before it, so
     * it is as safe as the flush that leaves out what lies below: a later one may be lost with the power, and what it
     * acknowledged has to be there then.
     */
    readonly trimmedBefore: Uint8Array | undefined
  }[]
  /** Whether the forest was asked to turn it into tables. */
  isQueued: boolean
  /** Whether it ends with what is not visible yet: nothing of that is to get into a table, for it may still be refused. */
  isAhead: boolean
}

// Memory for that many full segments besides the active one. Pacing is to keep writers from ever getting here.
const SEALED_STOP = 4
const SEALED_SLOW = 2
// Writers that do not wait for their promises are not stopped by that; where flushes fail they are refused.
const SEALED_MOST = 2 * SEALED_STOP
// Shared memory that was let go of is freed late, when the collectors of both threads have run: without these, a load of
// 10 million entries had 1.9 GiB of it.
const SPARE_SEGMENTS = 2

/** What the segments of a log need of the store around them. */
export interface SegmentSurroundings {
  readonly fs: FileSystem
  readonly directory: string
  readonly clock: Clock
  readonly writeBufferBytes: number
  readonly admission: Admission
  readonly forest: Forest
  readonly retained: RetainedLog
  readonly reserve: DescriptorReserve | undefined
  /** Throws where the store may not be written to any more. */
  verifyLock(): void
}

/**
 * The segments of the commit log that are not in tables yet, and the way there: the active one fills and is sealed with the memtables
 * that read from it, the forest makes tables of them, and with those the segment goes.
 */
export class LogSegments {
  private readonly store: SegmentSurroundings
  /** Oldest first. */
  private sealed: SealedSegment[] = []
  /** Trees that the active segment has written to. */
  private touched: TreeState[] = []
  /** Memory of segments that nobody reads any more. */
  private readonly spares: Uint8Array[] = []
  /** `undefined` where the store is only read. */
  private logInUse: CommitLog | undefined
  /** Where this session began to write. */
  private firstPosition: Position = 0
  /** An edit of the manifest that is on its way, without which nothing that is written now counts. */
  promised: Promise<void> | undefined

  constructor(store: SegmentSurroundings) {
    this.store = store
  }

  get log(): CommitLog | undefined {
    return this.logInUse
  }

  /** Makes them segments that are written to. */
  startWriting(log: CommitLog): void {
    this.logInUse = log
    this.firstPosition = log.end
  }

  /** A reader takes over what another one, opened later on the same files, has sealed. */
  adopt(other: LogSegments): void {
    this.sealed = other.sealed
  }

  /** The active segment has written to a tree for the first time. */
  touch(state: TreeState): void {
    this.touched.push(state)
  }

  /** Sees to it that a record of that size fits into the active segment. Requires: writing. */
  makeRoom(payloadBytes: number, mayWait: boolean, leave: () => Position): void {
    const log = this.logInUse!
    if (log.isResting) this.wake(log, mayWait)
    if (!log.fits(payloadBytes)) this.rotate(log, payloadBytes, mayWait, leave)
  }

  /** The first write of a session: from now on an end that is not a clean close is a crash, and positions are reserved for that. */
  private wake(log: CommitLog, mayWait: boolean): void {
    this.lease(log.active.base + log.active.bytes.length, mayWait)
    log.wake()
  }

  /** Sees to it that no later session uses a position below `upTo` again, once what stands there is visible. */
  private lease(upTo: Position, mayWait: boolean): void {
    const promised = this.store.forest.leasePositions(upTo, mayWait)
    // Edits reach the disk in their order, so the last one is waited for.
    this.promised = promised ?? this.promised
    const kept = (): void => {
      if (this.promised === promised) this.promised = undefined
    }
    promised?.then(kept, () => {})
  }

  /** Says that there are going to be writes, and resolves when that is on disk. */
  async wakeInPool(): Promise<void> {
    const log = this.logInUse!
    if (log.isResting) this.wake(log, false)
    await this.promised
  }

  /** Brings what was promised to the disk on this thread; false where that failed. */
  keepPromises(): boolean {
    if (!this.store.forest.settleManifest()) return false
    this.promised = undefined
    return true
  }

  private rotate(log: CommitLog, payloadBytes: number, mayWait: boolean, leave: () => Position): void {
    const { store } = this
    if (this.sealed.length >= SEALED_STOP) {
      if (mayWait) this.waitForFlush()
      else this.checkFlushes()
    }
    store.verifyLock()
    const number = store.forest.nextFileNumber()
    const base = log.end
    const capacity = Math.max(store.writeBufferBytes, LOG_HEADER_BYTES + RECORD_HEADER_BYTES + payloadBytes)
    this.lease(base + capacity, mayWait)
    const header: LogHeaderPlan = {
      magic: 'SILTLOG\n',
      number,
      base,
      previousEnd: base,
      capacity,
      lastEdit: store.forest.lastEdit,
      createdAt: store.clock.now(),
      storeId: store.forest.storeId,
    }
    const memory = capacity === store.writeBufferBytes ? this.spares.pop() : undefined
    const next = createSegment(store.fs, `${store.directory}/${segmentName(number)}`, header, memory)
    const sealed = log.rotate(next)
    const visible = leave()
    this.seal(sealed, sealed.endPosition > visible)
    this.flushSealed()
    store.retained.trim()
    store.forest.leaseAhead(base + capacity * 2)
  }

  /** Where flushes fail again and again, memory is not filled with what they ought to have taken. */
  private checkFlushes(): void {
    const { forest } = this.store
    const failure = forest.flushFailure
    if (failure === undefined) return
    forest.retryFlush()
    if (this.sealed.length >= SEALED_MOST) throw failure
  }

  /** Writers that wait for their promises are ahead of the flushes. */
  get isFull(): boolean {
    return this.sealed.length >= SEALED_STOP
  }

  /** Resolves when they are not any more, or where waiting does not help. */
  async room(): Promise<void> {
    const startedAt = performance.now()
    await keepAlive(this.flushesCaughtUp())
    this.store.admission.countStop('flush is behind', performance.now() - startedAt)
  }

  private async flushesCaughtUp(): Promise<void> {
    const { forest } = this.store
    while (this.isFull && forest.isFlushing) await forest.change()
  }

  /** What ends a segment is visible: it may be flushed. */
  caughtUp(visible: Position): void {
    for (const sealed of this.sealed) if (sealed.segment.endPosition <= visible) sealed.isAhead = false
    this.flushSealed()
  }

  /** A writer on this thread is ahead of the flushes: it waits for one. */
  private waitForFlush(): void {
    const startedAt = performance.now()
    while (this.sealed.length >= SEALED_STOP) this.store.forest.waitSync()
    this.store.admission.countStop('flush is behind', performance.now() - startedAt)
  }

  /** Nothing more is added to what this segment holds. */
  seal(segment: Segment, isAhead = false): void {
    const memtables = this.touched.map((state) => ({
      state,
      memtable: state.seal()!,
      trimmedBefore: state.trimmedBefore,
    }))
    this.touched = []
    this.sealed.push({ segment, memtables, isQueued: false, isAhead })
    this.updateAdmission()
  }

  /** Hands every sealed segment to the forest. Requires: writing. */
  flushSealed(): void {
    const log = this.logInUse!
    const { forest, retained } = this.store
    for (const [i, sealed] of this.sealed.entries()) {
      if (sealed.isQueued) continue
      if (sealed.isAhead) return
      sealed.isQueued = true
      const following = this.sealed[i + 1]?.segment ?? log.active
      forest
        .flush({
          segment: sealed.segment.number,
          images: sealed.memtables.map(({ memtable }) => memtable.image()),
          trims: sealed.memtables.map(({ trimmedBefore }) => trimmedBefore),
          nextSegment: following.number,
          // What follows it says where the kept part ends, so its header counts as well.
          keptLogs: retained.isWanted ? [sealed.segment.path, following.path] : [],
          onInstalled: () => this.onFlushed(sealed, following),
        })
        // Never in this session: the log keeps it for the next one.
        .catch(() => {})
    }
  }

  /** The tables are visible from now on, so the memtables go in the same moment. */
  private onFlushed(sealed: SealedSegment, following: Segment): void {
    for (const { state, memtable, trimmedBefore } of sealed.memtables) {
      state.drop(memtable)
      if (trimmedBefore !== undefined) state.tree!.trim(trimmedBefore)
    }
    const { bytes } = sealed.segment
    const isFree = sealed.memtables.every(({ memtable }) => memtable.holders === 0)
    if (isFree && bytes.length === this.store.writeBufferBytes && this.spares.length < SPARE_SEGMENTS) {
      this.spares.push(bytes)
    }
    this.sealed = this.sealed.filter((each) => each !== sealed)
    this.logInUse!.retire(sealed.segment)
    this.store.retained.add(sealed.segment, following)
    this.store.reserve?.fill()
    this.updateAdmission()
  }

  /** Writers are paced by whatever is furthest behind. */
  updateAdmission(): void {
    const { admission, forest } = this.store
    const pressure = forest.pressure()
    const sealedDebt = Math.max(0, this.sealed.length - SEALED_SLOW + 1) / (SEALED_STOP - SEALED_SLOW + 1) + 0.7
    if (this.sealed.length >= SEALED_SLOW && sealedDebt > pressure.debt) {
      admission.update({ debt: sealedDebt, reason: 'flush is behind' })
    } else admission.update(pressure)
  }

  /** Whether anything sealed is on its way to tables. */
  get isFlushing(): boolean {
    return this.sealed.length > 0
  }

  /** Whether anything was written to the active segment. */
  get hasTouched(): boolean {
    return this.touched.length > 0
  }

  /** Seals the active segment if anything was written to it, and has it flushed. Requires: writing. */
  flushTouched(pipeline: CommitPipeline): void {
    if (this.touched.length === 0) return
    const log = this.logInUse!
    pipeline.leaveSegment((leave) => {
      if (log.isResting) this.wake(log, false)
      this.rotate(log, 0, false, leave)
    })
  }

  /** Resolves when what is sealed is in tables. Fails when an attempt does; the flush itself is tried again in the background. */
  async flushesDone(): Promise<void> {
    await keepAlive(Promise.all(this.sealed.map(({ segment }) => this.store.forest.flushed(segment.number))))
  }

  /** Those that the store reads from or writes to, oldest first. */
  all(): Segment[] {
    const sealed = this.sealed.map(({ segment }) => segment)
    return this.logInUse === undefined ? sealed : [...sealed, this.logInUse.active]
  }

  get count(): number {
    return this.sealed.length + (this.logInUse === undefined ? 0 : 1)
  }

  /** Bytes that this session has added to the log. */
  get committedBytes(): number {
    return this.logInUse === undefined ? 0 : this.logInUse.end - this.firstPosition
  }

  /** What they take, and what is kept for the next ones. */
  memoryBytes(): { segments: number; spareSegments: number } {
    let segments = this.logInUse?.active.bytes.length ?? 0
    for (const { segment } of this.sealed) segments += segment.bytes.length
    return { segments, spareSegments: this.spares.reduce((sum, bytes) => sum + bytes.length, 0) }
  }

  /** Closes their files; also where an opening has failed. With `asTheyAre` they are not touched any more. */
  letGo(asTheyAre: boolean): void {
    this.logInUse?.close(asTheyAre)
    for (const { segment } of this.sealed) segment.closeFile()
  }
}
