import { systemClock } from '../bytes/clock.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { FileSystem } from '../fs/file-system.js'
import { checkQueueOptions, type QueueOptions } from '../queue/rules.js'
import type { TopicOptions } from '../queue/topic.js'
import { type RangeOptions, resolveRange } from '../store/bounds.js'
import type { CheckpointReport } from '../store/checkpoint.js'
import { type CloseOptions, closeTimeout } from '../store/close-options.js'
import { describe, type EncodingOption, type TypedArguments } from '../store/encoding.js'
import { keepAlive } from '../store/keep-alive.js'
import { checkName } from '../store/name.js'
import { locate } from '../store/open-engine.js'
import { checkNames, RANGE_NAMES } from '../store/option-names.js'
import {
  checked,
  fileSystem,
  flag,
  handler,
  type KeyspaceOptions,
  OPEN_NAMES,
  resolveCompactOptions,
  resolveKeyspaceOptions,
  resolveOpenOptions,
} from '../store/options.js'
import type { TransactionOptions } from '../store/transact.js'
import type { VerifyReport } from '../store/verify/verification.js'
import { type Balance, balanceOf } from './balance.js'
import { codecOf } from './codec.js'
import { type OpenedGroup, openGroup, placeOf } from './open-group.js'
import { destroyPlace } from './open-shard.js'
import { OWNERSHIP_FOLDER } from './ownership-directory.js'
import { Directory } from './placement/directory.js'
import type { Placement } from './placement/placement.js'
import { Range } from './placement/range.js'
import { Slots } from './placement/slots.js'
import type { RebalancePlan } from './rebalance-plan.js'
import type { RebalanceOptions, RebalanceProgress } from './rebalancer.js'
import { resolveSpec, type ShardedOptions, type ShardSpec } from './shard-options.js'
import { ShardedKeyspace } from './sharded-keyspace.js'
import { ShardedLog } from './sharded-log.js'
import { type MailHome, ShardedQueue } from './sharded-queue.js'
import { ShardedSnapshot } from './sharded-snapshot.js'
import { ShardedTopic } from './sharded-topic.js'
import { type ShardedTransaction, transactOnShard, transactOnShardSync } from './sharded-transaction.js'
import type { StoppableWorker } from './sharded-worker.js'

/** What a store with this surface can do. */
export interface ShardedCapabilities {
  /** Batches and transactions are atomic within one shard. */
  readonly atomic: 'shard'
  /** `snapshot()` over all shards. */
  readonly snapshots: true
  /** `queue()`, `topic()` and `log()`. */
  readonly queues: true
  /** `checkpoint()` of all shards as of one moment. */
  readonly checkpoint: true
  /** `verify()` of all shards. */
  readonly verify: true
  /** `changes` and `watch`: `SILT_NOT_SUPPORTED`. */
  readonly changes: false
  /** Opening with `readOnly`: open one shard with `open()` to look into it. */
  readonly readOnly: false
}

const OPEN_SHARDED_NAMES = [
  ...['shards', 'placement', 'vnodes', 'splits', 'threads', 'moveBytesPerSecond'],
  ...OPEN_NAMES,
]

const CAPABILITIES: ShardedCapabilities = Object.freeze({
  atomic: 'shard',
  snapshots: true,
  queues: true,
  checkpoint: true,
  verify: true,
  changes: false,
  readOnly: false,
})

function notOverShards(what: string): SiltstoneError {
  return new SiltstoneError(
    'SILT_NOT_SUPPORTED',
    `A sharded store has no ${what}: every shard has a log of its own. Publish what others have to hear of to a topic in the same batch: store.batch().put(…).send(topic, …)`,
  )
}

/** Figures of a sharded store. */
export interface ShardedStats {
  /** Goes up with every change of the shards. */
  readonly epoch: number
  /** About, as in `balance`. */
  readonly keys: number
  /** About, on disk and in the log. */
  readonly bytes: number
  /** Keys read by name since the store was opened. */
  readonly reads: number
  /** Operations written since the store was opened. */
  readonly writes: number
  /** Shard by shard. */
  readonly balance: Balance
  /** While keys move. */
  readonly rebalance: RebalanceProgress | undefined
}

/**
 * A store dealt out over shards, with the surface of a single one. What is atomic is atomic on one shard; tags in keys, such as
 * `{42}`, bring together what belongs together.
 *
 * @example
 * const store = await openSharded('./data', { shards: ['a', 'b', 'c'] })
 * await store.put('user:1', 'ada')
 * store.locate('user:1') // 'a', 'b' or 'c'
 * await store.close()
 */
