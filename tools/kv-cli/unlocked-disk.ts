import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { kindOf } from '../../src/fs/file-kind.js'
import type { FileHandle, FileKind, FileLock, FileStatus, FileSystem, OpenMode } from '../../src/fs/file-system.js'

/**
 * The disk for those who only look: takes no lock, so that it works beside a living writer, and refuses every change, so that
 * whoever investigates cannot spoil the evidence.
 */
class UnlockedDisk implements FileSystem {
  readonly name = 'disk, to look at'
  readonly reachableFromWorkers = false

  openSync(path: string, mode: OpenMode): FileHandle {
    if (mode !== 'read') throw refused(path)
    return diskFileSystem.openSync(path, 'read')
  }

  listSync(directory: string): string[] {
    return diskFileSystem.listSync(directory)
  }

  statusSync(path: string): FileStatus | undefined {
    return diskFileSystem.statusSync(path)
  }

  kindSync(path: string): FileKind | undefined {
    return kindOf(diskFileSystem, path)
  }

  makeDirectorySync(directory: string): void {
    throw refused(directory)
  }

  removeSync(path: string): void {
    throw refused(path)
  }

  removeDirectorySync(directory: string): void {
    throw refused(directory)
  }

  renameSync(from: string): void {
    throw refused(from)
  }

  linkSync(from: string): void {
    throw refused(from)
  }

  syncDirectorySync(directory: string): void {
    throw refused(directory)
  }

  async syncDirectory(directory: string): Promise<void> {
    throw refused(directory)
  }

  async lock(): Promise<FileLock> {
    return { release: async () => {} }
  }
}

function refused(path: string): Error {
  return Object.assign(new Error(`${path} is only looked at, never changed`), { code: 'EROFS' })
}

export const unlockedDisk: FileSystem = new UnlockedDisk()
