import { readFileSync } from 'node:fs'
import type { FileHandle, FileLock, FileStatus, FileSystem } from './file-system.js'
import { letGo } from './let-go.js'
import { errorCode } from './system-error.js'

/*
 * A process may have so many files open and no more, whoever opens them: logs, jobs, worker threads and the application need theirs when
 * they need them, files of tables can be closed at any time and opened again. So pools of those keep to a share of the limit, and
 * where a file cannot be opened they close theirs before anybody hears of it.
 */

/** Where the system does not say what the limit is, as on macOS, whose default this is. */
const UNKNOWN_LIMIT = 256
/** Of the limit: the rest is for the program around the store. */
const POOLED_SHARE = 1 / 4
const LEAST_POOLED = 8

/** Holds files that it can do without. */
export interface DescriptorPool {
  /** Closes some of them; false where there is none to be closed. */
  giveWay(): boolean
}

const pools = new Set<DescriptorPool>()
let limit: number | undefined

/** How many files this process may have open. */
export function descriptorLimit(): number {
  limit ??= readLimit()
  return limit
}

/** How many of them all pools of this thread together may have. */
export function pooledDescriptors(): number {
  return Math.max(LEAST_POOLED, Math.floor(descriptorLimit() * POOLED_SHARE))
}

function readLimit(): number {
  try {
    // Node raises its limit as far as it may before a program begins, and this is the one that counts then.
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    if (soft !== undefined) return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
  } catch {
    // No /proc, or not even one descriptor to read it with.
  }
  return UNKNOWN_LIMIT
}

/** From now on the pool is asked when a file cannot be opened. */
export function addPool(pool: DescriptorPool): void {
  pools.add(pool)
}

export function removePool(pool: DescriptorPool): void {
  pools.delete(pool)
}

export function isOutOfDescriptors(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}

/** Has all pools of this thread close files, and where they have none any more the reserves; false where there was nothing to close. */
export function freeDescriptors(): boolean {
  let closed = false
  for (const pool of pools) closed = pool.giveWay() || closed
  if (closed) return true
  for (const reserve of reserves) closed = reserve.release() || closed
  return closed
}

const reserves = new Set<DescriptorReserve>()

/** A descriptor of a store that is held for nothing but a time in which there is no other: so that it can always be closed. */
export class DescriptorReserve {
  private readonly fs: FileSystem
  private readonly path: string
  private handle: FileHandle | undefined

  /** `path` is that of a file that is always there. */
  constructor(fs: FileSystem, path: string) {
    this.fs = fs
    this.path = path
  }

  /** Takes it back after it had to be given away, where that can be done. */
  fill(): void {
    if (this.handle !== undefined) return
    try {
      this.handle = this.fs.openSync(this.path, 'read')
      reserves.add(this)
    } catch {
      // Later, perhaps.
    }
  }

  /** False where it is gone already. */
  release(): boolean {
    if (this.handle === undefined) return false
    letGo(this.handle)
    this.handle = undefined
    reserves.delete(this)
    return true
  }
}

const generous = new WeakMap<FileSystem, FileSystem>()

/**
 * The same file system, but for what opens something: where no descriptor is left, pools close files, and it is tried again. Of one file
 * system it is always the same one, so two places can be compared by it.
 */
export function withDescriptors(fs: FileSystem): FileSystem {
  if (fs instanceof GenerousFileSystem) return fs
  let made = generous.get(fs)
  if (made === undefined) {
    made = new GenerousFileSystem(fs)
    generous.set(fs, made)
  }
  return made
}

class GenerousFileSystem implements FileSystem {
  readonly name: string
  readonly reachableFromWorkers: boolean
  readonly open?: NonNullable<FileSystem['open']>
  readonly kindSync?: NonNullable<FileSystem['kindSync']>
  readonly randomSync?: NonNullable<FileSystem['randomSync']>
  readonly watch?: NonNullable<FileSystem['watch']>
  readonly permissions?: number
  private readonly fs: FileSystem

  constructor(fs: FileSystem) {
    this.fs = fs
    this.name = fs.name
    this.reachableFromWorkers = fs.reachableFromWorkers
    if (fs.open !== undefined) this.open = (...given) => retriedInPool(() => fs.open!(...given))
    if (fs.kindSync !== undefined) this.kindSync = (...given) => fs.kindSync!(...given)
    if (fs.randomSync !== undefined) this.randomSync = (...given) => fs.randomSync!(...given)
    if (fs.permissions !== undefined) this.permissions = fs.permissions
    if (fs.watch !== undefined) this.watch = (...given) => fs.watch!(...given)
  }

  openSync(...given: Parameters<FileSystem['openSync']>): FileHandle {
    return retried(() => this.fs.openSync(...given))
  }

  listSync(...given: Parameters<FileSystem['listSync']>): string[] {
    return retried(() => this.fs.listSync(...given))
  }

  statusSync(...given: Parameters<FileSystem['statusSync']>): FileStatus | undefined {
    return this.fs.statusSync(...given)
  }

  makeDirectorySync(...given: Parameters<FileSystem['makeDirectorySync']>): void {
    this.fs.makeDirectorySync(...given)
  }

  removeSync(...given: Parameters<FileSystem['removeSync']>): void {
    this.fs.removeSync(...given)
  }

  removeDirectorySync(...given: Parameters<FileSystem['removeDirectorySync']>): void {
    this.fs.removeDirectorySync(...given)
  }

  renameSync(...given: Parameters<FileSystem['renameSync']>): void {
    this.fs.renameSync(...given)
  }

  linkSync(...given: Parameters<FileSystem['linkSync']>): void {
    this.fs.linkSync(...given)
  }

  syncDirectorySync(...given: Parameters<FileSystem['syncDirectorySync']>): void {
    retried(() => this.fs.syncDirectorySync(...given))
  }

  syncDirectory(...given: Parameters<FileSystem['syncDirectory']>): Promise<void> {
    return retriedInPool(() => this.fs.syncDirectory(...given))
  }

  lock(...given: Parameters<FileSystem['lock']>): Promise<FileLock> {
    return retriedInPool(() => this.fs.lock(...given))
  }
}

/** Each time the pools have fewer files left, so this ends. */
function retried<T>(attempt: () => T): T {
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      if (!isOutOfDescriptors(error) || !freeDescriptors()) throw error
    }
  }
}

async function retriedInPool<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isOutOfDescriptors(error) || !freeDescriptors()) throw error
    }
  }
}
