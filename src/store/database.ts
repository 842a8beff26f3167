import { invalid } from '../bytes/errors.js'
import { ALL_KEYS } from '../tree/key-range.js'
import { type RangeOptions, resolveRange } from './bounds.js'
import type { Commit, Encodings } from './changes/change.js'
import { ChangeFeed, type ChangesOptions } from './changes/change-feed.js'
import { type CheckpointReport, makeCheckpoint } from './checkpoint.js'
import { type CloseOptions, closeTimeout } from './close-options.js'
import {
  type AnyEncoding,
  type Decoded,
  describe,
  type EncodingOption,
  type EncodingOptions,
  resolveEncoding,
  type TypedArguments,
} from './encoding.js'
import type { Engine } from './engine.js'
import { type FollowOptions, followWriter } from './follow.js'
import { isInternal } from './internal-trees.js'
import { keepAlive } from './keep-alive.js'
import { Keyspace } from './keyspace.js'
import { type MetricsOptions, metricsText } from './metrics.js'
import { checkName } from './name.js'
import { IN_MEMORY, locate, openEngine } from './open-engine.js'
import { checkNames, RANGE_NAMES } from './option-names.js'
import {
  checkChangesOptions,
  checkFollowOptions,
  type KeyspaceOptions,
  type OpenOptions,
  resolveCompactOptions,
  resolveKeyspaceOptions,
  resolveOpenOptions,
  type StoreOptions,
} from './options.js'
import { PullStream } from './pull-stream.js'
import type { RecoveryReport } from './recover.js'
import { slowRead } from './slow-read.js'
import { Snapshot } from './snapshot.js'
import { collectStats, type StoreStats } from './stats.js'
import { type TransactionOptions, transact, transactSync } from './transact.js'
import type { Transaction } from './transaction.js'
import type { TreeState } from './tree-state.js'
import type { VerifyReport } from './verify/verification.js'
import { verifyEngine } from './verify.js'
import type { KeyspaceFamily, WriteTarget } from './write-target.js'

/** The default keyspace has no name, so no keyspace of a user's can have its. */
const DEFAULT_KEYSPACE = ''

/** Which part of a keyspace `compact` works on, and how. */
export interface CompactOptions<K> extends Pick<RangeOptions<K>, 'gte' | 'lt'> {
  /** 'major' (default): everything into one run, without garbage. 'minor': small young tables into one. */
  kind?: 'minor' | 'major'
}

/**
 * An open store: its default keyspace, and what looks after the whole.
 *
 * @example
 * const db = await open('./data')
 * await db.put('hello', 'world')
 * await db.close()
 */
export class Database<K = string, V = string> extends Keyspace<K, V> {
  private readonly path: string
  private recovered: RecoveryReport
  private readonly options: StoreOptions
  private readonly handles: Map<string, Keyspace<unknown, unknown>>
  private closing: Promise<void> | undefined
  /** Refreshes come one after the other: what one has seen is never replaced by what an earlier one saw. */
  private refreshing: Promise<void> = Promise.resolve()

  /** @internal Databases come from `open`. */
  constructor(path: string, engine: Engine, recovery: RecoveryReport, options: StoreOptions) {
    const handles = new Map<string, Keyspace<unknown, unknown>>()
    const state = engine.tree(DEFAULT_KEYSPACE, { compaction: options.compaction })
    const keyEncoding = resolveEncoding(options.keyEncoding as EncodingOption<K>, 'keyEncoding')
    const valueEncoding = resolveEncoding(options.valueEncoding as EncodingOption<V>, 'valueEncoding')
    const family: KeyspaceFamily = { sync: options.sync, resolve: (keyspace) => this.resolveKeyspace(keyspace) }
    super(engine, state, keyEncoding, valueEncoding, family)
    this.path = path
    this.recovered = recovery
    this.options = options
    this.handles = handles
    handles.set(DEFAULT_KEYSPACE, this as unknown as Keyspace<unknown, unknown>)
  }

  /** What the opening found in the commit log, and what it did about damage. */
  get recovery(): RecoveryReport {
    return this.recovered
  }

