/*
 * What an entry of a block looks like, which is said in `../../block.ts`.
 */

export const KIND_BITS: u32 = 7
export const KIND_PUT_EXPIRING: u32 = 2
export const BELOW_BASE: u32 = 8
export const POSITION_BYTES_SHIFT: u32 = 4
export const EXPIRY_BYTES: usize = 6
/** Three varints of at most five bytes, head, position, expiry. */
export const LONGEST_HEADER_BYTES: usize = 5 * 3 + 1 + 7 + EXPIRY_BYTES

/** What is made of entries, which `../../entry-group.ts` knows too. */
export const FIELDS: usize = 7
export const ROWS: usize = 16
export const IS_OTHER_KEY: u32 = 1
export const IS_OTHER_VALUE: u32 = 2

export const WIDE: usize = 8
export const HIGH_BITS: u64 = ((<u64>0x80808080) << 32) | 0x80808080

/** Behind the varint that was read last. */
export let varintEnd: usize = 0

export function readVarint(at: usize): usize {
  let byte: usize = load<u8>(at++)
  let value = byte & 0x7f
  for (let shift: usize = 7; byte >= 0x80; shift += 7) {
    byte = load<u8>(at++)
    value |= (byte & 0x7f) << shift
  }
  varintEnd = at
  return value
}

/** The first of the next eight bytes, as many as are asked for. */
export function firstBytes(at: usize, count: usize): u64 {
  return count === 0 ? 0 : load<u64>(at) & (<u64>-1 >>> (64 - ((<u64>count) << 3)))
}

export function isAscii(at: usize, end: usize): bool {
  let bits: u64 = 0
  for (; at + WIDE <= end; at += WIDE) bits |= load<u64>(at)
  return ((bits | firstBytes(at, end - at)) & HIGH_BITS) === 0
}
