import { Assembly, Workspace } from '../bytes/workspace.js'
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
  unpack(at: number, end: number, target: number, rawBytes: number): number
}

const code = new Assembly<PackedSearch>(PACKED_SEARCH_CODE)

/** Keys up to this length are copied by a loop. */
const SHORT_KEY_BYTES = 64
const NOT_WELL_FORMED = -2
/** It was checked when it came. */
const CHANGED = 'a block in memory is not what it was'

/**
 * Memory for several segments of packed blocks in which WebAssembly searches and decompresses them where they are: to bring a block elsewhere
 * first, from anywhere in 64 MiB, took as long as half of decompressing it.
 */
export class PackedRegion {
  readonly bytes: Uint8Array
  readonly #workspace: Workspace
  readonly #code: PackedSearch
  /** The numbers of the segments that are free. */
  readonly #free: number[] = []
  readonly #segmentCount: number

  /** Throws a `RangeError` where there is no memory for it. */
  constructor(segmentBytes: number, segmentCount: number, longestBytes: number) {
    this.#workspace = new Workspace(longestBytes, segmentBytes * segmentCount)
    this.#code = code.in(this.#workspace)
    this.bytes = this.#workspace.bytes
    this.#segmentCount = segmentCount
    for (let i = segmentCount - 1; i >= 0; i--) this.#free.push(this.#workspace.kept + i * segmentBytes)
  }

  get isFull(): boolean {
    return this.#free.length === 0
  }

  get isEmpty(): boolean {
    return this.#free.length === this.#segmentCount
  }

  /** Where a free segment begins, which is not free any more. Requires: it is not full. */
  take(): number {
    return this.#free.pop()!
  }

  give(start: number): void {
    this.#free.push(start)
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
    const { bytes } = this
    const { input, output } = this.#workspace
    const length = keyEnd - keyStart
    if (length <= SHORT_KEY_BYTES) for (let i = 0; i < length; i++) bytes[input + i] = key[keyStart + i]!
    else bytes.set(key.subarray(keyStart, keyEnd), input)
    const found = this.#code.find(at, end, output, rawBytes, entryBytes, input, length, base, limit)
    if (found >= 0) return output + found
    if (found === NOT_WELL_FORMED) throw new Error(CHANGED)
    return -1
  }

  /** Fills the first `rawBytes` of `target` with a block. */
  unpack(at: number, end: number, rawBytes: number, target: Uint8Array): void {
    const { output, outputBytes } = this.#workspace
    if (this.#code.unpack(at, end, output, rawBytes) !== 0) throw new Error(CHANGED)
    target.set(outputBytes.subarray(0, rawBytes))
  }
}
