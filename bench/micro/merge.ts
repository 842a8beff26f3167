/*
 * What merging tables costs, as compactions and scans do it: an operation is a hundred entries. The baseline is one cursor
 * alone; four and eight sources share the same keys out among them.
 */
import b from 'benny'
import { MergeCursor } from '../../src/tree/merge-cursor.js'
import { keysOf, NEWEST, SampleTables } from './sample-table.js'
import type { Suites } from './suites.js'

const KEY_COUNT = 200_000

export const suites: Suites = async function* () {
  const tables = new SampleTables()
  const cursors = (count: number) =>
    Array.from({ length: count }, (_, i) => tables.add(keysOf(KEY_COUNT / count, i, count), 'none').cursor(NEWEST))
  const [single] = cursors(1)
  const merges = [1, 2, 4, 8].map((count) => ({ count, cursor: new MergeCursor(cursors(count)) }))
  let bytes = 0

  const hundred = (cursor: NonNullable<typeof single> | MergeCursor): void => {
    for (let i = 0; i < 100; i++) {
      cursor.valid ? cursor.next() : cursor.seekToFirst()
      bytes += cursor.keyEnd - cursor.keyStart
    }
  }
  yield await b.suite(
    'merge 100 entries',
    b.add('one cursor alone', () => hundred(single!)),
    ...merges.map(({ count, cursor }) => b.add(`${count} sources`, () => hundred(cursor))),
    b.cycle(),
  )
  tables.close()
  if (Number.isNaN(bytes)) throw new Error('A merge came to nothing')
}
