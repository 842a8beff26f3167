import { invalid, SiltstoneError } from '../bytes/errors.js'
import { describe } from '../store/encoding.js'
import { checkNames } from '../store/option-names.js'
import type { MailOperation } from './mail.js'
import type { ShardOperation } from './shard.js'
import type { MessageHome } from './sharded-message.js'
import type { ShardedWriteOptions, ShardedWriteTarget } from './sharded-write-target.js'

const WRITE_NAMES = ['sync', 'atomic']

/** A keyspace by its handle or its name. */
// biome-ignore lint/suspicious/noExplicitAny: a batch mixes keyspaces of any types, and types of functions vary both ways
export type ShardedKeyspaceReference = ShardedWriteTarget<any, any> | string

/** One operation of `store.batch([…])`. */
export type ShardedBatchOperation<K, V> =
  | { type: 'put'; key: K; value: V; ttl?: number; keyspace?: undefined }
  | { type: 'del'; key: K; keyspace?: undefined }
  | { type: 'put'; key: unknown; value: unknown; ttl?: number; keyspace: ShardedKeyspaceReference }
  | { type: 'del'; key: unknown; keyspace: ShardedKeyspaceReference }
  | { type: 'send'; queue: ShardedTarget; body: unknown; options?: object; keyspace?: undefined }
  | { type: 'ack'; message: ShardedReceipt; keyspace?: undefined }

/** Somewhere to send messages to: a queue or a topic of the store. */
// biome-ignore lint/suspicious/noExplicitAny: a batch mixes queues of any types, and types of functions vary both ways
export type ShardedTarget<T = any, Options = any> = {
  /** @internal */
  mailOf(body: T, options: Options | undefined, home: unknown): MailOperation
}

/** A message that was received from a queue of the store. */
export interface ShardedReceipt {
  /** @internal */
  mailOfAck(home: MessageHome): MailOperation
}

/** What a batch consists of. */
export interface BatchContent {
  readonly keys: ShardOperation[]
  readonly mail: MailOperation[]
}

/** What `put` of a chained batch takes. */
type PutOptions = { ttl?: number; keyspace?: ShardedKeyspaceReference }

const OPERATIONS: Record<string, readonly string[] | undefined> = Object.assign(Object.create(null), {
  put: ['type', 'key', 'value', 'ttl', 'keyspace'],
  del: ['type', 'key', 'keyspace'],
  send: ['type', 'queue', 'body', 'options', 'keyspace'],
  ack: ['type', 'message', 'keyspace'],
})

/** An array of operations as the shards take it. */
export function batchOperations<K, V>(
  keyspace: ShardedWriteTarget<K, V>,
  operations: readonly ShardedBatchOperation<K, V>[],
): BatchContent {
  if (!Array.isArray(operations)) throw invalid(`batch takes an array of operations, not ${describe(operations)}`)
  const content: BatchContent = { keys: [], mail: [] }
  for (const [i, given] of operations.entries()) {
    const operation = given as ShardedBatchOperation<unknown, unknown>
    const target = keyspace.family.resolve(operation?.keyspace ?? keyspace)
    const known = OPERATIONS[operation?.type]
    if (known !== undefined) checkNames(operation, known, `a ${operation.type} of a batch`)
    if (operation?.type === 'put') content.keys.push(target.putOperation(operation.key, operation.value, operation.ttl))
    else if (operation?.type === 'del') content.keys.push(target.deleteOperation(operation.key))
    else if (operation?.type === 'send')
      content.mail.push(sendOf(keyspace, operation.queue, operation.body, operation.options))
    else if (operation?.type === 'ack') content.mail.push(ackOf(keyspace, operation.message))
    else {
      const known = "'put', 'del', 'send' or 'ack'"
      throw invalid(`Operation ${i} of the batch must have type ${known}, not ${describe(operation)}`)
    }
  }
  return content
}

