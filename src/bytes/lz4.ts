/*
 * The LZ4 block format, written and read in plain TypeScript.
 *
 * A block is a run of sequences; the last one has only literals.
 *
 *   +--------------------+----------------------+----------+--------------+--------------------+
 *   | literal length (4) | more literal length: | literals | match offset | more match length: |
 *   | match length-4 (4) | 255… then the rest   |          | u16          | 255… then the rest |
 *   +--------------------+----------------------+----------+--------------+--------------------+
 *
 * A length of 15 in the first byte says that more of it follows. The last five bytes of a block are literals, and no match
 * starts within its last twelve: decoders elsewhere copy in wide steps and rely on it.
 */

const SHORTEST_MATCH = 4
const LAST_LITERALS = 5
const LAST_MATCH_DISTANCE = 12
const FARTHEST_MATCH = 0xffff

// 4096 slots of four bytes stay in the first-level cache, and a block of 4 to 16 KiB has no more places worth keeping.
const HASH_BITS = 12
const HASH_MULTIPLIER = 0x9e3779b1 | 0

// Where four bytes were last seen, counted from `epoch`. Advancing the epoch behind each input forgets the entries of the one
// before; clearing the slots instead would cost 0.4 us a block.
const lastSeen = new Int32Array(1 << HASH_BITS)
let epoch = 1
const LAST_EPOCH = 2 ** 30

/**
 * Writes the compressed form of a range into `target` from its beginning and returns its length, or 0 where it does not fit
 * into `limit` bytes: then it does not pay, and the search for matches ends early.
 */
export function lz4Compress(source: Uint8Array, start: number, end: number, target: Uint8Array, limit: number): number {
  const length = end - start
  if (epoch + length > LAST_EPOCH) {
    lastSeen.fill(0)
    epoch = 1
  }
  const bias = epoch - start
  epoch += length

  const lastMatchStart = end - LAST_MATCH_DISTANCE
  const matchLimit = end - LAST_LITERALS
  let at = start
  let anchor = start
  let out = 0
  let misses = 0
  while (at <= lastMatchStart) {
    const word = source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)
    const slot = Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS)
    let candidate = lastSeen[slot]! - bias
    lastSeen[slot] = at + bias
    if (
      candidate < start ||
      at - candidate > FARTHEST_MATCH ||
      (source[candidate]! |
        (source[candidate + 1]! << 8) |
        (source[candidate + 2]! << 16) |
        (source[candidate + 3]! << 24)) !==
        word
    ) {
      // The longer nothing was found, the larger the steps: incompressible data is given up on quickly.
      at += 1 + (misses++ >> 5)
      continue
    }
    misses = 0
    while (at > anchor && candidate > start && source[at - 1] === source[candidate - 1]) {
      at--
      candidate--
    }
    const distance = at - candidate
    let matchEnd = at + SHORTEST_MATCH
    while (matchEnd < matchLimit && source[matchEnd] === source[matchEnd - distance]) matchEnd++

    const literals = at - anchor
    const match = matchEnd - at - SHORTEST_MATCH
    if (out + literals + (literals >> 7) + (match >> 7) + 8 > limit) return 0
    target[out++] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
    if (literals >= 15) out = putLength(target, out, literals - 15)
    for (let i = anchor; i < at; i++) target[out++] = source[i]!
    target[out++] = distance
    target[out++] = distance >>> 8
    if (match >= 15) out = putLength(target, out, match - 15)
    at = matchEnd
    anchor = matchEnd
  }

  const literals = end - anchor
  if (out + literals + (literals >> 7) + 8 > limit) return 0
  target[out++] = Math.min(literals, 15) << 4
  if (literals >= 15) out = putLength(target, out, literals - 15)
  target.set(source.subarray(anchor, end), out)
  return out + literals
}

function putLength(target: Uint8Array, out: number, rest: number): number {
  while (rest >= 255) {
    target[out++] = 255
    rest -= 255
  }
  target[out++] = rest
  return out
}

/**
 * Fills `target` with what a range decompresses to. Throws a plain `Error` where the range is not the compressed form of
 * exactly that many bytes; whatever it holds, nothing outside of `target` is written and nothing outside of the range decides.
 */
export function lz4Decompress(source: Uint8Array, start: number, end: number, target: Uint8Array): void {
  const targetEnd = target.length
  let at = start
  let out = 0
  while (at < end) {
    const token = source[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw new Error('compressed bytes end in the middle of a length')
        more = source[at++]!
        literals += more
      }
    }
    if (literals > end - at || literals > targetEnd - out) throw new Error('compressed literals run over the end')
    for (const stop = at + literals; at < stop; ) target[out++] = source[at++]!
    if (at === end) break

    if (end - at < 2) throw new Error('compressed bytes end in the middle of a match')
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    let match = (token & 15) + SHORTEST_MATCH
    if (match === 15 + SHORTEST_MATCH) {
      let more = 255
      while (more === 255) {
        if (at >= end) throw new Error('compressed bytes end in the middle of a length')
        more = source[at++]!
        match += more
      }
    }
    if (distance === 0 || distance > out) throw new Error('a compressed match begins before the block')
    if (match > targetEnd - out) throw new Error('a compressed match runs over the end')
    for (const stop = out + match; out < stop; out++) target[out] = target[out - distance]!
  }
  if (out !== targetEnd) throw new Error('compressed bytes are not as long as they should be')
}
