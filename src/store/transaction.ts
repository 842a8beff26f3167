import { Found } from '../bytes/cursor.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { Position, TreeId } from '../bytes/units.js'
import { KIND_DELETE } from '../log/operation.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import { Rounds } from '../table/rounds.js'
import { type KeyRange, rangesOverlap, successor } from '../tree/key-range.js'
import { isEmptyRange, type RangeOptions, resolveRange } from './bounds.js'
import { keyChangedSince, type PendingJudge, pendingTouches, rangeChangedSince } from './changes-since.js'
import { describe } from './encoding.js'
import type { Engine } from './engine.js'
import type { Keyspace } from './keyspace.js'
import {
  checkSizes,
  clearByteBound,
  deleteByteBound,
  expiryOf,
  putByteBound,
  putClear,
  putDelete,
  putPut,
  putTree,
  treeByteBound,
} from './operations.js'
import { checkNames, checkRangeNames, RANGE_NAMES } from './option-names.js'
import { PrivateSegment } from './private-segment.js'
import { ReadSet } from './read-set.js'
import { Reader } from './reader.js'
import type { ScanExtras } from './scan.js'
import type { TreeState } from './tree-state.js'

/** 'serializable': as if transactions ran one after the other. 'snapshot': only writes to the same keys are kept apart. */
export type Isolation = 'serializable' | 'snapshot'

const found = new Found()
const TTL_NAMES = ['ttl']

/** What the keyspaces of one transaction share: where it reads, what it has read, and what it is going to write. */
export class TransactionState implements PendingJudge {
  readonly engine: Engine
  readonly position: Position
  /**
   * Where it reads. One above its position no version can stand, because a commit begins with the header of its record; so the
   * transaction sees what its position shows, and no snapshot that it is given has just this limit.
   */
  readonly limit: Position
  readonly writes: PrivateSegment
  private readonly reads = new Map<TreeId, { state: TreeState; set: ReadSet }>()
  /** Scans that it has open; they end with it. */
  readonly scans = new Set<{ close(): void }>()
  private readonly tracksReads: boolean
  private open = true

  constructor(engine: Engine, isolation: Isolation) {
    this.engine = engine
    this.position = engine.visible
    this.limit = this.position + 1
    this.tracksReads = isolation === 'serializable'
    this.writes = new PrivateSegment(this.position)
    engine.pins.add(this.position)
    engine.scans.add(this)
  }

  /** One that has only read fits where it began, whatever came since. */
  get hasWrites(): boolean {
    return this.writes.operationCount > 0
  }

  checkOpen(): void {
    this.engine.checkOpen()
    if (!this.open) {
      throw new SiltstoneError(
        'SILT_NOT_OPEN',
        'The transaction is over; what belongs to it must be awaited inside its function',
      )
    }
  }

  readSet(state: TreeState): ReadSet | undefined {
    if (!this.tracksReads) return undefined
    let reads = this.reads.get(state.id)
    if (reads === undefined) {
      reads = { state, set: new ReadSet() }
      this.reads.set(state.id, reads)
    }
    return reads.set
  }

  /** Ends the transaction without writing anything; twice is once. */
  close(): void {
    if (!this.open) return
    this.open = false
    this.engine.scans.delete(this)
    for (const scan of this.scans) scan.close()
    if (this.engine.pins.remove(this.position)) this.engine.onUnpinned()
  }

  /**
   * Whether anybody has committed, since the transaction began, what it has written or (serializable) read. Commits that are
   * on their way count: they come before this one.
   */
  hasConflict(): boolean {
    if (this.engine.visible === this.position && this.engine.log!.end === this.position) return false
    if (pendingTouches(this.engine, this)) return true
    return this.engine.visible > this.position && (this.writesHaveChanged() || this.readsHaveChanged())
  }

