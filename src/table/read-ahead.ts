import { unzeroed } from '../bytes/compression.js'
import type { BlockMemory } from './block-memory.js'
import type { IndexNode } from './index-node.js'
import type { TableFile } from './table-files.js'

/** A scan of a few entries often comes to a second block and seldom to a third. */
const PATIENCE = 2
/** What a scan reads first when it turns out to go on: more than it may want costs little yet. */
const FIRST_BYTES = 8 * 1024
/** A call of the system costs as much as copying 16 KiB: what is read at a time grows to this. */
const MOST_BYTES = 32 * 1024

/**
 * Reads the blocks of one table for a cursor that passes them one after the other, either way: several with one call of the system.
 * The first blocks, and those that do not lie beside the one before, are read alone.
 */
export class ReadAhead {
  #bytes: Uint8Array | undefined
  /** What of the file stands in `#bytes`. */
  #from = 0
  #to = 0
  #next = FIRST_BYTES
  /** How many blocks in a row were beside the one before. */
  #inARow = 0
  /** Memory for the block that the walk stands in, and where it is from. */
  #block: Uint8Array | undefined
  #pool: BlockMemory | undefined
  /** The block that was read last. */
  #lastFrom = -1
  #lastTo = -1

  /** Whether the walk has passed several blocks that stand one behind the other. */
  get isRunning(): boolean {
    return this.#inARow >= PATIENCE
  }

  /** Whether a block was read with one before it. */
  has(length: number, offset: number): boolean {
    return this.#bytes !== undefined && offset >= this.#from && offset + length <= this.#to
  }

  /** Memory for the block that the walk comes to, the same each time: it has left the one before. */
  memoryForBlock(bytes: number, pool: BlockMemory): Uint8Array {
    if (this.#block === undefined || this.#block.length < bytes) {
      this.release()
      this.#block = pool.take(bytes)
      this.#pool = pool
    }
    return this.#block
  }

  /** Gives the memory of the last block back. Requires: nobody reads from it any more. */
  release(): void {
    if (this.#block !== undefined) this.#pool!.give(this.#block)
    this.#block = undefined
  }

  /** Fills the beginning of `target` with a block. Requires: `has`. */
  take(target: Uint8Array, length: number, offset: number): void {
    this.#follow(length, offset)
    target.set(this.#bytes!.subarray(offset - this.#from, offset - this.#from + length))
  }

  /** Reads a block of `partition` into the beginning of `target`, and others beside it where that pays; returns how many bytes. */
  readSync(file: TableFile, target: Uint8Array, length: number, offset: number, partition: IndexNode): number {
    const isForwards = this.#follow(length, offset)
    if (this.isRunning && length <= MOST_BYTES) {
      const read = this.#readMore(file, length, offset, isForwards, partition)
      if (read > 0) {
        target.set(this.#bytes!.subarray(offset - this.#from, offset - this.#from + length))
        return read
      }
    }
    this.#next = FIRST_BYTES
    return file.readSync(target, length, offset)
  }

  /** Notes where the walk is; whether it goes forwards. */
  #follow(length: number, offset: number): boolean {
    const isForwards = offset === this.#lastTo
    const isBackwards = offset + length === this.#lastFrom
    this.#lastFrom = offset
    this.#lastTo = offset + length
    this.#inARow = isForwards || isBackwards ? this.#inARow + 1 : 0
    return isForwards
  }

  /** How many bytes were read; none where that failed: what lies beside a block may be damaged, and nobody asked for it. */
  #readMore(file: TableFile, length: number, offset: number, isForwards: boolean, partition: IndexNode): number {
    const end = offset + length
    const wanted = Math.max(this.#next, length)
    this.#next = Math.min(MOST_BYTES, wanted * 2)
    const from = isForwards ? offset : Math.max(partition.childOffset(0), end - wanted)
    const to = isForwards ? Math.min(partition.childOffset(partition.count), offset + wanted) : end
    if (this.#bytes === undefined || this.#bytes.length < to - from) this.#bytes = unzeroed(wanted)
    // Should this fail, nothing stands there any more.
    this.#from = this.#to = 0
    try {
      file.readSync(this.#bytes, to - from, from)
    } catch {
      return 0
    }
    this.#from = from
    this.#to = to
    return to - from
  }
}
