/*
 * Integers in bytes, always little-endian.
 *
 * Varints carry seven bits a byte, low bits first, the high bit set on all but the last. They hold safe integers
 * (up to 2^53 - 1, eight bytes), because positions in the log are safe integers.
 */

export const TWO_32 = 2 ** 32

export function putU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >>> 8
}

export function getU16(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8)
}

export function putU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >>> 8
  bytes[offset + 2] = value >>> 16
  bytes[offset + 3] = value >>> 24
}

export function getU32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>> 0
}

/** Writes a safe integer into eight bytes. */
export function putU64(bytes: Uint8Array, offset: number, value: number): void {
  putU32(bytes, offset, value >>> 0)
  putU32(bytes, offset + 4, Math.floor(value / TWO_32))
}

/** Reads eight bytes; above 2^53 the result is not exact, which callers check where it can matter. */
export function getU64(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset) + getU32(bytes, offset + 4) * TWO_32
}

/** Writes a varint and returns the offset behind it. */
export function putVarint(bytes: Uint8Array, offset: number, value: number): number {
  while (value >= 0x80000000) {
    bytes[offset++] = (value % 128) | 0x80
    value = Math.floor(value / 128)
  }
  while (value >= 0x80) {
    bytes[offset++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  bytes[offset++] = value
  return offset
}

/** How many bytes `putVarint` takes for a value. */
export function varintLength(value: number): number {
  let length = 1
  while (value >= 128) {
    value = Math.floor(value / 128)
    length++
  }
  return length
}

/**
 * Reads varints one after the other without allocating: the value is returned, `end` is the offset behind it.
 * One instance is used by one loop at a time.
 */
export class VarintReader {
  end = 0

  /** Past the end of `bytes` the missing bytes read as zero; callers bound-check `end` against what they hold. */
  read(bytes: Uint8Array, offset: number): number {
    let byte = bytes[offset++]!
    if (byte < 0x80) {
      this.end = offset
      return byte
    }
    let value = byte & 0x7f
    let scale = 128
    do {
      byte = bytes[offset++]!
      value += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 0x80 && scale < 2 ** 56)
    this.end = offset
    return value
  }
}
