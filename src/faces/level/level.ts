import { invalid } from '../../bytes/errors.js'
import { MemoryFileSystem } from '../../fs/memory-file-system.js'
import type { BatchOperation } from '../../store/batch.js'
import type { RangeOptions } from '../../store/bounds.js'
import type { Database } from '../../store/database.js'
import { destroy } from '../../store/destroy.js'
import { describe } from '../../store/encoding.js'
import { IN_MEMORY } from '../../store/open-engine.js'
import type { RepairReport } from '../../store/repair/ledger.js'
import { repair } from '../../store/repair.js'
import type { WriteOptions } from '../../store/write-target.js'
import { clearRange } from './clear-range.js'
import { type Encoded, type Format, type Handle, type Handles, makeHandles } from './handles.js'
import { LevelBase } from './level-base.js'
import { LevelChainedBatch } from './level-chained-batch.js'
import { LevelError, levelError, openError, rethrow } from './level-error.js'
import { LevelIterator, LevelKeyIterator, LevelValueIterator } from './level-iterator.js'
import type * as Options from './level-options.js'
import { storeOptions } from './level-options.js'
import { levelProperty } from './level-property.js'
import { type EncodedScanOptions, readPoint, scanEntries, scanKeys, scanValues } from './level-scan.js'
import { LevelSnapshot } from './level-snapshot.js'
import { levelDbError } from './leveldb-directory.js'
import { Pending } from './pending.js'
import { type Lease, openAlone, openShared } from './shared-store.js'

/** What an open database works with; gone when it is closed. */
interface Opened extends Lease {
  readonly handles: Handles
}

/** The options of a point read, formats settled. */
interface EncodedReadOptions {
  readonly keyEncoding: Format
  readonly valueEncoding: Format
  readonly snapshot?: LevelSnapshot | null
}

/** The options of a write. Level copies those of a batch to its operations and adds to them what it likes. */
interface EncodedWriteOptions {
  readonly sync?: unknown
}

/** An operation of a batch, encoded; besides these it may have any property of the caller's. */
type EncodedOperation = { type: 'put'; key: Encoded; value: Encoded } | { type: 'del'; key: Encoded }

let databaseBelow: (level: unknown) => Database<Buffer, Buffer>

/**
 * The store below a database: the same entries as bytes, and everything that Level has no word for. Throws unless the database
 * is open.
 *
 * @example
 * await level.open()
 * await storeOf(level).checkpoint('./backup')
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever the encodings, the store below has bytes
export function storeOf(level: SiltstoneLevel<any, any>): Database<Buffer, Buffer> {
  return databaseBelow(level)
}

/**
 * A Level database (abstract-level 3) on Siltstone, with the options and methods of classic-level: who used that changes the
 * import and the name of the class. Directories of LevelDB are not read; `importLevel` brings their entries over.
 *
 * @example
 * const db = new SiltstoneLevel<string, User>('./data', { valueEncoding: 'json' })
 * await db.put('ada', { born: 1815 })
 * const people = db.sublevel('people')
 * for await (const [key, value] of db.iterator({ gte: 'a', lt: 'b' })) console.log(key, value)
 */
export class SiltstoneLevel<KDefault = string, VDefault = string> extends LevelBase<KDefault, VDefault> {
  readonly #location: string
  /** What ':memory:' holds outlives a closing: the same instance opened again finds it. */
  readonly #memory: MemoryFileSystem | undefined
  readonly #pending = new Pending()
  #opened: Opened | undefined

  /** `location` is the store's directory, or ':memory:'. It opens by itself; whatever is called meanwhile waits. */
  constructor(location: string, options?: Options.DatabaseOptions<KDefault, VDefault>) {
    checkLocation(location)
    super(manifestOf(location), options)
    this.#location = location
    this.#memory = location === IN_MEMORY ? new MemoryFileSystem() : undefined
  }

  /** The location that was given to the constructor, as it was given. */
  get location(): string {
    return this.#location
  }

