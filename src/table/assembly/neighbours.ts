import {
  BELOW_BASE,
  EXPIRY_BYTES,
  FIELDS,
  firstBytes,
  HIGH_BITS,
  IS_OTHER_KEY,
  IS_OTHER_VALUE,
  isAscii,
  KIND_BITS,
  KIND_PUT_EXPIRING,
  POSITION_BYTES_SHIFT,
  ROWS,
  readVarint,
  varintEnd,
  WIDE,
} from './shared/entry'

/*
 * Takes neighbouring entries of a block apart, in AssemblyScript: `npm run build:assembly` makes `../neighbours-code.ts` of it. What an
 * entry looks like is said in `../block.ts`, what is made of it in `../entry-group.ts`. The entries were checked when their
 * block came into memory, so nothing runs over their end.
 *
 * All addresses are places in the memory of a `Workspace`, which has bytes to spare behind what stands in it. Keys are put together eight
 * bytes at a time and begin at multiples of that; what stands between them is anybody's guess.
 */

// The layout of what is made, which `../entry-group.ts` knows too.
const MOST_ROWS: u32 = 256
const MOST_KEY_BYTES: usize = 4096
const KEYS: usize = ROWS + MOST_ROWS * FIELDS * 4

const TOO_MANY = -1

/**
 * Writes to `out` what the entries in `[at, end)` are, and returns how many; TOO_MANY where there is no room for all. The first one
 * shares nothing. Of every key the newest version below `limit` counts. In their block the entries stand `bias` bytes from where they do
 * here. Whether values are ASCII is found out where `looksAtValues`.
 */
export function takeApart(
  at: usize,
  end: usize,
  bias: i32,
  out: usize,
  baseLow: u32,
  baseHigh: u32,
  limitLow: u32,
  limitHigh: u32,
  looksAtValues: bool,
): i32 {
  const base: i64 = ((<i64>baseHigh) << 32) | <i64>baseLow
  const limit: i64 = ((<i64>limitHigh) << 32) | <i64>limitLow
  const keys = out + KEYS
  let keyStart = keys
  let keyEnd = keys
  let hasKey = false
  let taken = false
  let otherKey: u32 = 0
  let kinds: u32 = 0
  let count: u32 = 0
  let row = out + ROWS
  while (at < end) {
    const entryAt = at
    let shared: usize = load<u8>(at)
    let unshared: usize = load<u8>(at, 1)
    let valueLength: usize = load<u8>(at, 2)
    if ((shared | unshared | valueLength) < 128) {
      at += 3
    } else {
      shared = readVarint(at)
      unshared = readVarint(varintEnd)
      valueLength = readVarint(varintEnd)
      at = varintEnd
    }
    const head: u32 = load<u8>(at++)
    const kind = head & KIND_BITS
    const afterHead = at
    const positionBytes: usize = head >>> POSITION_BYTES_SHIFT
    const suffix = afterHead + positionBytes + (kind === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0)
    const valueStart = suffix + unshared
    at = valueStart + valueLength
    if (!hasKey || unshared !== 0 || shared !== keyEnd - keyStart) {
      const length = shared + unshared
      const start = (keyEnd + WIDE - 1) & ~(WIDE - 1)
      if (start + length > keys + MOST_KEY_BYTES) return TOO_MANY
      // Each word is put together before it is stored: loading what two stores have written makes the processor wait.
      let bits: u64 = 0
      let word: u64 = 0
      let i: usize = 0
      for (; i + WIDE <= shared; i += WIDE) {
        word = load<u64>(keyStart + i)
        store<u64>(start + i, word)
        bits |= word
      }
      if (i < length) {
        const prefix = shared - i
        word = firstBytes(keyStart + i, prefix) | (load<u64>(suffix) << ((<u64>prefix) << 3))
        store<u64>(start + i, word)
        i += WIDE
        for (let from = suffix + WIDE - prefix; i < length; i += WIDE, from += WIDE) {
          bits |= word
          word = load<u64>(from)
          store<u64>(start + i, word)
        }
        bits |= word & (<u64>-1 >>> ((<u64>(i - length)) << 3))
      }
      otherKey = (bits & HIGH_BITS) === 0 ? 0 : IS_OTHER_KEY
      keyStart = start
      keyEnd = start + length
      hasKey = true
      taken = false
    }
    if (taken) continue
    const distance: i64 = firstBytes(afterHead, positionBytes)
    if ((head & BELOW_BASE ? base - distance : base + distance) >= limit) continue
    taken = true
    if (count === MOST_ROWS) return TOO_MANY
    store<u32>(row, keyStart - keys)
    store<u32>(row, keyEnd - keys, 4)
    store<u32>(row, valueStart + bias, 8)
    store<u32>(row, at + bias, 12)
    store<u32>(row, entryAt + bias, 16)
    store<u32>(row, afterHead + bias, 20)
    store<u32>(row, otherKey | (looksAtValues && isAscii(valueStart, at) ? 0 : IS_OTHER_VALUE), 24)
    row += FIELDS * 4
    kinds |= 1 << kind
    count++
  }
  store<u32>(out, kinds)
  return count
}
