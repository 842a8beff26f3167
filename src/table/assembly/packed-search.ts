import { decompress, decompressFrom, decompressUpTo, reachedOut } from '../../bytes/assembly/lz4'
import {
  BELOW_BASE,
  EXPIRY_BYTES,
  FIELDS,
  firstBytes,
  IS_OTHER_KEY,
  IS_OTHER_VALUE,
  isAscii,
  KIND_BITS,
  KIND_PUT_EXPIRING,
  LONGEST_HEADER_BYTES,
  POSITION_BYTES_SHIFT,
  ROWS,
  readVarint,
  varintEnd,
  WIDE,
} from './shared/entry'

/*
 * Looks for a key in a compressed block, in AssemblyScript: `npm run build:assembly` makes `../packed-search-code.ts` of it. The block is
 * decompressed no further than the entry that is looked for. What an entry looks like, and how the search goes, is said in
 * `../block.ts`. The head of an entry is read in place wherever it is: a function would have to return four numbers through memory.
 */

const NOT_THERE = -1
const NOT_WELL_FORMED = -2
const TOO_MUCH = -3

const CHUNK: usize = 256
const LINE: usize = 64

/** A load of each line lets the processor wait for many at a time; decompressing would wait for one after the other. */
export let fetched: u32 = 0

function fetch(at: usize, end: usize): void {
  let sum: u32 = 0
  for (; at < end; at += LINE) sum += load<u8>(at)
  fetched = sum
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
    const distance = firstBytes(from, positionBytes)
    if ((head & BELOW_BASE ? base - <f64>distance : base + <f64>distance) < limit) {
      if (next > reachedOut && decompressUpTo(next, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
      return entry - target
    }
    entry = next
  }
  return NOT_THERE
}

/**
 * Writes to `out` what the first entries at or after a key are, up to `most` of them, and returns how many; TOO_MUCH where they take more
 * than `room` bytes there. Of every key the newest version below `limit` counts.
 *
 *   kinds | offset behind the last one in the block, 0 at its end | bytes of all this | spare | rows | keys | entries as they stand there
 *
 * Where the range is empty the block stands at `target` as it is. Rows are as in `../entry-group.ts`. But for the places of entries in
 * their block all offsets count from `out`.
 */
export function pick(
  at: usize,
  end: usize,
  target: usize,
  rawBytes: usize,
  entryBytes: usize,
  key: usize,
  keyLength: usize,
  base: f64,
  limit: f64,
  most: u32,
  out: usize,
  room: usize,
): i32 {
  const targetEnd = target + rawBytes
  const entriesEnd = target + entryBytes
  const outEnd = out + room
  if (at === end) {
    decompressFrom(at, targetEnd)
  } else {
    fetch(at, end)
    decompressFrom(at, target)
  }
  const rows = out + ROWS
  let row = rows
  // Keys are put together from the first entry on that is not below the key.
  let keyStart = rows + most * FIELDS * 4
  let length: usize = 0
  let matched: usize = 0
  let isBelow = true
  let isPicked = false
  let count: u32 = 0
  let kinds: u32 = 0
  let firstEntry = target
  let entry = target
  while (entry < entriesEnd && count < most) {
    if (entry + LONGEST_HEADER_BYTES > reachedOut && decompressUpTo(entry + CHUNK, end, target, targetEnd) !== 0) {
      return NOT_WELL_FORMED
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
    const kind = head & KIND_BITS
    const positionBytes: usize = head >>> POSITION_BYTES_SHIFT
    const suffix = from + positionBytes + (kind === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0)
    const valueStart = suffix + unshared
    const next = valueStart + valueLength

    if (isBelow && shared > matched) {
      entry = next
      continue
    }
    if (valueStart > reachedOut && decompressUpTo(valueStart, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
    // From where on what the entry shares with the one before is copied.
    let prefix = keyStart
    if (isBelow) {
      // A restart point says nothing of the entry before; any other entry that shares less is behind the key.
      if (shared === 0 || shared === matched) {
        matched = shared
        const stop = min<usize>(shared + unshared, keyLength)
        const bias = suffix - shared
        while (matched < stop && load<u8>(bias + matched) === load<u8>(key + matched)) matched++
        if (matched < stop ? load<u8>(bias + matched) < load<u8>(key + matched) : shared + unshared < keyLength) {
          entry = next
          continue
        }
      }
      isBelow = false
      // The entry before has as much in common with the key.
      prefix = key
    }

    if (unshared !== 0 || shared !== length) {
      let start = keyStart
      if (isPicked) {
        start = (keyStart + length + WIDE - 1) & ~(WIDE - 1)
        isPicked = false
      }
      if (start + shared + unshared + WIDE > outEnd) return TOO_MUCH
      if (start !== prefix) copy(prefix, start, shared)
      copy(suffix, start + shared, unshared)
      keyStart = start
      length = shared + unshared
    }
    if (!isPicked) {
      const distance = <f64>firstBytes(from, positionBytes)
      if ((head & BELOW_BASE ? base - distance : base + distance) < limit) {
        if (next > reachedOut && decompressUpTo(next, end, target, targetEnd) !== 0) return NOT_WELL_FORMED
        if (count === 0) firstEntry = entry
        store<u32>(row, keyStart - out)
        store<u32>(row, keyStart + length - out, 4)
        store<u32>(row, valueStart, 8)
        store<u32>(row, next, 12)
        store<u32>(row, entry - target, 16)
        store<u32>(row, from, 20)
        store<u32>(
          row,
          (isAscii(keyStart, keyStart + length) ? 0 : IS_OTHER_KEY) | (isAscii(valueStart, next) ? 0 : IS_OTHER_VALUE),
          24,
        )
        row += FIELDS * 4
        kinds |= 1 << kind
        isPicked = true
        count++
      }
    }
    entry = next
  }
  if (count === 0) return 0
  const to = (keyStart + length + WIDE - 1) & ~(WIDE - 1)
  const bytes = load<u32>(row - FIELDS * 4, 12) - firstEntry
  if (to + bytes > outEnd) return TOO_MUCH
  memory.copy(to, firstEntry, bytes)
  const bias = to - firstEntry - out
  for (let each = rows; each < row; each += FIELDS * 4) {
    store<u32>(each, load<u32>(each, 8) + bias, 8)
    store<u32>(each, load<u32>(each, 12) + bias, 12)
    store<u32>(each, load<u32>(each, 20) + bias, 20)
  }
  store<u32>(out, kinds)
  store<u32>(out, entry < entriesEnd ? entry - target : 0, 4)
  store<u32>(out, to + bytes - out, 8)
  return count
}

/** Copies a few bytes in wide steps, and so up to WIDE - 1 over the end. */
function copy(from: usize, to: usize, length: usize): void {
  for (const end = to + length; to < end; to += WIDE, from += WIDE) store<u64>(to, load<u64>(from))
}

/** Fills `rawBytes` from `target` on with what `[at, end)` becomes; anything but 0 says that it is not well-formed. */
export function unpack(at: usize, end: usize, target: usize, rawBytes: usize): i32 {
  fetch(at, end)
  return decompress(at, end, target, target + rawBytes)
}
