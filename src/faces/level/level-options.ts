import type {
  AbstractBatchOptions,
  AbstractChainedBatchWriteOptions,
  AbstractDatabaseOptions,
  AbstractDelOptions,
  AbstractGetManyOptions,
  AbstractGetOptions,
  AbstractHasManyOptions,
  AbstractHasOptions,
  AbstractIteratorOptions,
  AbstractKeyIteratorOptions,
  AbstractOpenOptions,
  AbstractPutOptions,
  AbstractValueIteratorOptions,
  Transcoder,
} from 'abstract-level'
import type { OpenOptions as StoreOptions } from '../../store/options.js'

/*
 * The options of classic-level under its own names. Where one has a counterpart in the store it is handed on, within the
 * limits that LevelDB has for it; numbers left out are the store's own defaults, which suit it better than LevelDB's.
 */

/** What only Siltstone has; how keys and values become bytes is Level's own business. */
export type SiltstoneOptions = Omit<StoreOptions, 'keyEncoding' | 'valueEncoding' | 'createIfMissing' | 'errorIfExists'>

/** What `open` takes. */
export interface OpenOptions extends AbstractOpenOptions {
  /** Compress the blocks of the deeper levels, with LZ4 (default true). */
  compression?: boolean | undefined
  /** Bytes of the cache for blocks, indexes and filters (default 64 MiB). */
  cacheSize?: number | undefined
  /** Bytes of a memtable and its log segment (default 32 MiB). */
  writeBufferSize?: number | undefined
  /** Bytes of a block before compression (default 4096). */
  blockSize?: number | undefined
  /** Tables held open at once (default 256). */
  maxOpenFiles?: number | undefined
  /** Entries from one whole key to the next inside a block (default 16). */
  blockRestartInterval?: number | undefined
  /** Taken and left alone: tables are as large as compaction likes them, 16 MiB. */
  maxFileSize?: number | undefined
  /**
   * Let databases at the same location share one store (default false). They must live on one thread: on another one,
   * opening fails with `LEVEL_LOCKED`.
   */
  multithreading?: boolean | undefined
  /** Options of Siltstone that LevelDB knows nothing of; they win over those above. */
  siltstone?: SiltstoneOptions | undefined
}

/** What the constructor takes. */
export interface DatabaseOptions<K, V> extends AbstractDatabaseOptions<K, V>, Omit<OpenOptions, 'passive'> {}

/** What reads take. */
interface ReadOptions {
  /** Taken and left alone: the cache tells by itself what a scan touches once from what is asked for again. */
  fillCache?: boolean | undefined
}

/** What `get` and `getSync` take. */
export interface GetOptions<K, V> extends AbstractGetOptions<K, V>, ReadOptions {}
/** What `getMany` takes. */
export interface GetManyOptions<K, V> extends AbstractGetManyOptions<K, V>, ReadOptions {}
/** What `has` takes. */
export interface HasOptions<K> extends AbstractHasOptions<K>, ReadOptions {}
/** What `hasMany` takes. */
export interface HasManyOptions<K> extends AbstractHasManyOptions<K>, ReadOptions {}

/** What iterators take. */
export interface AdditionalIteratorOptions extends ReadOptions {
  /** A slice ends with the entry that exceeds so many bytes (default 16 KiB). */
  highWaterMarkBytes?: number | undefined
}

/** What `iterator` takes. */
export interface IteratorOptions<K, V> extends AbstractIteratorOptions<K, V>, AdditionalIteratorOptions {}
/** What `keys` takes. */
export interface KeyIteratorOptions<K> extends AbstractKeyIteratorOptions<K>, AdditionalIteratorOptions {}
/** What `values` takes. */
export interface ValueIteratorOptions<K, V> extends AbstractValueIteratorOptions<K, V>, AdditionalIteratorOptions {}

/** What writes take. */
interface WriteOptions {
  /** Resolve only when the write is on disk and survives a loss of power (default false). */
  sync?: boolean | undefined
}

/** What `put` takes. */
export interface PutOptions<K, V> extends AbstractPutOptions<K, V>, WriteOptions {}
/** What `del` takes. */
export interface DelOptions<K> extends AbstractDelOptions<K>, WriteOptions {}
/** What `batch` with an array takes. */
export interface BatchOptions<K, V> extends AbstractBatchOptions<K, V>, WriteOptions {}
/** What `write` of a chained batch takes. */
export interface ChainedBatchWriteOptions extends AbstractChainedBatchWriteOptions, WriteOptions {}

/** What `approximateSize` and `compactRange` take. */
export interface StartEndOptions<K> {
  /** How start and end become bytes, where not as the database's keys do. */
  keyEncoding?: string | Transcoder.PartialEncoder<K> | undefined
}

const KIB = 1024
const MIB = 1024 * KIB

/** The store's options for Level's. Numbers are clipped where LevelDB clips them, and what is no number counts as left out. */
export function storeOptions(options: OpenOptions): StoreOptions<Buffer, Buffer> {
  const { createIfMissing, errorIfExists, siltstone } = options
  const converted: StoreOptions<Buffer, Buffer> = {
    createIfMissing: createIfMissing !== false,
    errorIfExists: errorIfExists === true,
    compression: options.compression === false ? 'none' : 'lz4',
    ...clipped('cacheBytes', options.cacheSize, 0, Number.MAX_SAFE_INTEGER),
    ...clipped('writeBufferBytes', options.writeBufferSize, 64 * KIB, 1024 * MIB),
    ...clipped('blockBytes', options.blockSize, KIB, 4 * MIB),
    ...clipped('maxOpenFiles', options.maxOpenFiles, 74, 50_000),
    ...clipped('restartInterval', options.blockRestartInterval, 1, KIB),
    ...siltstone,
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  }
  return converted
}

function clipped(name: keyof StoreOptions, value: unknown, low: number, high: number): StoreOptions<Buffer, Buffer> {
  if (typeof value !== 'number' || Number.isNaN(value)) return {}
  return { [name]: Math.min(high, Math.max(low, Math.trunc(value))) }
}
