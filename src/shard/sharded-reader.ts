import type { Clock } from '../bytes/clock.js'
import { invalid } from '../bytes/errors.js'
import { type RangeOptions, resolveRange } from '../store/bounds.js'
import { describe, namingKey } from '../store/encoding.js'
import { checkNames, checkReadNames, SCAN_NAMES } from '../store/option-names.js'
import { type ScanOptions, scanLimit } from '../store/scan.js'
import { type Codec, keyBytesOf } from './codec.js'
import type { Row, ShardReads } from './shard.js'
import { ShardedScan } from './sharded-scan.js'

/** Something that fixes the moment of a read: what `store.snapshot()` returns. */
export interface ShardedReadPoint {
  /** @internal */
  readsFor(group: object): ShardReads
}

/** What point reads take. */
export interface ShardedReadOptions {
  /** Read as of this snapshot. */
  snapshot?: ShardedReadPoint
}

/** The reads of a keyspace over shards, live, at a snapshot or in a transaction; the same as those of a single store. */
export abstract class ShardedReader<K, V> {
  /** @internal */
  readonly space: string
  /** @internal */
  readonly keyCodec: Codec<K>
  /** @internal */
  readonly valueCodec: Codec<V>

  /** @internal */
  constructor(space: string, keyCodec: Codec<K>, valueCodec: Codec<V>) {
    this.space = space
    this.keyCodec = keyCodec
    this.valueCodec = valueCodec
  }

  /** What says when entries expire. @internal */
  protected abstract readonly clock: Clock
  /** Whose shards these are. @internal */
  protected abstract readonly home: object
  /** Where a read without a snapshot of its own reads. @internal */
  protected abstract reads(): ShardReads
  /** Throws if the store is closed. @internal */
  protected abstract checkOpen(): void

  /**
   * The value of a key, `undefined` where there is none.
   *
   * @example
   * const value = await store.get('user:1')
   */
  async get(key: K, options?: ShardedReadOptions): Promise<V | undefined> {
    return this.decoded(key, await this.readsOf(options).get(this.space, keyBytesOf(this.keyCodec, key)))
  }

  /** The same on this thread. */
  getSync(key: K, options?: ShardedReadOptions): V | undefined {
    return this.decoded(key, this.readsOf(options).getSync(this.space, keyBytesOf(this.keyCodec, key)))
  }

  /** Whether a key is there. */
  async has(key: K, options?: ShardedReadOptions): Promise<boolean> {
    return (await this.readsOf(options).hasMany(this.space, [keyBytesOf(this.keyCodec, key)]))[0]!
  }

  /** The same on this thread. */
  hasSync(key: K, options?: ShardedReadOptions): boolean {
    return this.readsOf(options).hasManySync(this.space, [keyBytesOf(this.keyCodec, key)])[0]!
  }

  /** The values of many keys, in their order, all as of one moment; shards are asked side by side. */
  async getMany(keys: readonly K[], options?: ShardedReadOptions): Promise<(V | undefined)[]> {
    const found = await this.readsOf(options).getMany(this.space, this.keysOf(keys))
    return found.map((bytes, i) => this.decoded(keys[i]!, bytes))
  }

  /** The same on this thread. */
  getManySync(keys: readonly K[], options?: ShardedReadOptions): (V | undefined)[] {
    const found = this.readsOf(options).getManySync(this.space, this.keysOf(keys))
    return found.map((bytes, i) => this.decoded(keys[i]!, bytes))
  }

  /** Which of many keys are there, in their order, all as of one moment. */
  async hasMany(keys: readonly K[], options?: ShardedReadOptions): Promise<boolean[]> {
    return this.readsOf(options).hasMany(this.space, this.keysOf(keys))
  }

  /** The same on this thread. */
  hasManySync(keys: readonly K[], options?: ShardedReadOptions): boolean[] {
    return this.readsOf(options).hasManySync(this.space, this.keysOf(keys))
  }

  /** Walks over keys and values of all shards in key order. */
  entries(options: ScanOptions<K> & ShardedReadOptions = {}): ShardedScan<K, [K, V]> {
    checkNames(options, SCAN_NAMES, 'entries')
    return this.scan(options, false, (row) => [this.readKey(row), this.readValue(row)])
  }

  /** Walks over keys. */
  keys(options: ScanOptions<K> & ShardedReadOptions = {}): ShardedScan<K, K> {
    checkNames(options, SCAN_NAMES, 'keys')
    return this.scan(options, true, (row) => this.readKey(row))
  }

  /** Walks over values, in the order of their keys. */
  values(options: ScanOptions<K> & ShardedReadOptions = {}): ShardedScan<K, V> {
    checkNames(options, SCAN_NAMES, 'values')
    return this.scan(options, false, (row) => this.readValue(row))
  }

  /** How many keys a range holds; every one of them is visited. */
  async count(options: RangeOptions<K> & ShardedReadOptions = {}): Promise<number> {
    checkNames(options, SCAN_NAMES, 'count')
    return this.scan(options, true, () => undefined).count()
  }

  /** The same on this thread. */
  countSync(options: RangeOptions<K> & ShardedReadOptions = {}): number {
    checkNames(options, SCAN_NAMES, 'count')
    return this.scan(options, true, () => undefined).countSync()
  }

  private scan<T>(
    options: ScanOptions<K> & ShardedReadOptions,
    keysOnly: boolean,
    read: (row: Row) => T,
  ): ShardedScan<K, T> {
    const { reverse = false, signal } = options
    if (typeof reverse !== 'boolean') throw invalid(`Option reverse must be true or false, not ${describe(reverse)}`)
    const range = resolveRange(this.keyCodec.encoding, options)
    const query = { range, reverse, limit: scanLimit(options.limit), keysOnly }
    if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
      throw invalid(`Option signal must be an AbortSignal, not ${describe(signal)}`)
    }
    const rows = this.readsAt(options.snapshot).scan(this.space, query)
    const reading = { signal, clock: this.clock, encodeKey: (key: K) => keyBytesOf(this.keyCodec, key), read }
    return new ShardedScan(rows, reading, () => this.checkOpen())
  }

  private readsOf(options: ShardedReadOptions | undefined): ShardReads {
    if (options !== undefined) checkReadNames(options)
    return this.readsAt(options?.snapshot)
  }

  private readsAt(snapshot: ShardedReadPoint | undefined): ShardReads {
    this.checkOpen()
    if (snapshot === undefined) return this.reads()
    if (typeof snapshot?.readsFor !== 'function') {
      throw invalid(`Option snapshot must be what store.snapshot() returned, not ${describe(snapshot)}`)
    }
    return snapshot.readsFor(this.home)
  }

  private keysOf(keys: readonly K[]): Uint8Array[] {
    if (!Array.isArray(keys)) throw invalid(`getMany takes an array of keys, not ${describe(keys)}`)
    return keys.map((key) => keyBytesOf(this.keyCodec, key))
  }

  private decoded(key: K, bytes: Uint8Array | undefined): V | undefined {
    if (bytes === undefined) return undefined
    try {
      return this.valueCodec.decode(bytes)
    } catch (error) {
      throw namingKey(error, 'value', this.space, keyBytesOf(this.keyCodec, key))
    }
  }

  private readKey(row: Row): K {
    try {
      return this.keyCodec.decode(row.key)
    } catch (error) {
      throw namingKey(error, 'key', this.space, row.key)
    }
  }

  private readValue(row: Row): V {
    try {
      return this.valueCodec.decode(row.value)
    } catch (error) {
      throw namingKey(error, 'value', this.space, row.key)
    }
  }
}
