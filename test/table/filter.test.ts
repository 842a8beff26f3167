import { expect, test } from 'vitest'
import { keyHash, TableFilter } from '../../src/table/filter.js'
import { bytes } from './sample.js'

function hashOf(name: string): number {
  const key = bytes(name)
  return keyHash(key, 0, key.length)
}

function filterOf(count: number, bitsPerKey: number): TableFilter {
  return TableFilter.build(
    Uint32Array.from({ length: count }, (_, i) => hashOf(`key ${i}`)),
    count,
    bitsPerKey,
  )
}

test('no key that was added is ever denied', () => {
  for (const count of [1, 10, 1000, 50_000]) {
    const built = filterOf(count, 10)
    const encoded = built.encode()
    const read = TableFilter.decode(encoded, encoded.length)
    for (let i = 0; i < count; i++)
      expect(built.hasHash(hashOf(`key ${i}`)) && read.hasHash(hashOf(`key ${i}`))).toBe(true)
  }
})

test('ten bits a key let through about one missing key in a hundred', () => {
  const filter = filterOf(50_000, 10)
  let passed = 0
  for (let i = 0; i < 50_000; i++) if (filter.hasHash(hashOf(`other ${i}`))) passed++
  expect(passed / 50_000).toBeLessThan(0.012)
  expect(passed / 50_000).toBeGreaterThan(0.004)
})

test('what is inherited from the package sees the same bits', () => {
  const filter = filterOf(1000, 10)
  expect(filter.has(Buffer.from('key 17'))).toBe(true)
  expect(filter.has(Buffer.from('nobody'))).toBe(filter.hasHash(hashOf('nobody')))
  filter.add(Buffer.from('late'))
  expect(filter.hasHash(hashOf('late'))).toBe(true)
  expect(filter.rate()).toBeLessThan(0.02)
})

test('bytes that are not a filter are refused', () => {
  expect(() => TableFilter.decode(new Uint8Array(0), 0)).toThrow('probes')
  expect(() => TableFilter.decode(Uint8Array.of(1, 2, 0), 3)).toThrow('probes')
})
