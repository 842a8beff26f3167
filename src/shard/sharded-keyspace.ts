import type { Clock } from '../bytes/clock.js'
import { invalid } from '../bytes/errors.js'
import { isEmptyRange, type RangeOptions, resolveRange } from '../store/bounds.js'
import { describe, type EncodingOption, type TypedOptions } from '../store/encoding.js'
import type { PutOptions } from '../store/keyspace.js'
import { checkSizes, expiryOf } from '../store/operations.js'
import { checkNames, PUT_NAMES, WRITE_NAMES } from '../store/option-names.js'
import { checkClearOptions } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import { type Codec, codecOf, keyBytesOf } from './codec.js'
import type { MailOperation } from './mail.js'
import type { ShardOperation, ShardReads, ShardWriteOptions } from './shard.js'
import type { ShardGroup } from './shard-group.js'
import { batchOperations, ShardedBatch, type ShardedBatchOperation } from './sharded-batch.js'
import { ShardedReader } from './sharded-reader.js'
import type { ShardedFamily, ShardedWriteOptions, ShardedWriteTarget } from './sharded-write-target.js'

const BATCH_NAMES = [...WRITE_NAMES, 'atomic']

/** What `as` takes. */
interface Encodings<K, V> {
  /** How keys become bytes. Bytes decide the order. */
  keyEncoding?: EncodingOption<K>
  /** How values become bytes. */
  valueEncoding?: EncodingOption<V>
}

/** An ordered map of its own, dealt out over the shards: `Keyspace` of a single store, with the same methods. */
export class ShardedKeyspace<K = string, V = string> extends ShardedReader<K, V> implements ShardedWriteTarget<K, V> {
  /** @internal */
  readonly group: ShardGroup
  /** @internal */
  readonly family: ShardedFamily

  /** @internal Keyspaces come from `store.keyspace()`. */
  constructor(group: ShardGroup, space: string, keyCodec: Codec<K>, valueCodec: Codec<V>, family: ShardedFamily) {
    super(space, keyCodec, valueCodec)
    this.group = group
    this.family = family
  }

  /** What the keyspace is called; the default one has no name. */
  get name(): string {
    return this.space
  }

  /** The same keyspace with other encodings; those left out stay what they are. */
  as<K2 = K, V2 = V>(encodings: TypedOptions<unknown, K2, V2, K, V>): ShardedKeyspace<K2, V2>
  as<K2 = K, V2 = V>(encodings: Encodings<K2, V2>): ShardedKeyspace<K2, V2> {
    checkNames(encodings, ['keyEncoding', 'valueEncoding'], 'as')
    const { keyEncoding, valueEncoding } = encodings
    return new ShardedKeyspace(
      this.group,
      this.space,
      keyEncoding === undefined ? (this.keyCodec as unknown as Codec<K2>) : codecOf(keyEncoding, 'keyEncoding'),
      valueEncoding === undefined ? (this.valueCodec as unknown as Codec<V2>) : codecOf(valueEncoding, 'valueEncoding'),
      this.family,
    )
  }

  /**
   * Sets a key on the shard that owns it.
   *
   * @example
   * await store.put('session:1', 'ada', { ttl: 60_000, sync: true })
   */
  async put(key: K, value: V, options?: PutOptions): Promise<void> {
    if (options !== undefined) checkNames(options, PUT_NAMES, 'put')
    await this.commit([this.putOperation(key, value, options?.ttl)], options)
  }

  /** The same on this thread. */
  putSync(key: K, value: V, options?: PutOptions): void {
    if (options !== undefined) checkNames(options, PUT_NAMES, 'put')
    this.commitSync([this.putOperation(key, value, options?.ttl)], options)
  }

  /** Removes a key. */
  async del(key: K, options?: WriteOptions): Promise<void> {
    if (options !== undefined) checkNames(options, WRITE_NAMES, 'del')
    await this.commit([this.deleteOperation(key)], options)
  }

  /** The same on this thread. */
  delSync(key: K, options?: WriteOptions): void {
    if (options !== undefined) checkNames(options, WRITE_NAMES, 'del')
    this.commitSync([this.deleteOperation(key)], options)
  }

  /**
   * Removes every key of a range on every shard. Readers see all of it or none; a crash may leave it done on some shards only, so then
   * repeat it.
   */
  async clear(options: RangeOptions<K> & WriteOptions = {}): Promise<void> {
    checkClearOptions(options)
    const operations = this.clearOperations(options)
    await this.commit(operations, options.sync === undefined ? undefined : { sync: options.sync })
  }

