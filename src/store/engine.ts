import type { Clock } from '../bytes/clock.js'
import type { Found } from '../bytes/cursor.js'
import { publish } from '../bytes/diagnostics.js'
import { assert, ioError, SiltstoneError } from '../bytes/errors.js'
import { getU32 } from '../bytes/integers.js'
import { Latency, type LatencyStats } from '../bytes/latency.js'
import type { Position, TreeId } from '../bytes/units.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import { type CommitLog, createSegment } from '../log/commit-log.js'
import { LOG_HEADER_BYTES, type LogHeader } from '../log/log-header.js'
import {
  KIND_DELETE,
  KIND_TREE,
  operationEnd,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
} from '../log/operation.js'
import { RECORD_HEADER_BYTES, recordCount } from '../log/record.js'
import type { Segment } from '../log/segment.js'
import type { Memtable } from '../memtable/memtable.js'
import type { BlockCache } from '../table/block-cache.js'
import { segmentName } from '../tree/file-names.js'
import type { Forest } from '../tree/forest.js'
import type { KeyRange } from '../tree/key-range.js'
import type { Tree } from '../tree/tree.js'
import type { TreeOptions } from '../tree/tree-options.js'
import { Admission } from './admission.js'
import { type CommitListeners, CommitPipeline } from './commit-pipeline.js'
import { Crawls } from './crawls.js'
import { Generation, Generations } from './generations.js'
import { keepAlive } from './keep-alive.js'
import { Listeners } from './listeners.js'
import type { Pins } from './pins.js'
import type { RetainedLog } from './retained-log.js'
import { getText } from './text.js'
import { TreeState } from './tree-state.js'
import { Turn } from './turn.js'

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
}

// Memory for that many full segments besides the active one. Pacing is to keep writers from ever getting here.
const SEALED_STOP = 4
const SEALED_SLOW = 2
// Shared memory that was let go of is freed late, when the collectors of both threads have run: without these, a load of
// 10 million entries had 1.9 GiB of it.
const SPARE_SEGMENTS = 2

export interface EngineParts {
  readonly fs: FileSystem
  readonly directory: string
  readonly clock: Clock
  readonly writeBufferBytes: number
  readonly forest: Forest
  readonly cache: BlockCache
  readonly pins: Pins
  readonly lock: FileLock | undefined
  /** What is kept of the log beyond what recovery needs; recovery fills it. */
  readonly retained: RetainedLog
}

/**
 * The store below keys and values of the user's own: trees, the log they share, and what of it is visible.
 *
 * A write goes from `pipeline.begin` to `apply`; a read goes from memtables to tables in `lookup`, and in `Walk` for scans.
 */
export class Engine {
  readonly fs: FileSystem
  readonly directory: string
  readonly clock: Clock
  readonly pins: Pins
  readonly turn = new Turn()
  /** Open scans and snapshots; `close` ends them. */
  readonly scans = new Set<{ close(): void }>()
  readonly crawls = new Crawls(
    () => this.clock.now(),
    () => this.flushIfIdle(),
  )
  /**
   * Called when commits have become visible, before their writers hear of it. Requires of a listener: it neither throws nor writes,
   * and copies what it keeps of the segment, whose memory is used again after a flush.
   */
  readonly commits: CommitListeners = new Listeners()
  /** Called when what there is to read has changed in another way than by commits: `refresh` has moved a reader on, or `close` is done. */
  readonly shifts = new Listeners<[]>()
  readonly admission: Admission
  readonly writeBufferBytes: number
  private readonly lock: FileLock | undefined
  private forestInUse: Forest
  private cacheInUse: BlockCache
  private retainedInUse: RetainedLog
  /** Of a reader that was refreshed: what is still read as it was before. */
  private earlier: Generations | undefined
  private states: TreeState[] = []
  private readonly byName = new Map<string, TreeState>()
  /** Trees that the active segment has written to. */
  private touched: TreeState[] = []
  /** Memory of segments that nobody reads any more. */
  private readonly spareSegments: Uint8Array[] = []
  /** Oldest first. */
  private sealedSegments: SealedSegment[] = []
  private logInUse: CommitLog | undefined
  private pipelineInUse: CommitPipeline | undefined
  /** Where this session began to write. */
  private firstPosition: Position = 0
  /** What a store opened read-only sees. */
  private fixedPosition: Position = 0
  /** Why nothing can be read any more; set by `close`. */
  private closedWith: SiltstoneError | undefined
  private ended = false

