import type { FileHandle } from '../../src/fs/file-system.js'
import type { MemoryFile } from '../../src/fs/memory-file.js'
import type { MemoryFileHandle } from '../../src/fs/memory-file-system.js'
import { systemError } from '../../src/fs/system-error.js'
import type { CallPlan, Drive } from './drive.js'
import type { DurableFile } from './durable-file.js'

/** An open file of a simulated disk: every change goes to the cache and is noted as not yet durable. */
export class SimulatedFile implements FileHandle {
  readonly path: string
  readonly #drive: Drive
  readonly #cached: MemoryFileHandle
  readonly #durable: DurableFile
  readonly #onClose: () => void
  #isOpen = true

  constructor(drive: Drive, cached: MemoryFileHandle, durable: DurableFile, onClose: () => void) {
    this.path = cached.path
    this.#drive = drive
    this.#cached = cached
    this.#durable = durable
    this.#onClose = onClose
  }

  get file(): MemoryFile {
    return this.#cached.file
  }

  readSync(target: Uint8Array, targetStart: number, length: number, offset: number): number {
    this.#drive.onRead?.({ path: this.path, offset, length, onPool: false })
    return this.#drive.call(this.#reading(target, targetStart, length, offset))
  }

  read(target: Uint8Array, targetStart: number, length: number, offset: number): Promise<number> {
    const held = this.#drive.onRead?.({ path: this.path, offset, length, onPool: true })
    return this.#drive.callOnPool(this.#reading(target, targetStart, length, offset), held)
  }

  writeSync(source: Uint8Array, sourceStart: number, length: number, offset: number): number {
    const put = (count: number): number => {
      const written = this.#cached.writeSync(source, sourceStart, count, offset)
      this.#durable.wrote(source, sourceStart, written, offset)
      return written
    }
    return this.#drive.call({
      kind: 'write',
      path: this.path,
      syscall: 'write',
      detail: `${length} bytes at ${offset}`,
      run: () => put(this.#room(length, offset)),
      short: () => put(length > 1 ? 1 + this.#drive.random.below(length - 1) : length),
      interrupted: () => put(this.#drive.random.below(length + 1)),
    })
  }

  syncSync(): void {
    this.#drive.call(this.#syncing())
  }

  sync(): Promise<void> {
    return this.#drive.callOnPool(this.#syncing())
  }

  truncateSync(bytes: number): void {
    const run = (): void => {
      this.#cached.truncateSync(bytes)
      this.#durable.truncated(bytes)
    }
    this.#drive.call({ kind: 'truncate', path: this.path, syscall: 'ftruncate', detail: `to ${bytes} bytes`, run })
  }

  sizeSync(): number {
    return this.#drive.call({ kind: 'size', path: this.path, syscall: 'fstat', run: () => this.#cached.sizeSync() })
  }

  closeSync(): void {
    // As on Linux, a close that reports a failure has closed all the same.
    const close = (): void => {
      this.#cached.closeSync()
      this.#isOpen = false
      this.#onClose()
    }
    this.#drive.call({ kind: 'close', path: this.path, syscall: 'close', run: close, failed: close })
  }

  #reading(target: Uint8Array, targetStart: number, length: number, offset: number): CallPlan<number> {
    return {
      kind: 'read',
      path: this.path,
      syscall: 'read',
      detail: `${length} bytes at ${offset}`,
      run: this.#ifOpenNow('read', () => this.file.read(target, targetStart, length, offset)),
      interrupted: () => undefined,
    }
  }

  #syncing(): CallPlan<void> {
    const mark = this.#durable.mark
    return {
      kind: 'sync',
      path: this.path,
      syscall: 'fdatasync',
      run: this.#ifOpenNow('fdatasync', () => {
        if (!this.#drive.lyingSync) this.#durable.sync(mark)
      }),
      failed: () => this.#durable.failSync(this.#drive.random),
    }
  }

  /** A call on the pool finishes although its file is closed meanwhile; it only may not begin then. */
  #ifOpenNow<T>(syscall: string, run: () => T): () => T {
    if (this.#isOpen) return run
    return () => {
      throw systemError('EBADF', syscall, this.path)
    }
  }

  /** How many of `length` bytes fit on the disk; those that lie over others need no room. */
  #room(length: number, offset: number): number {
    const growth = Math.max(0, offset + length - this.file.size)
    const fitting = length - growth + this.#drive.roomFor(growth)
    if (length > 0 && fitting <= 0) throw systemError('ENOSPC', 'write', this.path)
    return fitting
  }
}
