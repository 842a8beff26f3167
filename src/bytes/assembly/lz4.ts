/*
 * The LZ4 block format, in AssemblyScript: `npm run build:assembly` makes `../lz4-code.ts` of it.
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
 * All addresses are places in the memory of a `Workspace`, which has WIDE bytes to spare behind what stands in it: reading over an
 * end touches nothing that matters, and what is written over an end is overwritten or nobody's.
 */

const SHORTEST_MATCH: usize = 4
const LAST_LITERALS: usize = 5
const LAST_MATCH_DISTANCE: usize = 12
const FARTHEST_MATCH: usize = 0xffff
/** What one step of a copy moves, in two halves. Without SIMD, which not every processor has, and hardly slower. */
const WIDE: usize = 16
const HALF: usize = 8
/** Room that a sequence needs beside its literals and what its lengths take in whole 255s. */
const SEQUENCE_SLACK: usize = 8

// 4096 slots of four bytes stay in the first-level cache, and a block of 4 to 16 KiB has no more places worth keeping.
const HASH_BITS = 12
const HASH_MULTIPLIER: u32 = 0x9e3779b1

// Where four bytes were last seen, counted from `epoch`. Advancing the epoch behind each input forgets the entries of the one
// before; clearing the slots instead would cost 0.4 us a block.
// The slots stand at the beginning of the memory, which a `Workspace` keeps free for them.
const lastSeen: usize = 0
let epoch: usize = 1
const LAST_EPOCH: usize = 1 << 30

// What `decompress` returns; `../lz4.ts` says it in words.
export const DONE = 0
const LENGTH_IS_CUT = 1
const LITERALS_RUN_OVER = 2
const MATCH_IS_CUT = 3
const MATCH_BEGINS_BEFORE = 4
const MATCH_RUNS_OVER = 5
const WRONG_LENGTH = 6

/**
 * Writes the compressed form of `[start, end)` to `target` and returns its length, or 0 where it does not fit into `limit` bytes:
 * then it does not pay, and the search for matches ends early.
 */
export function compress(start: usize, end: usize, target: usize, limit: usize): usize {
  const length = end - start
  if (epoch + length > LAST_EPOCH) {
    memory.fill(lastSeen, 0, (1 << HASH_BITS) * 4)
    epoch = 1
  }
  const bias = epoch - start
  epoch += length

  const targetEnd = target + limit
  let out = target
  let anchor = start
  if (length > LAST_MATCH_DISTANCE) {
    const lastMatchStart = end - LAST_MATCH_DISTANCE
    const matchLimit = end - LAST_LITERALS
    let at = start
    let misses: usize = 0
    while (at <= lastMatchStart) {
      const word = load<u32>(at)
      const slot = lastSeen + (((word * HASH_MULTIPLIER) >>> (32 - HASH_BITS)) << 2)
      const seen: usize = load<u32>(slot)
      store<u32>(slot, at + bias)
      // What was seen in an earlier input lies below `start` once the bias is taken off.
      let candidate = seen - bias
      if (seen < start + bias || at - candidate > FARTHEST_MATCH || load<u32>(candidate) !== word) {
        // The longer nothing was found, the larger the steps. A step every 16 misses where others wait for 64 makes half-noisy
        // values 1 % larger and a third faster.
        at += 1 + (misses >> 4)
        misses++
        continue
      }
      misses = 0
      while (at > anchor && candidate > start && load<u8>(at - 1) === load<u8>(candidate - 1)) {
        at--
        candidate--
      }
      const matchEnd = endOfMatch(candidate + SHORTEST_MATCH, at + SHORTEST_MATCH, matchLimit)
      const literals = at - anchor
      const match = matchEnd - at - SHORTEST_MATCH
      if (out + literals + (literals >> 7) + (match >> 7) + SEQUENCE_SLACK > targetEnd) return 0
      store<u8>(out++, (min<usize>(literals, 15) << 4) | min<usize>(match, 15))
      if (literals >= 15) out = putLength(out, literals - 15)
      copyWide(anchor, out, out + literals)
      out += literals
      store<u16>(out, at - candidate)
      out += 2
      if (match >= 15) out = putLength(out, match - 15)
      at = matchEnd
      anchor = matchEnd
    }
  }

  const literals = end - anchor
  if (out + literals + (literals >> 7) + SEQUENCE_SLACK > targetEnd) return 0
  store<u8>(out++, min<usize>(literals, 15) << 4)
  if (literals >= 15) out = putLength(out, literals - 15)
  memory.copy(out, anchor, literals)
  return out + literals - target
}

