/*
 * The check that a data block passes before it is believed, in AssemblyScript: `npm run build:assembly` makes `../entries-code.ts` of
 * it. What a block looks like is said in `../block.ts`. All addresses are places in the memory of a `Workspace`.
 */

const KIND_BITS: u32 = 7
const KIND_PUT_EXPIRING: u32 = 2
const EXPIRY_BYTES: usize = 6
const POSITION_BYTES_SHIFT: u32 = 4
const LONGEST_KEY_BYTES: u64 = 0xffff

// What `checkEntries` returns; `../block.ts` says it in words.
const GOOD = 0
const RESTART_SHARES = 1
const RESTARTS_DO_NOT_ASCEND = 2
const RESTART_IS_NOT_AT_ENTRY = 3
const UNKNOWN_KIND = 4
const SHARES_TOO_MUCH = 5
const KEY_TOO_LONG = 6
const ENTRY_RUNS_OVER = 7
const RESTART_BEHIND_ENTRIES = 8

let varintEnd: usize = 0

function readVarint(at: usize): u64 {
  let byte: u64 = load<u8>(at++)
  let value = byte & 0x7f
  for (let shift: u64 = 7; byte >= 0x80 && shift < 56; shift += 7) {
    byte = load<u8>(at++)
    value |= (byte & 0x7f) << shift
  }
  varintEnd = at
  return value
}

/** Walks all entries of the block at `[start, entriesEnd)` once and holds every length to what is there. */
export function checkEntries(start: usize, entriesEnd: usize, restartCount: u32): i32 {
  const end: u64 = entriesEnd
  let at = start
  let keyLength: u64 = 0
  let nextRestart: u32 = 0
  let restartAt = start + load<u32>(entriesEnd)
  while (at < entriesEnd) {
    const entryAt = at
    let shared: u64 = load<u8>(at)
    let unshared: u64 = load<u8>(at, 1)
    let valueLength: u64 = load<u8>(at, 2)
    if ((shared | unshared | valueLength) < 128) {
      at += 3
    } else {
      shared = readVarint(at)
      unshared = readVarint(varintEnd)
      valueLength = readVarint(varintEnd)
      at = varintEnd
    }
    if (entryAt === restartAt) {
      // Whoever looks for a restart point takes this for one byte.
      if (load<u8>(entryAt) !== 0) return RESTART_SHARES
      nextRestart++
      restartAt = nextRestart === restartCount ? entriesEnd : start + load<u32>(entriesEnd + (nextRestart << 2))
      if (restartAt <= entryAt) return RESTARTS_DO_NOT_ASCEND
    } else if (entryAt > restartAt || nextRestart === 0) {
      return RESTART_IS_NOT_AT_ENTRY
    }
    const head: u32 = load<u8>(at)
    const kind = head & KIND_BITS
    if (head >= 128 || kind === 0) return UNKNOWN_KIND
    if (shared > keyLength) return SHARES_TOO_MUCH
    keyLength = shared + unshared
    if (keyLength > LONGEST_KEY_BYTES) return KEY_TOO_LONG
    const header: u64 = 1 + (head >>> POSITION_BYTES_SHIFT) + (kind === KIND_PUT_EXPIRING ? EXPIRY_BYTES : 0)
    const next = <u64>at + header + unshared + valueLength
    if (next > end) return ENTRY_RUNS_OVER
    at = <usize>next
  }
  return nextRestart === restartCount ? GOOD : RESTART_BEHIND_ENTRIES
}
