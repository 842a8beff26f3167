import { compareKeys, prefixEnd } from '../../bytes/compare.js'
import { assert, invalid } from '../../bytes/errors.js'
import { getText } from '../../bytes/text.js'
import type { KeyRange } from '../../tree/key-range.js'
import { type CustomEncoding, describe } from '../encoding.js'

/*
 * Tuples as bytes that order as the tuples do: by their first values, then by their second ones. Never to change within format
 * version 1. A tuple is its values one after the other, a value is a byte for its type and what the type needs:
 *
 *   null      0x10
 *   false     0x20
 *   true      0x21
 *   number    0x30  8 bytes: IEEE 754, big-endian; below zero all bits inverted, else the sign bit set. -0 is 0
 *   text      0x40  UTF-8, in which 0x00 is 0x01 0x01 and 0x01 is 0x01 0x02; then 0x00
 *
 * A value says itself where it ends, so the bytes of a tuple begin with those of every tuple that it begins with, and with nothing
 * else's: a range of bytes is a range of tuples.
 */

// Of what there is in the registry, bytewise, charwise and lexicographic-integer rest since years. ordered-binary 1.6.3 is kept well and does
// nearly this, but the tests of this file refused it: inside a tuple, a long text with control characters comes back in pieces, -0
// comes behind all numbers, and a text that is too long overruns its buffer.

const NULL = 0x10
const FALSE = 0x20
const TRUE = 0x21
const NUMBER = 0x30
const TEXT = 0x40
const TEXT_END = 0x00
const ESCAPE = 0x01
const NUMBER_BYTES = 8

/** What a tuple may hold. */
export type TupleValue = string | number | boolean | null

/** Values that are compared one after the other. */
export type Tuple = readonly TupleValue[]

/** The bytes of a tuple; every longer tuple that begins with it begins with them. */
export function encodeTuple(tuple: Tuple): Uint8Array {
  if (!Array.isArray(tuple)) throw invalid(`A tuple is an array of values, not ${describe(tuple)}`)
  const parts = tuple.map(encodeValue)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/** Reads a tuple from bytes that hold it and nothing else. */
export function decodeTuple(bytes: Uint8Array): Tuple {
  const tuple: TupleValue[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const type = bytes[offset++]
    if (type === NUMBER) {
      tuple.push(decodeNumber(bytes.subarray(offset, offset + NUMBER_BYTES)))
      offset += NUMBER_BYTES
    } else if (type === TEXT) {
      const end = bytes.indexOf(TEXT_END, offset)
      assert(end >= 0, 'a text in a tuple has an end')
      tuple.push(decodeText(bytes.subarray(offset, end)))
      offset = end + 1
    } else {
      assert(
        type === NULL || type === FALSE || type === TRUE,
        `a value of a tuple has a type that is known, not ${type}`,
      )
      tuple.push(type === NULL ? null : type === TRUE)
    }
  }
  return tuple
}

function encodeValue(value: unknown): Uint8Array {
  if (value === null) return Uint8Array.of(NULL)
  if (typeof value === 'boolean') return Uint8Array.of(value ? TRUE : FALSE)
  if (typeof value === 'number' && !Number.isNaN(value)) return encodeNumber(value)
  if (typeof value === 'string' && isWellFormed(value)) return encodeText(value)
  throw invalid(`A tuple holds texts, numbers, booleans and null, not ${describe(value)}`)
}

function encodeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(1 + NUMBER_BYTES)
  bytes[0] = NUMBER
  // Adding 0 makes 0 of -0.
  new DataView(bytes.buffer).setFloat64(1, value + 0)
  if (value < 0) for (let i = 1; i < bytes.length; i++) bytes[i]! ^= 0xff
  else bytes[1]! |= 0x80
  return bytes
}

function decodeNumber(bytes: Uint8Array): number {
  const copy = bytes.slice()
  if (copy[0]! >= 0x80) copy[0]! &= 0x7f
  else for (let i = 0; i < copy.length; i++) copy[i]! ^= 0xff
  return new DataView(copy.buffer).getFloat64(0)
}

function encodeText(text: string): Uint8Array {
  const raw = Buffer.from(text)
  const bytes = new Uint8Array(raw.length * 2 + 2)
  let end = 0
  bytes[end++] = TEXT
  for (const byte of raw) {
    if (byte <= ESCAPE) bytes[end++] = ESCAPE
    bytes[end++] = byte <= ESCAPE ? byte + 1 : byte
  }
  bytes[end++] = TEXT_END
  return bytes.slice(0, end)
}

function decodeText(escaped: Uint8Array): string {
  const bytes = new Uint8Array(escaped.length)
  let end = 0
  for (let i = 0; i < escaped.length; i++) {
    bytes[end++] = escaped[i] === ESCAPE ? escaped[++i]! - 1 : escaped[i]!
  }
  return getText(bytes, 0, end)
}

/** Half a surrogate pair has no bytes of its own: two texts with different halves would become one. */
function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)
}

/**
 * An encoding for keys that are tuples.
 *
 * @example
 * const events = db.keyspace('events', { keyEncoding: tuples, valueEncoding: 'json' })
 * await events.put(['sensor 7', 12.5], { celsius: 21 })
 */
export const tuples: CustomEncoding<Tuple> = { encode: encodeTuple, decode: decodeTuple }

/** Bounds of a range of tuples. One that is shorter than the tuples of the range stands for all that begin with it. */
export interface TupleRange<T extends Tuple = Tuple> {
  /** Behind all tuples that begin with this one. */
  gt?: Beginning<T>
  /** The first tuple of the range. */
  gte?: Beginning<T>
  /** The first tuple behind it. */
  lt?: Beginning<T>
  /** Up to all tuples that begin with this one. */
  lte?: Beginning<T>
  /** Tuples that begin with this one. */
  prefix?: Beginning<T>
}

/** A tuple or the beginning of one. */
export type Beginning<T extends Tuple> = T extends readonly [...infer Rest extends Tuple, unknown]
  ? T | Beginning<Rest>
  : T

/** The range of bytes that begin with a tuple of the range. */
export function tupleRange({ gt, gte, lt, lte, prefix }: TupleRange): KeyRange {
  let start: Uint8Array = new Uint8Array(0)
  let end: Uint8Array | undefined
  if (gte !== undefined) start = encodeTuple(gte)
  else if (gt !== undefined) start = behind(gt) ?? NOWHERE
  if (lte !== undefined) end = behind(lte)
  else if (lt !== undefined) end = encodeTuple(lt)
  if (prefix !== undefined) {
    const low = encodeTuple(prefix)
    const high = behind(prefix)
    if (compareKeys(low, start) > 0) start = low
    if (high !== undefined && (end === undefined || compareKeys(high, end) < 0)) end = high
  }
  return { start, end }
}

/** Above the bytes of every tuple. */
const NOWHERE = new Uint8Array([255])

/** The first bytes behind all that begin with a tuple; behind all tuples there is nothing. */
function behind(tuple: Tuple): Uint8Array | undefined {
  return prefixEnd(encodeTuple(tuple))
}
