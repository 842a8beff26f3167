import type { Clock } from '../bytes/clock.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { RangeOptions } from '../store/bounds.js'
import { describe } from '../store/encoding.js'
import { checkNames, checkRangeNames, RANGE_NAMES } from '../store/option-names.js'
import { checked, flag, oneOf, whole } from '../store/options.js'
import type { TransactionOptions } from '../store/transact.js'
import type { Isolation } from '../store/transaction.js'
import type { ShardReads, ShardTransaction } from './shard.js'
import type { ShardedKeyspace } from './sharded-keyspace.js'
import { ShardedReader } from './sharded-reader.js'

const checks = { isolation: oneOf('serializable', 'snapshot'), retries: whole(0, 1_000_000, 'attempts'), sync: flag }

// Pauses between attempts grow to this, each drawn by chance, so that those who met do not meet again.
const LONGEST_PAUSE_MS = 64

/** What the keyspaces of one attempt share. */
class Attempt {
  readonly transaction: ShardTransaction
  private open = true

  constructor(transaction: ShardTransaction) {
    this.transaction = transaction
  }

  checkOpen(): void {
    if (this.open) return
    throw new SiltstoneError(
      'SILT_NOT_OPEN',
      'The transaction is over; what belongs to it must be awaited inside its function',
    )
  }

  close(): void {
    this.open = false
    this.transaction.close()
  }
}

/**
 * A keyspace inside a transaction, which runs on one shard: that of the first key it touches. A key of another shard is refused with
 * `SILT_CROSS_SHARD`, and so is a range that is not held together by a tag.
 */
export class ShardedTransaction<K = string, V = string> extends ShardedReader<K, V> {
  private readonly target: ShardedKeyspace<K, V>
  private readonly attempt: Attempt

  /** @internal Transactions come from `store.transaction`. */
  constructor(target: ShardedKeyspace<K, V>, attempt: Attempt) {
    super(target.space, target.keyCodec, target.valueCodec)
    this.target = target
    this.attempt = attempt
  }

  /** Another keyspace in the same transaction. */
  keyspace<K2, V2>(keyspace: ShardedKeyspace<K2, V2>): ShardedTransaction<K2, V2> {
    this.checkOpen()
    if (keyspace?.group === undefined) {
      throw invalid(`A transaction takes what store.keyspace() returned, not ${describe(keyspace)}`)
    }
    if (keyspace.group !== this.target.group) throw invalid(`Keyspace '${keyspace.name}' belongs to another store`)
    return new ShardedTransaction(keyspace, this.attempt)
  }

  /** Sets a key when the transaction commits. */
  async put(key: K, value: V, options: { ttl?: number } = {}): Promise<void> {
    this.putSync(key, value, options)
  }

  /** The same without a promise; nothing is written before the commit either way. */
  putSync(key: K, value: V, options: { ttl?: number } = {}): void {
    this.checkOpen()
    checkNames(options, ['ttl'], 'put of a transaction')
    this.attempt.transaction.write(this.target.putOperation(key, value, options.ttl))
  }

  /** Removes a key when the transaction commits. */
  async del(key: K): Promise<void> {
    this.delSync(key)
  }

  /** The same without a promise. */
  delSync(key: K): void {
    this.checkOpen()
    this.attempt.transaction.write(this.target.deleteOperation(key))
  }

  /** Removes every key of a range, held together by a tag, when the transaction commits. */
  async clear(options: RangeOptions<K> = {}): Promise<void> {
    this.clearSync(options)
  }

  /** The same without a promise. */
  clearSync(options: RangeOptions<K> = {}): void {
    this.checkOpen()
    checkRangeNames(options, RANGE_NAMES, 'clear of a transaction')
    for (const operation of this.target.clearOperations(options)) this.attempt.transaction.write(operation)
  }

  protected get clock(): Clock {
    return this.target.family.clock
  }

  protected get home(): object {
    return this.target.group
  }

  protected reads(): ShardReads {
    return this.attempt.transaction
  }

  protected checkOpen(): void {
    this.target.group.checkOpen()
    this.attempt.checkOpen()
  }
}

interface Settings {
  readonly isolation: Isolation
  readonly retries: number
  readonly sync: boolean
}

function settingsOf(keyspace: { family: { sync: boolean } }, run: unknown, options: TransactionOptions): Settings {
  if (typeof run !== 'function') throw invalid(`A transaction takes a function, not ${describe(run)}`)
  return {
    isolation: 'serializable',
    retries: 5,
    sync: keyspace.family.sync,
    ...checked(options, checks, 'transaction'),
  }
}

/** Runs a function until its reads and writes fit between those of everybody else on its shard. */
export async function transactOnShard<K, V, T>(
  keyspace: ShardedKeyspace<K, V>,
  run: (transaction: ShardedTransaction<K, V>) => Promise<T> | T,
  options: TransactionOptions,
): Promise<T> {
  const { isolation, retries, sync } = settingsOf(keyspace, run, options)
  for (let attempt = 0; ; attempt++) {
    keyspace.group.checkOpen()
    const shared = new Attempt(keyspace.group.begin(isolation))
    try {
      const result = await run(new ShardedTransaction(keyspace, shared))
      keyspace.group.checkOpen()
      if (await shared.transaction.commit(sync)) return result
    } finally {
      shared.close()
    }
    if (attempt === retries) throw conflict(retries)
    const pauseMs = attempt === 0 ? 0 : Math.ceil(Math.random() * Math.min(LONGEST_PAUSE_MS, 2 ** attempt))
    await new Promise((resolve) => (pauseMs === 0 ? setImmediate(resolve) : setTimeout(resolve, pauseMs)))
  }
}

/** The same on this thread. */
export function transactOnShardSync<K, V, T>(
  keyspace: ShardedKeyspace<K, V>,
  run: (transaction: ShardedTransaction<K, V>) => T,
  options: TransactionOptions,
): T {
  const { isolation, retries, sync } = settingsOf(keyspace, run, options)
  for (let attempt = 0; attempt <= retries; attempt++) {
    keyspace.group.checkOpen()
    // What others have issued in this turn comes before this transaction, so let it be seen.
    keyspace.group.drain()
    const shared = new Attempt(keyspace.group.begin(isolation))
    try {
      const result = run(new ShardedTransaction(keyspace, shared))
      if (result instanceof Promise) {
        result.catch(() => {})
        throw invalid('transactionSync takes a function that returns no promise; use transaction for one that does')
      }
      if (shared.transaction.commitSync(sync)) return result
    } finally {
      shared.close()
    }
  }
  throw conflict(retries)
}

function conflict(retries: number): SiltstoneError {
  return new SiltstoneError(
    'SILT_CONFLICT',
    `The transaction met others in all ${retries + 1} attempts, and nothing of it was written; try again later, or with more retries`,
  )
}
