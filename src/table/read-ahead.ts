import { unzeroed } from '../bytes/compression.js'
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
  /** The block that was read last. */
  #lastFrom = -1
  #lastTo = -1

  /** Fills the beginning of `target` with a block of `partition`. */
  readSync(file: TableFile, target: Uint8Array, length: number, offset: number, partition: IndexNode): void {
    const end = offset + length
    const goesOn = offset === this.#lastTo
    const goesBack = end === this.#lastFrom
    this.#lastFrom = offset
    this.#lastTo = end
    this.#inARow = goesOn || goesBack ? this.#inARow + 1 : 0
    if (offset < this.#from || end > this.#to) {
      if (this.#inARow < PATIENCE || length > MOST_BYTES) {
        this.#next = FIRST_BYTES
        file.readSync(target, length, offset)
        return
      }
      if (!this.#read(file, length, offset, goesOn, partition)) {
        file.readSync(target, length, offset)
        return
      }
    }
    target.set(this.#bytes!.subarray(offset - this.#from, end - this.#from))
  }

  /** Whether that went well: what lies beside a block may be damaged, which is nothing to whoever wants the block. */
  #read(file: TableFile, length: number, offset: number, goesOn: boolean, partition: IndexNode): boolean {
    const end = offset + length
    const wanted = Math.max(this.#next, length)
    this.#next = Math.min(MOST_BYTES, wanted * 2)
    const from = goesOn ? offset : Math.max(partition.childOffset(0), end - wanted)
    const to = goesOn ? Math.min(partition.childOffset(partition.count), offset + wanted) : end
    if (this.#bytes === undefined || this.#bytes.length < to - from) this.#bytes = unzeroed(wanted)
    // Should this fail, nothing stands there any more.
    this.#from = this.#to = 0
    try {
      file.readSync(this.#bytes, to - from, from)
    } catch {
      this.#next = FIRST_BYTES
      return false
    }
    this.#from = from
    this.#to = to
    return true
  }
}
