import { expect, test } from 'vitest'
import { BlockMemory } from '../../src/table/block-memory.js'

test('memory that was given back is taken again', () => {
  const memory = new BlockMemory()
  const first = memory.take(4100)
  expect(first.length).toBeGreaterThanOrEqual(4100)
  memory.give(first)
  expect(memory.take(4099)).toBe(first)
  expect(memory.take(4099)).not.toBe(first)
})

test('no more than half a MiB is kept, whatever the sizes', () => {
  const memory = new BlockMemory()
  const given = new Set<Uint8Array>()
  for (let bytes = 100; bytes <= 64 * 1024; bytes += 100) {
    for (const each of [memory.take(bytes), memory.take(bytes)]) given.add(each)
  }
  for (const each of given) memory.give(each)
  let kept = 0
  for (let bytes = 100; bytes <= 64 * 1024; bytes += 100) {
    for (let again = memory.take(bytes); given.delete(again); again = memory.take(bytes)) kept += again.length
  }
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThanOrEqual(512 * 1024)
})
