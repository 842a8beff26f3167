import { SearchBudget } from '../bytes/search-budget.js'
import type { Position } from '../bytes/units.js'
import { claimedRecordLength, type RecordFrame, soundRecordLength } from './record.js'

/** A record of an unsalted file can be made up, so what looks like one may be anything; no more of it is read than this. */
const WASTED_BYTES_PER_BYTE = 16

/**
 * Finds sound records among bytes that are not. A record knows its own place, so a few bytes decide nearly always whether an
 * offset is worth a checksum.
 */
export class RecordSearch {
  private readonly bytes: Uint8Array
  private readonly limit: number
  private readonly frame: RecordFrame
  private readonly base: Position
  private readonly budget = new SearchBudget(WASTED_BYTES_PER_BYTE)

  constructor(bytes: Uint8Array, limit: number, frame: RecordFrame, base: Position) {
    this.bytes = bytes
    this.limit = limit
    this.frame = frame
    this.base = base
  }

  /** The length of the record at the offset, or 0. */
  lengthAt(offset: number): number {
    return soundRecordLength(this.bytes, offset, this.limit, this.frame, this.base + offset)
  }

  /** The first offset in `[from, to)` at which a record begins, or `to`. Offsets of one search only grow. */
  next(from: number, to: number): number {
    const { bytes, limit, frame, base, budget } = this
    for (let offset = from; offset < to; offset++) {
      const claimed = claimedRecordLength(bytes, offset, limit, frame, base + offset)
      if (claimed === 0 || !budget.allows(offset)) continue
      if (this.lengthAt(offset) > 0) return offset
      budget.spend(claimed)
    }
    return to
  }
}
