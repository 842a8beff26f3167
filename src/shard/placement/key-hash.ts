import { hash32 } from '../../bytes/hash.js'

/*
 * What placement hashes. Never to change: it decides on which shard every key of every store is.
 *
 *   up to 48 bytes    XXH32 of all bytes, seeded with the store's seed
 *   above             XXH32 of each 48 bytes and of the rest, each seeded with the hash of the piece before it
 *
 * Every byte counts. The pieces are as long as what `hash32` does in plain JavaScript, so a placement works without the
 * asynchronous start of WebAssembly; 48 bytes take some 60 ns.
 */
const PIECE_BYTES = 48

export function keyHash(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed
  let at = start
  for (; end - at > PIECE_BYTES; at += PIECE_BYTES) hash = hash32(bytes, at, at + PIECE_BYTES, hash)
  return hash32(bytes, at, end, hash)
}

/** Mixes all bits of a 32-bit number into each other; for pairs of hashes, joined by exclusive or. */
export function mix32(value: number): number {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