  /** The same on this thread. */
  clearSync(options: RangeOptions<K> & WriteOptions = {}): void {
    checkClearOptions(options)
    const operations = this.clearOperations(options)
    this.commitSync(operations, options.sync === undefined ? undefined : { sync: options.sync })
  }

  /**
   * Commits several operations of one shard as one; over several shards only with `{ atomic: false }`. Without arguments it
   * returns a batch to chain.
   *
   * @example
   * await store.batch([{ type: 'put', key: '{7}:a', value: '1' }, { type: 'del', key: '{7}:b' }])
   */
  batch(): ShardedBatch<K, V>
  batch(operations: readonly ShardedBatchOperation<K, V>[], options?: ShardedWriteOptions): Promise<void>
  batch(
    operations?: readonly ShardedBatchOperation<K, V>[],
    options?: ShardedWriteOptions,
  ): ShardedBatch<K, V> | Promise<void> {
    if (operations !== undefined) return this.commitBatch(operations, options)
    this.group.checkOpen()
    return new ShardedBatch(this)
  }

  /** The same on this thread. */
  batchSync(operations: readonly ShardedBatchOperation<K, V>[], options?: ShardedWriteOptions): void {
    this.group.checkOpen()
    if (options !== undefined) checkNames(options, BATCH_NAMES, 'batch')
    const { keys, mail } = batchOperations(this, operations)
    this.commitSync(keys, options, mail)
  }

  private async commitBatch(
    operations: readonly ShardedBatchOperation<K, V>[],
    options: ShardedWriteOptions | undefined,
  ): Promise<void> {
    this.group.checkOpen()
    if (options !== undefined) checkNames(options, BATCH_NAMES, 'batch')
    const { keys, mail } = batchOperations(this, operations)
    await this.commit(keys, options, mail)
  }

  /** @internal */
  async commit(
    operations: readonly ShardOperation[],
    options: ShardedWriteOptions | undefined,
    mail: readonly MailOperation[] = [],
  ): Promise<void> {
    this.group.checkOpen()
    const settings = this.writeOptions(options)
    if (operations.length + mail.length > 0) await this.group.write(operations, settings, mail)
  }

  /** @internal */
  commitSync(
    operations: readonly ShardOperation[],
    options: ShardedWriteOptions | undefined,
    mail: readonly MailOperation[] = [],
  ): void {
    this.group.checkOpen()
    const settings = this.writeOptions(options)
    if (operations.length + mail.length > 0) this.group.writeSync(operations, settings, mail)
  }

  /** @internal */
  putOperation(key: K, value: V, ttl?: number): ShardOperation & { type: 'put' } {
    if (value === undefined || value === null) throw invalid(`A value cannot be ${value}; use del to remove a key`)
    const keyBytes = keyBytesOf(this.keyCodec, key)
    const prepared = this.valueCodec.encoding.prepare(value)
    checkSizes(keyBytes, prepared)
    const expiresAt = expiryOf(ttl, this.family.clock.now())
    return { type: 'put', space: this.space, key: keyBytes, value: prepared, expiresAt }
  }

  /** @internal */
  deleteOperation(key: K): ShardOperation & { type: 'del' } {
    return { type: 'del', space: this.space, key: keyBytesOf(this.keyCodec, key) }
  }

  /** @internal */
  clearOperations(options: RangeOptions<K>): (ShardOperation & { type: 'clear' })[] {
    const range = resolveRange(this.keyCodec.encoding, options)
    if (isEmptyRange(range)) return []
    return [{ type: 'clear', space: this.space, key: range.start, end: range.end }]
  }

  /** @internal */
  get clock(): Clock {
    return this.family.clock
  }

  protected get home(): object {
    return this.group
  }

  protected reads(): ShardReads {
    return this.group
  }

  protected checkOpen(): void {
    this.group.checkOpen()
  }

  private writeOptions(options: ShardedWriteOptions | undefined): ShardWriteOptions {
    const { sync = this.family.sync, atomic = true } = options ?? {}
    if (typeof sync !== 'boolean') throw invalid(`Option sync must be true or false, not ${describe(sync)}`)
    if (typeof atomic !== 'boolean') throw invalid(`Option atomic must be true or false, not ${describe(atomic)}`)
    return { sync, atomic }
  }
}