  /**
   * A handle on a keyspace of that name; it comes into being with its first write. Encodings belong to the handle and are
   * the store's own where left out.
   *
   * @example
   * const scores = db.keyspace<string, number>('scores', { valueEncoding: 'json' })
   */
  keyspace<const KE extends AnyEncoding = undefined, const VE extends AnyEncoding = undefined>(
    name: string,
    options?: Omit<KeyspaceOptions, keyof EncodingOptions<KE, VE>> & EncodingOptions<KE, VE>,
  ): Keyspace<Decoded<KE, K>, Decoded<VE, V>>
  keyspace<K2 = K, V2 = V>(name: string, ...options: TypedArguments<KeyspaceOptions, K2, V2, K, V>): Keyspace<K2, V2>
  keyspace<K2 = K, V2 = V>(name: string, options: KeyspaceOptions<K2, V2> = {}): Keyspace<K2, V2> {
    this.engine.checkOpen()
    checkName(name, 'keyspace')
    const { keyEncoding, valueEncoding, compaction, compression } = resolveKeyspaceOptions(options)
    const treeOptions = {
      ...(compaction === undefined ? {} : { compaction }),
      ...(compression === undefined ? {} : { compression }),
    }
    const state = this.engine.tree(name, treeOptions)
    this.settleOptions(state, treeOptions)
    const handle = new Keyspace(
      this.engine,
      state,
      resolveEncoding((keyEncoding ?? this.options.keyEncoding) as EncodingOption<K2>, 'keyEncoding'),
      resolveEncoding((valueEncoding ?? this.options.valueEncoding) as EncodingOption<V2>, 'valueEncoding'),
      this.family,
    )
    this.handles.set(name, handle as unknown as Keyspace<unknown, unknown>)
    return handle
  }

  /** The names of the keyspaces that were ever written to, the default one not counted. */
  keyspaceNames(): string[] {
    this.engine.checkOpen()
    return this.engine
      .trees()
      .map((state) => state.name)
      .filter((name) => name !== DEFAULT_KEYSPACE && !isInternal(name))
  }

  /** Fixes the present moment, over all keyspaces. Close it, or what is deleted later keeps its space. */
  snapshot(): Snapshot<K, V> {
    this.engine.checkOpen()
    return new Snapshot(this.engine, this.state, this.keyEncoding, this.valueEncoding)
  }

  /**
   * Runs a function whose reads and writes, over any keyspaces (`tx.keyspace(orders)`), take effect as one: all or nothing,
   * and as if nobody else had been there. It is optimistic: nothing is locked, and where another commit came in between, the
   * function runs again, so it should have no effects but through `tx`. What it does through `db` instead is not part of
   * the transaction.
   *
   * @example
   * await db.transaction(async (tx) => {
   *   const visits = Number((await tx.get('visits')) ?? '0')
   *   await tx.put('visits', String(visits + 1))
   * })
   */
  transaction<T>(
    run: (transaction: Transaction<K, V>) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    return transact(this, run, options)
  }

  /**
   * The same on this thread, for a function that awaits nothing.
   *
   * @example
   * db.transactionSync((tx) => tx.putSync('visits', String(Number(tx.getSync('visits') ?? '0') + 1)))
   */
  transactionSync<T>(run: (transaction: Transaction<K, V>) => T, options: TransactionOptions = {}): T {
    return transactSync(this, run, options)
  }

  /**
   * Every commit, whole and once, in order: what each batch, transaction or single write did to which keyspace. Keys and values are read
   * with the encodings of the handle that was made last for their keyspace. `position` is where to go on with `since`, in this
   * session or any later one; what was expired, flushed or compacted since makes no difference.
   *
   * How far back it goes is up to `logRetention`: without it, to what is not in tables yet. Nothing is ever skipped; where what
   * follows is not all there any more, the loop fails with `SILT_GONE`. A loop that has seen everything ends when the store is
   * closed; one that has not fails with `SILT_NOT_OPEN`.
   *
   * @example
   * await db.put('a', '1')
   * for await (const { position, operations } of db.changes({ since: 0, follow: false })) {
   *   for (const operation of operations) console.log(position, operation.type, operation.keyspace)
   * }
   *
   * @example
   * const other = await open(':memory:', { keyEncoding: 'buffer', valueEncoding: 'buffer' })
   * for await (const { operations } of db.changes({ since: 0, raw: true, follow: false })) await other.batch(operations)
   */
  changes(options: ChangesOptions & { raw: true }): PullStream<Commit<Uint8Array, Uint8Array>>
  changes<K2 = K, V2 = V>(options?: ChangesOptions): PullStream<Commit<K2, V2>>
  changes<K2 = K, V2 = V>(options: ChangesOptions = {}): PullStream<Commit<K2, V2>> {
    const { engine } = this
    engine.checkOpen()
    checkChangesOptions(options)
    const { since, raw = false, follow = true, signal } = options
    const feed = new ChangeFeed(engine, since, raw ? 'raw' : (keyspace) => this.encodingsOf(keyspace))
    return new PullStream(engine, feed, { follow, signal }) as PullStream<Commit<K2, V2>>
  }

