import {
  type AbstractBatchOperation,
  type AbstractIterator,
  type AbstractKeyIterator,
  AbstractLevel,
  type AbstractSnapshot,
  type AbstractValueIterator,
} from 'abstract-level'
import type { LevelChainedBatch } from './level-chained-batch.js'
import type * as Options from './level-options.js'

/** The methods of the base class, with the options that they have here besides its own. */
export interface LevelDatabase<KDefault, VDefault>
  extends AbstractLevel<string | Buffer | Uint8Array, KDefault, VDefault> {
  /** Opens the database; one that is open stays open. Whatever was called before waits for it. */
  open(options?: Options.OpenOptions): Promise<void>

  /** The value of a key, `undefined` where there is none. */
  get(key: KDefault): Promise<VDefault | undefined>
  get<K = KDefault, V = VDefault>(key: K, options: Options.GetOptions<K, V>): Promise<V | undefined>

  /** The same on this thread; the database must be open. */
  getSync(key: KDefault): VDefault | undefined
  getSync<K = KDefault, V = VDefault>(key: K, options: Options.GetOptions<K, V>): V | undefined

  /** The values of many keys, in their order, all as of one moment. */
  getMany(keys: KDefault[]): Promise<(VDefault | undefined)[]>
  getMany<K = KDefault, V = VDefault>(keys: K[], options: Options.GetManyOptions<K, V>): Promise<(V | undefined)[]>

  /** Whether a key is there. */
  has(key: KDefault): Promise<boolean>
  has<K = KDefault>(key: K, options: Options.HasOptions<K>): Promise<boolean>

  /** Which of many keys are there, in their order. */
  hasMany(keys: KDefault[]): Promise<boolean[]>
  hasMany<K = KDefault>(keys: K[], options: Options.HasManyOptions<K>): Promise<boolean[]>

  /** Sets a key. */
  put(key: KDefault, value: VDefault): Promise<void>
  put<K = KDefault, V = VDefault>(key: K, value: V, options: Options.PutOptions<K, V>): Promise<void>

  /** Removes a key; one that is not there is no error. */
  del(key: KDefault): Promise<void>
  del<K = KDefault>(key: K, options: Options.DelOptions<K>): Promise<void>

  /** Commits several operations as one: all of them or none. Without arguments it returns a batch to chain. */
  batch(operations: AbstractBatchOperation<this, KDefault, VDefault>[]): Promise<void>
  batch<K = KDefault, V = VDefault>(
    operations: AbstractBatchOperation<this, K, V>[],
    options: Options.BatchOptions<K, V>,
  ): Promise<void>
  batch(): LevelChainedBatch<this, KDefault, VDefault>

  /** Walks over keys and values in key order, as they were at the call. */
  iterator(): AbstractIterator<this, KDefault, VDefault>
  iterator<K = KDefault, V = VDefault>(options: Options.IteratorOptions<K, V>): AbstractIterator<this, K, V>

  /** Walks over keys. */
  keys(): AbstractKeyIterator<this, KDefault>
  keys<K = KDefault>(options: Options.KeyIteratorOptions<K>): AbstractKeyIterator<this, K>

  /** Walks over values, in the order of their keys. */
  values(): AbstractValueIterator<this, KDefault, VDefault>
  values<K = KDefault, V = VDefault>(options: Options.ValueIteratorOptions<K, V>): AbstractValueIterator<this, K, V>

  /** Fixes the present moment for reads that name it; close it when it is done with. */
  snapshot(options?: object): AbstractSnapshot
}

/** The base class as these types see it: they add options, and nothing that would have to run. */
export const LevelBase = AbstractLevel as unknown as new <KDefault, VDefault>(
  manifest: object,
  options: Options.DatabaseOptions<KDefault, VDefault> | undefined,
) => LevelDatabase<KDefault, VDefault>
