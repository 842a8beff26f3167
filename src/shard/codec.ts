import { encodeKey } from '../store/bounds.js'
import { type Encoding, type EncodingOption, resolveEncoding } from '../store/encoding.js'

/**
 * An encoding, and how bytes that are the caller's own already become a value: without the copy that the store makes when it
 * reads from its own memory.
 */
export interface Codec<T> {
  readonly encoding: Encoding<T>
  readonly option: EncodingOption<T>
  decode(bytes: Uint8Array): T
}

export function codecOf<T>(option: EncodingOption<T>, name: string): Codec<T> {
  const encoding = resolveEncoding(option, name)
  if (option === 'view') return { encoding, option, decode: (bytes) => bytes as T }
  if (option === 'buffer') {
    return { encoding, option, decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) as T }
  }
  return { encoding, option, decode: (bytes) => encoding.read(bytes, 0, bytes.length) }
}

/** A key as bytes that nobody else changes. */
export function keyBytesOf<T>(codec: Codec<T>, key: T): Uint8Array {
  return encodeKey(codec.encoding, key)
}
