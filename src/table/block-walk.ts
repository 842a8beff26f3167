import type { Position } from '../bytes/units.js'
import type { DataBlock } from './block.js'
import type { CacheMode } from './block-cache.js'
import type { EntryGroup } from './entry-group.js'
import type { IndexNode } from './index-node.js'
import type { ReadAhead } from './read-ahead.js'

/** Where a cursor gets the blocks of its table; every one of them may throw `BlockNotResident`. */
export interface BlockWalk {
  readonly partitionCount: number
  /** The partition that can hold a key. */
  partitionOf(key: Uint8Array, start: number, end: number): number
  partition(ordinal: number, mode: CacheMode): IndexNode
  block(partition: IndexNode, ordinal: number, mode: CacheMode, ahead?: ReadAhead): DataBlock
  /** Picks the first entries at or after a key out of a block; how many, or -1 where the whole block is to be brought. */
  pick(
    partition: IndexNode,
    ordinal: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    limit: Position,
    most: number,
    into: EntryGroup,
  ): number
}
