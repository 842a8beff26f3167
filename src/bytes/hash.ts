import createXxhash, { type XXHashAPI } from 'xxhash-wasm'

/*
 * The one hash of the store: XXH32 for keys and log records, XXH64 for blocks.
 *
 * The WebAssembly call costs 59 ns before it has hashed anything, mostly for copying the input in. Up to SHORT_BYTES
 * the same function in plain JavaScript is faster, and it gives the same number, so files do not care which one ran.
 */

const SHORT_BYTES = 48

const PRIME_1 = 0x9e3779b1 | 0
const PRIME_2 = 0x85ebca77 | 0
const PRIME_3 = 0xc2b2ae3d | 0
const PRIME_4 = 0x27d4eb2f | 0
const PRIME_5 = 0x165667b1 | 0

let wasm: XXHashAPI | undefined

/** Instantiates the hash; `open` awaits it before anything else. Instantaneous when it is there already. */
export async function loadHash(): Promise<void> {
  wasm ??= await createXxhash()
}

function lane(bytes: Uint8Array, i: number): number {
  return bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
}

function round(accumulator: number, input: number): number {
  const mixed = (accumulator + Math.imul(input, PRIME_2)) | 0
  return Math.imul((mixed << 13) | (mixed >>> 19), PRIME_1)
}

function shortHash32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let i = start
  let hash: number
  if (end - start >= 16) {
    let a = (seed + PRIME_1 + PRIME_2) | 0
    let b = (seed + PRIME_2) | 0
    let c = seed | 0
    let d = (seed - PRIME_1) | 0
    do {
      a = round(a, lane(bytes, i))
      b = round(b, lane(bytes, i + 4))
      c = round(c, lane(bytes, i + 8))
      d = round(d, lane(bytes, i + 12))
      i += 16
    } while (i + 16 <= end)
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0
  } else {
    hash = (seed + PRIME_5) | 0
  }
  hash = (hash + (end - start)) | 0
  for (; i + 4 <= end; i += 4) {
    hash = (hash + Math.imul(lane(bytes, i), PRIME_3)) | 0
    hash = Math.imul((hash << 17) | (hash >>> 15), PRIME_4)
  }
  for (; i < end; i++) {
    hash = (hash + Math.imul(bytes[i]!, PRIME_5)) | 0
    hash = Math.imul((hash << 11) | (hash >>> 21), PRIME_1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** XXH32 of a byte range. Requires: `loadHash` has run, unless the range is short. */
export function hash32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  if (end - start <= SHORT_BYTES) return shortHash32(bytes, start, end, seed)
  if (end - start > WHOLE_BYTES) return streamedHash32(bytes, start, end, seed)
  return wasm!.h32Raw(bytes.subarray(start, end), seed)
}

// The memory of the WebAssembly module grows to the longest input and never shrinks, so long ones go in pieces.
const WHOLE_BYTES = 1024 * 1024

function streamedHash64(bytes: Uint8Array, start: number, end: number, seed?: bigint): bigint {
  const hash = wasm!.create64(seed)
  for (let at = start; at < end; at += WHOLE_BYTES) hash.update(bytes.subarray(at, Math.min(end, at + WHOLE_BYTES)))
  return hash.digest()
}

function streamedHash32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const hash = wasm!.create32(seed)
  for (let at = start; at < end; at += WHOLE_BYTES) hash.update(bytes.subarray(at, Math.min(end, at + WHOLE_BYTES)))
  return hash.digest()
}

const words = new Uint32Array(2)
const wide = new BigUint64Array(words.buffer)

/**
 * The low half of XXH64 of a byte range, mixed with a 32-bit seed: 572 ns for 4 KiB where XXH32 takes 895.
 * Requires: `loadHash` has run.
 */
export function blockHash(bytes: Uint8Array, start: number, end: number, seed: number): number {
  wide[0] = end - start <= WHOLE_BYTES ? wasm!.h64Raw(bytes.subarray(start, end)) : streamedHash64(bytes, start, end)
  return (words[0]! ^ seed) >>> 0
}

/** XXH64 of bytes, all of it. Requires: `loadHash` has run. */
export function hash64(bytes: Uint8Array, seed: bigint): bigint {
  return bytes.length <= WHOLE_BYTES ? wasm!.h64Raw(bytes, seed) : streamedHash64(bytes, 0, bytes.length, seed)
}
