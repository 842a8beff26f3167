import { decompress, decompressFrom, decompressUpTo, reachedOut } from '../../bytes/assembly/lz4'

/*
 * Looks for a key in a compressed block, in AssemblyScript: `npm run build:assembly` makes `../packed-search-code.ts` of it. The block is decompressed
 * no further than the entry that is looked for. What an entry looks like, and how the search goes, is said in `../block.ts`.
 */

const NOT_THERE = -1
const NOT_WELL_FORMED = -2

const KIND_BITS: u32 = 7
const KIND_PUT_EXPIRING: u32 = 2
const BELOW_BASE: u32 = 8
const POSITION_BYTES_SHIFT: u32 = 4
const EXPIRY_BYTES: usize = 6
const LONGEST_HEADER_BYTES: usize = 5 * 3 + 1 + 7 + EXPIRY_BYTES
const CHUNK: usize = 256
const LINE: usize = 64

/** A load of each line lets the processor wait for many at a time; decompressing would wait for one after the other. */
export let fetched: u32 = 0

function fetch(at: usize, end: usize): void {
  let sum: u32 = 0
  for (; at < end; at += LINE) sum += load<u8>(at)
  fetched = sum
}

let varintEnd: usize = 0

function readVarint(at: usize): usize {
  let byte: usize = load<u8>(at++)
  let value = byte & 0x7f
  for (let shift: usize = 7; byte >= 0x80; shift += 7) {
    byte = load<u8>(at++)
    value |= (byte & 0x7f) << shift
  }
  varintEnd = at
  return value
}

/**
 * Where in the block `[at, end)`, which becomes `rawBytes` at `target`, the newest version below `limit` of a key stands, counted from
 * `target`. There it is decompressed up to the end of that entry, at least.
 */
export function find(
  at: usize,
  end: usize,
  target: usize,
  rawBytes: usize,
  entryBytes: usize,
  key: usize,
  keyLength: usize,
  base: f64,
  limit: f64,
): i32 {
  const targetEnd = target + rawBytes
  const entriesEnd = target + entryBytes
  decompressFrom(at, target)
  let entry = target
  let matched: usize = 0
  let isReached = false
  while (entry < entriesEnd) {
    if (entry + LONGEST_HEADER_BYTES > reachedOut) {
      if (decompressUpTo(entry + CHUNK, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
    }
    let from = entry
    const word = load<u32>(from)
    let shared: usize = word & 0xff
    let unshared: usize = (word >>> 8) & 0xff
    let valueLength: usize = (word >>> 16) & 0xff
    let head: u32 = word >>> 24
    if ((word & 0x808080) === 0) {
      from += 4
    } else {
      shared = readVarint(from)
      unshared = readVarint(varintEnd)
      valueLength = readVarint(varintEnd)
      head = load<u8>(varintEnd)
      from = varintEnd + 1
    }
    const positionBytes: usize = head >>> POSITION_BYTES_SHIFT
    const suffix = from + positionBytes + ((head & KIND_BITS) === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0)
    const valueStart = suffix + unshared
    const next = valueStart + valueLength
    if (isReached) {
      if (unshared !== 0 || shared !== keyLength) return NOT_THERE
    } else {
      if (shared > matched) {
        entry = next
        continue
      }
      if (shared < matched) {
        if (shared !== 0) return NOT_THERE
        // A restart point says nothing of the entry before.
        matched = 0
      }
      if (valueStart > reachedOut && decompressUpTo(valueStart, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
      const length = shared + unshared
      const stop = min<usize>(length, keyLength)
      const bias = suffix - shared
      while (matched < stop && load<u8>(bias + matched) === load<u8>(key + matched)) matched++
      if (matched < stop) {
        if (load<u8>(bias + matched) > load<u8>(key + matched)) return NOT_THERE
        entry = next
        continue
      }
      if (length > keyLength) return NOT_THERE
      if (length < keyLength) {
        entry = next
        continue
      }
      isReached = true
    }
    const distance: u64 = positionBytes === 0 ? 0 : load<u64>(from) & (<u64>-1 >>> (64 - ((<u64>positionBytes) << 3)))
    if ((head & BELOW_BASE ? base - <f64>distance : base + <f64>distance) < limit) {
      if (next > reachedOut && decompressUpTo(next, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
      return entry - target
    }
    entry = next
  }
  return NOT_THERE
}

/** Fills `rawBytes` from `target` on with what `[at, end)` becomes; anything but 0 says that it is not well-formed. */
export function unpack(at: usize, end: usize, target: usize, rawBytes: usize): i32 {
  fetch(at, end)
  return decompress(at, end, target, target + rawBytes)
}
