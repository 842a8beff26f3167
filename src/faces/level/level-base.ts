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
  open(options?: Options.OpenOptions): Promise<void>

  get(key: KDefault): Promise<VDefault | undefined>
  get<K = KDefault, V = VDefault>(key: K, options: Options.GetOptions<K, V>): Promise<V | undefined>

  getSync(key: KDefault): VDefault | undefined
  getSync<K = KDefault, V = VDefault>(key: K, options: Options.GetOptions<K, V>): V | undefined

  getMany(keys: KDefault[]): Promise<(VDefault | undefined)[]>
  getMany<K = KDefault, V = VDefault>(keys: K[], options: Options.GetManyOptions<K, V>): Promise<(V | undefined)[]>

  has(key: KDefault): Promise<boolean>
  has<K = KDefault>(key: K, options: Options.HasOptions<K>): Promise<boolean>

  hasMany(keys: KDefault[]): Promise<boolean[]>
  hasMany<K = KDefault>(keys: K[], options: Options.HasManyOptions<K>): Promise<boolean[]>

  put(key: KDefault, value: VDefault): Promise<void>
  put<K = KDefault, V = VDefault>(key: K, value: V, options: Options.PutOptions<K, V>): Promise<void>

  del(key: KDefault): Promise<void>
  del<K = KDefault>(key: K, options: Options.DelOptions<K>): Promise<void>

  batch(operations: AbstractBatchOperation<this, KDefault, VDefault>[]): Promise<void>
  batch<K = KDefault, V = VDefault>(
    operations: AbstractBatchOperation<this, K, V>[],
    options: Options.BatchOptions<K, V>,
  ): Promise<void>
  batch(): LevelChainedBatch<this, KDefault, VDefault>

  iterator(): AbstractIterator<this, KDefault, VDefault>
  iterator<K = KDefault, V = VDefault>(options: Options.IteratorOptions<K, V>): AbstractIterator<this, K, V>

  keys(): AbstractKeyIterator<this, KDefault>
  keys<K = KDefault>(options: Options.KeyIteratorOptions<K>): AbstractKeyIterator<this, K>

  values(): AbstractValueIterator<this, KDefault, VDefault>
  values<K = KDefault, V = VDefault>(options: Options.ValueIteratorOptions<K, V>): AbstractValueIterator<this, K, V>

  snapshot(options?: object): AbstractSnapshot
}

/** The base class as these types see it: they add options, and nothing that would have to run. */
export const LevelBase = AbstractLevel as unknown as new <KDefault, VDefault>(
  manifest: object,
  options: Options.DatabaseOptions<KDefault, VDefault> | undefined,
) => LevelDatabase<KDefault, VDefault>
