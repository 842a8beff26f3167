/*
 * What the memtable's index costs beside what a program would use instead. Keys of 16
 * bytes, values of 100; the operations stand in the arena already. An operation of the inserts is all keys, of the lookups one
 * key, of the scans a hundred entries. A sorted array takes a splice for every insert, so it gets fewer keys. Whoever looks a key
 * up has it as bytes, so for a Map it is decoded first.
 */
import b from 'benny'
import { compareBytes } from '../../src/bytes/compare.js'
import { Found } from '../../src/bytes/cursor.js'
import { KIND_PUT, operationBytes, putOperationHeader } from '../../src/log/operation.js'
import { Memtable } from '../../src/memtable/memtable.js'
import type { Suites } from './suites.js'

const KEY_COUNT = 200_000
const FEW = 20_000
const KEY_BYTES = 16
const VALUE_BYTES = 100
const OPERATION_BYTES = operationBytes(KIND_PUT, KEY_BYTES, VALUE_BYTES)
const NEWEST = Number.MAX_SAFE_INTEGER

let state = 1
function random(below: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return (state >>> 8) % below
}

interface Arena {
  readonly bytes: Uint8Array
  readonly keys: readonly string[]
}

/** An arena that holds a put for every number, in their order. */
function arenaOf(numbers: readonly number[]): Arena {
  const bytes = new Uint8Array(new SharedArrayBuffer(numbers.length * OPERATION_BYTES))
  const keys = numbers.map((number) => String(number).padStart(KEY_BYTES, '0'))
  for (const [i, key] of keys.entries()) {
    const offset = i * OPERATION_BYTES
    bytes.set(Buffer.from(key), putOperationHeader(bytes, offset, 1, KIND_PUT, KEY_BYTES, VALUE_BYTES, 0))
  }
  return { bytes, keys }
}

function shuffled(numbers: number[]): number[] {
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[numbers[i], numbers[j]] = [numbers[j]!, numbers[i]!]
  }
  return numbers
}

function memtableOf({ bytes }: Arena, count = KEY_COUNT): Memtable {
  const memtable = new Memtable(1, 0, bytes)
  for (let i = 0; i < count; i++) memtable.add(i * OPERATION_BYTES, 0)
  return memtable
}

function sortedMapOf({ keys }: Arena): Map<string, number> {
  const map = new Map<string, number>()
  for (let i = 0; i < KEY_COUNT; i++) map.set(keys[i]!, i * OPERATION_BYTES)
  return new Map([...map].sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** Offsets in the order of their keys, each put where a binary search says. */
function sortedArrayOf({ bytes }: Arena, count: number): number[] {
  const sorted: number[] = []
  for (let i = 0; i < count; i++) sorted.splice(lowerBound(sorted, bytes, i * OPERATION_BYTES), 0, i * OPERATION_BYTES)
  return sorted
}

function lowerBound(sorted: readonly number[], bytes: Uint8Array, offset: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeysAt(bytes, sorted[middle]!, offset) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function compareKeysAt(bytes: Uint8Array, left: number, right: number): number {
  const [a, z] = [left + OPERATION_BYTES - KEY_BYTES - VALUE_BYTES, right + OPERATION_BYTES - KEY_BYTES - VALUE_BYTES]
  return compareBytes(bytes, a, a + KEY_BYTES, bytes, z, z + KEY_BYTES)
}

export const suites: Suites = async function* () {
  const sequential = arenaOf(Array.from({ length: KEY_COUNT }, (_, i) => i))
  const scattered = arenaOf(shuffled(Array.from({ length: KEY_COUNT }, (_, i) => i)))

  yield await b.suite(
    `insert ${KEY_COUNT} keys`,
    b.add('memtable, random order', () => {
      memtableOf(scattered)
    }),
    b.add('memtable, in order', () => {
      memtableOf(sequential)
    }),
    b.add('Map of strings, random order, sorted at the end', () => {
      sortedMapOf(scattered)
    }),
    b.cycle(),
  )

  yield await b.suite(
    `insert ${FEW} keys in random order`,
    b.add('memtable', () => {
      memtableOf(scattered, FEW)
    }),
    b.add('sorted array', () => {
      sortedArrayOf(scattered, FEW)
    }),
    b.cycle(),
  )

  const memtable = memtableOf(scattered)
  const map = sortedMapOf(scattered)
  const array = Array.from({ length: KEY_COUNT }, (_, i) => i * OPERATION_BYTES)
  array.sort((left, right) => compareKeysAt(scattered.bytes, left, right))
  const found = new Found()
  const wanted = scattered.keys.map((key) => Buffer.from(key))
  let sink = 0

  yield await b.suite(
    `look one of ${KEY_COUNT} keys up`,
    b.add('memtable, which gets a table of keys', () => {
      memtable.lookup(wanted[random(KEY_COUNT)]!, 0, KEY_BYTES, NEWEST, found)
    }),
    b.add('its tree alone', () => {
      sink += memtable.index.placeAtOrAfter(wanted[random(KEY_COUNT)]!, 0, KEY_BYTES)
    }),
    b.add('Map of strings', () => {
      sink += map.get(wanted[random(KEY_COUNT)]!.toString('latin1'))!
    }),
    b.add('sorted array', () => {
      sink += lowerBound(array, scattered.bytes, random(KEY_COUNT) * OPERATION_BYTES)
    }),
    b.cycle(),
  )

  const [forwards, backwards] = [memtable.cursor(NEWEST), memtable.cursor(NEWEST)]
  let entries = map.entries()

  yield await b.suite(
    'scan 100 entries',
    b.add('memtable, forwards', () => {
      for (let i = 0; i < 100; i++) {
        forwards.valid ? forwards.next() : forwards.seekToFirst()
        sink += forwards.keyBytes[forwards.keyStart]!
      }
    }),
    b.add('memtable, backwards', () => {
      for (let i = 0; i < 100; i++) {
        backwards.valid ? backwards.prev() : backwards.seekToLast()
        sink += backwards.keyBytes[backwards.keyStart]!
      }
    }),
    b.add('Map of strings, sorted', () => {
      for (let i = 0; i < 100; i++) {
        const next = entries.next()
        if (next.done) entries = map.entries()
        else sink += next.value[0].charCodeAt(0)
      }
    }),
    b.cycle(),
  )
  if (Number.isNaN(sink)) throw new Error('A lookup came to nothing')
}
