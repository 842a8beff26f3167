import { type Clock, systemClock } from '../bytes/clock.js'
import { type CompressionName, compressionNamed } from '../bytes/compression.js'
import { invalid } from '../bytes/errors.js'
import { DEFAULT_PERMISSIONS } from '../fs/disk-file-system.js'
import type { FileSystem } from '../fs/file-system.js'
import type { CompactionStyle } from '../tree/tree-options.js'
import type { ChangesOptions } from './changes/change-feed.js'
import { describe, type EncodingOption } from './encoding.js'
import type { FollowOptions } from './follow.js'
import { checkRangeNames, RANGE_NAMES, requireObject, unknownOption, WRITE_NAMES } from './option-names.js'
import type { LogRetention } from './retained-log.js'

/** What `open` takes. Every option has a default that suits most stores. */
export interface OpenOptions<K = string, V = string> {
  /** Make the store where there is none (default true); false: `SILT_NOT_FOUND`. */
  createIfMissing?: boolean
  /** Refuse to open a store that is there already with `SILT_EXISTS` (default false). */
  errorIfExists?: boolean
  /** Read beside a live writer of another process, without ever writing a byte (default false); `refresh()` moves on. */
  readOnly?: boolean
  /** How keys become bytes (default 'utf8'). Bytes decide the order. */
  keyEncoding?: EncodingOption<K>
  /** How values become bytes (default 'utf8'). */
  valueEncoding?: EncodingOption<V>
  /** Whether writes survive a loss of power when they resolve, unless they say otherwise (default false). */
  sync?: boolean
  /** Size of one memtable, and so of one segment of the commit log (default 32 MiB). */
  writeBufferBytes?: number
  /** Cap of the cache for blocks, indexes and filters (default 64 MiB). */
  cacheBytes?: number
  /** Size of a data block before compression (default 4096). */
  blockBytes?: number
  /** Entries from one whole key to the next inside a block (default 16). */
  restartInterval?: number
  /** How blocks of the deeper levels are compressed (default 'lz4'). */
  compression?: CompressionName
  /** Bits a key takes in the bloom filters (default 10); 0 turns them off. */
  filterBitsPerKey?: number
  /** How tables are merged (default 'leveled'): settled for the default keyspace when it is made, for others where they say nothing. */
  compaction?: CompactionStyle
  /** What a damaged commit log does (default 'point-in-time'): recover up to the damage and report it, or refuse. */
  recovery?: 'point-in-time' | 'strict'
  /** How much of the commit log is kept for `changes` beyond what recovery needs (default: nothing). */
  logRetention?: LogRetention
  /** Tables held open at once (default 256). */
  maxOpenFiles?: number
  /**
   * Permissions of files that are made on disk (default 0o600: only the owner); a directory may be entered by whoever may read. The
   * process's umask takes from them. What is there already stays as it is.
   */
  mode?: number
  /** Where the files are: the disk by default, or a file system of your own. */
  fs?: FileSystem
  /** Where time comes from: the machine's clock by default. */
  clock?: Clock
  /** Where flushes and compactions run: a worker thread by default, 'inline' for determinism. */
  executor?: 'worker' | 'inline'
}

/** What `db.keyspace(name, …)` takes. */
export interface KeyspaceOptions<K = string, V = string> {
  /** How its keys become bytes (default: as the store's do). */
  keyEncoding?: EncodingOption<K>
  /** How its values become bytes (default: as the store's do). */
  valueEncoding?: EncodingOption<V>
  /** How its tables are merged; settled when the keyspace is first written to. */
  compaction?: CompactionStyle
  /** How its blocks are compressed; settled when the keyspace is first written to. */
  compression?: CompressionName
}

