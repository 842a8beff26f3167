import type { Clock } from '../bytes/clock.js'
import type { Found } from '../bytes/cursor.js'
import { publish } from '../bytes/diagnostics.js'
import { assert, endsWriting, ioError, SiltstoneError } from '../bytes/errors.js'
import { getU32 } from '../bytes/integers.js'
import { Latency, type LatencyStats } from '../bytes/latency.js'
import { getText } from '../bytes/text.js'
import type { Position, TreeId } from '../bytes/units.js'
import type { DescriptorReserve } from '../fs/descriptors.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import type { CommitLog } from '../log/commit-log.js'
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
import type { BlockCache } from '../table/block-cache.js'
import type { Forest } from '../tree/forest.js'
import type { KeyRange } from '../tree/key-range.js'
import type { Tree } from '../tree/tree.js'
import { readTreeOptions, type TreeOptions } from '../tree/tree-options.js'
import { Admission } from './admission.js'
import { type CommitListeners, CommitPipeline } from './commit-pipeline.js'
import { Crawls } from './crawls.js'
import { Generation, Generations } from './generations.js'
import { keepAlive } from './keep-alive.js'
import { Listeners } from './listeners.js'
import { LogSegments } from './log-segments.js'
import type { Pins } from './pins.js'
import type { RetainedLog } from './retained-log.js'
import type { TreeState } from './tree-state.js'
import { TreeStates } from './tree-states.js'
import { Turn } from './turn.js'

export interface EngineParts {
  readonly fs: FileSystem
  readonly directory: string
  readonly clock: Clock
  readonly writeBufferBytes: number
  readonly forest: Forest
  readonly cache: BlockCache
  readonly pins: Pins
  readonly lock: FileLock | undefined
  /** What is left where there is no descriptor any more; a store that is only read can do without. */
  readonly reserve: DescriptorReserve | undefined
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
  readonly reserve: DescriptorReserve | undefined
  private readonly lock: FileLock | undefined
  private forestInUse: Forest
  private cacheInUse: BlockCache
  private retainedInUse: RetainedLog
  /** Of a reader that was refreshed: what is still read as it was before. */
  private earlier: Generations | undefined
  private readonly states: TreeStates
  private readonly logSegments: LogSegments
  private pipelineInUse: CommitPipeline | undefined
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
    this.reserve = parts.reserve
    this.admission = new Admission(parts.clock, parts.directory, () => this.forest.installEnded())
    this.logSegments = new LogSegments(this)
    this.states = new TreeStates(parts.forest.trees.values())
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

  /** The tree of that name; one that is not there comes into being with its first write. */
  tree(name: string, options: TreeOptions): TreeState {
    return this.states.named(name, options)
  }

  findTree(name: string): TreeState | undefined {
    return this.states.find(name)
  }

  /** The tree that an operation of the log names; none where a damaged store was repaired without it. */
  treeOf(id: TreeId): TreeState | undefined {
    return this.states.of(id)
  }

  /** All trees that have ever been written to. */
  trees(): TreeState[] {
    return this.states.all().filter((state) => state?.tree !== undefined) as TreeState[]
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
    return this.logSegments.log
  }

