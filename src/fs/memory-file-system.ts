import { ioError, SiltstoneError } from '../bytes/errors.js'
import type { FileHandle, FileLock, FileStatus, FileSystem, OpenMode } from './file-system.js'
import type { MemoryFile } from './memory-file.js'
import { MemoryDirectory, MemoryTree } from './memory-tree.js'
import { systemError } from './system-error.js'

/**
 * A file system that is gone with its object: what ':memory:' stores live in, and what most tests run on. Two instances have
 * nothing in common, locks included.
 */
export class MemoryFileSystem implements FileSystem {
  readonly name = 'memory'
  readonly reachableFromWorkers = false
  /** What is in it. @internal */
  readonly tree: MemoryTree
  readonly #locked = new Set<MemoryDirectory>()
  readonly #now: () => number

  /** An empty one. `now` gives the times of its files. */
  constructor(now: () => number = Date.now, root?: MemoryDirectory) {
    this.#now = now
    this.tree = new MemoryTree(now, root)
  }

  openSync(path: string, mode: OpenMode): MemoryFileHandle {
    const file = mode === 'create' ? this.tree.createFile(path) : this.tree.file(path, 'open')
    return new MemoryFileHandle(path, file, mode !== 'read', this.#now)
  }

  listSync(directory: string): string[] {
    return [...this.tree.directory(directory, 'scandir').entries.keys()]
  }

  statusSync(path: string): FileStatus | undefined {
    const node = this.tree.find(path, 'stat')
    if (node === undefined) return undefined
    const isDirectory = node instanceof MemoryDirectory
    return { bytes: isDirectory ? 0 : node.size, isDirectory, modifiedAt: node.modifiedAt }
  }

  makeDirectorySync(directory: string): void {
    this.tree.makeDirectory(directory)
  }

  removeSync(path: string): void {
    this.tree.remove(path)
  }

  removeDirectorySync(directory: string): void {
    this.tree.removeDirectory(directory)
  }

  renameSync(from: string, to: string): void {
    this.tree.rename(from, to)
  }

  linkSync(from: string, to: string): void {
    this.tree.link(from, to)
  }

  syncDirectorySync(directory: string): void {
    this.tree.directory(directory, 'open')
  }

  async syncDirectory(directory: string): Promise<void> {
    this.syncDirectorySync(directory)
  }

  async lock(path: string): Promise<FileLock> {
    const directory = this.#lockable(path)
    if (this.#locked.has(directory)) {
      throw new SiltstoneError(
        'SILT_LOCKED',
        `${path} is in use by this process (${process.pid}); close it there first`,
        {
          file: path,
          pid: process.pid,
        },
      )
    }
    this.#locked.add(directory)
    let held = true
    return {
      release: async () => {
        if (held) this.#locked.delete(directory)
        held = false
      },
    }
  }

  #lockable(path: string): MemoryDirectory {
    try {
      return this.tree.directory(path, 'open')
    } catch (error) {
      throw ioError(error, 'lock', path)
    }
  }
}

export class MemoryFileHandle implements FileHandle {
  readonly path: string
  readonly file: MemoryFile
  readonly #writable: boolean
  readonly #now: () => number
  #open = true

  constructor(path: string, file: MemoryFile, writable: boolean, now: () => number) {
    this.path = path
    this.file = file
    this.#writable = writable
    this.#now = now
  }

  readSync(target: Uint8Array, targetStart: number, length: number, offset: number): number {
    this.#requireOpen('read')
    return this.file.read(target, targetStart, length, offset)
  }

  async read(target: Uint8Array, targetStart: number, length: number, offset: number): Promise<number> {
    return this.readSync(target, targetStart, length, offset)
  }

  writeSync(source: Uint8Array, sourceStart: number, length: number, offset: number): number {
    this.#requireWritable('write', 'EBADF')
    this.file.write(source, sourceStart, length, offset)
    this.file.modifiedAt = this.#now()
    return length
  }

  syncSync(): void {
    this.#requireOpen('fdatasync')
  }

  async sync(): Promise<void> {
    this.syncSync()
  }

  truncateSync(bytes: number): void {
    this.#requireWritable('ftruncate', 'EINVAL')
    this.file.truncate(bytes)
    this.file.modifiedAt = this.#now()
  }

  sizeSync(): number {
    this.#requireOpen('fstat')
    return this.file.size
  }

  closeSync(): void {
    if (this.#open && this.#writable) this.file.trim()
    this.#open = false
  }

  #requireOpen(syscall: string): void {
    if (!this.#open) throw systemError('EBADF', syscall, this.path)
  }

  #requireWritable(syscall: string, code: string): void {
    this.#requireOpen(syscall)
    if (!this.#writable) throw systemError(code, syscall, this.path)
  }
}