  constructor(parts: EngineParts) {
    this.fs = parts.fs
    this.directory = parts.directory
    this.clock = parts.clock
    this.writeBufferBytes = parts.writeBufferBytes
    this.forestInUse = parts.forest
    this.cacheInUse = parts.cache
    this.retainedInUse = parts.retained
    this.pins = parts.pins
    this.lock = parts.lock
    this.admission = new Admission(parts.clock, parts.directory, () => this.forest.installEnded())
    for (const tree of parts.forest.trees.values()) this.learn(new TreeState(tree.id, tree.name, tree.options, tree))
  }

  get forest(): Forest {
    return this.forestInUse
  }

  get cache(): BlockCache {
    return this.cacheInUse
  }

  /** The log before the first segment that recovery needs. */
  get retained(): RetainedLog {
    return this.retainedInUse
  }

  /** What came before this position is not in the log any more. */
  get oldestPosition(): Position {
    const oldest = this.retained.segments[0] ?? this.segments[0]
    return oldest?.header.previousEnd ?? this.visible
  }

  // Trees.

  private learn(state: TreeState): TreeState {
    this.states[state.id] = state
    this.byName.set(state.name, state)
    return state
  }

  /** The tree of that name; one that is not there comes into being with its first write. */
  tree(name: string, options: TreeOptions): TreeState {
    return this.byName.get(name) ?? this.learn(new TreeState(this.states.length, name, options))
  }

  findTree(name: string): TreeState | undefined {
    return this.byName.get(name)
  }

  /** The tree that an operation of the log names; none where a damaged store was repaired without it. */
  treeOf(id: TreeId): TreeState | undefined {
    return this.states[id]
  }

  /** All trees that have ever been written to. */
  trees(): TreeState[] {
    return this.states.filter((state) => state?.tree !== undefined)
  }

  // Writing.

  get pipeline(): CommitPipeline {
    this.checkOpen()
    if (this.pipelineInUse === undefined) throw readOnlyError()
    return this.pipelineInUse
  }

  /** Throws why nothing can be written, if nothing can. */
  checkWritable(): void {
    this.pipeline.checkUsable()
  }

  /** Calls back with every range of records that becomes visible, see `commits`; returns what ends that. */
  onCommit(listener: (segment: Segment, start: number, end: number) => void): () => void {
    return this.commits.add(listener)
  }

  /** Waits by the store's clock; the process stays for it. */
  pause(ms: number): Promise<void> {
    if (ms === 0) return this.turn.alone()
    return keepAlive(new Promise((resolve) => this.clock.after(ms, resolve)))
  }

  /** Everything before this position is visible. */
  get visible(): Position {
    return this.pipelineInUse?.visible ?? this.fixedPosition
  }

  get log(): CommitLog | undefined {
    return this.logInUse
  }

  /** Makes the engine one that writes. */
  startWriting(log: CommitLog): void {
    this.logInUse = log
    this.firstPosition = log.end
    this.pipelineInUse = new CommitPipeline(
      log,
      {
        apply: (start, end) => this.apply(log.active, start, end),
        makeRoom: (payloadBytes) => this.makeRoom(log, payloadBytes),
        fail: (error) => this.refuseWrites(error),
      },
      this.admission,
      this.turn,
      this.commits,
    )
  }

  /** Makes the engine one that only reads, up to a position. */
  fixAt(position: Position): void {
    this.fixedPosition = position
  }

  /** A reader takes over what another one, opened later on the same files, sees. Handles, snapshots and scans stay good. */
  async adopt(other: Engine): Promise<void> {
    if (other.fixedPosition === this.fixedPosition && other.forest.lastEdit === this.forest.lastEdit) {
      this.retainedInUse = other.retainedInUse
      await other.forest.close()
      return
    }
    this.earlier ??= new Generations()
    this.earlier.add(new Generation(this.fixedPosition, this.forestInUse, this.states))
    this.forestInUse = other.forestInUse
    this.cacheInUse = other.cacheInUse
    this.retainedInUse = other.retainedInUse
    this.fixedPosition = other.fixedPosition
    this.sealedSegments = other.sealedSegments
    const provisional = this.states.filter((state) => other.findTree(state.name) === undefined)
    this.states = []
    for (const theirs of other.states) {
      if (theirs !== undefined) this.learn(this.byName.get(theirs.name) ?? theirs).follow(theirs)
    }
    for (const state of provisional) {
      state.id = this.states.length
      this.learn(state)
    }
    this.shifts.call()
    await this.earlier.closeUnread(this.pins)
  }

