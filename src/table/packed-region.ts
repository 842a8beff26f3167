import { Workspace } from '../bytes/workspace.js'
import { BlockSearch, LEAST_SEARCH_BYTES } from './block-search.js'

/** Memory for several segments of packed blocks, in which they can be searched. */
export class PackedRegion {
  readonly search: BlockSearch
  /** Where the segments begin that are free. */
  readonly #free: number[] = []
  readonly #segmentCount: number

  /** Throws a `RangeError` where there is no memory for it. */
  constructor(segmentBytes: number, segmentCount: number, longestBytes: number) {
    const workspace = new Workspace(Math.max(longestBytes, LEAST_SEARCH_BYTES), segmentBytes * segmentCount)
    this.search = new BlockSearch(workspace)
    this.#segmentCount = segmentCount
    for (let i = segmentCount - 1; i >= 0; i--) this.#free.push(workspace.kept + i * segmentBytes)
  }

  get bytes(): Uint8Array {
    return this.search.bytes
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
}
