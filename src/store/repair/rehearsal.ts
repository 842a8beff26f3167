import { kindOf } from '../../fs/file-kind.js'
import type { FileHandle, FileKind, FileLock, FileStatus, FileSystem, OpenMode } from '../../fs/file-system.js'
import { MemoryFileSystem } from '../../fs/memory-file-system.js'
import { systemError } from '../../fs/system-error.js'

/**
 * Another file system as one can read it, with changes that stay in memory: what is done on it can be seen in it, and nowhere
 * else. Only files that were made in it can be changed.
 */
export class Rehearsal implements FileSystem {
  readonly name = 'rehearsal'
  readonly reachableFromWorkers = false
  private readonly original: FileSystem
  private readonly made = new MemoryFileSystem()

  constructor(original: FileSystem) {
    this.original = original
  }

  openSync(path: string, mode: OpenMode): FileHandle {
    if (mode === 'create') {
      if (this.statusSync(path) !== undefined) throw systemError('EEXIST', 'open', path)
      this.made.makeDirectorySync(path.slice(0, Math.max(1, path.lastIndexOf('/'))))
      return this.made.openSync(path, mode)
    }
    return this.ownerOf(path, mode === 'update').openSync(path, mode)
  }

  listSync(directory: string): string[] {
    const made = this.made.statusSync(directory) === undefined ? [] : this.made.listSync(directory)
    const there = this.original.statusSync(directory) === undefined ? [] : this.original.listSync(directory)
    return [...new Set([...there, ...made])]
  }

  statusSync(path: string): FileStatus | undefined {
    return this.made.statusSync(path) ?? this.original.statusSync(path)
  }

  kindSync(path: string): FileKind | undefined {
    return kindOf(this.made, path) ?? kindOf(this.original, path)
  }

  makeDirectorySync(directory: string): void {
    this.made.makeDirectorySync(directory)
  }

  removeSync(path: string): void {
    this.ownerOf(path, true).removeSync(path)
  }

  removeDirectorySync(directory: string): void {
    this.ownerOf(directory, true).removeDirectorySync(directory)
  }

  renameSync(from: string, to: string): void {
    this.ownerOf(from, true).renameSync(from, to)
  }

  linkSync(from: string, to: string): void {
    this.ownerOf(from, true).linkSync(from, to)
  }

  syncDirectorySync(): void {
    // What is only in memory is as durable as it will ever be.
  }

  async syncDirectory(): Promise<void> {}

  lock(directory: string): Promise<FileLock> {
    return this.original.lock(directory)
  }

  /** Where a file is. */
  private ownerOf(path: string, toBeChanged: boolean): FileSystem {
    if (this.made.statusSync(path) !== undefined) return this.made
    if (toBeChanged && this.original.statusSync(path) !== undefined) throw systemError('EROFS', 'open', path)
    return this.original
  }
}
