const NOTHING = new Uint8Array(0)
const FIRST_BYTES = 4096

/** The bytes behind one or more names: what a disk calls an inode. */
export class MemoryFile {
  #bytes: Uint8Array = NOTHING
  #size = 0
  modifiedAt: number

  constructor(modifiedAt: number) {
    this.modifiedAt = modifiedAt
  }

  get size(): number {
    return this.#size
  }

  /** Bytes copied; fewer than asked for at the end, none beyond it. */
  read(target: Uint8Array, targetStart: number, length: number, offset: number): number {
    const count = Math.min(length, this.#size - offset)
    if (count <= 0) return 0
    target.set(this.#bytes.subarray(offset, offset + count), targetStart)
    return count
  }

  write(source: Uint8Array, sourceStart: number, length: number, offset: number): void {
    if (length === 0) return
    const end = offset + length
    if (end > this.#bytes.length) this.#resize(Math.max(end, this.#bytes.length * 2, FIRST_BYTES))
    this.#bytes.set(source.subarray(sourceStart, sourceStart + length), offset)
    this.#size = Math.max(this.#size, end)
  }

  truncate(size: number): void {
    if (size > this.#bytes.length) this.#resize(size)
    // Invariant: bytes beyond the size are zero, so that growing again, by whatever means, shows zeros.
    if (size < this.#size) this.#bytes.fill(0, size, this.#size)
    this.#size = size
  }

  /** Gives back what doubling reserved: worth a copy once nobody writes any more, for a store that lives in memory. */
  trim(): void {
    if (this.#bytes.length - this.#size > this.#size / 8) this.#resize(this.#size)
  }

  #resize(capacity: number): void {
    const grown = new Uint8Array(capacity)
    grown.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = grown
  }
}