export class ShardedStore<K = string, V = string> extends ShardedKeyspace<K, V> {
  private readonly parts: OpenedGroup
  private readonly fs: FileSystem
  private readonly encodings: { key: EncodingOption; value: EncodingOption }
  private readonly workers = new Set<StoppableWorker>()
  private closing: Promise<void> | undefined
  private readonly handles = new Map<string, ShardedKeyspace<unknown, unknown>>()

  /** @internal Sharded stores come from `openSharded`. */
  constructor(parts: OpenedGroup, fs: FileSystem, options: ShardedOptions<K, V>) {
    const { keyEncoding = 'utf8', valueEncoding = 'utf8', sync = false, clock = systemClock } = options
    super(
      parts.group,
      '',
      codecOf(keyEncoding as EncodingOption<K>, 'keyEncoding'),
      codecOf(valueEncoding as EncodingOption<V>, 'valueEncoding'),
      { sync, clock, resolve: (keyspace) => this.resolveKeyspace(keyspace) },
    )
    this.parts = parts
    this.fs = fs
    this.encodings = { key: keyEncoding as EncodingOption, value: valueEncoding as EncodingOption }
    this.handles.set('', this as unknown as ShardedKeyspace<unknown, unknown>)
  }

  // Where things are.

  /** The name of the shard that owns a key now; a '{tag}' in the key decides alone. */
  locate(key: K): string {
    this.group.checkOpen()
    return this.group.ownership.ownerOf('', this.deleteOperation(key).key)
  }

  /** The names of the shards. */
  get shards(): string[] {
    const { placement, target } = this.group.ownership
    return (target ?? placement).shards.map(({ name }) => name)
  }

  /** Goes up with every change of ownership, when it begins and when it is complete; what was derived from an older one is stale. */
  get epoch(): number {
    return this.parts.directory.plan()?.epoch ?? this.parts.rebalancer.layout.epoch
  }

  /** Keys, bytes and load per shard, and how even it is. Costs next to nothing: beyond some thousands, keys are estimated. */
  balance(): Balance {
    this.group.checkOpen()
    return balanceOf(this.group)
  }

  /** Figures of the whole. */
  stats(): ShardedStats {
    const balance = this.balance()
    const sum = (of: (shard: Balance['shards'][number]) => number): number =>
      balance.shards.reduce((total, shard) => total + of(shard), 0)
    return {
      epoch: this.epoch,
      keys: sum(({ keys }) => keys),
      bytes: sum(({ bytes }) => bytes),
      reads: sum(({ reads }) => reads),
      writes: sum(({ writes }) => writes),
      balance,
      rebalance: this.parts.rebalancer.progress,
    }
  }

  // Changing it, online. Each resolves when all keys stand where they should, and goes on after a crash when the store is opened.

  /**
   * Adds a shard and moves its share of the keys to it.
   *
   * @example
   * const { movedShare } = await store.addShard('d', { dryRun: true }) // about 0.25 beside three others
   * await store.addShard('d', { onProgress: ({ keysMoved }) => console.log(keysMoved) })
   */
  async addShard(
    shard: string | ShardSpec,
    options: RebalanceOptions & { weight?: number } = {},
  ): Promise<RebalancePlan> {
    const { weight: inOptions, ...rest } = rebalanceOptions(options, 'addShard')
    const spec = resolveSpec(shard, this.fs)
    const weight = spec.weight ?? inOptions
    const change = (placement: Placement): void => placement.add(spec.name, weight === undefined ? {} : { weight })
    return this.parts.rebalancer.rebalance({ change, joining: placeOf(spec) }, rest)
  }

  /** Moves all keys of a shard to the others and destroys it. */
  async removeShard(name: string, options: RebalanceOptions = {}): Promise<RebalancePlan> {
    const change = (placement: Placement): void => placement.remove(name)
    return this.parts.rebalancer.rebalance({ change, leaving: name }, rebalanceOptions(options, 'removeShard'))
  }

  /** Gives a shard another weight. */
  async reweight(name: string, weight: number, options: RebalanceOptions = {}): Promise<RebalancePlan> {
    const change = (placement: Placement): void => placement.reweight(name, weight)
    return this.parts.rebalancer.rebalance({ change }, rebalanceOptions(options, 'reweight'))
  }

