import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { KeyRange } from '../tree/key-range.js'
import {
  type Acknowledgeable,
  type BatchPart,
  checkReceivedFrom,
  type MessageOptions,
  type MessageTarget,
  together,
} from './batch-part.js'
import { isEmptyRange, ownedRange, type RangeOptions, resolveRange } from './bounds.js'
import { describe } from './encoding.js'
import type { Engine } from './engine.js'
import { commitWith, OperationList } from './operation-list.js'
import { expiryAtOf, type Prepared } from './operations.js'
import { checkNames, checkRangeNames, EXPIRY_NAMES, RANGE_NAMES } from './option-names.js'
import type { TreeState } from './tree-state.js'
import type { WriteOptions, WriteTarget } from './write-target.js'

/** A keyspace by its handle or its name; its own encodings apply. */
// biome-ignore lint/suspicious/noExplicitAny: a batch mixes keyspaces of any types, and types of functions vary both ways
export type KeyspaceReference = WriteTarget<any, any> | string

/** When what is put is gone. */
export interface Expiry {
  /** Milliseconds from now. */
  ttl?: number
  /** Or a moment, in milliseconds since 1970; one that has passed leaves nothing there. */
  expiresAt?: number
}

/** One operation of `db.batch([…])`; those of a commit of `db.changes()` are such, too. */
export type BatchOperation<K, V> =
  | ({ type: 'put'; key: K; value: V; keyspace?: undefined } & Expiry)
  | { type: 'del'; key: K; keyspace?: undefined }
  | ({ type: 'clear'; keyspace?: undefined; range?: undefined } & RangeOptions<K>)
  | ({ type: 'put'; key: unknown; value: unknown; keyspace: KeyspaceReference } & Expiry)
  | { type: 'del'; key: unknown; keyspace: KeyspaceReference }
  | ({ type: 'clear'; keyspace: KeyspaceReference; range?: undefined } & RangeOptions<unknown>)
  // A range as bytes, exact in any encoding.
  | { type: 'clear'; keyspace?: KeyspaceReference; range: KeyRange }
  // biome-ignore lint/suspicious/noExplicitAny: a batch mixes queues of any types, and types of functions vary both ways
  | { type: 'send'; queue: MessageTarget<any>; body: unknown; options?: MessageOptions }
  | { type: 'ack'; message: Acknowledgeable }

/** Operations whose keys and values are of the keyspace that each of them names by its handle. */
export type CheckedOperations<T extends readonly unknown[]> = {
  [I in keyof T]: CheckedOperation<T[I]> & { readonly [P in Exclude<NamesOf<T[I]>, OperationName>]: never }
}

type NamesOf<O> = O extends unknown ? keyof O : never
type OperationName =
  | keyof RangeOptions<unknown>
  | keyof Expiry
  | ('type' | 'key' | 'value' | 'keyspace' | 'range' | 'start' | 'end' | 'queue' | 'body' | 'options' | 'message')

type CheckedOperation<O> = O extends { readonly type: 'put'; readonly keyspace: WriteTarget<infer K, infer V> }
  ? O & { readonly key: K; readonly value: V }
  : O extends { readonly type: 'del'; readonly keyspace: WriteTarget<infer K, infer _> }
    ? O & { readonly key: K }
    : O extends { readonly type: 'send'; readonly queue: MessageTarget<infer B, infer _> }
      ? O & { readonly body: B }
      : O

/** What an operation of a chained batch takes. */
export interface BatchPutOptions extends Expiry {
  /** Where it goes (default: the keyspace whose batch it is). */
  keyspace?: KeyspaceReference
}

interface KeyspaceOption {
  keyspace?: KeyspaceReference
}

const NO_OPTIONS = Object.freeze({})
const KEYSPACE_NAMES = ['keyspace']
const PUT_NAMES = [...KEYSPACE_NAMES, ...EXPIRY_NAMES]

/** Operations that are prepared and wait for their record, and what takes part in the commit besides keys and values. */
class Pending {
  readonly operations = new OperationList()
  readonly parts: BatchPart[] = []

  get length(): number {
    return this.operations.length + this.parts.length
  }

  join(keyspace: WriteTarget<never, never>, part: BatchPart): void {
    if (part.engine !== keyspace.engine) throw invalid('A batch takes messages of its own store only')
    this.parts.push(part)
  }

  put(state: TreeState, key: Prepared, value: Prepared, expiresAt: number): void {
    this.operations.put(state, key, value, expiresAt)
  }

  del(state: TreeState, key: Prepared): void {
    this.operations.del(state, key)
  }

  clear(state: TreeState, range: KeyRange): void {
    if (!isEmptyRange(range)) this.operations.clear(state, range)
  }
}

