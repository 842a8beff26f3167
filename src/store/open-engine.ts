import { resolve } from 'node:path'
import type { Clock } from '../bytes/clock.js'
import { publish } from '../bytes/diagnostics.js'
import { endsWriting, invalid, ioError, SiltstoneError } from '../bytes/errors.js'
import { loadHash } from '../bytes/hash.js'
import { DescriptorReserve, withDescriptors } from '../fs/descriptors.js'
import { DEFAULT_PERMISSIONS, diskWith } from '../fs/disk-file-system.js'
import { makeDurableDirectory } from '../fs/durable-directory.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import { MemoryFileSystem } from '../fs/memory-file-system.js'
import { BlockCache } from '../table/block-cache.js'
import { CURRENT, holdsStoreData } from '../tree/file-names.js'
import { Forest, type ForestEnvironment } from '../tree/forest.js'
import { isOwnFile, requireNoOtherDatabase } from '../tree/own-files.js'
import { describe } from './encoding.js'
import { Engine } from './engine.js'
import { resolveOpenOptions, type StoreOptions } from './options.js'
import { Pins } from './pins.js'
import { type RecoveryReport, recoverForReading, recoverForWriting, StaleManifest } from './recover.js'
import { RetainedLog } from './retained-log.js'

/** An engine that is ready, and what it took to get there. */
export interface OpenedEngine {
  readonly engine: Engine
  readonly recovery: RecoveryReport
}

export const IN_MEMORY = ':memory:'

/** Where a store is: which file system, and the directory in it. `permissions` are those of new files on disk. */
export function locate(
  path: string,
  fs: FileSystem | undefined,
  permissions = DEFAULT_PERMISSIONS,
): { fs: FileSystem; directory: string } {
  if (typeof path !== 'string' || path === '') {
    throw invalid(`The path of a store must be a text that is not empty, not ${path === '' ? "''" : describe(path)}`)
  }
  if (path.includes('\0')) throw invalid('The path of a store cannot contain a zero byte')
  if (path === IN_MEMORY) return { fs: withDescriptors(fs ?? new MemoryFileSystem()), directory: '/memory' }
  if (fs !== undefined) return { fs: withDescriptors(fs), directory: path }
  return { fs: withDescriptors(diskWith(permissions)), directory: resolve(path) }
}

/**
 * Opens a store: its directory, its lock, its manifest with the trees, and what the commit log holds beyond them.
 */
export async function openEngine(path: string, options: StoreOptions): Promise<OpenedEngine> {
  await loadHash()
  const { fs, directory } = locate(path, options.fs, options.mode)
  if (options.readOnly) return openToRead(fs, directory, options)
  const isThere = prepareDirectory(fs, directory, options)
  const lock = await takeLock(fs, directory, options.clock)
  try {
    return await openToWrite(fs, directory, options, lock, isThere)
  } catch (error) {
    const reason = lossOf(lock) ?? error
    await lock.release().catch(() => {})
    throw ioError(reason, 'open the store in', directory)
  }
}

/** Files of somebody who has taken the lock since explain whatever went wrong. */
function lossOf(lock: FileLock): unknown {
  try {
    lock.verify?.()
    return undefined
  } catch (error) {
    return endsWriting(error) ? error : undefined
  }
}

async function takeLock(fs: FileSystem, directory: string, clock: Clock): Promise<FileLock> {
  try {
    return await fs.lock(directory, clock)
  } catch (error) {
    throw ioError(error, 'lock', directory)
  }
}

async function openToWrite(
  fs: FileSystem,
  directory: string,
  options: StoreOptions,
  lock: FileLock,
  wasThere: boolean,
): Promise<OpenedEngine> {
  const parts = assemble(fs, directory, options)
  const { isAfterSilence = false } = lock
  if (lock.verify !== undefined) parts.environment.verifyLock = () => lock.verify!()
  parts.environment.isAfterSilence = isAfterSilence
  let engine: Engine | undefined
  parts.environment.onFatal = (error) => engine?.refuseWrites(error)
  parts.environment.onChange = () => engine?.updateAdmission()
  const forest = wasThere ? await Forest.open(parts.environment) : await Forest.create(parts.environment)
  try {
    const reserve = new DescriptorReserve(fs, `${directory}/${CURRENT}`)
    engine = new Engine({ ...parts, forest, lock, reserve })
    reserve.fill()
    const recovery = recoverForWriting(engine, options.recovery, isAfterSilence)
    publish('siltstone:recovery', () => ({ directory, ...recovery }))
    forest.deleteObsoleteFiles()
    forest.scheduleCompactions()
    if (isAfterSilence) {
      // Should the last holder wake up, what it does to its log is not looked at any more.
      await engine.recoveredFlushed()
      lock.settle?.()
    }
    // Only now: what nothing names was looked for while no job was running.
    await engine.log?.keepNames()
    return { engine, recovery }
  } catch (error) {
    await forest.close().catch(() => {})
    engine?.letGo(endsWriting(error))
    throw error
  }
}

