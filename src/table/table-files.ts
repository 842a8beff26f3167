import { corruption, ioError } from '../bytes/errors.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'

export interface TableFilesOptions {
  /** How many table files are open at a time. */
  maxOpenFiles?: number
  /**
   * Never closes a file while its table is in use: for readers beside a live writer, whose files may lose their names at any
   * time and live only as long as they are held open.
   */
  keepOpen?: boolean
}

const DEFAULT_OPEN_FILES = 256

/**
 * The descriptors of a store's tables: fewer than tables. The ones not used for longest are closed and opened again when a
 * block is missing from the cache; by then a descriptor is the smaller cost.
 */
export class TableFiles {
  readonly #fileSystem: FileSystem
  readonly #maxOpenFiles: number
  readonly #keepOpen: boolean
  /** In the order of opening; with the mark of use this makes a clock. */
  readonly #open = new Set<TableFile>()

  constructor(fileSystem: FileSystem, options: TableFilesOptions = {}) {
    this.#fileSystem = fileSystem
    this.#maxOpenFiles = Math.max(1, options.maxOpenFiles ?? DEFAULT_OPEN_FILES)
    this.#keepOpen = options.keepOpen ?? false
  }

  get openCount(): number {
    return this.#open.size
  }

  /** A file of the pool; it is opened when something is first read from it. */
  file(path: string): TableFile {
    return new TableFile(this, path)
  }

  /** Called by `TableFile` alone. */
  open(file: TableFile): FileHandle {
    if (!this.#keepOpen) this.#shrinkTo(this.#maxOpenFiles - 1)
    let handle: FileHandle
    try {
      handle = this.#fileSystem.openSync(file.path, 'read')
    } catch (error) {
      if (!isOutOfDescriptors(error) || this.#keepOpen || this.#open.size === 0) throw ioError(error, 'open', file.path)
      this.#shrinkTo(this.#open.size >> 1)
      try {
        handle = this.#fileSystem.openSync(file.path, 'read')
      } catch (again) {
        throw ioError(again, 'open', file.path)
      }
    }
    this.#open.add(file)
    return handle
  }

  /** Called by `TableFile` alone. */
  forget(file: TableFile): void {
    this.#open.delete(file)
  }

  #shrinkTo(count: number): void {
    // Two laps find everything that is not being read; a file that is stays open, and the cap is exceeded by it.
    for (let steps = this.#open.size * 2; steps > 0 && this.#open.size > count; steps--) {
      const [file] = this.#open as Iterable<TableFile> as [TableFile]
      this.#open.delete(file)
      if (file.isIdle()) file.closeHandle()
      else this.#open.add(file)
    }
  }
}

function isOutOfDescriptors(error: unknown): boolean {
  const code = (error as { code?: string } | undefined)?.code
  return code === 'EMFILE' || code === 'ENFILE'
}

/** One table's file, open or not. */
export class TableFile {
  readonly path: string
  readonly #pool: TableFiles
  #handle: FileHandle | undefined
  #used = false
  #readsUnderWay = 0
  #closed = false

  constructor(pool: TableFiles, path: string) {
    this.#pool = pool
    this.path = path
  }

  get closed(): boolean {
    return this.#closed
  }

  byteLength(): number {
    try {
      return this.#open().sizeSync()
    } catch (error) {
      throw ioError(error, 'measure', this.path)
    }
  }

  /** Fills `target` up to `length`, which is returned; a file that ends before is damaged. */
  readSync(target: Uint8Array, length: number, offset: number): number {
    const handle = this.#open()
    for (let done = 0; done < length; ) {
      let step: number
      try {
        step = handle.readSync(target, done, length - done, offset + done)
      } catch (error) {
        throw ioError(error, 'read', this.path)
      }
      if (step === 0) throw corruption(this.path, offset + done, 'the file ends here, in the middle of a block')
      done += step
    }
    return length
  }

  /** The same on the thread pool. */
  async read(target: Uint8Array, length: number, offset: number): Promise<void> {
    const handle = this.#open()
    this.#readsUnderWay++
    try {
      for (let done = 0; done < length; ) {
        let step: number
        try {
          step = await handle.read(target, done, length - done, offset + done)
        } catch (error) {
          throw ioError(error, 'read', this.path)
        }
        if (step === 0) throw corruption(this.path, offset + done, 'the file ends here, in the middle of a block')
        done += step
      }
    } finally {
      this.#readsUnderWay--
      if (this.#closed) this.closeHandle()
    }
  }

  /** Ends all use; reads under way are completed. Twice is once. */
  close(): void {
    this.#closed = true
    this.closeHandle()
  }

  /** Whether nothing was read since this was asked last, and nothing is being read. For the pool. */
  isIdle(): boolean {
    const idle = !this.#used && this.#readsUnderWay === 0
    this.#used = false
    return idle
  }

  /** Gives the descriptor back unless it is being read from. For the pool. */
  closeHandle(): void {
    if (this.#readsUnderWay > 0 || this.#handle === undefined) return
    this.#pool.forget(this)
    letGo(this.#handle)
    this.#handle = undefined
  }

  #open(): FileHandle {
    this.#used = true
    this.#handle ??= this.#pool.open(this)
    return this.#handle
  }
}
