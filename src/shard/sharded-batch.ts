import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { BatchPutOptions } from '../store/batch.js'
import { describe } from '../store/encoding.js'
import type { ShardOperation } from './shard.js'
import type { ShardedWriteOptions, ShardedWriteTarget } from './sharded-write-target.js'

/** A keyspace by its handle or its name. */
// biome-ignore lint/suspicious/noExplicitAny: a batch mixes keyspaces of any types, and types of functions vary both ways
export type ShardedKeyspaceReference = ShardedWriteTarget<any, any> | string

/** One operation of `store.batch([…])`. */
export type ShardedBatchOperation<K, V> =
  | { type: 'put'; key: K; value: V; ttl?: number; keyspace?: undefined }
  | { type: 'del'; key: K; keyspace?: undefined }
  | { type: 'put'; key: unknown; value: unknown; ttl?: number; keyspace: ShardedKeyspaceReference }
  | { type: 'del'; key: unknown; keyspace: ShardedKeyspaceReference }

type PutOptions = Omit<BatchPutOptions, 'keyspace'> & { keyspace?: ShardedKeyspaceReference }

/** An array of operations as the shards take it. */
export function batchOperations<K, V>(
  keyspace: ShardedWriteTarget<K, V>,
  operations: readonly ShardedBatchOperation<K, V>[],
): ShardOperation[] {
  if (!Array.isArray(operations)) throw invalid(`batch takes an array of operations, not ${describe(operations)}`)
  return operations.map((given, i) => {
    const operation = given as ShardedBatchOperation<unknown, unknown>
    const target = keyspace.family.resolve(operation?.keyspace ?? keyspace)
    if (operation?.type === 'put') return target.putOperation(operation.key, operation.value, operation.ttl)
    if (operation?.type === 'del') return target.deleteOperation(operation.key)
    throw invalid(`Operation ${i} of the batch must have type 'put' or 'del', not ${describe(operation)}`)
  })
}

/**
 * A batch to chain: nothing is written before `write`, and then all of it at once, on one shard; over several shards only with
 * `{ atomic: false }`.
 *
 * @example
 * await store.batch().put('{7}:name', 'ada').put('{7}:visits', '1').write({ sync: true })
 */
export class ShardedBatch<K, V> {
  private readonly keyspace: ShardedWriteTarget<K, V>
  private operations: ShardOperation[] = []
  private written = false

  /** @internal Batches come from `store.batch()`. */
  constructor(keyspace: ShardedWriteTarget<K, V>) {
    this.keyspace = keyspace
  }

  /** How many operations it holds. */
  get length(): number {
    return this.operations.length
  }

  /** Sets a key when the batch is written. */
  put(key: K, value: V, options?: { ttl?: number }): this
  put(key: unknown, value: unknown, options: PutOptions & { keyspace: ShardedKeyspaceReference }): this
  put(key: unknown, value: unknown, options: PutOptions = {}): this {
    this.checkUnwritten()
    const operation = this.target(options.keyspace).putOperation(key, value, options.ttl)
    // Bytes given to a chained batch may change before it is written.
    const owned = typeof operation.value === 'string' ? operation.value : operation.value.slice()
    this.operations.push({ ...operation, key: operation.key.slice(), value: owned })
    return this
  }

  /** Removes a key when the batch is written. */
  del(key: K): this
  del(key: unknown, options: { keyspace: ShardedKeyspaceReference }): this
  del(key: unknown, options: { keyspace?: ShardedKeyspaceReference } = {}): this {
    this.checkUnwritten()
    const operation = this.target(options.keyspace).deleteOperation(key)
    this.operations.push({ ...operation, key: operation.key.slice() })
    return this
  }

  /** Forgets everything the batch holds. */
  clear(): this {
    this.checkUnwritten()
    this.operations = []
    return this
  }

  /** Commits the batch. */
  async write(options?: ShardedWriteOptions): Promise<void> {
    this.checkUnwritten()
    this.written = true
    try {
      await this.keyspace.commit(this.operations, options)
    } catch (error) {
      // Nothing of it was issued: with { atomic: false } it may be.
      if (error instanceof SiltstoneError && error.code === 'SILT_CROSS_SHARD') this.written = false
      throw error
    }
  }

  /** The same on this thread. */
  writeSync(options?: ShardedWriteOptions): void {
    this.checkUnwritten()
    this.keyspace.commitSync(this.operations, options)
    this.written = true
  }

  private target(reference: ShardedKeyspaceReference | undefined): ShardedWriteTarget<unknown, unknown> {
    return this.keyspace.family.resolve(reference ?? this.keyspace)
  }

  private checkUnwritten(): void {
    this.keyspace.group.checkOpen()
    if (this.written) throw new SiltstoneError('SILT_NOT_OPEN', 'The batch was written already; make a new one')
  }
}