  /** The tree as a read at the position sees it: as it is, but for one that began before a reader was refreshed. */
  stateAt(state: TreeState, position: Position): TreeState {
    if (this.earlier === undefined || position === this.fixedPosition) return state
    return this.earlier.stateAt(state, position)
  }

  /** The disk broke a promise. Reading goes on. */
  refuseWrites(cause: unknown): void {
    const error =
      cause instanceof SiltstoneError && cause.code === 'SILT_FAILED'
        ? cause
        : new SiltstoneError(
            'SILT_FAILED',
            'The disk failed to keep what the store relies on, so nothing more is written. Reading goes on; close the store, check the disk and open it again',
            { cause },
          )
    publish('siltstone:error', () => ({ directory: this.directory, error, during: 'keeping what was written' }))
    this.pipelineInUse?.refuse(error)
  }

  /** Indexes the records between two offsets of a segment, in the order in which they were committed. */
  apply(segment: Segment, start: number, end: number): void {
    const { bytes, base } = segment
    const newestPin = this.pins.newest
    for (let record = start; record < end; record += getU32(bytes, record + 4)) {
      let operation = record + RECORD_HEADER_BYTES
      for (let left = recordCount(bytes, record); left > 0; left--) {
        const id = operationTree(bytes, operation)
        if (operationKind(bytes, operation) === KIND_TREE) this.registerTree(bytes, operation, id)
        else {
          const state = this.states[id]!
          if (state.active === undefined) this.touched.push(state)
          state.memtable(base, bytes).add(operation, newestPin)
        }
        operation = operationEnd(bytes, operation)
      }
    }
  }

  private registerTree(bytes: Uint8Array, operation: number, id: number): void {
    const keyStart = operationKeyStart(bytes, operation)
    const keyEnd = keyStart + operationKeyLength(bytes, operation)
    const name = getText(bytes, keyStart, keyEnd)
    const options = JSON.parse(getText(bytes, keyEnd, keyEnd + operationValueLength(bytes, operation))) as TreeOptions
    const state = this.states[id] ?? this.learn(new TreeState(id, name, options))
    // Every write of the turn that created a tree says so; the first one counts.
    state.tree ??= this.forest.createTree({ id, name, options })
  }

  private makeRoom(log: CommitLog, payloadBytes: number): void {
    if (log.isResting) this.wake(log)
    if (!log.fits(payloadBytes)) this.rotate(log, payloadBytes)
  }

  /** The first write of a session: from now on an end that is not a clean close is a crash, and positions are reserved for that. */
  private wake(log: CommitLog): void {
    this.forest.leasePositions(log.active.base + log.active.bytes.length)
    log.wake()
  }

  private rotate(log: CommitLog, payloadBytes: number): void {
    if (this.sealedSegments.length >= SEALED_STOP) this.waitForFlush()
    const number = this.forest.nextFileNumber()
    const base = log.end
    const capacity = Math.max(this.writeBufferBytes, LOG_HEADER_BYTES + RECORD_HEADER_BYTES + payloadBytes)
    this.forest.leasePositions(base + capacity)
    const header: LogHeader = {
      magic: 'SILTLOG\n',
      number,
      base,
      previousEnd: base,
      capacity,
      lastEdit: this.forest.lastEdit,
      createdAt: this.clock.now(),
      storeId: this.forest.storeId,
    }
    const memory = capacity === this.writeBufferBytes ? this.spareSegments.pop() : undefined
    const next = createSegment(this.fs, `${this.directory}/${segmentName(number)}`, header, memory)
    const sealed = log.rotate(next)
    this.seal(sealed)
    this.flushSealed()
    this.retained.trim()
  }

  /** A writer on this thread is ahead of the flushes: it waits for one. */
  private waitForFlush(): void {
    const startedAt = performance.now()
    while (this.sealedSegments.length >= SEALED_STOP) this.forest.waitSync()
    this.admission.countStop('flush is behind', performance.now() - startedAt)
  }

  /** Nothing more is added to what this segment holds. */
  seal(segment: Segment): void {
    const memtables = this.touched.map((state) => ({
      state,
      memtable: state.seal()!,
      trimmedBefore: state.trimmedBefore,
    }))
    this.touched = []
    this.sealedSegments.push({ segment, memtables, isQueued: false })
    this.updateAdmission()
  }