  /** Whose store `storeOf` gives; a member for that would be found by programs that look for one. */
  static {
    databaseBelow = (level) => {
      if (typeof level === 'object' && level !== null && #location in level) return level.#use().database
      throw invalid(`storeOf takes a SiltstoneLevel, not ${describe(level)}`)
    }
  }

  /**
   * About how many bytes of disk the keys from `start` up to `end` take, what only the log has so far included.
   *
   * @example
   * const bytes = await db.approximateSize('a', 'b')
   */
  async approximateSize<K = KDefault>(start: K, end: K, options?: Options.StartEndOptions<K>): Promise<number> {
    const range = this.#startToEnd(start, end, options)
    return this.#whenOpen('approximateSize', ({ database }) => database.approximateSize(range))
  }

  /**
   * Compacts the keys from `start` up to and with `end` now.
   *
   * @example
   * await db.compactRange('a', 'b')
   */
  async compactRange<K = KDefault>(start: K, end: K, options?: Options.StartEndOptions<K>): Promise<void> {
    const { gte, lt } = this.#startToEnd(start, end, options)
    const behindEnd = Buffer.concat([lt!, Buffer.of(0)])
    return this.#whenOpen('compactRange', ({ database }) => database.compact({ gte: gte!, lt: behindEnd }))
  }

  /**
   * What LevelDB tells of itself: 'leveldb.num-files-at-level<N>', 'leveldb.stats', 'leveldb.sstables' and
   * 'leveldb.approximate-memory-usage'; an empty text for anything else.
   *
   * @example
   * db.getProperty('leveldb.num-files-at-level0') // '0'
   */
  getProperty(property: string): string {
    if (typeof property !== 'string') throw new TypeError("The first argument 'property' must be a string")
    return levelProperty(this.#use().database, property)
  }

  /**
   * Removes the store at a location, and the directory if nothing else is in it. Close the database first.
   *
   * @example
   * await SiltstoneLevel.destroy('./data')
   */
  static async destroy(location: string): Promise<void> {
    checkLocation(location)
    const refusal = levelDbError(location)
    if (refusal !== undefined) throw refusal
    await destroy(location).catch(rethrow)
  }

  /**
   * Makes a damaged store one that opens again, with all that can still be read; originals are kept in its folder `lost`. Tells,
   * file by file, what was kept and what was lost. Close the database first.
   *
   * @example
   * const { lost } = await SiltstoneLevel.repair('./data')
   */
  static async repair(location: string): Promise<RepairReport> {
    checkLocation(location)
    const refusal = levelDbError(location)
    if (refusal !== undefined) throw refusal
    return repair(location).catch(rethrow)
  }

  // What the base class calls once it has encoded keys and values and checked that the database is open.

  protected async _open(options: Options.OpenOptions): Promise<void> {
    try {
      const converted = storeOptions(options)
      if (this.#memory !== undefined) converted.fs ??= this.#memory
      const lease = await (options.multithreading === true ? openShared : openAlone)(this.#location, converted)
      this.#opened = { ...lease, handles: makeHandles(lease.database) }
    } catch (error) {
      throw levelDbError(this.#location, error) ?? openError(error, this.#location)
    }
  }

  protected async _close(): Promise<void> {
    // The base class lets nothing in any more.
    await this.#pending.none()
    const opened = this.#opened
    this.#opened = undefined
    await opened?.release().catch(rethrow)
  }

  protected _get(key: Encoded, options: EncodedReadOptions): Promise<Encoded | undefined> {
    return this.#pending.add(this.#handleFor(options).get(key, readPoint(options.snapshot)))
  }

  protected _getSync(key: Encoded, options: EncodedReadOptions): Encoded | undefined {
    try {
      return this.#handleFor(options).getSync(key, readPoint(options.snapshot))
    } catch (error) {
      throw levelError(error)
    }
  }

  protected _getMany(keys: Encoded[], options: EncodedReadOptions): Promise<(Encoded | undefined)[]> {
    return this.#pending.add(this.#handleFor(options).getMany(keys, readPoint(options.snapshot)))
  }

  protected _has(key: Encoded, options: EncodedReadOptions): Promise<boolean> {
    return this.#pending.add(this.#bytes.has(key, readPoint(options.snapshot)))
  }

  protected _hasMany(keys: Encoded[], options: EncodedReadOptions): Promise<boolean[]> {
    return this.#pending.add(this.#bytes.hasMany(keys, readPoint(options.snapshot)))
  }

  protected _put(key: Encoded, value: Encoded, options: EncodedWriteOptions): Promise<void> {
    return this.#bytes.put(key, value, syncOf(options)).catch(rethrow)
  }

  protected _del(key: Encoded, options: EncodedWriteOptions): Promise<void> {
    return this.#bytes.del(key, syncOf(options)).catch(rethrow)
  }

  protected _batch(operations: EncodedOperation[], options: EncodedWriteOptions): Promise<void> {
    return this.#bytes.batch(operations.map(bareOperation), syncOf(options)).catch(rethrow)
  }

  protected _chainedBatch(): LevelChainedBatch<this, KDefault, VDefault> {
    return new LevelChainedBatch(this, this.#bytes.batch())
  }

  protected _clear(options: EncodedScanOptions): Promise<void> {
    return this.#pending.add(clearRange(this.#bytes, options))
  }

  protected _iterator(options: EncodedScanOptions): InstanceType<typeof LevelIterator> {
    return this.#reading(options, (handles) => new LevelIterator(this, options, scanEntries(handles, options)))
  }

  protected _keys(options: EncodedScanOptions): InstanceType<typeof LevelKeyIterator> {
    return this.#reading(options, (handles) => new LevelKeyIterator(this, options, scanKeys(handles, options)))
  }

  protected _values(options: EncodedScanOptions): InstanceType<typeof LevelValueIterator> {
    return this.#reading(options, (handles) => new LevelValueIterator(this, options, scanValues(handles, options)))
  }

  protected _snapshot(options: { owner: unknown }): LevelSnapshot {
    return new LevelSnapshot(this.#use().database.snapshot(), options)
  }

  // Steps of the above.

  #use(): Opened {
    if (this.#opened === undefined) throw new LevelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open')
    return this.#opened
  }

  /** For what reads no value, or writes: keys and values of every format go in. */
  get #bytes(): Handle {
    return this.#use().handles.view.view
  }

  #handleFor({ keyEncoding, valueEncoding }: EncodedReadOptions): Handle {
    return this.#use().handles[keyEncoding][valueEncoding]
  }

  /** Makes an iterator. A snapshot that is closed already says so by refusing to be counted. */
  #reading<T>({ snapshot }: EncodedScanOptions, make: (handles: Handles) => T): T {
    snapshot?.ref()
    try {
      return make(this.#use().handles)
    } catch (error) {
      throw levelError(error)
    } finally {
      snapshot?.unref()
    }
  }

  #startToEnd<K>(start: K, end: K, options: Options.StartEndOptions<K> | undefined): RangeOptions<Buffer> {
    if (start === undefined || end === undefined) throw new TypeError("The arguments 'start' and 'end' are required")
    const encoding = this.keyEncoding<K, K>((options?.keyEncoding ?? this.keyEncoding()) as never)
    return { gte: Buffer.from(encoding.encode(start) as Buffer), lt: Buffer.from(encoding.encode(end) as Buffer) }
  }

  async #whenOpen<T>(method: string, run: (opened: Opened) => Promise<T>): Promise<T> {
    if (this.status === 'opening') return this.deferAsync(() => this.#whenOpen(method, run))
    if (this.status !== 'open') {
      throw new LevelError('LEVEL_DATABASE_NOT_OPEN', `Database is not open: cannot call ${method}()`)
    }
    return this.#pending.add(run(this.#use()))
  }
}

/** What the database can do, in the words of Level. */
function manifestOf(location: string) {
  return {
    encodings: { buffer: true, utf8: true, view: true },
    has: true,
    createIfMissing: true,
    errorIfExists: true,
    explicitSnapshots: true,
    getSync: true,
    permanence: location !== IN_MEMORY,
    additionalMethods: { approximateSize: true, compactRange: true },
    signals: { iterators: true },
  }
}

function checkLocation(location: unknown): void {
  if (typeof location === 'string' && location !== '') return
  throw new TypeError("The first argument 'location' must be a non-empty string")
}

/** What is said of `sync`, if anything: else the store's own default holds. */
function syncOf({ sync }: EncodedWriteOptions): WriteOptions | undefined {
  if (sync === undefined) return undefined
  return { sync: sync === true }
}

/** Without what else the caller has put there: to the store, `ttl` and `keyspace` would mean something. */
function bareOperation(operation: EncodedOperation): BatchOperation<Encoded, Encoded> {
  const { type, key } = operation
  return type === 'put' ? { type, key, value: operation.value } : { type, key }
}
