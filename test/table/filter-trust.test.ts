import { expect, test } from 'vitest'
import { bytes, find, openTable, put, writeTable } from './sample.js'
import { TestFiles } from './test-files.js'

const entries = Array.from({ length: 2000 }, (_, i) => put(`key ${String(i).padStart(6, '0')}`, i + 1, `value ${i}`))

function written(): TestFiles {
  const files = new TestFiles()
  writeTable(files, entries)
  return files
}

const there = (i: number): Uint8Array => entries[(i * 7919) % entries.length]!.key
const missing = (i: number): Uint8Array => bytes(`key ${String((i * 7919) % entries.length).padStart(6, '0')}?`)

test('a table in which everything is found does not ask its filter any more', () => {
  const { table, cache } = openTable(written())
  for (let i = 0; i < 1000; i++) find(table, there(i))
  expect(cache.filterChecks).toBeLessThan(100)
})

test('once keys are missing the filter is asked again, and it answers nearly all of them', () => {
  const { table, cache } = openTable(written())
  for (let i = 0; i < 1000; i++) find(table, there(i))
  for (let i = 0; i < 1000; i++) expect(find(table, missing(i))).toBeUndefined()
  expect(cache.filterNegatives).toBeGreaterThan(950)
})

test('where one key in eight is missing the filter is asked all the time', () => {
  const { table, cache } = openTable(written())
  for (let i = 0; i < 4000; i++) find(table, i % 8 === 0 ? missing(i) : there(i))
  expect(cache.filterChecks).toBeGreaterThan(3900)
})

test('on a slow disk the filter is asked, whatever is found', () => {
  const files = written()
  const { table, cache } = openTable(files)
  for (let i = 0; i < 1000; i++) find(table, there(i))
  files.readMs = 10
  const other = openTable(files, { cache, fileNumber: 7 }).table
  find(other, there(0))
  const before = cache.filterChecks
  for (let i = 0; i < 100; i++) find(table, there(i))
  expect(cache.filterChecks - before).toBe(100)
})