/** The options of a store, complete and checked. */
export interface StoreOptions {
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly readOnly: boolean
  readonly keyEncoding: EncodingOption
  readonly valueEncoding: EncodingOption
  readonly sync: boolean
  readonly writeBufferBytes: number
  readonly cacheBytes: number
  readonly blockBytes: number
  readonly restartInterval: number
  readonly compression: CompressionName
  readonly filterBitsPerKey: number
  readonly compaction: CompactionStyle
  readonly recovery: 'point-in-time' | 'strict'
  readonly logRetention: LogRetention | undefined
  readonly maxOpenFiles: number
  readonly mode: number
  readonly fs: FileSystem | undefined
  readonly clock: Clock
  readonly executor: 'worker' | 'inline'
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

type Check = (value: unknown, name: string) => unknown

export const flag: Check = (value, name) => {
  if (typeof value !== 'boolean') throw invalid(`Option ${name} must be true or false, not ${describe(value)}`)
  return value
}

export function whole(low: number, high: number, unit: string): Check {
  return (value, name) => {
    if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) return value
    throw invalid(`Option ${name} must be a whole number of ${unit} from ${low} to ${high}, not ${describe(value)}`)
  }
}

export function oneOf(...choices: string[]): Check {
  return (value, name) => {
    if (choices.includes(value as string)) return value
    throw invalid(`Option ${name} must be one of '${choices.join("', '")}', not ${describe(value)}`)
  }
}

function having(what: string, ...methods: string[]): Check {
  return (value, name) => {
    const object = value as Record<string, unknown> | null
    if (typeof object === 'object' && object !== null && methods.every((each) => typeof object[each] === 'function')) {
      return value
    }
    throw invalid(`Option ${name} must be ${what}, not ${describe(value)}`)
  }
}

/** At least 0, and no end to it where that is what is wanted. */
function upTo(unit: string): Check {
  return (value, name) => {
    if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= 0)) return value
    throw invalid(`Option ${name} must be a whole number of ${unit}, or Infinity, not ${describe(value)}`)
  }
}

/** As `chmod` takes them. The owner reads and writes: nobody else could open the store again. */
export const permissions: Check = (value, name) => {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0o777) {
    if (((value as number) & 0o600) === 0o600 && ((value as number) & 0o111) === 0) return value
  }
  throw invalid(
    `Option ${name} must be permissions of files such as 0o600 or 0o640, with which the owner reads and writes, not ${describe(value)}`,
  )
}

const retentionChecks: Record<keyof LogRetention, Check> = { age: upTo('milliseconds'), bytes: upTo('bytes') }

const logRetention: Check = (value) => {
  const limits = checked(value as object, retentionChecks, 'logRetention')
  if (Object.keys(limits).length === 0) {
    throw invalid('Option logRetention must say an age in milliseconds, a number of bytes, or both')
  }
  return Object.freeze(limits)
}

const asIs: Check = (value) => value

const knownCompression = oneOf('none', 'lz4', 'deflate', 'zstd')
/** What this Node lacks is refused here, and not by every compaction. */
const compression: Check = (value, name) => compressionNamed(knownCompression(value, name) as CompressionName).name
const compaction = oneOf('leveled', 'tiered', 'fifo')

export const fileSystem = having('a FileSystem', 'openSync', 'listSync', 'renameSync', 'lock')

const openChecks: Record<keyof StoreOptions, Check> = {
  createIfMissing: flag,
  errorIfExists: flag,
  readOnly: flag,
  keyEncoding: asIs,
  valueEncoding: asIs,
  sync: flag,
  writeBufferBytes: whole(64 * KIB, GIB, 'bytes'),
  cacheBytes: whole(0, Number.MAX_SAFE_INTEGER, 'bytes'),
  blockBytes: whole(256, 16 * MIB, 'bytes'),
  restartInterval: whole(1, 1024, 'entries'),
  compression,
  filterBitsPerKey: whole(0, 64, 'bits'),
  compaction,
  recovery: oneOf('point-in-time', 'strict'),
  logRetention,
  maxOpenFiles: whole(8, 1_000_000, 'files'),
  mode: permissions,
  fs: fileSystem,
  clock: having('a Clock', 'now', 'after'),
  executor: oneOf('worker', 'inline'),
}