  private writesHaveChanged(): boolean {
    for (const state of this.writes.states) {
      const memtable = this.writes.memtable(state)!
      const cursor = memtable.cursor(Number.POSITIVE_INFINITY)
      for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
        const key = cursor.keyBytes.slice(cursor.keyStart, cursor.keyEnd)
        if (keyChangedSince(state, key, key.length, this.position)) return true
      }
      const { rangeTombstones } = memtable
      for (let i = 0; i < rangeTombstones.size; i++) {
        const range = { start: rangeTombstones.fragmentStart(i), end: rangeTombstones.fragmentEnd(i) }
        if (rangeChangedSince(this.engine, state, range, this.position)) return true
      }
    }
    return false
  }

  private readsHaveChanged(): boolean {
    for (const { state, set } of this.reads.values()) {
      for (const key of set.readKeys()) if (keyChangedSince(state, key, key.length, this.position)) return true
      for (const range of set.passedRanges()) {
        if (rangeChangedSince(this.engine, state, range, this.position)) return true
      }
    }
    return false
  }

  touchesKey(tree: TreeId, key: Uint8Array, keyEnd: number): boolean {
    if (this.reads.get(tree)?.set.hasKey(key, keyEnd)) return true
    const state = this.writes.states.find(({ id }) => id === tree)
    if (state === undefined) return false
    const covered = this.writes
      .memtable(state)!
      .rangeTombstones.coveringPosition(key, 0, keyEnd, Number.POSITIVE_INFINITY)
    return covered > 0 || this.writes.lookup(state, key, keyEnd, found)
  }

  touchesRange(tree: TreeId, range: KeyRange): boolean {
    if (this.reads.get(tree)?.set.overlaps(range)) return true
    const state = this.writes.states.find(({ id }) => id === tree)
    if (state === undefined) return false
    const memtable = this.writes.memtable(state)!
    const cursor = memtable.cursor(Number.POSITIVE_INFINITY)
    cursor.seek(range.start, 0, range.start.length)
    if (cursor.valid) {
      const key = cursor.keyBytes.slice(cursor.keyStart, cursor.keyEnd)
      if (rangesOverlap(range, { start: key, end: successor(key) })) return true
    }
    return memtable.rangeTombstones.clip(range.start, range.end).size > 0
  }

  /** Commits unless somebody has come in between; whether it did. */
  async commitUnlessConflict(sync: boolean): Promise<boolean> {
    for (const rounds = new Rounds(); ; ) {
      const verdict = this.judge(rounds.isLast)
      if (verdict === true) return false
      if (verdict === false) {
        await this.commit(sync, false)
        return true
      }
      await rounds.load(verdict)
      this.checkOpen()
    }
  }

  private judge(blocking: boolean): boolean | BlockNotResident {
    const { cache } = this.engine
    cache.blocking = blocking
    try {
      return this.hasConflict()
    } catch (error) {
      if (error instanceof BlockNotResident) return error
      throw error
    } finally {
      cache.blocking = true
    }
  }

  /** Puts the writes into the log as one record, and ends. Requires: no conflict, asked in this very turn. */
  commit(sync: boolean, onThisThread: boolean): Promise<void> {
    const { writes } = this
    // What is done to it while the commit is on its way would be lost without a word.
    this.close()
    if (writes.operationCount === 0) return Promise.resolve()
    const { pipeline } = this.engine
    const created = writes.states.filter((state) => state.tree === undefined)
    const bound = created.reduce((sum, state) => sum + treeByteBound(state), writes.byteLength)
    let offset = pipeline.begin(bound, onThisThread)
    for (const state of created) offset = putTree(pipeline.bytes, offset, state)
    const end = writes.copyTo(pipeline.bytes, offset)
    const count = created.length + writes.operationCount
    if (!onThisThread) return pipeline.commit(end, count, sync)
    pipeline.commitSync(end, count, sync)
    return Promise.resolve()
  }
}

/**
 * A keyspace inside a transaction: it reads as of the transaction's beginning, with the transaction's own writes on top.
 * Nobody else sees them before the commit.
 */
export class Transaction<K = string, V = string> extends Reader<K, V> {
  private readonly shared: TransactionState
  private readonly target: Keyspace<K, V>

  /** @internal Transactions come from `db.transaction`. */
  constructor(target: Keyspace<K, V>, shared: TransactionState) {
    super(target.engine, target.state, target.keyEncoding, target.valueEncoding)
    this.target = target
    this.shared = shared
  }

