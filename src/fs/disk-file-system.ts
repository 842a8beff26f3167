import * as fs from 'node:fs'
import type { Clock } from '../bytes/clock.js'
import { withDescriptors } from './descriptors.js'
import { lockDirectory } from './directory-lock.js'
import { DiskFile } from './disk-file.js'
import type { FileKind, FileLock, FileStatus, FileSystem, OpenMode } from './file-system.js'
import { errorCode } from './system-error.js'

class DiskFileSystem implements FileSystem {
  readonly name = 'disk'
  readonly reachableFromWorkers = true
  readonly permissions: number

  constructor(permissions: number) {
    this.permissions = permissions
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    return new DiskFile(path, mode, this.permissions)
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return DiskFile.open(path, mode, this.permissions)
  }

  listSync(directory: string): string[] {
    return fs.readdirSync(directory)
  }

  statusSync(path: string): FileStatus | undefined {
    const status = fs.statSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    const isDirectory = status.isDirectory()
    return { bytes: isDirectory ? 0 : status.size, isDirectory, modifiedAt: status.mtimeMs }
  }

  kindSync(path: string): FileKind | undefined {
    const status = fs.lstatSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    return status.isFile() ? 'file' : status.isDirectory() ? 'directory' : 'other'
  }

  makeDirectorySync(directory: string): void {
    fs.mkdirSync(directory, { recursive: true, mode: forDirectories(this.permissions) })
  }

  removeSync(path: string): void {
    fs.unlinkSync(path)
  }

  removeDirectorySync(directory: string): void {
    fs.rmdirSync(directory)
  }

  renameSync(from: string, to: string): void {
    fs.renameSync(from, to)
  }

  linkSync(from: string, to: string): void {
    fs.linkSync(from, to)
  }

  syncDirectorySync(directory: string): void {
    try {
      const descriptor = fs.openSync(directory, 'r')
      try {
        fs.fsyncSync(descriptor)
      } finally {
        fs.closeSync(descriptor)
      }
    } catch (error) {
      if (!isRefusedByWindows(error)) throw error
    }
  }

  async syncDirectory(directory: string): Promise<void> {
    try {
      const handle = await fs.promises.open(directory, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (!isRefusedByWindows(error)) throw error
    }
  }

  watch(directory: string, onChange: () => void): () => void {
    try {
      const watcher = fs.watch(directory, { persistent: false }, onChange)
      watcher.on('error', () => watcher.close())
      return () => watcher.close()
    } catch {
      // The system has no watches left, or none at all.
      return () => {}
    }
  }

  lock(directory: string, clock?: Clock): Promise<FileLock> {
    return lockDirectory(withDescriptors(this), directory, clock)
  }
}

/** Windows has no fsync for directories; NTFS journals names by itself. */
function isRefusedByWindows(error: unknown): boolean {
  const code = errorCode(error)
  return process.platform === 'win32' && (code === 'EPERM' || code === 'EISDIR')
}

/** Whoever may read a file has to be able to enter the directory that it is in. */
function forDirectories(permissions: number): number {
  return permissions | ((permissions & 0o444) >> 2)
}

/** Only the owner. */
export const DEFAULT_PERMISSIONS = 0o600

const byPermissions = new Map<number, FileSystem>()

/** The files of the operating system, and with which permissions new ones are made. Always the same object for the same ones. */
export function diskWith(permissions: number): FileSystem {
  let disk = byPermissions.get(permissions)
  if (disk === undefined) byPermissions.set(permissions, (disk = new DiskFileSystem(permissions)))
  return disk
}

/** The files of the operating system. Worker threads that import this see the same ones. */
export const diskFileSystem: FileSystem = diskWith(DEFAULT_PERMISSIONS)
