import type { CompressionName } from '../bytes/compression.js'

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