/** How far the bytes from `at` on go on like those from `earlier` on. */
function endOfMatch(earlier: usize, at: usize, limit: usize): usize {
  while (at + 8 <= limit) {
    const difference = load<u64>(at) ^ load<u64>(earlier)
    if (difference !== 0) return at + <usize>(ctz(difference) >>> 3)
    at += 8
    earlier += 8
  }
  while (at < limit && load<u8>(at) === load<u8>(earlier)) {
    at++
    earlier++
  }
  return at
}

function putLength(out: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(out++, 255)
    rest -= 255
  }
  store<u8>(out++, rest)
  return out
}

/** Copies in wide steps, and so up to WIDE - 1 bytes over the end. */
function copyWide(from: usize, to: usize, toEnd: usize): void {
  while (to < toEnd) {
    store<u64>(to, load<u64>(from))
    store<u64>(to, load<u64>(from, HALF), HALF)
    from += WIDE
    to += WIDE
  }
}

/**
 * Fills `[target, targetEnd)` with what `[at, end)` decompresses to; anything but DONE says that it is not the compressed form of exactly
 * that many bytes. Whatever it holds, nothing outside of the target is written, and nothing outside of the range decides.
 */
export function decompress(at: usize, end: usize, target: usize, targetEnd: usize): i32 {
  reachedAt = at
  reachedOut = target
  const outcome = decompressUpTo(targetEnd + 1, end, target, targetEnd)
  return outcome === DONE && reachedOut !== targetEnd ? WRONG_LENGTH : outcome
}

/** How far decompressing has come: where the next sequence begins, and where it goes to. */
export let reachedAt: usize = 0
export let reachedOut: usize = 0

export function decompressFrom(at: usize, target: usize): void {
  reachedAt = at
  reachedOut = target
}

/** Goes on decompressing until everything before `until` is there or the range has ended. */
export function decompressUpTo(until: usize, end: usize, target: usize, targetEnd: usize): i32 {
  // Up to here a copy may go over its end and still write nothing but the target.
  const wideEnd = targetEnd < target + WIDE ? target : targetEnd - WIDE
  let at = reachedAt
  let out = reachedOut
  while (at < end && out < until) {
    const token: usize = load<u8>(at++)
    let literals = token >>> 4
    if (literals === 15) {
      let more: usize = 255
      while (more === 255) {
        if (at >= end) return LENGTH_IS_CUT
        more = load<u8>(at++)
        literals += more
        if (literals > targetEnd - out) return LITERALS_RUN_OVER
      }
    }
    if (literals > end - at || literals > targetEnd - out) return LITERALS_RUN_OVER
    const literalsEnd = out + literals
    if (literalsEnd <= wideEnd) copyWide(at, out, literalsEnd)
    else memory.copy(out, at, literals)
    at += literals
    out = literalsEnd
    if (at === end) break
    if (end - at < 2) return MATCH_IS_CUT

    const distance: usize = load<u16>(at)
    at += 2
    let match = (token & 15) + SHORTEST_MATCH
    if (match === 15 + SHORTEST_MATCH) {
      let more: usize = 255
      while (more === 255) {
        if (at >= end) return LENGTH_IS_CUT
        more = load<u8>(at++)
        match += more
        if (match > targetEnd - out) return MATCH_RUNS_OVER
      }
    }
    if (distance === 0 || distance > out - target) return MATCH_BEGINS_BEFORE
    if (match > targetEnd - out) return MATCH_RUNS_OVER
    const matchEnd = out + match
    let stride = distance
    if (distance < HALF) {
      // A run repeats with every multiple of its distance too: once HALF a step of it stands there, it goes on in wide steps.
      while (stride < HALF) stride += distance
      const wideFrom = min<usize>(out + stride, matchEnd)
      for (; out < wideFrom; out++) store<u8>(out, load<u8>(out - distance))
    }
    if (matchEnd <= wideEnd) copyWide(out - stride, out, matchEnd)
    else for (; out < matchEnd; out++) store<u8>(out, load<u8>(out - distance))
    out = matchEnd
  }
  reachedAt = at
  reachedOut = out
  return DONE
}