  private encodingsOf(keyspace: string): Encodings {
    return this.handles.get(keyspace) ?? (this as unknown as Encodings)
  }

  /** Moves what is in memory into tables. The log does this by itself when a segment is full. */
  async flush(): Promise<void> {
    this.engine.checkOpen()
    await this.engine.flush()
  }

  /**
   * Merges tables now instead of when they are due; of the whole store, or of a range of the default keyspace.
   *
   * @example
   * await db.compact() // everything as small and as quick to read as it gets
   */
  async compact(options: CompactOptions<K> = {}): Promise<void> {
    const { engine } = this
    engine.checkOpen()
    const { kind = 'major', gte, lt } = resolveCompactOptions(options)
    const whole = gte === undefined && lt === undefined
    const range = whole ? ALL_KEYS : resolveRange(this.keyEncoding, { gte, lt } as RangeOptions<K>)
    await engine.flush()
    for (const state of whole ? engine.trees() : [this.state]) {
      if (state.tree !== undefined) await engine.compact(state.tree, range, kind)
    }
  }

  /**
   * Makes a consistent copy of the whole store in a directory, without stopping anybody: it opens on its own, and takes next to
   * no time and space where the disk has hard links. `SILT_EXISTS` where the directory is not empty. A store in memory is saved to
   * disk that way.
   *
   * All of it is on disk when this resolves. One that was interrupted is no store, and opening it says so; another one in the same
   * place starts over. The copy has a history of its own from then on: what follows in this store is to be had from
   * `db.changes({ since: position })`.
   *
   * @example
   * const { position } = await db.checkpoint('./data-before-the-upgrade')
   */
  async checkpoint(directory: string): Promise<CheckpointReport> {
    this.engine.checkOpen()
    const target = this.placeOutside(directory)
    return makeCheckpoint(this.engine, target.fs, target.directory)
  }

  /**
   * Reads every file of the store and checks every checksum and invariant in it. The store can be used meanwhile.
   *
   * @example
   * const { ok, findings } = await db.verify()
   * if (!ok) for (const { file, offset, problem } of findings) console.error(file, offset, problem)
   */
  async verify(): Promise<VerifyReport> {
    this.engine.checkOpen()
    return verifyEngine(this.engine)
  }

  /** Resolves when no flush and no compaction is under way or due. */
  async idle(): Promise<void> {
    this.engine.checkOpen()
    await this.engine.idle()
  }

  /** How many bytes a range takes on disk, roughly: in tables, and in the log what is not in tables yet. */
  async approximateSize(options: RangeOptions<K> = {}): Promise<number> {
    this.engine.checkOpen()
    checkNames(options, RANGE_NAMES, 'approximateSize')
    const range = resolveRange(this.keyEncoding, options)
    return slowRead(this.engine, () => this.state.approximateBytes(range))
  }

  /** Figures of the whole store: levels, files, cache, amplification, stalls. */
  stats(): StoreStats {
    this.engine.checkOpen()
    return collectStats(this.engine, this.recovered)
  }

  /**
   * The same figures in the text format of Prometheus, version 0.0.4.
   *
   * @example
   * const text = db.metrics({ labels: { store: 'orders' } })
   */
  metrics(options: MetricsOptions = {}): string {
    return metricsText(this.stats(), options)
  }

  /**
   * Lets a store opened with `readOnly` see what its writer has committed since. Snapshots and scans that are open keep what they
   * see. A store that writes always sees the newest, so there it does nothing.
   */
  async refresh(): Promise<void> {
    this.engine.checkOpen()
    if (!this.options.readOnly) return
    const refreshed = this.refreshing.then(() => this.moveOn())
    this.refreshing = refreshed.catch(() => {})
    await refreshed
  }

  private async moveOn(): Promise<void> {
    this.engine.checkOpen()
    const { engine, recovery } = await openEngine(this.path, this.options)
    // Closed meanwhile: nobody would close what is adopted now.
    if (!this.engine.isOpen) await engine.close()
    this.engine.checkOpen()
    await this.engine.adopt(engine)
    this.recovered = recovery
  }

