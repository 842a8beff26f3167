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
 * starts within its last twelve: decoders copy in wide steps and rely on it.
 *
 * Bytes are moved four at a time through a DataView, which V8 turns into single loads and stores at any alignment. For a block of
 * 35 entries with half-compressible values of 100 bytes that makes 2.0 us to read and 5.6 us to write; moving single
 * bytes took 5.2 and 12, the WebAssembly of lz4-wasm-nodejs takes 1.9 and 3.5 and keeps memory as large as its largest input.
 */

const SHORTEST_MATCH = 4
const LAST_LITERALS = 5
const LAST_MATCH_DISTANCE = 12
const FARTHEST_MATCH = 0xffff
/** What a wide copy may touch behind the end of what it copies, and as much again for token and lengths. */
const WIDE_SLACK = 16

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
 * into `limit` bytes: then it does not pay, and the search for matches ends early. Requires: `target` has `limit` bytes.
 */
export function lz4Compress(source: Uint8Array, start: number, end: number, target: Uint8Array, limit: number): number {
  const length = end - start
  if (epoch + length > LAST_EPOCH) {
    lastSeen.fill(0)
    epoch = 1
  }
  const bias = epoch - start
  epoch += length

  const from = new DataView(source.buffer, source.byteOffset, source.length)
  const to = new DataView(target.buffer, target.byteOffset, target.length)
  const lastMatchStart = end - LAST_MATCH_DISTANCE
  const matchLimit = end - LAST_LITERALS
  let at = start
  let anchor = start
  let out = 0
  let misses = 0
  while (at <= lastMatchStart) {
    const word = from.getInt32(at, true)
    const slot = Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS)
    let candidate = lastSeen[slot]! - bias
    lastSeen[slot] = at + bias
    if (candidate < start || at - candidate > FARTHEST_MATCH || from.getInt32(candidate, true) !== word) {
      // The longer nothing was found, the larger the steps. A step every 16 misses where others wait for 64 makes half-noisy
      // values 1 % larger and a third faster.
      at += 1 + (misses++ >> 4)
      continue
    }
    misses = 0
    while (at > anchor && candidate > start && source[at - 1] === source[candidate - 1]) {
      at--
      candidate--
    }
    const matchEnd = endOfMatch(source, from, candidate + SHORTEST_MATCH, at + SHORTEST_MATCH, matchLimit)

    const literals = at - anchor
    const match = matchEnd - at - SHORTEST_MATCH
    if (out + literals + (literals >> 7) + (match >> 7) + WIDE_SLACK > limit) return 0
    target[out++] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
    if (literals >= 15) out = putLength(target, out, literals - 15)
    // What is copied too much lies before the end of the source, and is overwritten in the target.
    for (let i = anchor, o = out; i < at; i += 8, o += 8) {
      to.setInt32(o, from.getInt32(i, true), true)
      to.setInt32(o + 4, from.getInt32(i + 4, true), true)
    }
    out += literals
    target[out++] = at - candidate
    target[out++] = (at - candidate) >>> 8
    if (match >= 15) out = putLength(target, out, match - 15)
    at = matchEnd
    anchor = matchEnd
  }

  const literals = end - anchor
  if (out + literals + (literals >> 7) + WIDE_SLACK > limit) return 0
  target[out++] = Math.min(literals, 15) << 4
  if (literals >= 15) out = putLength(target, out, literals - 15)
  target.set(source.subarray(anchor, end), out)
  return out + literals
}

/** How far the bytes from `at` on go on like those from `earlier` on. */
function endOfMatch(source: Uint8Array, from: DataView, earlier: number, at: number, limit: number): number {
  while (at + 4 <= limit) {
    const difference = from.getInt32(at, true) ^ from.getInt32(earlier, true)
    if (difference !== 0) return at + ((31 - Math.clz32(difference & -difference)) >>> 3)
    at += 4
    earlier += 4
  }
  while (at < limit && source[at] === source[earlier]) {
    at++
    earlier++
  }
  return at
}

function putLength(target: Uint8Array, out: number, rest: number): number {
  while (rest >= 255) {
    target[out++] = 255
    rest -= 255
  }
  target[out++] = rest
  return out
}

/** By distance: how often a run of it repeats until it is eight bytes long. */
const RUN_REPEATS = [0, 8, 4, 3, 2, 2, 2, 2]

/**
 * Fills `target` up to `targetEnd` with what a range decompresses to. Throws a plain `Error` where the range is not the compressed form of
 * exactly that many bytes; whatever it holds, nothing outside of `target` is written and nothing outside of the range decides.
 */
export function lz4Decompress(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  targetEnd = target.length,
): void {
  const from = new DataView(source.buffer, source.byteOffset, source.length)
  const to = new DataView(target.buffer, target.byteOffset, target.length)
  // Up to here a copy may go over its end by less than eight bytes and still touch nothing else.
  const wideFromEnd = end - WIDE_SLACK
  const wideToEnd = targetEnd - WIDE_SLACK
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
    const literalsEnd = at + literals
    if (literalsEnd <= wideFromEnd && out + literals <= wideToEnd) {
      for (let o = out; at < literalsEnd; at += 8, o += 8) {
        to.setInt32(o, from.getInt32(at, true), true)
        to.setInt32(o + 4, from.getInt32(at + 4, true), true)
      }
      at = literalsEnd
      out += literals
    } else {
      if (literalsEnd > end || literals > targetEnd - out) throw new Error('compressed literals run over the end')
      while (at < literalsEnd) target[out++] = source[at++]!
      if (at === end) break
      if (end - at < 2) throw new Error('compressed bytes end in the middle of a match')
    }

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
    const matchEnd = out + match
    if (matchEnd <= wideToEnd) {
      let stride = distance
      if (distance < 8) {
        // A run repeats with every multiple of its distance too: once eight bytes of it stand there, it goes on in wide steps.
        stride = distance * RUN_REPEATS[distance]!
        const wideFrom = Math.min(out + stride, matchEnd)
        for (; out < wideFrom; out++) target[out] = target[out - distance]!
      }
      for (let earlier = out - stride; out < matchEnd; out += 8, earlier += 8) {
        to.setInt32(out, to.getInt32(earlier, true), true)
        to.setInt32(out + 4, to.getInt32(earlier + 4, true), true)
      }
      out = matchEnd
    } else {
      if (matchEnd > targetEnd) throw new Error('a compressed match runs over the end')
      for (; out < matchEnd; out++) target[out] = target[out - distance]!
    }
  }
  if (out !== targetEnd) throw new Error('compressed bytes are not as long as they should be')
}
