import * as fs from 'node:fs'
import type { FileHandle, OpenMode } from './file-system.js'
import { systemError } from './system-error.js'

/*
 * Raw descriptors and callbacks: `fs.read` with a callback costs 20 to 40 us where `FileHandle.read` costs 65, and only raw
 * descriptors have synchronous calls too, at 1.3 us for 4 KiB in the page cache.
 */

// Linux moves at most 2 GiB - 4 KiB in one call, macOS and Node refuse 2 GiB and more.
const LARGEST_CALL_BYTES = 2 ** 30

const CLOSED = -1

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants
// Opening a pipe would wait for who is at its other end. Windows has neither of the two.
const O_NONBLOCK = fs.constants.O_NONBLOCK ?? 0
// What is written to is never at the other end of a link: that may be a file of another store, or of somebody else.
const O_NOFOLLOW = fs.constants.O_NOFOLLOW ?? 0

const FLAGS: Record<OpenMode, number> = {
  read: O_RDONLY | O_NONBLOCK,
  create: O_RDWR | O_CREAT | O_EXCL,
  update: O_RDWR | O_NONBLOCK | O_NOFOLLOW,
}

/** Pipes and devices have no end, so nothing of a store is read from one. */
function requireFile(descriptor: number, path: string): void {
  const status = fs.fstatSync(descriptor)
  if (status.isFile()) return
  throw systemError(status.isDirectory() ? 'EISDIR' : 'EINVAL', 'open', path)
}

/** An open file of the operating system. */
export class DiskFile implements FileHandle {
  readonly path: string
  #descriptor: number
  /** Calls on the thread pool that still use the descriptor. */
  #inFlight = 0
  #closeWhenIdle = false

  /** `permissions` are those of a file that is made; the process's umask takes from them. */
  constructor(
    path: string,
    mode: OpenMode,
    permissions: number,
    descriptor = fs.openSync(path, FLAGS[mode], permissions),
  ) {
    this.path = path
    this.#descriptor = descriptor
    try {
      if (mode !== 'create') requireFile(descriptor, path)
    } catch (error) {
      fs.closeSync(descriptor)
      throw error
    }
  }

  /** Opened on the thread pool. */
  static open(path: string, mode: OpenMode, permissions: number): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      fs.open(path, FLAGS[mode], permissions, (error, descriptor) => {
        if (error) return reject(error)
        try {
          resolve(new DiskFile(path, mode, permissions, descriptor))
        } catch (refusal) {
          reject(refusal)
        }
      })
    })
  }

  readSync(target: Uint8Array, targetStart: number, length: number, offset: number): number {
    const descriptor = this.#openDescriptor('read')
    let done = 0
    while (done < length) {
      const count = Math.min(length - done, LARGEST_CALL_BYTES)
      const read = fs.readSync(descriptor, target, targetStart + done, count, offset + done)
      if (read === 0) break
      done += read
    }
    return done
  }

  read(target: Uint8Array, targetStart: number, length: number, offset: number): Promise<number> {
    return this.#onPool('read', (descriptor, settle) => {
      let done = 0
      const step = (): void => {
        const count = Math.min(length - done, LARGEST_CALL_BYTES)
        fs.read(descriptor, target, targetStart + done, count, offset + done, (error, read) => {
          if (error) return settle(error, done)
          done += read
          if (read === 0 || done === length) settle(null, done)
          else step()
        })
      }
      if (length === 0) settle(null, 0)
      else step()
    })
  }

  writeSync(source: Uint8Array, sourceStart: number, length: number, offset: number): number {
    const count = Math.min(length, LARGEST_CALL_BYTES)
    return fs.writeSync(this.#openDescriptor('write'), source, sourceStart, count, offset)
  }

  syncSync(): void {
    fs.fdatasyncSync(this.#openDescriptor('fdatasync'))
  }

  sync(): Promise<void> {
    return this.#onPool('fdatasync', (descriptor, settle) =>
      fs.fdatasync(descriptor, (error) => settle(error, undefined)),
    )
  }

  truncateSync(bytes: number): void {
    fs.ftruncateSync(this.#openDescriptor('ftruncate'), bytes)
  }

  sizeSync(): number {
    return fs.fstatSync(this.#openDescriptor('fstat')).size
  }

  closeSync(): void {
    if (this.#descriptor === CLOSED || this.#closeWhenIdle) return
    // The system gives a closed descriptor's number to the next file that is opened, and a call that still waits in the thread
    // pool would then read that one.
    if (this.#inFlight > 0) this.#closeWhenIdle = true
    else this.#close()
  }

  #close(): void {
    const descriptor = this.#descriptor
    this.#descriptor = CLOSED
    fs.closeSync(descriptor)
  }

  #openDescriptor(syscall: string): number {
    if (this.#descriptor === CLOSED || this.#closeWhenIdle) throw systemError('EBADF', syscall, this.path)
    return this.#descriptor
  }

  #onPool<T>(
    syscall: string,
    start: (descriptor: number, settle: (error: Error | null, value: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#openDescriptor(syscall)
      const settle = (error: Error | null, value: T): void => {
        let failure: unknown = error
        this.#inFlight--
        try {
          if (this.#closeWhenIdle && this.#inFlight === 0) this.#close()
        } catch (closing) {
          failure ??= closing
        }
        if (failure) reject(failure)
        else resolve(value)
      }
      this.#inFlight++
      start(descriptor, settle)
    })
  }
}
