import { invalid } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { Batch, type BatchOperation, type CheckedOperations, writeOperations } from './batch.js'
import { isEmptyRange, type RangeOptions, resolveRange } from './bounds.js'
import { compareAndSet, compareAndSetSync, exchangeOf } from './compare-and-set.js'
import {
  type AnyEncoding,
  type Decoded,
  describe,
  type Encoding,
  type EncodingOption,
  type EncodingOptions,
  resolveEncoding,
  type TypedOptions,
} from './encoding.js'
import type { Engine } from './engine.js'
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
import { checkNames, PUT_NAMES, WRITE_NAMES } from './option-names.js'
import { checkClearOptions, checkWatchOptions } from './options.js'
import { PullStream } from './pull-stream.js'
import { Reader } from './reader.js'
import type { TreeState } from './tree-state.js'
import { Watch, type WatchChange, type WatchOptions, type WatchTarget } from './watch/watch.js'
import type { KeyspaceFamily, PutOptions, WriteOptions, WriteTarget } from './write-target.js'

export type { PutOptions } from './write-target.js'

/**
 * An ordered map of its own inside a database, with its own encodings. All keyspaces of a database share one log, so a batch
 * over several of them is one commit.
 *
 * @example
 * const orders = db.keyspace('orders', { valueEncoding: 'json' })
 * await orders.put('7', { total: 12 })
 */
export class Keyspace<K = string, V = string> extends Reader<K, V> implements WriteTarget<K, V> {
  /** @internal */
  readonly family: KeyspaceFamily

  /** @internal Keyspaces come from `db.keyspace()`. */
  constructor(
    engine: Engine,
    state: TreeState,
    keyEncoding: Encoding<K>,
    valueEncoding: Encoding<V>,
    family: KeyspaceFamily,
  ) {
    super(engine, state, keyEncoding, valueEncoding)
    this.family = family
  }

  /** What the keyspace is called; the default one has no name. */
  get name(): string {
    return this.state.name
  }

  /**
   * The same keyspace with other encodings; those left out stay what they are.
   *
   * @example
   * const raw = db.as({ valueEncoding: 'buffer' })
   */
  as<const KE extends AnyEncoding = undefined, const VE extends AnyEncoding = undefined>(
    encodings: EncodingOptions<KE, VE>,
  ): Keyspace<Decoded<KE, K>, Decoded<VE, V>>
  as<K2 = K, V2 = V>(encodings: TypedOptions<unknown, K2, V2, K, V>): Keyspace<K2, V2>
  as<K2 = K, V2 = V>(encodings: EncodingOptions<EncodingOption<K2>, EncodingOption<V2>>): Keyspace<K2, V2> {
    checkNames(encodings, ['keyEncoding', 'valueEncoding'], 'as')
    const { keyEncoding, valueEncoding } = encodings
    return new Keyspace(
      this.engine,
      this.state,
      keyEncoding === undefined
        ? (this.keyEncoding as unknown as Encoding<K2>)
        : resolveEncoding(keyEncoding, 'keyEncoding'),
      valueEncoding === undefined
        ? (this.valueEncoding as unknown as Encoding<V2>)
        : resolveEncoding(valueEncoding, 'valueEncoding'),
      this.family,
    )
  }

  protected readPosition(): Position {
    return this.engine.visible
  }