/** How often a reader starts over because the writer has moved on meanwhile, before it says so. */
const READ_ATTEMPTS = 100

/** Opens beside a writer that goes on writing, flushing and removing files: whatever is gone was replaced, so look again. */
async function openToRead(fs: FileSystem, directory: string, options: StoreOptions): Promise<OpenedEngine> {
  requireStore(fs, directory)
  let editBefore: number | undefined
  for (let attempt = 1; ; attempt++) {
    const parts = assemble(fs, directory, options)
    let forest: Forest | undefined
    try {
      forest = await Forest.openReadOnly(parts.environment)
      const engine = new Engine({ ...parts, forest, lock: undefined, reserve: undefined })
      const recovery = recoverForReading(engine)
      return { engine, recovery }
    } catch (error) {
      await forest?.close().catch(() => {})
      // What does not fit together because the manifest was replaced meanwhile is not damaged.
      const isNews = forest !== undefined && forest.lastEdit !== editBefore
      editBefore = forest?.lastEdit
      if (attempt < READ_ATTEMPTS && (isNews || hasMovedOn(error))) continue
      throw ioError(error, 'open the store in', directory)
    }
  }
}

/** Throws what the next opening would refuse the store for, and what a strict one would. Writes nothing and takes no lock. */
export async function rehearseOpening(fs: FileSystem, directory: string): Promise<void> {
  const parts = assemble(fs, directory, resolveOpenOptions({ readOnly: true, cacheBytes: 0 }))
  const forest = await Forest.openReadOnly(parts.environment)
  try {
    const engine = new Engine({ ...parts, forest, lock: undefined, reserve: undefined })
    recoverForReading(engine, true)
  } finally {
    await forest.close()
  }
}

function hasMovedOn(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } }
  return error instanceof StaleManifest || (error as { code?: string }).code === 'ENOENT' || cause?.code === 'ENOENT'
}

function assemble(fs: FileSystem, directory: string, options: StoreOptions) {
  const pins = new Pins()
  const cache = new BlockCache(options.cacheBytes)
  const environment: { -readonly [P in keyof ForestEnvironment]: ForestEnvironment[P] } = {
    fs,
    directory,
    cache,
    clock: options.clock,
    options,
    executor: fs.reachableFromWorkers ? options.executor : 'inline',
    pins: () => pins.list(),
    onFatal: () => {},
    onChange: () => {},
  }
  const { clock, writeBufferBytes } = options
  const retained = new RetainedLog(fs, clock, options.logRetention)
  return { fs, directory, clock, writeBufferBytes, pins, cache, environment, retained }
}

/** Makes the directory where that is asked for; says whether a store is there. */
function prepareDirectory(fs: FileSystem, directory: string, options: StoreOptions): boolean {
  try {
    const isThere = holdsStore(fs, directory)
    if (isThere && options.errorIfExists) {
      throw new SiltstoneError(
        'SILT_EXISTS',
        `There is a store in ${directory} already, and errorIfExists was asked for`,
      )
    }
    if (!isThere && !options.createIfMissing) throw noStore(directory)
    if (!isThere) makeDurableDirectory(fs, directory)
    return isThere
  } catch (error) {
    throw ioError(error, 'prepare', directory)
  }
}

function requireStore(fs: FileSystem, directory: string): void {
  try {
    if (!holdsStore(fs, directory)) throw noStore(directory)
  } catch (error) {
    throw ioError(error, 'read', directory)
  }
}

function noStore(directory: string): SiltstoneError {
  return new SiltstoneError('SILT_NOT_FOUND', `There is no store in ${directory}; check the path, or let it be created`)
}

function holdsStore(fs: FileSystem, directory: string): boolean {
  const status = fs.statusSync(directory)
  if (status === undefined) return false
  if (!status.isDirectory) throw new SiltstoneError('SILT_IO', `${directory} is a file; a store needs a directory`)
  requireNoOtherDatabase(fs, directory)
  const names = fs.listSync(directory)
  return names.includes(CURRENT) || names.some((name) => holdsStoreData(name) && isOwnFile(fs, `${directory}/${name}`))
}