  /**
   * With placement 'slots': moves a slot, for example that of a hot key, or several to another shard. All keys are walked over once,
   * however many slots move; only those of the slots are read.
   */
  async moveSlot(
    slot: number | readonly number[],
    shard: string,
    options: RebalanceOptions = {},
  ): Promise<RebalancePlan> {
    const slots = typeof slot === 'number' ? [slot] : slot
    if (!Array.isArray(slots)) throw invalid(`moveSlot takes a slot or an array of them, not ${describe(slot)}`)
    const change = (placement: Placement): void => {
      for (const each of slots) slotsOf(placement).moveSlot(each, shard)
    }
    return this.parts.rebalancer.rebalance({ change }, rebalanceOptions(options, 'moveSlot'))
  }

  /** With placement 'slots': the slot of a key. */
  slotOf(key: K): number {
    const { key: bytes } = this.deleteOperation(key)
    return slotsOf(this.group.ownership.placement).slotOf(bytes, 0, bytes.length)
  }

  /** With placement 'directory': keys that begin with this stand on that shard from now on. */
  async assign(prefix: string | Uint8Array, shard: string, options: RebalanceOptions = {}): Promise<RebalancePlan> {
    const change = (each: Placement): void => {
      if (!(each instanceof Directory)) throw wrongPlacement('assign', 'directory', each)
      each.assign(prefix, shard)
    }
    return this.parts.rebalancer.rebalance({ change }, rebalanceOptions(options, 'assign'))
  }

  /** With placement 'range': cuts a range at a key; a shard gets what lies at or above it. */
  async split(at: K, shard: string, options: RebalanceOptions = {}): Promise<RebalancePlan> {
    const { key } = this.deleteOperation(at)
    const change = (each: Placement): void => rangeOf(each).split(key, shard)
    return this.parts.rebalancer.rebalance({ change }, rebalanceOptions(options, 'split'))
  }

  /** With placement 'range': takes a split away; the range below takes over what lies above it. */
  async merge(at: K, options: RebalanceOptions = {}): Promise<RebalancePlan> {
    const { key } = this.deleteOperation(at)
    const change = (each: Placement): void => rangeOf(each).merge(key)
    return this.parts.rebalancer.rebalance({ change }, rebalanceOptions(options, 'merge'))
  }

  // The surface of a store.

  /** A handle on a keyspace of that name; it comes into being with its first write. */
  keyspace<K2 = K, V2 = V>(
    name: string,
    ...options: TypedArguments<KeyspaceOptions, K2, V2, K, V>
  ): ShardedKeyspace<K2, V2>
  keyspace<K2 = K, V2 = V>(name: string, options: KeyspaceOptions<K2, V2> = {}): ShardedKeyspace<K2, V2> {
    this.group.checkOpen()
    checkName(name, 'keyspace')
    const { keyEncoding, valueEncoding, compaction, compression } = resolveKeyspaceOptions(options)
    this.group.declare(name, {
      ...(compaction === undefined ? {} : { compaction }),
      ...(compression === undefined ? {} : { compression }),
    })
    const handle = new ShardedKeyspace(
      this.group,
      name,
      codecOf((keyEncoding ?? this.encodings.key) as EncodingOption<K2>, 'keyEncoding'),
      codecOf((valueEncoding ?? this.encodings.value) as EncodingOption<V2>, 'valueEncoding'),
      this.family,
    )
    this.handles.set(name, handle as unknown as ShardedKeyspace<unknown, unknown>)
    return handle
  }

  /** The names of the keyspaces that were ever written to, the default one not counted. */
  keyspaceNames(): string[] {
    return this.group.spaces().filter((name) => name !== '')
  }

  // Messages.

  /**
   * A queue of that name, dealt out over the shards by the groups of its messages. A tag in its name keeps all of it on one shard.
   *
   * @example
   * const payments = store.queue('payments', { ordering: 'group' })
   * await payments.send({ amount: 7 }, { group: 'customer:1' })
   */
  queue<T = unknown>(name: string, options: QueueOptions = {}): ShardedQueue<T> {
    this.group.checkOpen()
    checkName(name, 'queue')
    const { rateLimit: _, ...rules } = checkQueueOptions(options, `queue '${name}'`)
    if (rules.deadLetter === name) throw invalid(`Queue '${name}' cannot be where its own dead letters go`)
    return new ShardedQueue<T>(name, this.group.mail.queue(name, rules), this.mailHome(), options)
  }

  /** The names of the queues that were ever written to, those of dead letters included. */
  queueNames(): string[] {
    return this.group.mail.names().queues
  }

  /**
   * A topic of that name, dealt out by the keys of its messages over the shards that there are when it is first used.
   *
   * @example
   * await store.topic('orders').publish({ id: 7 }, { key: 'customer:1' })
   */
  topic<T = unknown>(name: string, options: TopicOptions = {}): ShardedTopic<T> {
    this.group.checkOpen()
    checkName(name, 'topic')
    return new ShardedTopic<T>(name, this.group.mail.topic(name, options), this.mailHome())
  }

