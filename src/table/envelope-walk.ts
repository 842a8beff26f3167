import { compressionWithId } from '../bytes/compression.js'
import { getU32 } from '../bytes/integers.js'
import { SearchBudget } from '../bytes/search-budget.js'
import { ENVELOPE_BYTES, isSealed } from './envelope.js'

/** Where an envelope stands in its file. */
export interface EnvelopePlace {
  readonly offset: number
  readonly end: number
}

/** Places that a sound index of the table tells of: where an envelope ends, by where it begins. */
export type KnownPlaces = ReadonlyMap<number, number>

/** Behind damage every start is tried for each possible end of a compressed block up to this size. */
const LONGEST_SEARCHED_BYTES = 64 * 1024
/** Bytes that may be hashed in vain for each byte of the table: a compressed block of 4 KiB that is found takes some 2000. */
const WASTED_BYTES_PER_BYTE = 256
const UNCOMPRESSED = 0
const STEPS_PER_PAUSE = 16 * 1024

/**
 * Finds the envelopes of a table one behind the other, and again behind a damaged stretch: by a sound part of the index where there is
 * one, without it elsewhere. Yields `undefined` now and then, so that others can run.
 *
 * An envelope says at its end how long its block is when decompressed, so few offsets can be an end at all, and the checksum
 * decides between those. What a user stores may look like ends everywhere; a budget keeps the search linear then.
 */
export class EnvelopeWalk {
  private readonly bytes: Uint8Array
  private readonly limit: number
  private readonly fileNumber: number
  private readonly known: KnownPlaces
  private readonly starts: readonly number[]
  private readonly budget = new SearchBudget(WASTED_BYTES_PER_BYTE)
  private steps = 0

  constructor(bytes: Uint8Array, limit: number, fileNumber: number, known: KnownPlaces = new Map()) {
    this.bytes = bytes
    this.limit = limit
    this.fileNumber = fileNumber
    this.known = known
    this.starts = [...known.keys()].sort((a, b) => a - b)
  }

  *places(): Generator<EnvelopePlace | undefined> {
    let nextKnown = 0
    for (let at = 0; at < this.limit; ) {
      while (nextKnown < this.starts.length && this.starts[nextKnown]! < at) nextKnown++
      const until = this.starts[nextKnown] ?? this.limit
      const found =
        at === until ? this.atKnown(at) : ((yield* this.adjoining(at, until)) ?? (yield* this.nearest(at, until)))
      if (found !== undefined) yield found
      yield undefined
      at = found?.end ?? (at === until ? (this.known.get(at) ?? this.limit) : until)
    }
  }

  private atKnown(offset: number): EnvelopePlace | undefined {
    const end = this.known.get(offset)
    return end !== undefined && this.isSound(offset, end) ? { offset, end } : undefined
  }

  /** The envelope that begins at `offset`. */
  private *adjoining(offset: number, until: number): Generator<undefined, EnvelopePlace | undefined> {
    const { bytes } = this
    for (let end = offset + ENVELOPE_BYTES; end <= until; end++) {
      if (this.isPauseDue()) yield undefined
      const earliest = earliestStart(bytes, end)
      const isPossible = isCompressed(bytes, end) ? earliest <= offset : earliest === offset
      if (isPossible && this.budget.allows(end) && this.isSound(offset, end)) return { offset, end }
    }
    return undefined
  }

  /** The first envelope that begins anywhere behind `from`. */
  private *nearest(from: number, until: number): Generator<undefined, EnvelopePlace | undefined> {
    const { bytes, budget } = this
    for (let end = from + ENVELOPE_BYTES + 1; end <= until; end++) {
      if (this.isPauseDue()) yield undefined
      const earliest = earliestStart(bytes, end)
      const payloadEnd = end - ENVELOPE_BYTES
      let latest = earliest
      if (isCompressed(bytes, end)) {
        if (payloadEnd - earliest > LONGEST_SEARCHED_BYTES) continue
        latest = payloadEnd - 1
      }
      for (let offset = Math.max(from + 1, earliest); offset <= latest && budget.allows(end); offset++) {
        if (this.isSound(offset, end)) return { offset, end }
        if (this.isPauseDue()) yield undefined
      }
    }
    return undefined
  }

  private isSound(offset: number, end: number): boolean {
    if (end > this.limit || end - offset < ENVELOPE_BYTES) return false
    if (isSealed(this.bytes, offset, end, this.fileNumber, offset)) return true
    this.budget.spend(end - offset)
    this.steps += end - offset
    return false
  }

  private isPauseDue(): boolean {
    if (++this.steps < STEPS_PER_PAUSE) return false
    this.steps = 0
    return true
  }
}

function isCompressed(bytes: Uint8Array, end: number): boolean {
  return bytes[end - ENVELOPE_BYTES + 4] !== UNCOMPRESSED
}

/** Where an envelope that ends here begins at the earliest, because no payload is longer than its block; none: infinity. */
function earliestStart(bytes: Uint8Array, end: number): number {
  const payloadEnd = end - ENVELOPE_BYTES
  if (compressionWithId(bytes[payloadEnd + 4]!) === undefined) return Number.POSITIVE_INFINITY
  return payloadEnd - getU32(bytes, payloadEnd)
}

/** Whether bytes begin with a whole block of the table of that number: nobody else can have written them. */
export function beginsWithBlock(bytes: Uint8Array, fileNumber: number): boolean {
  const walk = new EnvelopeWalk(bytes, bytes.length, fileNumber)
  for (const place of walk.places()) if (place !== undefined) return place.offset === 0
  return false
}