function sendOf(keyspace: { group: unknown }, target: ShardedTarget, body: unknown, options: unknown): MailOperation {
  if (typeof target?.mailOf === 'function') return target.mailOf(body, options, keyspace.group)
  throw invalid(`A message is sent to a queue or a topic of the sharded store, not to ${describe(target)}`)
}

function ackOf(keyspace: { group: MessageHome }, message: ShardedReceipt): MailOperation {
  if (typeof message?.mailOfAck === 'function') return message.mailOfAck(keyspace.group)
  throw invalid(`What is acknowledged is a message that was received here, not ${describe(message)}`)
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
  private content: BatchContent = { keys: [], mail: [] }
  private written = false

  /** @internal Batches come from `store.batch()`. */
  constructor(keyspace: ShardedWriteTarget<K, V>) {
    this.keyspace = keyspace
  }

  /** How many operations it holds. */
  get length(): number {
    return this.content.keys.length + this.content.mail.length
  }

  /** Sets a key when the batch is written. */
  put(key: K, value: V, options?: { ttl?: number }): this
  put(key: unknown, value: unknown, options: PutOptions & { keyspace: ShardedKeyspaceReference }): this
  put(key: unknown, value: unknown, options: PutOptions = {}): this {
    this.checkUnwritten()
    checkNames(options, ['keyspace', 'ttl'], 'put of a batch')
    const operation = this.target(options.keyspace).putOperation(key, value, options.ttl)
    // Bytes given to a chained batch may change before it is written.
    const owned = typeof operation.value === 'string' ? operation.value : operation.value.slice()
    this.content.keys.push({ ...operation, key: operation.key.slice(), value: owned })
    return this
  }

  /** Removes a key when the batch is written. */
  del(key: K): this
  del(key: unknown, options: { keyspace: ShardedKeyspaceReference }): this
  del(key: unknown, options: { keyspace?: ShardedKeyspaceReference } = {}): this {
    this.checkUnwritten()
    checkNames(options, ['keyspace'], 'del of a batch')
    const operation = this.target(options.keyspace).deleteOperation(key)
    this.content.keys.push({ ...operation, key: operation.key.slice() })
    return this
  }

  /**
   * Sends a message when the batch is written. One without a group goes along with the rest of the batch; one with a group must
   * belong to the same shard, which one tag sees to.
   *
   * @example
   * const orders = store.queue('orders')
   * await store.batch().put('order:{7}', 'open').send(orders, { order: 7 }, { group: '{7}' }).write()
   */
  send<T, Options>(target: ShardedTarget<T, Options>, body: T, options?: Options): this {
    this.checkUnwritten()
    this.content.mail.push(sendOf(this.keyspace, target, body, options))
    return this
  }

  /** Acknowledges a message when the batch is written. */
  ack(message: ShardedReceipt): this {
    this.checkUnwritten()
    this.content.mail.push(ackOf(this.keyspace, message))
    return this
  }

  /** Forgets everything the batch holds. */
  clear(): this {
    this.checkUnwritten()
    this.content = { keys: [], mail: [] }
    return this
  }

  /** Commits the batch. */
  async write(options?: ShardedWriteOptions): Promise<void> {
    this.checkUnwritten()
    if (options !== undefined) checkNames(options, WRITE_NAMES, 'write of a batch')
    this.written = true
    try {
      await this.keyspace.commit(this.content.keys, options, this.content.mail)
    } catch (error) {
      // Nothing of it was issued: with { atomic: false } it may be.
      if (error instanceof SiltstoneError && error.code === 'SILT_CROSS_SHARD') this.written = false
      throw error
    }
  }

  /** The same on this thread. */
  writeSync(options?: ShardedWriteOptions): void {
    this.checkUnwritten()
    if (options !== undefined) checkNames(options, WRITE_NAMES, 'write of a batch')
    this.keyspace.commitSync(this.content.keys, options, this.content.mail)
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