  /**
   * A log of that name, on one shard.
   *
   * @example
   * await store.log('audit').append('somebody logged in', { sync: true })
   */
  log(name: string): ShardedLog {
    this.group.checkOpen()
    checkName(name, 'log')
    return new ShardedLog(name, this.group.mail.log(name), this.mailHome())
  }

  private mailHome(): MailHome {
    return { group: this.group, clock: this.family.clock, sync: this.family.sync, workers: this.workers }
  }

  /** Fixes the present moment, over all shards and keyspaces. Close it, or what is deleted later keeps its space. */
  snapshot(): ShardedSnapshot<K, V> {
    return new ShardedSnapshot(this.group, '', this.keyCodec, this.valueCodec, this.clock)
  }

  /**
   * Runs a function whose reads and writes, on one shard, take effect as one; see `Database.transaction`.
   *
   * @example
   * await store.transaction(async (tx) => {
   *   const visits = Number((await tx.get('{7}:visits')) ?? '0')
   *   await tx.put('{7}:visits', String(visits + 1))
   * })
   */
  transaction<T>(
    run: (transaction: ShardedTransaction<K, V>) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    return transactOnShard(this, run, options)
  }

  /** The same on this thread, for a function that awaits nothing. */
  transactionSync<T>(run: (transaction: ShardedTransaction<K, V>) => T, options: TransactionOptions = {}): T {
    return transactOnShardSync(this, run, options)
  }

  /** What this store can do, beside others that have the same surface. */
  get capabilities(): ShardedCapabilities {
    return CAPABILITIES
  }

  /**
   * Copies every shard and the directory into another one, all as of this moment; the copy opens with `openSharded`. Keys that are moving
   * go on moving there.
   *
   * @example
   * await store.checkpoint('./copy-of-the-shards')
   */
  async checkpoint(directory: string): Promise<CheckpointReport> {
    this.group.checkOpen()
    if (directory === ':memory:') throw invalid("':memory:' is no directory that a store could be copied to")
    const place = locate(directory, this.fs.name === 'disk' ? undefined : this.fs)
    const status = this.fs.statusSync(place.directory)
    if (status !== undefined && (!status.isDirectory || this.fs.listSync(place.directory).length > 0)) {
      throw new SiltstoneError('SILT_EXISTS', `${directory} is not empty; a checkpoint needs a directory of its own`)
    }
    return this.group.checkpoint(place.directory)
  }

  /** Reads every file of every shard and of the directory, and checks every checksum and invariant in it. */
  verify(): Promise<VerifyReport> {
    return this.group.verify()
  }

  /** Shards have logs of their own, and keys that move are written on both sides: there is no one feed of all changes. */
  changes(): never {
    throw notOverShards('changes')
  }

  /** As `changes`. */
  watch(): never {
    throw notOverShards('watch')
  }

  /** Moves what is in memory into tables, on every shard. */
  flush(): Promise<void> {
    return this.group.flush()
  }

  /** Merges tables now instead of when they are due, on every shard. */
  async compact(options: { kind?: 'minor' | 'major' } = {}): Promise<void> {
    checkNames(options, ['kind'], 'compact')
    return this.group.compact(resolveCompactOptions(options).kind ?? 'major')
  }

  /** Resolves when no flush, no compaction and no rebalance is under way or due. Throws what stopped a rebalance. */
  async idle(): Promise<void> {
    await this.parts.rebalancer.idle()
    await this.group.idle()
  }

  /** How many bytes a range takes on disk, roughly, on all shards. */
  async approximateSize(options: RangeOptions<K> = {}): Promise<number> {
    checkNames(options, RANGE_NAMES, 'approximateSize')
    return this.group.approximateSize('', resolveRange(this.keyCodec.encoding, options))
  }

