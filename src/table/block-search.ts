import { SiltstoneError } from '../bytes/errors.js'
import { Assembly, type Workspace } from '../bytes/workspace.js'
import type { DataBlock } from './block.js'
import { desk } from './desk.js'
import { type EntryGroup, PICKED_BYTES } from './entry-group.js'
import { PACKED_SEARCH_CODE } from './packed-search-code.js'

interface PackedSearch {
  find(
    at: number,
    end: number,
    target: number,
    rawBytes: number,
    entryBytes: number,
    key: number,
    keyLength: number,
    base: number,
    limit: number,
  ): number
  pick(
    at: number,
    end: number,
    target: number,
    rawBytes: number,
    entryBytes: number,
    key: number,
    keyLength: number,
    base: number,
    limit: number,
    most: number,
    out: number,
    room: number,
  ): number
  unpack(at: number, end: number, target: number, rawBytes: number): number
}

const code = new Assembly<PackedSearch>(PACKED_SEARCH_CODE)
let atDesk: BlockSearch | undefined

/** Keys up to this length are copied by a loop. */
const SHORT_KEY_BYTES = 64
const NOT_WELL_FORMED = -2
/** Where entries are picked from a key on, it is no longer than this. What is picked stands behind it. */
const LONGEST_PICK_KEY_BYTES = 1024
/** What a workspace has to have room for, beside its blocks. */
export const LEAST_SEARCH_BYTES = LONGEST_PICK_KEY_BYTES + PICKED_BYTES
/** Larger blocks are not worth bringing to where entries are picked. */
export const LONGEST_AT_DESK_BYTES = 16 * 1024

/**
 * Looks for entries of blocks in the memory of one workspace, by WebAssembly. Packed blocks that are kept there are searched and decompressed
 * where they are: to bring a block elsewhere first, from anywhere in 64 MiB, took as long as half of decompressing it.
 */
export class BlockSearch {
  readonly bytes: Uint8Array
  readonly #workspace: Workspace
  readonly #code: PackedSearch

  /** The one that blocks are brought to which stand elsewhere; `undefined` where there is no memory for it. */
  static atDesk(): BlockSearch | undefined {
    if (atDesk === undefined) {
      const space = desk()
      if (space !== undefined) atDesk = new BlockSearch(space)
    }
    return atDesk
  }

  /** Requires: `LEAST_SEARCH_BYTES` of room. */
  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#code = code.in(workspace)
    this.bytes = workspace.bytes
  }

  /**
   * Where in `bytes` the newest version below `limit` of a key stands, given the block that it would be in; -1 where there is none. What is there is
   * valid until the next call.
   */
  find(
    at: number,
    end: number,
    rawBytes: number,
    entryBytes: number,
    base: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: number,
  ): number {
    const { input, output } = this.#workspace
    this.#place(key, keyStart, keyEnd)
    const found = this.#code.find(at, end, output, rawBytes, entryBytes, input, keyEnd - keyStart, base, limit)
    if (found >= 0) return output + found
    if (found === NOT_WELL_FORMED) throw overwritten()
    return -1
  }

  /**
   * Fills `into` with the first entries of a block at or after a key, up to `most` of them, and returns how many; -1 where that cannot be
   * done. Of every key the newest version below `limit` counts.
   */
  pick(
    at: number,
    end: number,
    rawBytes: number,
    entryBytes: number,
    base: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: number,
    most: number,
    into: EntryGroup,
  ): number {
    const length = keyEnd - keyStart
    if (length > LONGEST_PICK_KEY_BYTES) return -1
    const { input, output } = this.#workspace
    const out = input + LONGEST_PICK_KEY_BYTES
    this.#place(key, keyStart, keyEnd)
    const room = PICKED_BYTES
    const count = this.#code.pick(at, end, output, rawBytes, entryBytes, input, length, base, limit, most, out, room)
    if (count === NOT_WELL_FORMED) throw overwritten()
    if (count > 0) into.fill(this.bytes, out, count, base)
    return Math.max(count, -1)
  }

  /** The same of a block that stands elsewhere, as it is. */
  pickFrom(
    { bytes, length, entriesEnd, basePosition }: DataBlock,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: number,
    most: number,
    into: EntryGroup,
  ): number {
    const { outputBytes } = this.#workspace
    if (length > LONGEST_AT_DESK_BYTES) return -1
    outputBytes.set(bytes.subarray(0, length))
    return this.pick(0, 0, length, entriesEnd, basePosition, key, keyStart, keyEnd, limit, most, into)
  }

  /** Brings a key to where the code looks for it. */
  #place(key: Uint8Array, start: number, end: number): void {
    const { bytes } = this
    const { input } = this.#workspace
    const length = end - start
    if (length <= SHORT_KEY_BYTES) for (let i = 0; i < length; i++) bytes[input + i] = key[start + i]!
    else bytes.set(key.subarray(start, end), input)
  }

  /** Fills the first `rawBytes` of `target` with a block. */
  unpack(at: number, end: number, rawBytes: number, target: Uint8Array): void {
    const { output, outputBytes } = this.#workspace
    if (this.#code.unpack(at, end, output, rawBytes) !== 0) throw overwritten()
    target.set(outputBytes.subarray(0, rawBytes))
  }
}

function overwritten(): SiltstoneError {
  return new SiltstoneError(
    'SILT_CORRUPTION',
    'A block in memory is not what it was when it was checked: something has overwritten it, or the memory is faulty; restart the process, and verify the store',
  )
}
