import { corruption, ioError } from '../bytes/errors.js'
import { addPool, type DescriptorPool, pooledDescriptors, removePool, withDescriptors } from '../fs/descriptors.js'
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
/** What is brought at a time for somebody who reads a file from its beginning to its end. */
const BROUGHT_BYTES = 256 * 1024
/** After a shortage the pool grows again by one file for so many that are opened without another. */
const OPENED_FOR_ONE = 16

/** All pools of this thread that have files open: they share what a process can have. */
const pools = new Set<TableFiles>()

/**
 * The descriptors of a store's tables: fewer than tables, and no more than the process can spare. The ones not used for longest are closed
 * and opened again when a block is missing from the cache; by then a descriptor is the smaller cost.
 */
export class TableFiles implements DescriptorPool {
  readonly #fileSystem: FileSystem
  readonly #maxOpenFiles: number
  readonly #keepOpen: boolean
  /** In the order of opening; with the mark of use this makes a clock. */
  readonly #open = new Set<TableFile>()
  /** How many it keeps after the process had none left. */
  #room: number
  #openedSinceShortage = 0

  constructor(fileSystem: FileSystem, options: TableFilesOptions = {}) {
    this.#fileSystem = withDescriptors(fileSystem)
    this.#maxOpenFiles = Math.max(1, options.maxOpenFiles ?? DEFAULT_OPEN_FILES)
    this.#keepOpen = options.keepOpen ?? false
    this.#room = this.#maxOpenFiles
  }

  get openCount(): number {
    return this.#open.size
  }

  /** How many it may have open at this time. */
  get capacity(): number {
    return Math.min(this.#maxOpenFiles, this.#room, pooledDescriptors())
  }

  /** A file of the pool; it is opened when something is first read from it. */
  file(path: string): TableFile {
    return new TableFile(this, path)
  }

  /** Called by `TableFile` alone. */
  open(file: TableFile): FileHandle {
    this.#makeRoom()
    try {
      const handle = this.#fileSystem.openSync(file.path, 'read')
      this.#add(file)
      return handle
    } catch (error) {
      throw ioError(error, 'open', file.path)
    }
  }

  /** Called by `TableFile` alone. Until it is added the file does not count. */
  async openInPool(file: TableFile): Promise<FileHandle> {
    const { open } = this.#fileSystem
    try {
      return open === undefined ? this.#fileSystem.openSync(file.path, 'read') : await open(file.path, 'read')
    } catch (error) {
      throw ioError(error, 'open', file.path)
    }
  }

  /** Called by `TableFile` alone. */
  added(file: TableFile): void {
    this.#makeRoom()
    this.#add(file)
  }

  /** Called by `TableFile` alone. */
  forget(file: TableFile): void {
    this.#open.delete(file)
    if (this.#open.size > 0) return
    pools.delete(this)
    removePool(this)
  }

  /** Closes half of the files, and stays smaller for a while. */
  giveWay(): boolean {
    const { size } = this.#open
    if (this.#keepOpen || size === 0) return false
    this.#shrinkTo(size >> 1)
    this.#room = Math.max(1, this.#open.size)
    this.#openedSinceShortage = 0
    return this.#open.size < size
  }

  #makeRoom(): void {
    if (this.#room < this.#maxOpenFiles && ++this.#openedSinceShortage % OPENED_FOR_ONE === 0) this.#room++
    if (!this.#keepOpen) this.#shrinkTo(Math.min(this.#maxOpenFiles, this.#room) - 1)
    let total = 0
    let largest: TableFiles = this
    for (const pool of pools) {
      total += pool.#open.size
      if (!pool.#keepOpen && (largest.#keepOpen || pool.#open.size > largest.#open.size)) largest = pool
    }
    const excess = total + 1 - pooledDescriptors()
    if (excess > 0 && !largest.#keepOpen) largest.#shrinkTo(largest.#open.size - excess)
  }

  #add(file: TableFile): void {
    this.#open.add(file)
    if (this.#open.size > 1) return
    pools.add(this)
    addPool(this)
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

/** One table's file, open or not. */
export class TableFile {
  readonly path: string
  readonly #pool: TableFiles
  #handle: FileHandle | undefined
  #opening: Promise<FileHandle> | undefined
  #ahead: { readonly bytes: Uint8Array; readonly offset: number } | undefined
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
    const ahead = this.#ahead
    if (ahead !== undefined && offset >= ahead.offset && offset + length <= ahead.offset + ahead.bytes.length) {
      target.set(ahead.bytes.subarray(offset - ahead.offset, offset - ahead.offset + length))
      return length
    }
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
    this.#readsUnderWay++
    try {
      const handle = this.#handle ?? (await this.#openedInPool())
      this.#used = true
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

  /** Reads a part of the file on the thread pool, for those who read it on this thread then. What cannot be read they are told. */
  async bring(offset: number, length: number): Promise<void> {
    const ahead = this.#ahead
    if (ahead !== undefined && offset >= ahead.offset && offset + length <= ahead.offset + ahead.bytes.length) return
    this.#ahead = undefined
    const left = Math.max(0, this.byteLength() - offset)
    const bytes = new Uint8Array(Math.min(Math.max(length, BROUGHT_BYTES), left))
    try {
      await this.read(bytes, bytes.length, offset)
      this.#ahead = { bytes, offset }
    } catch {
      // Reading it again says what is wrong.
    }
  }

  /** Sees to it that the file is open, without a wait on this thread. */
  async openInPool(): Promise<void> {
    this.#readsUnderWay++
    try {
      if (this.#handle === undefined) await this.#openedInPool()
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

  /** Requires: it counts as being read, so that nobody closes it. */
  #openedInPool(): Promise<FileHandle> {
    this.#opening ??= this.#openForAll().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openForAll(): Promise<FileHandle> {
    const handle = await this.#pool.openInPool(this)
    // Somebody who could not wait has opened it meanwhile.
    if (this.#handle !== undefined) {
      letGo(handle)
      return this.#handle
    }
    this.#handle = handle
    this.#pool.added(this)
    return handle
  }

  #open(): FileHandle {
    this.#used = true
    this.#handle ??= this.#pool.open(this)
    return this.#handle
  }
}
