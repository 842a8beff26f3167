import { invalid } from '../../bytes/errors.js'
import { getU32, putU32 } from '../../bytes/integers.js'
import { LONGEST_KEY_BYTES } from '../../log/operation.js'
import { decodeTuple, encodeTuple, type Tuple } from './tuple.js'

/*
 * An entry of an index, in a keyspace of the index's own. Never to change within format version 1.
 *
 *   key     the tuple (tuple.ts), and behind it the key that it leads to, as the bytes it has in its own keyspace
 *   value   how many bytes of the key are the tuple's, u32
 *
 * So entries stand in the order of their tuples, those of equal tuples in the order of their keys, and a tuple may lead to many keys.
 */

export interface IndexEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export function encodeEntry(tuple: Tuple, primaryKey: Uint8Array): IndexEntry {
  const head = encodeTuple(tuple)
  if (head.length + primaryKey.length > LONGEST_KEY_BYTES) {
    throw invalid(
      `An entry of an index has at most ${LONGEST_KEY_BYTES.toLocaleString('en')} bytes, the key that it leads to included; this one has ${head.length + primaryKey.length}`,
    )
  }
  const key = new Uint8Array(head.length + primaryKey.length)
  key.set(head)
  key.set(primaryKey, head.length)
  const value = new Uint8Array(4)
  putU32(value, 0, head.length)
  return { key, value }
}

export function decodeEntry({ key, value }: IndexEntry): { tuple: Tuple; primaryKey: Uint8Array } {
  const split = getU32(value, 0)
  return { tuple: decodeTuple(key.subarray(0, split)), primaryKey: key.slice(split) }
}