/** Commits the operations as one record. */
function commitPending<K, V>(
  keyspace: WriteTarget<K, V>,
  { operations, parts }: Pending,
  sync: boolean,
  onThisThread: boolean,
): Promise<void> {
  const { pipeline } = keyspace.engine
  if (parts.length > 0) return commitWith(pipeline, operations, together(parts), sync, onThisThread)
  return operations.commit(pipeline, operations.byteBound(), sync, onThisThread)
}

const PUT_OPERATION = ['type', 'key', 'value', 'keyspace', ...EXPIRY_NAMES]
const DEL_OPERATION = ['type', 'key', 'keyspace']
const SEND_OPERATION = ['type', 'queue', 'body', 'options']
const ACK_OPERATION = ['type', 'message']
const CLEAR_OPERATION = ['type', 'keyspace', ...RANGE_NAMES]
// A change of the feed says its bounds as keys, too, where they are some.
const CLEAR_BYTES_OPERATION = ['type', 'keyspace', 'range', 'start', 'end']

/** Commits an array of operations. @internal */
export function writeOperations<K, V>(
  keyspace: WriteTarget<K, V>,
  operations: readonly BatchOperation<K, V>[],
  options: WriteOptions | undefined,
  onThisThread = false,
): Promise<void> {
  if (!Array.isArray(operations)) throw invalid(`batch takes an array of operations, not ${describe(operations)}`)
  keyspace.engine.checkOpen()
  const sync = keyspace.writeSyncOf(options, 'batch')
  const pending = new Pending()
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]! as BatchOperation<unknown, unknown>
    const target = targetOf(keyspace, (operation as { keyspace?: unknown } | undefined)?.keyspace)
    if (operation?.type === 'put') {
      checkNames(operation, PUT_OPERATION, 'a put of a batch')
      const expiresAt = expiryIn(operation, keyspace)
      pending.put(target.state, target.prepareKey(operation.key), target.prepareValue(operation.value), expiresAt)
    } else if (operation?.type === 'del') {
      checkNames(operation, DEL_OPERATION, 'a del of a batch')
      pending.del(target.state, target.prepareKey(operation.key))
    } else if (operation?.type === 'clear') pending.clear(target.state, clearedBy(target, operation))
    else if (operation?.type === 'send') {
      checkNames(operation, SEND_OPERATION, 'a send of a batch')
      pending.join(keyspace as never, sendPart(operation.queue, operation.body, operation.options))
    } else if (operation?.type === 'ack') {
      checkNames(operation, ACK_OPERATION, 'an ack of a batch')
      pending.join(keyspace as never, ackPart(keyspace.engine, operation.message))
    } else {
      const known = "'put', 'del', 'clear', 'send' or 'ack'"
      throw invalid(`Operation ${i} of the batch must have type ${known}, not ${describe(operation)}`)
    }
  }
  return commitPending(keyspace, pending, sync, onThisThread)
}

/** The clock, 35 ns away, is asked only where something expires. */
function expiryIn<K, V>({ expiresAt, ttl }: Expiry, { engine }: WriteTarget<K, V>): number {
  return expiresAt === undefined && ttl === undefined ? 0 : expiryAtOf(expiresAt, ttl, engine.clock.now())
}

function clearedBy(
  target: WriteTarget<unknown, unknown>,
  operation: BatchOperation<unknown, unknown> & { type: 'clear' },
): KeyRange {
  if (operation.range !== undefined) {
    checkNames(operation, CLEAR_BYTES_OPERATION, 'a clear of a batch')
    return ownedRange(operation.range)
  }
  checkRangeNames(operation, CLEAR_OPERATION, 'a clear of a batch')
  return resolveRange(target.keyEncoding, operation)
}

function sendPart<T, O>(target: MessageTarget<T, O>, body: T, options: O | undefined): BatchPart {
  if (typeof target?.partOfSend === 'function') return target.partOfSend(body, options)
  throw invalid(`A message is sent to a queue or a topic, not to ${describe(target)}`)
}

function ackPart(engine: Engine, message: Acknowledgeable): BatchPart {
  if (typeof message?.partOfAck !== 'function') {
    throw invalid(`What is acknowledged is a message that was received, not ${describe(message)}`)
  }
  const part = message.partOfAck()
  checkReceivedFrom(engine, part.engine)
  return part
}

function targetOf<K, V>(keyspace: WriteTarget<K, V>, reference: unknown): WriteTarget<unknown, unknown> {
  if (reference === undefined) return keyspace as unknown as WriteTarget<unknown, unknown>
  return keyspace.family.resolve(reference)
}

/**
 * A batch to chain: nothing is written before `write`, and then all of it at once. What it is given is copied when it is given.
 *
 * @example
 * await db.batch().put('a', '1').put('b', '2', { ttl: 1000 }).del('c').write({ sync: true })
 */