  /** Another keyspace in the same transaction. */
  keyspace<K2, V2>(keyspace: Keyspace<K2, V2>): Transaction<K2, V2> {
    this.shared.checkOpen()
    if (keyspace?.engine === undefined) {
      throw invalid(`A transaction takes what db.keyspace() returned, not ${describe(keyspace)}`)
    }
    if (keyspace.engine !== this.engine) throw invalid(`Keyspace '${keyspace.name}' belongs to another store`)
    return new Transaction(keyspace, this.shared)
  }

  /** Sets a key when the transaction commits. */
  put(key: K, value: V, options?: { ttl?: number }): Promise<void> {
    return settled(() => this.putSync(key, value, options))
  }

  /** The same without a promise; nothing is written before the commit either way. */
  putSync(key: K, value: V, options?: { ttl?: number }): void {
    this.shared.checkOpen()
    const preparedKey = this.target.prepareKey(key)
    const preparedValue = this.target.prepareValue(value)
    if (options !== undefined) checkNames(options, TTL_NAMES, 'put of a transaction')
    const expiresAt = options === undefined ? 0 : expiryOf(options.ttl, this.engine.clock.now())
    checkSizes(preparedKey, preparedValue)
    this.shared.writes.add(this.state, putByteBound(preparedKey, preparedValue), (bytes, offset) =>
      putPut(bytes, offset, this.state, preparedKey, preparedValue, expiresAt),
    )
  }

  /** Removes a key when the transaction commits. */
  del(key: K): Promise<void> {
    return settled(() => this.delSync(key))
  }

  /** The same without a promise. */
  delSync(key: K): void {
    this.shared.checkOpen()
    const preparedKey = this.target.prepareKey(key)
    checkSizes(preparedKey, '')
    this.shared.writes.add(this.state, deleteByteBound(preparedKey), (bytes, offset) =>
      putDelete(bytes, offset, this.state, preparedKey),
    )
  }

  /** Removes every key of a range when the transaction commits. */
  clear(options: RangeOptions<K> = {}): Promise<void> {
    return settled(() => this.clearSync(options))
  }

  /** The same without a promise. */
  clearSync(options: RangeOptions<K> = {}): void {
    this.shared.checkOpen()
    checkRangeNames(options, RANGE_NAMES, 'clear of a transaction')
    const range = resolveRange(this.keyEncoding, options)
    if (isEmptyRange(range)) return
    this.shared.writes.add(this.state, clearByteBound(range), (bytes, offset) =>
      putClear(bytes, offset, this.state, range),
    )
  }

  protected readPosition(): Position {
    this.shared.checkOpen()
    return this.shared.limit
  }

  protected override find(key: Uint8Array, keyEnd: number, position: Position, result: Found): boolean {
    // A read at somebody else's snapshot is not the transaction's business.
    if (position !== this.shared.limit) return super.find(key, keyEnd, position, result)
    const { writes } = this.shared
    const memtable = writes.memtable(this.state)
    if (memtable !== undefined) {
      const covered = memtable.rangeTombstones.coveringPosition(key, 0, keyEnd, Number.POSITIVE_INFINITY)
      if (writes.lookup(this.state, key, keyEnd, result)) {
        if (result.kind === KIND_DELETE || result.position < covered) return false
        return result.expiresAt === 0 || result.expiresAt > this.engine.clock.now()
      }
      if (covered > 0) return false
    }
    this.shared.readSet(this.state)?.addKey(key, keyEnd)
    return super.find(key, keyEnd, position, result)
  }

  protected override scanExtras(range: KeyRange, reverse: boolean): ScanExtras {
    this.shared.checkOpen()
    const { writes } = this.shared
    const memtable = writes.memtable(this.state)
    const observer = this.shared.readSet(this.state)?.observe(range, reverse)
    return {
      owner: this.shared.scans,
      overlay: memtable === undefined ? undefined : { memtable, limit: writes.limit },
      ...(observer === undefined ? {} : { observer }),
    }
  }
}

/** What a function throws becomes a rejection. */
function settled(run: () => void): Promise<void> {
  try {
    run()
    return Promise.resolve()
  } catch (error) {
    return Promise.reject(error)
  }
}
