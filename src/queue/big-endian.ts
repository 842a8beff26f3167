/*
 * Integers in keys, big-endian, so that the order of bytes is the order of numbers. Everything outside of keys is little-endian.
 */

const TWO_32 = 2 ** 32

export function putKeyU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8
  bytes[offset + 1] = value
}

export function getKeyU16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!
}

export function putKeyU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

export function getKeyU32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0
}

/** Writes a safe integer into eight bytes. */
export function putKeyU64(bytes: Uint8Array, offset: number, value: number): void {
  putKeyU32(bytes, offset, Math.floor(value / TWO_32))
  putKeyU32(bytes, offset + 4, value >>> 0)
}

export function getKeyU64(bytes: Uint8Array, offset: number): number {
  return getKeyU32(bytes, offset) * TWO_32 + getKeyU32(bytes, offset + 4)
}
