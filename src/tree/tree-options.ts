import { type CompressionName, compressionShape } from '../bytes/compression.js'
import { anything, finite, oneOf, parseShaped, record, type Shape } from '../bytes/shape.js'

/** How tables are merged: by levels, by tiers of tables of one size, or not at all, the oldest ones being dropped. */
export type CompactionStyle = 'leveled' | 'tiered' | 'fifo'

/** What is fixed per tree and stored with it. Fields of other floors, and of later versions, are carried along untouched. */
export interface TreeOptions {
  readonly compaction?: CompactionStyle
  readonly compression?: CompressionName
  /** For 'fifo': what is dropped, oldest tables first. */
  readonly fifo?: FifoLimits
  readonly [other: string]: unknown
}

export interface FifoLimits {
  /** At most this much is kept. */
  readonly bytes?: number
  /** What was written longer ago than this may go. */
  readonly ageMs?: number
}

/** What options in a file have to be, before anything relies on them. */
export const treeOptionsShape: Shape = (value, what) => {
  known(value, what)
  anything(value, what)
}

const known = record(
  {},
  {
    compaction: oneOf('leveled', 'tiered', 'fifo'),
    compression: compressionShape,
    fifo: record({}, { bytes: finite, ageMs: finite }),
  },
)

/** Options as the commit log has them; `undefined` where the bytes are none. */
export function readTreeOptions(bytes: Uint8Array, start: number, end: number): TreeOptions | undefined {
  try {
    return parseShaped(bytes.subarray(start, end), treeOptionsShape, 'the options of a keyspace')
  } catch {
    return undefined
  }
}
