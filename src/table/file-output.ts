import { ioError } from '../bytes/errors.js'
import type { FileHandle } from '../fs/file-system.js'

/** 31 us for 64 KiB, 1.3 us for the call alone: from here on larger writes gain nothing. */
const CHUNK_BYTES = 256 * 1024

/** Appends to a file in large chunks. Whoever writes gets a stretch of the chunk itself, so that nothing is copied twice. */
export class FileOutput {
  readonly #file: FileHandle
  #chunk = new Uint8Array(CHUNK_BYTES)
  #used = 0
  #chunkOffset = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Where in the file the next byte goes. */
  get offset(): number {
    return this.#chunkOffset + this.#used
  }

  get chunk(): Uint8Array {
    return this.#chunk
  }

  /** Makes room for `bytes` in one piece and returns where in `chunk` they go; `commit` says how many were put there. */
  reserve(bytes: number): number {
    if (this.#used + bytes > this.#chunk.length) {
      this.flush()
      // One value may need hundreds of MiB; the block after it does not.
      const length = Math.max(CHUNK_BYTES, bytes)
      if (this.#chunk.length !== length) this.#chunk = new Uint8Array(length)
    }
    return this.#used
  }

  commit(bytes: number): void {
    this.#used += bytes
  }

  flush(): void {
    let written = 0
    while (written < this.#used) {
      let step: number
      try {
        step = this.#file.writeSync(this.#chunk, written, this.#used - written, this.#chunkOffset + written)
        if (step <= 0) throw new Error('the file system wrote nothing')
      } catch (error) {
        throw ioError(error, 'write', this.#file.path)
      }
      written += step
    }
    this.#chunkOffset += this.#used
    this.#used = 0
  }
}
