import type { Allocate } from '../bytes/compression.js'

/**
 * What V8 keeps around a cached array of bytes: the objects of block, typed array and array buffer, and the header of its
 * allocation. Some 400 bytes were measured, which beside a block of 4 KiB must not be forgotten.
 */
const OBJECT_BYTES = 400

const MOST_USES = 10_000

/** What a parent takes for each child: the reference, the count of its last miss, and its place among the packed. */
export const CHILD_MEMORY_BYTES = 8 + 4 + 4

/**
 * Something of a table that is in memory and can be dropped: a data block, a part of the index, the filter.
 *
 * Residents form a tree along the way a lookup takes, from the top of a table's index through its partitions to the blocks, and a
 * parent holds its children in an array by number. A cache hit is therefore one array load: there is no map to ask. The
 * cache lists the same objects in its ring; the fields it needs for that stand here.
 */
export abstract class Resident {
  /** Changed by the cache alone, which counts it. */
  memoryBytes: number
  /** By number; `undefined` where a child is not in memory. */
  readonly children: (Resident | undefined)[]
  /** By number: how many misses the cache had counted when this child was missed last. */
  readonly missedAt: Uint32Array
  /** By number: where a child is that is in memory as it stands in its file, see `PackedBlocks`; 0 where it is not. */
  readonly packedAt: Uint32Array
  /** Under which number `PackedBlocks` knows it; 0 while it has no packed child. */
  packedOwner = 0
  packedCount = 0
  /** In either form. */
  residentChildren = 0
  parent: Resident | undefined = undefined
  ordinal = 0
  /** How often it was used since the cache's hand last passed, up to a few. */
  uses = 0
  /** Loaded for somebody who has not come back for it yet: not to be dropped before. The number of that load, or 0. */
  awaitedSince = 0
  /** Somebody may go on reading from it after it was dropped, so its memory is not to be used again. */
  lent = false
  /** Where it stands in the cache's ring; -1 where it does not. */
  ringSlot = -1

  constructor(contentBytes: number, childCount = 0) {
    this.children = childCount === 0 ? NO_CHILDREN : new Array(childCount).fill(undefined)
    this.missedAt = childCount === 0 ? NO_NUMBERS : new Uint32Array(childCount)
    this.packedAt = childCount === 0 ? NO_NUMBERS : new Uint32Array(childCount)
    this.memoryBytes = OBJECT_BYTES + contentBytes + childCount * CHILD_MEMORY_BYTES
  }

  /**
   * Moves what it holds into memory of its own. Before, it may stand where the next block will be read to: whoever keeps it for
   * longer than a lookup takes calls this first.
   */
  settle(_allocate: Allocate): void {}

  /** Says that it was found where it stands, and by whom: what a scan passes by is not in use for that. */
  use(keep: boolean): void {
    this.awaitedSince = 0
    if (keep && this.uses < MOST_USES) this.uses++
  }
}

const NO_CHILDREN: (Resident | undefined)[] = []
const NO_NUMBERS = new Uint32Array(0)
