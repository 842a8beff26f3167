import { compressionWithId } from '../bytes/compression.js'
import { getU32 } from '../bytes/integers.js'
import { ENVELOPE_BYTES, isSealed } from './envelope.js'

/** Where an envelope stands in its file. */
export interface EnvelopePlace {
  readonly offset: number
  readonly end: number
}

/** Behind damage every start is tried for each possible end of a compressed block up to this size: 0.5 s at the worst. */
const LONGEST_SEARCHED_BYTES = 64 * 1024
const UNCOMPRESSED = 0

/**
 * Finds the envelopes of a table without its index, one behind the other, and again behind a damaged stretch.
 *
 * An envelope says at its end how long its block is when decompressed, so few offsets can be an end at all, and the checksum
 * decides between those.
 */
export function* walkEnvelopes(bytes: Uint8Array, limit: number, fileNumber: number): Generator<EnvelopePlace> {
  for (let at = 0; at < limit; ) {
    const next = adjoining(bytes, at, limit, fileNumber) ?? nearest(bytes, at, limit, fileNumber)
    if (next === undefined) return
    yield next
    at = next.end
  }
}

/** The envelope that begins at `offset`. */
function adjoining(bytes: Uint8Array, offset: number, limit: number, fileNumber: number): EnvelopePlace | undefined {
  for (let end = offset + ENVELOPE_BYTES; end <= limit; end++) {
    const earliest = earliestStart(bytes, end)
    const isPossible = isCompressed(bytes, end) ? earliest <= offset : earliest === offset
    if (isPossible && isSealed(bytes, offset, end, fileNumber, offset)) return { offset, end }
  }
  return undefined
}

/** The first envelope that begins anywhere behind `from`. */
function nearest(bytes: Uint8Array, from: number, limit: number, fileNumber: number): EnvelopePlace | undefined {
  for (let end = from + ENVELOPE_BYTES + 1; end <= limit; end++) {
    const earliest = earliestStart(bytes, end)
    const payloadEnd = end - ENVELOPE_BYTES
    let latest = earliest
    if (isCompressed(bytes, end)) {
      if (payloadEnd - earliest > LONGEST_SEARCHED_BYTES) continue
      latest = payloadEnd - 1
    }
    for (let offset = Math.max(from + 1, earliest); offset <= latest; offset++) {
      if (isSealed(bytes, offset, end, fileNumber, offset)) return { offset, end }
    }
  }
  return undefined
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