  /** Makes the engine one that writes. */
  startWriting(log: CommitLog): void {
    const { logSegments: segments } = this
    segments.startWriting(log)
    this.pipelineInUse = new CommitPipeline(
      log,
      {
        apply: (segment, start, end, isAhead) => this.apply(segment, start, end, isAhead),
        makeRoom: (payloadBytes, mayWait, leave) => segments.makeRoom(payloadBytes, mayWait, leave),
        caughtUp: (visible) => segments.caughtUp(visible),
        get promised() {
          return segments.promised
        },
        keepPromises: () => segments.keepPromises(),
        get isFull() {
          return segments.isFull
        },
        room: () => segments.room(),
        checkLock: checkOf(this.lock),
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
    this.earlier.add(new Generation(this.fixedPosition, this.forestInUse, this.states.all()))
    this.forestInUse = other.forestInUse
    this.cacheInUse = other.cacheInUse
    this.retainedInUse = other.retainedInUse
    this.fixedPosition = other.fixedPosition
    this.logSegments.adopt(other.logSegments)
    this.states.adopt(other.states)
    this.shifts.call()
    await this.earlier.closeUnread(this.pins)
  }

  /** The tree as a read at the position sees it: as it is, but for one that began before a reader was refreshed. */
  stateAt(state: TreeState, position: Position): TreeState {
    if (this.earlier === undefined || position === this.fixedPosition) return state
    return this.earlier.stateAt(state, position)
  }

  /** Throws where somebody else has the store. */
  verifyLock(): void {
    this.lock?.verify?.()
  }

  private get isFenced(): boolean {
    try {
      this.verifyLock()
      return false
    } catch (error) {
      return endsWriting(error)
    }
  }

  /** The disk broke a promise, or somebody else has the store. Reading goes on. */
  refuseWrites(cause: unknown): void {
    const error = endsWriting(cause)
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
  apply(segment: Segment, start: number, end: number, isAhead = false): void {
    const { bytes, base } = segment
    // What nobody may see yet hides nothing: older versions stay.
    const newestPin = isAhead ? Number.POSITIVE_INFINITY : this.pins.newest
    for (let record = start; record < end; record += getU32(bytes, record + 4)) {
      let operation = record + RECORD_HEADER_BYTES
      for (let left = recordCount(bytes, record); left > 0; left--) {
        const id = operationTree(bytes, operation)
        if (operationKind(bytes, operation) === KIND_TREE) this.registerTree(bytes, operation, id)
        else {
          const state = this.states.of(id)!
          if (state.active === undefined) this.logSegments.touch(state)
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
    const options = readTreeOptions(bytes, keyEnd, keyEnd + operationValueLength(bytes, operation)) ?? {}
    const state = this.states.numbered(id, name, options)
    // Every write of the turn that created a tree says so; the first one counts.
    state.tree ??= this.forest.createTree({ id, name, options })
  }

  /** Nothing more is added to what this segment holds. */
  seal(segment: Segment): void {
    this.logSegments.seal(segment)
  }

  /** Hands every sealed segment to the forest. Requires: writing. */
  flushSealed(): void {
    this.logSegments.flushSealed()
  }

  /** Paces writers anew, after something has changed that they depend on. */
  updateAdmission(): void {
    this.logSegments.updateAdmission()
  }

  /** Moves the memtables into tables and returns when they are there. */
  async flush(): Promise<void> {
    const { pipeline } = this
    // What is issued meanwhile is not waited for: writers may never pause.
    await pipeline.issued()
    if (this.logSegments.hasTouched) await this.logSegments.wakeInPool()
    this.logSegments.flushTouched(pipeline)
    await pipeline.issued()
    await this.logSegments.flushesDone()
  }

  /** The same without being asked for: not where a flush is under way, nor where the store is being closed. */
  private async flushIfIdle(): Promise<void> {
    const { pipeline } = this
    await pipeline.issued()
    if (this.logSegments.isFlushing || this.closedWith !== undefined) return
    this.logSegments.flushTouched(pipeline)
    await pipeline.issued()
    await this.logSegments.flushesDone()
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
    await this.logSegments.flushesDone()
    await keepAlive(this.forest.idle())
  }

  /** Resolves when everything that was recovered is in tables. */
  recoveredFlushed(): Promise<void> {
    return this.logSegments.flushesDone()
  }

  /** Segments of the log that are not in tables yet. */
  get segmentCount(): number {
    return this.logSegments.count
  }

  /** Bytes that this session has added to the log. */
  get committedBytes(): number {
    return this.logSegments.committedBytes
  }

  writeLatencies(): { commits: LatencyStats; syncs: LatencyStats } {
    const { commitLatency = new Latency(), syncLatency = new Latency() } = this.pipelineInUse ?? {}
    return { commits: commitLatency.stats(), syncs: syncLatency.stats() }
  }

  /** Bytes in memtables, their indexes included. */
  memoryBytes(): { segments: number; spareSegments: number; indexes: number } {
    let indexes = 0
    for (const state of this.states.all()) {
      for (const memtable of state?.active === undefined ? (state?.sealed ?? []) : [state.active, ...state.sealed]) {
        indexes += memtable.indexBytes
      }
    }
    return { ...this.logSegments.memoryBytes(), indexes }
  }

  /** The segments of the commit log that this store reads from or writes to, oldest first. */
  get segments(): Segment[] {
    return this.logSegments.all()
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
    const { pipelineInUse: pipeline, log } = this
    this.closedWith = new SiltstoneError('SILT_NOT_OPEN', 'The store is closed; open it again to use it')
    this.reserve?.release()
    const isFenced = this.isFenced
    const wasRefusing = isFenced || (pipeline?.isRefusing ?? false)
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
        const hasFailed = wasRefusing || pipeline.hasFailed
        // A sync that succeeds after one that failed proves nothing: the next opening treats the store like one that crashed.
        if (!hasFailed && log.needsSync) await log.sync()
        await this.forest.close(hasFailed ? undefined : { segment: log.active.number, end: log.end })
      } else await this.forest.close()
    } catch (error) {
      failure = error
      await this.forest.close().catch(() => {})
    }
    await this.earlier?.closeAll()
    this.letGo(isFenced)
    try {
      await this.lock?.release()
    } catch (error) {
      failure ??= error
    }
    this.ended = true
    this.shifts.call()
    if (failure !== undefined) throw ioError(failure, 'close', this.directory)
  }

  /** Closes the files that are the engine's own; also where an opening has failed. With `asTheyAre` nothing is cut off them. */
  letGo(asTheyAre = false): void {
    this.reserve?.release()
    this.logSegments.letGo(asTheyAre)
  }
}

function checkOf(lock: FileLock | undefined): () => void {
  return lock?.check === undefined ? () => {} : () => lock.check!()
}

function readOnlyError(): SiltstoneError {
  return new SiltstoneError('SILT_READ_ONLY', 'The store was opened with { readOnly: true }; open it without to write')
}
