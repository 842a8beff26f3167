import { VarintReader } from '../bytes/integers.js'
import { type DataBlock, entryPosition, suffixStart } from './block.js'

const FIELDS = 6
const ENTRY_AT = 0
const KEY_START = 1
const KEY_END = 2
const AFTER_HEAD = 3
const VALUE_START = 4
const VALUE_END = 5

const varint = new VarintReader()

/**
 * The entries between two restart points of a block, taken apart. Keys can only be put together forwards, so whoever walks
 * backwards takes a whole group at once and then steps through it; that makes a step back as cheap as one forward.
 *
 * The memory is used again for every group: nothing is allocated once it has grown.
 */
export class EntryGroup {
  count = 0
  keys = new Uint8Array(1024)
  #fields = new Int32Array(FIELDS * 32)

  /**
   * Takes a group apart. Of every key the newest version below `limit` is kept and none where there is no such; or
   * every version, with `everyVersion`.
   */
  decode(block: DataBlock, group: number, limit: number, everyVersion: boolean): void {
    const bytes = block.bytes
    const end = block.restart(group + 1)
    let at = block.restart(group)
    let keyStart = 0
    let keyEnd = -1
    let taken = false
    this.count = 0
    while (at < end) {
      const entryAt = at
      let shared = bytes[at]!
      let unshared = bytes[at + 1]!
      let valueLength = bytes[at + 2]!
      if ((shared | unshared | valueLength) < 128) {
        at += 3
      } else {
        shared = varint.read(bytes, at)
        unshared = varint.read(bytes, varint.end)
        valueLength = varint.read(bytes, varint.end)
        at = varint.end
      }
      const head = bytes[at++]!
      const suffix = suffixStart(head, at)
      const valueStart = suffix + unshared
      if (unshared !== 0 || shared !== keyEnd - keyStart) {
        const start = Math.max(0, keyEnd)
        if (start + shared + unshared > this.keys.length) this.#growKeys(start + shared + unshared)
        const keys = this.keys
        for (let i = 0; i < shared; i++) keys[start + i] = keys[keyStart + i]!
        for (let i = 0; i < unshared; i++) keys[start + shared + i] = bytes[suffix + i]!
        keyStart = start
        keyEnd = start + shared + unshared
        taken = false
      }
      if (everyVersion || (!taken && entryPosition(bytes, head, at, block.basePosition) < limit)) {
        taken = true
        const row = this.count++ * FIELDS
        if (row === this.#fields.length) this.#growFields()
        const fields = this.#fields
        fields[row + ENTRY_AT] = entryAt
        fields[row + KEY_START] = keyStart
        fields[row + KEY_END] = keyEnd
        fields[row + AFTER_HEAD] = at
        fields[row + VALUE_START] = valueStart
        fields[row + VALUE_END] = valueStart + valueLength
      }
      at = valueStart + valueLength
    }
  }

  /** Where in the block the entry begins. */
  entryAt(index: number): number {
    return this.#fields[index * FIELDS + ENTRY_AT]!
  }

  keyStart(index: number): number {
    return this.#fields[index * FIELDS + KEY_START]!
  }

  keyEnd(index: number): number {
    return this.#fields[index * FIELDS + KEY_END]!
  }

  /** The offset behind the entry's head, which is the byte before. */
  afterHead(index: number): number {
    return this.#fields[index * FIELDS + AFTER_HEAD]!
  }

  valueStart(index: number): number {
    return this.#fields[index * FIELDS + VALUE_START]!
  }

  valueEnd(index: number): number {
    return this.#fields[index * FIELDS + VALUE_END]!
  }

  #growKeys(needed: number): void {
    const larger = new Uint8Array(needed * 2)
    larger.set(this.keys)
    this.keys = larger
  }

  #growFields(): void {
    const larger = new Int32Array(this.#fields.length * 2)
    larger.set(this.#fields)
    this.#fields = larger
  }
}
