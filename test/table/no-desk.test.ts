import { expect, test } from 'vitest'
import { withoutMemory } from './no-memory.js'
import { seededRandom } from './random.js'
import { current, inOrder, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

// In a file of its own: what is made once for a process must not be there yet.
test('scans of any length go without the memory in which WebAssembly would take entries apart', () => {
  const random = seededRandom('no desk')
  const entries = inOrder(
    Array.from({ length: 3000 }, (_, i) => put(`key ${String(i).padStart(8, '0')}`, i + 1, random.bytes(50))),
  )
  const files = new TestFiles()
  writeTable(files, entries, { blockBytes: 4096 })
  const { table } = openTable(files)
  withoutMemory(() => {
    for (const most of [0, 10, 1000]) {
      for (let from = 0; from < entries.length; from += 171) {
        const cursor = table.cursor(Number.MAX_SAFE_INTEGER)
        cursor.most = cursor.expected = most
        cursor.seek(entries[from]!.key, 0, entries[from]!.key.length)
        for (let at = from; at < Math.min(from + 100, entries.length); at++, cursor.next()) {
          expect(current(cursor)).toEqual(entries[at])
        }
        cursor.release()
      }
    }
  })
})
