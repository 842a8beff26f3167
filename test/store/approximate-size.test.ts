import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.js'

const ENTRIES = 10_000
const VALUE_BYTES = 100

function key(i: number): string {
  return String(i).padStart(6, '0')
}

describe('the approximate size of a range', () => {
  it('is nearly right before a flush and after it', async () => {
    await using db = await open(':memory:', { compression: 'none' })
    for (let i = 0; i < ENTRIES; i++) db.putSync(key((i * 7919) % ENTRIES), 'x'.repeat(VALUE_BYTES))
    for (const where of ['log', 'tables']) {
      for (const [from, to] of [
        [0, ENTRIES],
        [2000, 5000],
        [7, 8],
        [0, 200],
      ] as const) {
        const bytes = await db.approximateSize({ gte: key(from), lt: key(to) })
        const exact = (to - from) * VALUE_BYTES
        // Tables are measured in blocks, so one entry may count as much as its neighbours.
        expect(bytes, `${from} to ${to} in the ${where}`).toBeGreaterThan(exact * 0.7 - 5000)
        expect(bytes, `${from} to ${to} in the ${where}`).toBeLessThan(exact * 1.4 + 5000)
      }
      await db.flush()
    }
  })

  // A table of one block used to weigh nothing, and every other one a block too little.
  it('is the whole table where the range holds all of it', async () => {
    await using db = await open(':memory:', { compression: 'none' })
    db.putSync('a', 'x'.repeat(100_000))
    await db.flush()
    const whole = await db.approximateSize({})
    expect(whole).toBeGreaterThan(100_000)
    expect(await db.approximateSize({ gte: 'a', lte: 'a' })).toBe(whole)
    expect(await db.approximateSize({ gte: '', lt: 'z' })).toBe(whole)
    expect(await db.approximateSize({ gte: 'b' })).toBe(0)
  })

  it('is nothing where nothing is', async () => {
    await using db = await open(':memory:')
    expect(await db.approximateSize({})).toBe(0)
    for (let i = 0; i < 100; i++) db.putSync(key(i), 'x')
    expect(await db.approximateSize({ gte: 'b', lt: 'a' })).toBe(0)
    expect(await db.approximateSize({ gte: 'a', lt: 'b' })).toBe(0)
    expect(await db.approximateSize({ gte: key(0), lt: key(0) })).toBe(0)
    expect(await db.approximateSize({})).toBeGreaterThan(700)
  })
})
