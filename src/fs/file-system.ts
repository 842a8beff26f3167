import type { Clock } from '../bytes/clock.js'

/*
 * The seam between the store and whatever keeps its bytes. Two implementations come with the store (disk, memory), tests bring
 * a third that fails and crashes on command; `test/fs/conformance.ts` holds them all to the same behaviour.
 *
 * Errors are the operating system's own (`code` ENOENT, EEXIST, ENOSPC, EIO, EMFILE …); whoever calls knows what was attempted
 * and wraps them. Paths are absolute or relative to the working directory, separated by '/'.
 */

/** How a file is opened: to read; made new (EEXIST where it is there) to read and write; there already, to read and write. */
export type OpenMode = 'read' | 'create' | 'update'

/** An open file. Nothing in it has a position of its own: every call says where. */
export interface FileHandle {
  /** What it was opened as. */
  readonly path: string
  /** Bytes read; fewer than asked for only at the end of the file. */
  readSync(target: Uint8Array, targetStart: number, length: number, offset: number): number
  /** The same on the thread pool. */
  read(target: Uint8Array, targetStart: number, length: number, offset: number): Promise<number>
  /** Bytes written: may be fewer than asked for, as with `write(2)`. Writing past the end leaves zeros between. */
  writeSync(source: Uint8Array, sourceStart: number, length: number, offset: number): number
  /** Makes content and size durable (fdatasync). The name is durable only after `syncDirectory` of its folder. */
  syncSync(): void
  /** The same on the thread pool. */
  sync(): Promise<void>
  /** Cuts it off, or fills it up with zeros. */
  truncateSync(bytes: number): void
  /** Its bytes. */
  sizeSync(): number
  /** Twice is once. */
  closeSync(): void
}

/** What a name can stand for. 'other': a link, a pipe, a device, a socket. */
export type FileKind = 'file' | 'directory' | 'other'

/** What is known of a file or directory without opening it. */
export interface FileStatus {
  /** Of a file, its size. */
  readonly bytes: number
  /** Whether it holds names instead of bytes. */
  readonly isDirectory: boolean
  /** In milliseconds since 1970. */
  readonly modifiedAt: number
}

/**
 * Held until released, until the process dies, or until somebody who heard nothing of the holder for long has taken it. A lock
 * without `verify` cannot be taken away.
 */
export interface FileLock {
  /** Lets somebody else have it. */
  release(): Promise<void>
  /** Throws `SILT_FENCED` where it was taken away. Looks at the disk only when it has not done so for a while. */
  check?(): void
  /** The same, and looks in any case. */
  verify?(): void
  /** Whoever had it before may still be there, asleep: files that it wrote to are not written to, and not relied on for long. */
  readonly isAfterSilence?: boolean
  /** Nothing relies on those files any more. */
  settle?(): void
}

/** What a store needs of whatever keeps its bytes. Paths are absolute or relative to the working directory, separated by '/'. */
export interface FileSystem {
  /** 'disk', 'memory', or a test's own name. */
  readonly name: string
  /** Whether a worker thread that opens `diskFileSystem` itself sees the same files; if not, jobs run on this thread. */
  readonly reachableFromWorkers: boolean
  /** Permissions of the files that it makes, for those who make them elsewhere. */
  readonly permissions?: number

  /** Opens a file. ENOENT where there is none, EEXIST where one is to be made and is there. */
  openSync(path: string, mode: OpenMode): FileHandle
  /** The same on the thread pool. Absent where opening a file never waits for a disk. */
  open?(path: string, mode: OpenMode): Promise<FileHandle>
  /** Names in a directory, in no order. ENOENT where there is none. */
  listSync(directory: string): string[]
  /** `undefined` where nothing is there. */
  statusSync(path: string): FileStatus | undefined
  /**
   * What a name stands for, without following a link; `undefined` where nothing is there. Absent where there are only files and
   * directories.
   */
  kindSync?(path: string): FileKind | undefined
  /** Makes a directory and those above it; nothing where it is there. */
  makeDirectorySync(directory: string): void
  /** Removes a file. ENOENT where there is none. */
  removeSync(path: string): void
  /** Removes an empty directory. */
  removeDirectorySync(directory: string): void
  /** Replaces `to` atomically where it is there. */
  renameSync(from: string, to: string): void
  /** A second name for the same bytes; where the file system has none, throws with a `code` (EPERM, ENOTSUP, EXDEV, EMLINK). */
  linkSync(from: string, to: string): void
  /** Makes the names in a directory durable: creations, renames and removals. */
  syncDirectorySync(directory: string): void
  /** The same on the thread pool. */
  syncDirectory(directory: string): Promise<void>
  /**
   * Calls back when something in a directory may have changed, by whatever process; returns what ends that. Absent where nobody
   * tells. May miss changes, and never keeps the process alive.
   */
  watch?(directory: string, onChange: () => void): () => void
  /**
   * Fills an array with random bytes, for ids and salts of files. Absent where the system's own are to be taken; with its own, a test
   * gets the same files from the same seed.
   */
  randomSync?(target: Uint8Array): void
  /** Takes the lock of a directory, or throws `SILT_LOCKED` with the holder's pid. Waits by the clock, the machine's by default. */
  lock(directory: string, clock?: Clock): Promise<FileLock>
}