  /**
   * Sets a key.
   *
   * @example
   * await db.put('session:1', 'ada', { ttl: 60_000, sync: true })
   */
  put(key: K, value: V, options?: PutOptions): Promise<void> {
    try {
      const { pipeline } = this.engine
      const sync = this.putSyncOf(options, 'put')
      return pipeline.commit(this.encodePut(key, value, options, false), this.operationCount, sync)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same on this thread: when it returns, the write is in the log. */
  putSync(key: K, value: V, options?: PutOptions): void {
    const { pipeline } = this.engine
    const sync = this.putSyncOf(options, 'put')
    pipeline.commitSync(this.encodePut(key, value, options, true), this.operationCount, sync)
  }

  /** Removes a key; one that is not there is removed as well as it can be. */
  del(key: K, options?: WriteOptions): Promise<void> {
    try {
      const { pipeline } = this.engine
      const sync = this.writeSyncOf(options, 'del')
      return pipeline.commit(this.encodeDelete(key, false), this.operationCount, sync)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same on this thread. */
  delSync(key: K, options?: WriteOptions): void {
    const { pipeline } = this.engine
    const sync = this.writeSyncOf(options, 'del')
    pipeline.commitSync(this.encodeDelete(key, true), this.operationCount, sync)
  }

  /**
   * Sets a key, or with `undefined` removes it, if its value is what is expected; `undefined` expects that it is not there. Says
   * whether it was. Nobody can come in between, so of many who ask at once for the same change one gets it. Values are compared as
   * bytes: as JSON, objects with their fields in another order differ.
   *
   * @example
   * const isMine = await db.compareAndSet('leader', undefined, 'node-7', { ttl: 10_000 })
   *
   * @example
   * await db.put('seats', '3')
   * let seats = await db.get('seats')
   * while (!(await db.compareAndSet('seats', seats, String(Number(seats) - 1)))) seats = await db.get('seats')
   */
  async compareAndSet(key: K, expected: V | undefined, value: V | undefined, options?: PutOptions): Promise<boolean> {
    return compareAndSet(this.asBytes(), exchangeOf(this, key, expected, value, options))
  }

  /** The same on this thread. What others have issued and not yet seen written is written first. */
  compareAndSetSync(key: K, expected: V | undefined, value: V | undefined, options?: PutOptions): boolean {
    return compareAndSetSync(this.asBytes(), exchangeOf(this, key, expected, value, options))
  }

  /**
   * Removes every key of a range, or all of them: one entry in the log, however many there are.
   *
   * @example
   * await db.clear({ prefix: 'session:' })
   */
  clear(options: RangeOptions<K> & WriteOptions = {}): Promise<void> {
    try {
      checkClearOptions(options)
      const range = resolveRange(this.keyEncoding, options)
      const { pipeline } = this.engine
      const sync = this.syncOf(options)
      if (isEmptyRange(range)) return Promise.resolve()
      return pipeline.commit(this.encodeClear(range, false), this.operationCount, sync)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same on this thread. */
  clearSync(options: RangeOptions<K> & WriteOptions = {}): void {
    checkClearOptions(options)
    const range = resolveRange(this.keyEncoding, options)
    const { pipeline } = this.engine
    const sync = this.syncOf(options)
    if (isEmptyRange(range)) return
    pipeline.commitSync(this.encodeClear(range, true), this.operationCount, sync)
  }

  /**
   * Commits several operations, over any keyspaces, as one: all of them or none. Without arguments it returns a batch to
   * chain.
   *
   * @example
   * await db.batch([{ type: 'put', key: 'a', value: '1' }, { type: 'del', key: 'b' }])
   *
   * @example
   * await db.batch().put('a', '1').del('b').write({ sync: true })
   */
  batch(): Batch<K, V>
  batch<const T extends readonly BatchOperation<K, V>[]>(
    operations: T & CheckedOperations<T>,
    options?: WriteOptions,
  ): Promise<void>
  batch(operations?: readonly BatchOperation<K, V>[], options?: WriteOptions): Batch<K, V> | Promise<void> {
    if (operations === undefined) {
      this.engine.checkOpen()
      return new Batch(this)
    }
    try {
      return writeOperations(this, operations, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same on this thread. */
  batchSync<const T extends readonly BatchOperation<K, V>[]>(
    operations: T & CheckedOperations<T>,
    options?: WriteOptions,
  ): void {
    writeOperations(this, operations as readonly BatchOperation<K, V>[], options, true)
  }

  /**
   * Follows what happens to one key, or to the keys of a range, from now on. Whoever is slow is told less, and never something old:
   * of each key only the newest change waits, in the order of their commits. A range that was cleared is one change of type
   * 'clear', with the part of it that is watched; of a single key it is a 'del'. An expiry is no change.
   *
   * What was left without a loop goes on gathering until the store is closed: leave the loop, or call `return()`.
   *
   * @example
   * const watch = db.watch({ prefix: 'config:' })
   * await db.put('config:color', 'blue')
   * for await (const { value } of watch) {
   *   console.log(value) // 'blue'
   *   break
   * }
   */
  watch(target: WatchTarget<K> = {}, options: WatchOptions = {}): PullStream<WatchChange<K, V>> {
    const { engine, state, keyEncoding, valueEncoding } = this
    engine.checkOpen()
    checkWatchOptions(target, options)
    const watch = new Watch(engine, { state, keyEncoding, valueEncoding, target })
    return new PullStream(engine, watch, { follow: true, signal: options.signal })
  }

  private asBytes(): Keyspace<Uint8Array, Uint8Array> {
    return this.as({ keyEncoding: 'view', valueEncoding: 'view' })
  }

  private syncOf(options: WriteOptions | undefined): boolean {
    const sync = options?.sync
    if (sync === undefined) return this.family.sync
    if (typeof sync !== 'boolean') throw invalid(`Option sync must be true or false, not ${describe(sync)}`)
    return sync
  }

  /** @internal */
  writeSyncOf(options: WriteOptions | undefined, where: string): boolean {
    if (options === undefined) return this.family.sync
    checkNames(options, WRITE_NAMES, where)
    return this.syncOf(options)
  }

  /** @internal */
  putSyncOf(options: PutOptions | undefined, where: string): boolean {
    if (options === undefined) return this.family.sync
    checkNames(options, PUT_NAMES, where)
    return this.syncOf(options)
  }

  /** Of the record that was encoded last: the first one of a keyspace also creates it. */
  private operationCount = 1

  private encodePut(key: K, value: V, options: PutOptions | undefined, mayWait: boolean): number {
    const { engine, state } = this
    const { pipeline } = engine
    const preparedKey = this.prepareKey(key)
    const preparedValue = this.prepareValue(value)
    const expiresAt = options?.ttl === undefined ? 0 : expiryOf(options.ttl, engine.clock.now())
    checkSizes(preparedKey, preparedValue)
    const offset = this.begin(putByteBound(preparedKey, preparedValue), mayWait)
    return putPut(pipeline.bytes, offset, state, preparedKey, preparedValue, expiresAt)
  }

  private encodeDelete(key: K, mayWait: boolean): number {
    const { pipeline } = this.engine
    const preparedKey = this.prepareKey(key)
    checkSizes(preparedKey, '')
    const offset = this.begin(deleteByteBound(preparedKey), mayWait)
    return putDelete(pipeline.bytes, offset, this.state, preparedKey)
  }

  private encodeClear(range: ReturnType<typeof resolveRange>, mayWait: boolean): number {
    const { pipeline } = this.engine
    checkSizes(range.start, '')
    const offset = this.begin(clearByteBound(range), mayWait)
    return putClear(pipeline.bytes, offset, this.state, range)
  }

  private begin(byteBound: number, mayWait: boolean): number {
    const { engine, state } = this
    const { pipeline } = engine
    const offset = pipeline.begin(byteBound + treeByteBound(state), mayWait)
    this.operationCount = 1
    if (state.tree !== undefined) return offset
    this.operationCount = 2
    return putTree(pipeline.bytes, offset, state)
  }

  /** @internal */
  prepareKey(key: K): string | Uint8Array {
    if (key === undefined || key === null) throw invalid(`A key cannot be ${key}`)
    return this.keyEncoding.prepare(key)
  }

  /** @internal */
  prepareValue(value: V): string | Uint8Array {
    if (value === undefined || value === null) throw invalid(`A value cannot be ${value}; use del to remove a key`)
    return this.valueEncoding.prepare(value)
  }
}
