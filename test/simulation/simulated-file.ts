import type { FileHandle } from '../../src/fs/file-system.js'
import type { MemoryFile } from '../../src/fs/memory-file.js'
import type { MemoryFileHandle } from '../../src/fs/memory-file-system.js'
import { systemError } from '../../src/fs/system-error.js'
import type { DurableFile } from './durable-file.js'
import type { CallPlan, SimulatedDisk } from './simulated-disk.js'

/** An open file of a simulated disk: every change goes to the cache and is noted as not yet durable. */
export class SimulatedFile implements FileHandle {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #cached: MemoryFileHandle
  readonly #durable: DurableFile

  constructor(disk: SimulatedDisk, cached: MemoryFileHandle, durable: DurableFile) {
    this.path = cached.path
    this.#disk = disk
    this.#cached = cached
    this.#durable = durable
  }

  get file(): MemoryFile {
    return this.#cached.file
  }

  readSync(target: Uint8Array, targetStart: number, length: number, offset: number): number {
    this.#disk.onRead?.({ path: this.path, offset, length, onPool: false })
    return this.#disk.call(this.#reading(target, targetStart, length, offset))
  }

  read(target: Uint8Array, targetStart: number, length: number, offset: number): Promise<number> {
    const held = this.#disk.onRead?.({ path: this.path, offset, length, onPool: true })
    return this.#disk.callOnPool(this.#reading(target, targetStart, length, offset), held)
  }

  writeSync(source: Uint8Array, sourceStart: number, length: number, offset: number): number {
    const put = (count: number): number => {
      const written = this.#cached.writeSync(source, sourceStart, count, offset)
      this.#durable.wrote(source, sourceStart, written, offset)
      return written
    }
    return this.#disk.call({
      kind: 'write',
      path: this.path,
      syscall: 'write',
      detail: `${length} bytes at ${offset}`,
      run: () => put(this.#room(length, offset)),
      short: () => put(length > 1 ? 1 + this.#disk.draw(length - 1) : length),
      interrupted: () => put(this.#disk.draw(length + 1)),
    })
  }

  syncSync(): void {
    this.#disk.call(this.#syncing())
  }

  sync(): Promise<void> {
    return this.#disk.callOnPool(this.#syncing())
  }

  truncateSync(bytes: number): void {
    const run = (): void => {
      this.#cached.truncateSync(bytes)
      this.#durable.truncated(bytes)
    }
    this.#disk.call({ kind: 'truncate', path: this.path, syscall: 'ftruncate', detail: `to ${bytes} bytes`, run })
  }

  sizeSync(): number {
    return this.#disk.call({ kind: 'size', path: this.path, syscall: 'fstat', run: () => this.#cached.sizeSync() })
  }

  closeSync(): void {
    // As on Linux, a close that reports a failure has closed all the same.
    const close = (): void => {
      this.#cached.closeSync()
      this.#disk.closed(this)
    }
    this.#disk.call({ kind: 'close', path: this.path, syscall: 'close', run: close, failed: close })
  }

  #reading(target: Uint8Array, targetStart: number, length: number, offset: number): CallPlan<number> {
    return {
      kind: 'read',
      path: this.path,
      syscall: 'read',
      detail: `${length} bytes at ${offset}`,
      run: () => this.#cached.readSync(target, targetStart, length, offset),
      interrupted: () => undefined,
    }
  }

  #syncing(): CallPlan<void> {
    const mark = this.#durable.mark
    return {
      kind: 'sync',
      path: this.path,
      syscall: 'fdatasync',
      run: () => {
        this.#cached.syncSync()
        if (!this.#disk.lyingSync) this.#durable.sync(mark)
      },
      failed: () => this.#disk.failSync(this.#durable),
    }
  }

  /** How many of `length` bytes fit on the disk; those that lie over others need no room. */
  #room(length: number, offset: number): number {
    const growth = Math.max(0, offset + length - this.file.size)
    const fitting = length - growth + this.#disk.roomFor(growth)
    if (length > 0 && fitting <= 0) throw systemError('ENOSPC', 'write', this.path)
    return fitting
  }
}
