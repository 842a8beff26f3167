/*
 * What reading a table costs: a million keys of 16 bytes with half-compressible values of 100, as everywhere in the
 * measurements. An operation of the scans is a hundred entries. A Map of texts is what a program would keep instead, if
 * everything were in memory.
 */
import b from 'benny'
import { Found } from '../../src/bytes/cursor.js'
import { keyHash } from '../../src/table/filter.js'
import type { Table } from '../../src/table/table.js'
import { KEY_BYTES, keysOf, NEWEST, random, SampleTables } from './sample-table.js'
import type { Suites } from './suites.js'

const KEY_COUNT = 1_000_000

export const suites: Suites = async function* () {
  const keys = keysOf(KEY_COUNT)
  const tables = new SampleTables()
  const table = tables.add(keys)
  const squeezed = tables.again(8 << 20)
  const map = new Map<string, number>()
  for (let i = 0; i < KEY_COUNT; i++) map.set(textAt(keys, i), i)

  const found = new Found()
  const lookup = (from: Table): void => {
    const key = random(KEY_COUNT) * KEY_BYTES
    from.lookup(keys, key, key + KEY_BYTES, keyHash(keys, key, key + KEY_BYTES), NEWEST, found)
  }
  let sink = 0

  yield await b.suite(
    'look a key up',
    b.add('table, all cached', () => lookup(table)),
    b.add('table, cache of 8 MiB', () => lookup(squeezed)),
    b.add('Map of strings', () => {
      sink += map.get(textAt(keys, random(KEY_COUNT)))!
    }),
    b.cycle(),
  )

  const [forwards, backwards] = [table.cursor(NEWEST), table.cursor(NEWEST)]
  let entries = map.entries()
  yield await b.suite(
    'scan 100 entries of a table',
    b.add('forwards', () => {
      for (let i = 0; i < 100; i++) forwards.valid ? forwards.next() : forwards.seekToFirst()
    }),
    b.add('backwards', () => {
      for (let i = 0; i < 100; i++) backwards.valid ? backwards.prev() : backwards.seekToLast()
    }),
    b.add('Map of strings, in the order of writing', () => {
      for (let i = 0; i < 100; i++) {
        const next = entries.next()
        if (next.done) entries = map.entries()
        else sink += next.value[1]
      }
    }),
    b.cycle(),
  )
  tables.close()
  if (Number.isNaN(sink)) throw new Error('A lookup came to nothing')
}

function textAt(keys: Uint8Array, i: number): string {
  return Buffer.from(keys.buffer, i * KEY_BYTES, KEY_BYTES).toString('latin1')
}