  /** Hands every sealed segment to the forest. Requires: writing. */
  flushSealed(): void {
    const log = this.logInUse!
    for (const [i, sealed] of this.sealedSegments.entries()) {
      if (sealed.isQueued) continue
      sealed.isQueued = true
      const following = this.sealedSegments[i + 1]?.segment ?? log.active
      this.forest
        .flush({
          segment: sealed.segment.number,
          images: sealed.memtables.map(({ memtable }) => memtable.image()),
          trims: sealed.memtables.map(({ trimmedBefore }) => trimmedBefore),
          nextSegment: following.number,
          // What follows it says where the kept part ends, so its header counts as well.
          keptLogs: this.retained.isWanted ? [sealed.segment.path, following.path] : [],
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
    if (isFree && bytes.length === this.writeBufferBytes && this.spareSegments.length < SPARE_SEGMENTS) {
      this.spareSegments.push(bytes)
    }
    this.sealedSegments = this.sealedSegments.filter((each) => each !== sealed)
    this.logInUse!.retire(sealed.segment)
    this.retained.add(sealed.segment, following)
    this.updateAdmission()
  }

  /** Writers are paced by whatever is furthest behind. */
  updateAdmission(): void {
    const pressure = this.forest.pressure()
    const sealedDebt = Math.max(0, this.sealedSegments.length - SEALED_SLOW + 1) / (SEALED_STOP - SEALED_SLOW + 1) + 0.7
    if (this.sealedSegments.length >= SEALED_SLOW && sealedDebt > pressure.debt) {
      this.admission.update({ debt: sealedDebt, reason: 'flush is behind' })
    } else this.admission.update(pressure)
  }

  /** Moves the memtables into tables and returns when they are there. */
  async flush(): Promise<void> {
    const { pipeline } = this
    // What is issued meanwhile is not waited for: writers may never pause.
    await pipeline.issued()
    this.sealTouched(pipeline)
    await this.flushesDone()
  }

  /** The same without being asked for: not where a flush is under way, nor where the store is being closed. */
  private async flushIfIdle(): Promise<void> {
    const { pipeline } = this
    await pipeline.issued()
    if (this.sealedSegments.length > 0 || this.closedWith !== undefined) return
    this.sealTouched(pipeline)
    await this.flushesDone()
  }

  private sealTouched(pipeline: CommitPipeline): void {
    if (this.touched.length === 0) return
    const log = this.logInUse!
    pipeline.drain(false)
    if (log.isResting) this.wake(log)
    this.rotate(log, 0)
  }

  /** Fails when an attempt does; the flush itself is tried again in the background. */
  private async flushesDone(): Promise<void> {
    await keepAlive(Promise.all(this.sealedSegments.map(({ segment }) => this.forest.flushed(segment.number))))
  }

  /** Compacts a range of a tree whether it is due or not. */
  async compact(tree: Tree, range: KeyRange, kind: 'minor' | 'major'): Promise<void> {
    await keepAlive(this.forest.compactRange(tree, { range, kind }))
  }

  /** A snapshot was closed: what only it saw may go. */
  onUnpinned(): void {
    if (this.pipelineInUse !== undefined) this.forest.scheduleCompactions()
  }

  /** Resolves when nothing is being flushed or compacted, or ought to be. */
  async idle(): Promise<void> {
    if (this.pipelineInUse === undefined) return
    await this.pipelineInUse.issued()
    await this.flushesDone()
    await keepAlive(this.forest.idle())
  }

  /** Segments of the log that are not in tables yet. */
  get segmentCount(): number {
    return this.sealedSegments.length + (this.logInUse === undefined ? 0 : 1)
  }

  /** Bytes that this session has added to the log. */
  get committedBytes(): number {
    return this.logInUse === undefined ? 0 : this.logInUse.end - this.firstPosition
  }

  writeLatencies(): { commits: LatencyStats; syncs: LatencyStats } {
    const { commitLatency = new Latency(), syncLatency = new Latency() } = this.pipelineInUse ?? {}
    return { commits: commitLatency.stats(), syncs: syncLatency.stats() }
  }

  /** Bytes in memtables, their indexes included. */
  memoryBytes(): { segments: number; spareSegments: number; indexes: number } {
    let indexes = 0
    for (const state of this.states) {
      for (const memtable of state?.active === undefined ? (state?.sealed ?? []) : [state.active, ...state.sealed]) {
        indexes += memtable.index.indexBytes
      }
    }
    let segments = this.logInUse?.active.bytes.length ?? 0
    for (const { segment } of this.sealedSegments) segments += segment.bytes.length
    const spareSegments = this.spareSegments.reduce((sum, bytes) => sum + bytes.length, 0)
    return { segments, spareSegments, indexes }
  }

  /** The segments of the commit log that this store reads from or writes to, oldest first. */
  get segments(): Segment[] {
    const sealed = this.sealedSegments.map(({ segment }) => segment)
    return this.logInUse === undefined ? sealed : [...sealed, this.logInUse.active]
  }

  // Reading.

  get isOpen(): boolean {
    return this.closedWith === undefined
  }

  /** Whether `close` is done: nothing is committed any more, not even what was issued before. */
  get hasEnded(): boolean {
    return this.ended
  }

  /** Why the store cannot be read, if it cannot. */
  checkOpen(): void {
    if (this.closedWith !== undefined) throw this.closedWith
  }

  /**
   * Finds what a reader at `limit` sees of a key: the newest version below it that is neither deleted nor expired.
   *
   * From the newest source to the oldest; a range deletion found on the way hides what is older than itself.
   */
  lookup(state: TreeState, key: Uint8Array, keyEnd: number, limit: Position, found: Found): boolean {
    found.hit = false
    let covered: Position = 0
    if (this.earlier !== undefined) state = this.stateAt(state, limit)
    const { active, sealed } = state
    if (active !== undefined) {
      if (active.rangeTombstones.size > 0) covered = active.rangeTombstones.coveringPosition(key, 0, keyEnd, limit)
      if (active.lookup(key, 0, keyEnd, limit, found)) return this.isSeen(found, covered)
    }
    for (let i = 0; i < sealed.length; i++) {
      const memtable = sealed[i]!
      if (memtable.rangeTombstones.size > 0 && covered === 0) {
        covered = memtable.rangeTombstones.coveringPosition(key, 0, keyEnd, limit)
      }
      if (memtable.lookup(key, 0, keyEnd, limit, found)) return this.isSeen(found, covered)
    }
    // Whatever tables hold is older than a deletion in memory.
    if (covered > 0 || state.tree === undefined) return false
    return state.tree.version.lookup(key, 0, keyEnd, limit, found) && this.isSeen(found, 0)
  }

  private isSeen(found: Found, covered: Position): boolean {
    if (found.kind === KIND_DELETE || found.position < covered) return false
    return found.expiresAt === 0 || found.expiresAt > this.clock.now()
  }

  // The end.

  private slowReads = 0
  private onLastSlowRead: (() => void) | undefined

  /** A read waits for the disk: closing waits for it, because it was asked for before. Pairs with `slowReadEnds`. */
  slowReadBegins(): void {
    this.slowReads++
  }

  slowReadEnds(): void {
    if (--this.slowReads === 0) this.onLastSlowRead?.()
  }

  /** Settles and syncs everything, and lets go of every file, thread and lock. */
  close(): Promise<void> {
    return keepAlive(this.closeAll())
  }

  private async closeAll(): Promise<void> {
    assert(this.closedWith === undefined, 'an engine is closed once')
    const { pipelineInUse: pipeline, logInUse: log } = this
    this.closedWith = new SiltstoneError('SILT_NOT_OPEN', 'The store is closed; open it again to use it')
    const hasFailed = pipeline?.isRefusing ?? false
    pipeline?.refuse(this.closedWith)
    for (const scan of this.scans) scan.close()
    if (this.slowReads > 0) {
      await new Promise<void>((resolve) => {
        this.onLastSlowRead = resolve
      })
    }
    let failure: unknown
    try {
      if (pipeline !== undefined && log !== undefined) {
        await pipeline.settled()
        // A sync that succeeds after one that failed proves nothing: the next opening treats the store like one that crashed.
        if (!hasFailed && log.needsSync) await log.sync()
        await this.forest.close(hasFailed ? undefined : { segment: log.active.number, end: log.end })
      } else await this.forest.close()
    } catch (error) {
      failure = error
      await this.forest.close().catch(() => {})
    }
    await this.earlier?.closeAll()
    this.letGoOfLog()
    try {
      await this.lock?.release()
    } catch (error) {
      failure ??= error
    }
    this.ended = true
    this.shifts.call()
    if (failure !== undefined) throw ioError(failure, 'close', this.directory)
  }

  /** Closes the files of the log; also where an opening has failed. */
  letGoOfLog(): void {
    this.logInUse?.close()
    for (const { segment } of this.sealedSegments) segment.closeFile()
  }
}

function readOnlyError(): SiltstoneError {
  return new SiltstoneError('SILT_READ_ONLY', 'The store was opened with { readOnly: true }; open it without to write')
}