export class Batch<K, V> {
  private readonly keyspace: WriteTarget<K, V>
  private pending = new Pending()
  private written = false

  /** @internal Batches come from `db.batch()`. */
  constructor(keyspace: WriteTarget<K, V>) {
    this.keyspace = keyspace
  }

  /** How many operations it holds. */
  get length(): number {
    return this.pending.length
  }

  /** Sets a key when the batch is written. */
  put(key: K, value: V, options?: Expiry): this
  put<K2, V2>(key: NoInfer<K2>, value: NoInfer<V2>, options: Expiry & { keyspace: WriteTarget<K2, V2> }): this
  put(key: unknown, value: unknown, options: Expiry & { keyspace: string }): this
  put(key: unknown, value: unknown, options: BatchPutOptions = NO_OPTIONS): this {
    this.checkUnwritten()
    if (options !== NO_OPTIONS) checkNames(options, PUT_NAMES, 'put of a batch')
    const target = targetOf(this.keyspace, options.keyspace)
    const expiresAt = expiryIn(options, this.keyspace)
    this.pending.put(target.state, owned(target.prepareKey(key)), owned(target.prepareValue(value)), expiresAt)
    return this
  }

  /** Removes a key when the batch is written. */
  del(key: K): this
  del<K2, V2>(key: NoInfer<K2>, options: { keyspace: WriteTarget<K2, V2> }): this
  del(key: unknown, options: { keyspace: string }): this
  del(key: unknown, options: KeyspaceOption = NO_OPTIONS): this {
    this.checkUnwritten()
    if (options !== NO_OPTIONS) checkNames(options, KEYSPACE_NAMES, 'del of a batch')
    const target = targetOf(this.keyspace, options.keyspace)
    this.pending.del(target.state, owned(target.prepareKey(key)))
    return this
  }

  /**
   * Sends a message when the batch is written: if the batch fails, so does the message. A batch does not wait for room in a
   * full queue; it is refused with `SILT_FULL`.
   *
   * @example
   * await db.batch().put('order:7', order).send(db.queue('orders'), { order: 7 }).write()
   */
  send<T, O>(target: MessageTarget<T, O>, body: T, options?: O): this {
    this.checkUnwritten()
    this.pending.join(this.keyspace as never, sendPart(target, body, options))
    return this
  }

  /** Acknowledges a message when the batch is written, so that what it led to and its end are one commit. */
  ack(message: Acknowledgeable): this {
    this.checkUnwritten()
    this.pending.join(this.keyspace as never, ackPart(this.keyspace.engine, message))
    return this
  }

  /**
   * Removes every key of a range when the batch is written: those that the batch has put before, and none that it puts later.
   *
   * @example
   * await db.batch().clearRange({ prefix: 'session:' }).put('session:1', 'ada').write()
   */
  clearRange(range: RangeOptions<K>): this
  clearRange<K2, V2>(range: RangeOptions<NoInfer<K2>>, options: { keyspace: WriteTarget<K2, V2> }): this
  clearRange(range: RangeOptions<unknown>, options: { keyspace: string }): this
  clearRange(range: RangeOptions<unknown>, options: KeyspaceOption = NO_OPTIONS): this {
    this.checkUnwritten()
    if (options !== NO_OPTIONS) checkNames(options, KEYSPACE_NAMES, 'clearRange')
    const target = targetOf(this.keyspace, options.keyspace)
    checkRangeNames(range, RANGE_NAMES, 'clearRange')
    this.pending.clear(target.state, resolveRange(target.keyEncoding, range))
    return this
  }

  /** Forgets everything the batch holds. */
  clear(): this {
    this.checkUnwritten()
    this.pending = new Pending()
    return this
  }

  /** Commits the batch. */
  write(options?: WriteOptions): Promise<void> {
    try {
      return this.commit(options, false)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same on this thread. */
  writeSync(options?: WriteOptions): void {
    this.commit(options, true)
  }

  private commit(options: WriteOptions | undefined, onThisThread: boolean): Promise<void> {
    this.checkUnwritten()
    const sync = this.keyspace.writeSyncOf(options, 'write of a batch')
    const done = commitPending(this.keyspace, this.pending, sync, onThisThread)
    this.written = true
    return done
  }

  private checkUnwritten(): void {
    this.keyspace.engine.checkOpen()
    if (this.written) throw new SiltstoneError('SILT_NOT_OPEN', 'The batch was written already; make a new one')
  }
}

/** Bytes given to a chained batch may change before it is written. */
function owned(prepared: Prepared): Prepared {
  return typeof prepared === 'string' ? prepared : prepared.slice()
}