  /**
   * Refreshes a store opened with `readOnly` whenever its writer has written, so that `changes` and `watch` go on by themselves and
   * reads are never far behind. Goes on until the store is closed, or fails with the reason of its signal, or with what a refresh
   * fails with; it keeps the process running. Of a store that writes it returns at once.
   *
   * A reader sees what its writer has kept of the log: give the writer a `logRetention`, or a flush between two refreshes may take
   * away what `changes` and `watch` have not seen yet (`SILT_GONE`).
   *
   * @example
   * const reader = await open('./data', { readOnly: true })
   * const following = reader.follow()
   * const changes = reader.changes() // those of the writer, as they come
   * await reader.close() // and so no more of them
   * await following
   */
  async follow(options: FollowOptions = {}): Promise<void> {
    this.engine.checkOpen()
    checkFollowOptions(options)
    if (this.options.readOnly) await keepAlive(followWriter(this.engine, () => this.refresh(), options))
  }

  /** Waits for what is under way, syncs it, and lets go of the directory; twice is once. */
  async close(options: CloseOptions = {}): Promise<void> {
    closeTimeout(options)
    this.closing ??= this.engine.close()
    await this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What a tree is kept by can be said until its first write; from then on it can only be said again. */
  private settleOptions(state: TreeState, asked: Pick<KeyspaceOptions, 'compaction' | 'compression'>): void {
    for (const option of ['compaction', 'compression'] as const) {
      const settled = state.options[option] ?? (state.tree === undefined ? undefined : this.options[option])
      if (asked[option] === undefined || settled === undefined || asked[option] === settled) continue
      throw invalid(
        `Keyspace '${state.name}' has ${option} '${settled}', which is settled when it is made, not '${asked[option]}'`,
      )
    }
    if (state.tree === undefined) state.options = { ...state.options, ...asked }
  }

  /** A directory beside the store's own, in the same file system; for a store that has none to itself, on disk. @internal */
  placeOutside(directory: string): ReturnType<typeof locate> {
    if (directory === IN_MEMORY) throw invalid(`'${IN_MEMORY}' is no directory that a store could be copied to`)
    return locate(directory, this.options.fs, this.options.mode)
  }

  private resolveKeyspace(keyspace: unknown): WriteTarget<unknown, unknown> {
    if (typeof keyspace === 'string') return this.handles.get(keyspace) ?? (this.keyspace(keyspace) as never)
    if (keyspace instanceof Keyspace && keyspace.engine === this.engine) return keyspace
    if (keyspace instanceof Keyspace) throw invalid(`Keyspace '${keyspace.name}' belongs to another store`)
    throw invalid(`Option keyspace must be a name or what db.keyspace() returned, not ${describe(keyspace)}`)
  }
}

/**
 * Opens the store in a directory, and makes it where there is none. ':memory:' keeps nothing on disk.
 *
 * @example
 * const users = await open<string, User>('./data', { valueEncoding: 'json' })
 */
export function open<const KE extends AnyEncoding = undefined, const VE extends AnyEncoding = undefined>(
  path: string,
  options?: Omit<OpenOptions, keyof EncodingOptions<KE, VE>> & EncodingOptions<KE, VE>,
): Promise<Database<Decoded<KE, string>, Decoded<VE, string>>>
export function open<K = string, V = string>(
  path: string,
  ...options: TypedArguments<OpenOptions, K, V>
): Promise<Database<K, V>>
export function open<K = string, V = string>(path: string, options: OpenOptions<K, V> = {}): Promise<Database<K, V>> {
  return openStore(path, options, (...parts) => new Database<K, V>(...parts))
}

/** Opens a store as what `make` makes of its parts: a database that has more to it than this one. @internal */
export async function openStore<K, V, D extends Database<K, V>>(
  path: string,
  options: OpenOptions<K, V>,
  make: (...parts: ConstructorParameters<typeof Database>) => D,
): Promise<D> {
  const resolved = resolveOpenOptions(options)
  // Refused before anything is touched on disk.
  resolveEncoding(resolved.keyEncoding, 'keyEncoding')
  resolveEncoding(resolved.valueEncoding, 'valueEncoding')
  const { engine, recovery } = await openEngine(path, resolved)
  return make(path, engine, recovery, resolved)
}