export const OPEN_NAMES: readonly string[] = Object.keys(openChecks)

const keyspaceChecks: Record<keyof KeyspaceOptions, Check> = {
  keyEncoding: asIs,
  valueEncoding: asIs,
  compaction,
  compression,
}

const defaults: StoreOptions = {
  createIfMissing: true,
  errorIfExists: false,
  readOnly: false,
  keyEncoding: 'utf8',
  valueEncoding: 'utf8',
  sync: false,
  writeBufferBytes: 32 * MIB,
  cacheBytes: 64 * MIB,
  blockBytes: 4 * KIB,
  restartInterval: 16,
  compression: 'lz4',
  filterBitsPerKey: 10,
  compaction: 'leveled',
  recovery: 'point-in-time',
  logRetention: undefined,
  maxOpenFiles: 256,
  mode: DEFAULT_PERMISSIONS,
  fs: undefined,
  clock: systemClock,
  executor: 'worker',
}

/** Checks the options of `open`, once and for all; inside the store everything is trusted. */
export function resolveOpenOptions(options: object): StoreOptions {
  return Object.freeze({ ...defaults, ...checked(options, openChecks, 'open') }) as StoreOptions
}

/** Checks the options of `db.keyspace`. */
export function resolveKeyspaceOptions(options: object): KeyspaceOptions<unknown, unknown> {
  return checked(options, keyspaceChecks, 'keyspace')
}

export const handler: Check = (value, name) => {
  if (typeof value === 'function') return value
  throw invalid(`Option ${name} must be a function, not ${describe(value)}`)
}

const CLEAR_NAMES = [...RANGE_NAMES, ...WRITE_NAMES]

/** Checks the options of `clear`: what is taken for a bound and is none would remove everything. */
export function checkClearOptions(options: object): void {
  checkRangeNames(options, CLEAR_NAMES, 'clear')
}

export const signal = having('an AbortSignal', 'addEventListener', 'throwIfAborted')

const changesChecks: Record<keyof ChangesOptions, Check> = { since: asIs, raw: flag, follow: flag, signal }

/** Checks the options of `changes`, but for the position. */
export function checkChangesOptions(options: object): void {
  checked(options, changesChecks, 'changes')
}

const followChecks: Record<keyof FollowOptions, Check> = { intervalMs: whole(1, 2 ** 31 - 1, 'milliseconds'), signal }

/** Checks the options of `follow`. */
export function checkFollowOptions(options: object): void {
  checked(options, followChecks, 'follow')
}

const WATCH_NAMES = ['key', ...RANGE_NAMES]

/** Checks what `watch` takes. */
export function checkWatchOptions(target: object, options: object): void {
  checkRangeNames(target, WATCH_NAMES, 'watch')
  if ('key' in target && Object.keys(target).length > 1) {
    throw invalid('watch takes one key or a range of them, not both; leave out key, or the bounds beside it')
  }
  checked(options, { signal }, 'watch')
}

const compactChecks: Record<string, Check> = { gte: asIs, lt: asIs, kind: oneOf('major', 'minor') }

/** Checks the options of `compact`. */
export function resolveCompactOptions(options: object): { gte?: unknown; lt?: unknown; kind?: 'major' | 'minor' } {
  checkRangeNames(options, Object.keys(compactChecks), 'compact')
  return checked(options, compactChecks, 'compact')
}

/** The given options without those left undefined. Refuses what is not known, and names what may have been meant. */
export function checked(options: object, checks: Record<string, Check>, where: string): Record<string, unknown> {
  requireObject(options, where)
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) throw unknownOption(name, Object.keys(checks), where)
    if (value !== undefined) result[name] = check(value, name)
  }
  return result
}