  /**
   * Lets running handlers finish, for `timeout` milliseconds at most (default 30,000), waits for what is under way and closes every
   * shard; a rebalance goes on at the next opening. Twice is once.
   *
   * @example
   * await store.close({ timeout: 5000 })
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const timeout = closeTimeout(options)
    // Also where it closes already: a second call with less time shortens the first one.
    const stopped = Promise.all([...this.workers].map((worker) => worker.stop({ timeout })))
    this.closing ??= this.workers.size === 0 ? this.group.close() : keepAlive(stopped).then(() => this.group.close())
    await this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private resolveKeyspace(keyspace: unknown): ShardedKeyspace<unknown, unknown> {
    if (typeof keyspace === 'string') return this.handles.get(keyspace) ?? (this.keyspace(keyspace) as never)
    if (keyspace instanceof ShardedKeyspace && keyspace.group === this.group) return keyspace
    if (keyspace instanceof ShardedKeyspace) throw invalid(`Keyspace '${keyspace.name}' belongs to another store`)
    throw invalid(`Option keyspace must be a name or what store.keyspace() returned, not ${describe(keyspace)}`)
  }
}

const rebalanceChecks = {
  onProgress: handler,
  dryRun: flag,
  weight: (value: unknown): unknown => value,
}

/** The options of what moves keys, checked; `weight` is for `addShard`, which checks it with the shard's own. */
function rebalanceOptions<O extends RebalanceOptions>(options: O, where: string): O {
  const { weight, ...others } = rebalanceChecks
  return checked(options, where === 'addShard' ? { ...others, weight } : others, where) as O
}

function slotsOf(placement: Placement): Slots {
  if (placement instanceof Slots) return placement
  throw wrongPlacement('slots', 'slots', placement)
}

function rangeOf(placement: Placement): Range {
  if (placement instanceof Range) return placement
  throw wrongPlacement('split and merge', 'range', placement)
}

function wrongPlacement(what: string, needed: string, placement: Placement): Error {
  return invalid(`${what} needs placement '${needed}'; this store has '${placement.kind}'`)
}

/**
 * Opens a sharded store, and makes it where there is none. The list of shards and the placement count when it is made; later the
 * directory on disk decides, and what differs from it is refused.
 *
 * @example
 * const store = await openSharded('./data', { shards: ['a', 'b', { name: 'c', weight: 2 }], placement: 'slots' })
 */
export function openSharded<K = string, V = string>(
  path: string,
  ...options: TypedArguments<ShardedOptions, K, V>
): Promise<ShardedStore<K, V>>
export async function openSharded<K = string, V = string>(
  path: string,
  options: ShardedOptions<K, V> = {},
): Promise<ShardedStore<K, V>> {
  checkNames(options, OPEN_SHARDED_NAMES, 'openSharded')
  const {
    shards,
    placement,
    vnodes,
    splits,
    threads = false,
    moveBytesPerSecond = 32 * 1024 * 1024,
    ...storeOptions
  } = options
  if (!(typeof moveBytesPerSecond === 'number' && moveBytesPerSecond > 0)) {
    throw invalid(`Option moveBytesPerSecond must be a number above 0, not ${describe(moveBytesPerSecond)}`)
  }
  if (typeof threads !== 'boolean') throw invalid(`Option threads must be true or false, not ${describe(threads)}`)
  if (threads && (options.fs !== undefined || options.clock !== undefined || path === ':memory:')) {
    throw invalid('Option threads is for stores on the disk and the clock of the machine: threads cannot share others')
  }
  const { createIfMissing, errorIfExists, readOnly, mode } = resolveOpenOptions(storeOptions)
  if (readOnly) {
    throw new SiltstoneError(
      'SILT_NOT_SUPPORTED',
      'A sharded store cannot be opened with readOnly; open one shard with open() to look into it',
    )
  }
  const {
    keyEncoding,
    valueEncoding,
    fs: _fs,
    createIfMissing: _create,
    errorIfExists: _exists,
    ...store
  } = storeOptions
  codecOf((keyEncoding ?? 'utf8') as EncodingOption, 'keyEncoding')
  codecOf((valueEncoding ?? 'utf8') as EncodingOption, 'valueEncoding')
  const { fs, directory } = locate(path, options.fs, mode)
  const sharding = {
    ...(shards === undefined ? {} : { shards }),
    ...(placement === undefined ? {} : { placement }),
    ...(vnodes === undefined ? {} : { vnodes }),
    ...(splits === undefined ? {} : { splits }),
  }
  const settings = { createIfMissing, errorIfExists, bytesPerSecond: moveBytesPerSecond, seed: 0, store, threads }
  const parts = await openGroup(fs, directory, sharding, settings)
  return new ShardedStore<K, V>(parts, fs, options)
}

/** Removes a sharded store and nothing else. An open one is refused with `SILT_LOCKED`. */
export async function destroySharded(path: string, options: { fs?: FileSystem } = {}): Promise<void> {
  const given = checked(options, { fs: fileSystem }, 'destroySharded') as { fs?: FileSystem }
  const { fs, directory } = locate(path, given.fs)
  if (fs.statusSync(`${directory}/${OWNERSHIP_FOLDER}`) !== undefined) await destroyPlace(fs, directory)
}
