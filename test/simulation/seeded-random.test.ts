import { describe, expect, it } from 'vitest'
import { withSeeds } from './reproduce.js'
import { SeededRandom } from './seeded-random.js'

describe('seeded random', () => {
  it('repeats itself for a seed, and differs for others', () => {
    const sequence = (seed: number): number[] => {
      const random = new SeededRandom(seed)
      return Array.from({ length: 10 }, () => random.uint32())
    }
    expect(sequence(7)).toEqual(sequence(7))
    const firsts = Array.from({ length: 1000 }, (_, seed) => sequence(seed)[0])
    expect(new Set(firsts).size).toBeGreaterThan(995)
  })

  it('spreads evenly', () => {
    const random = new SeededRandom(1)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
  })

  it('stays within its bounds, reaches both, and shuffles without loss', () => {
    const random = new SeededRandom(2)
    const drawn = new Set(Array.from({ length: 200 }, () => random.between(3, 6)))
    expect([...drawn].sort()).toEqual([3, 4, 5, 6])
    expect(random.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5])
    expect(random.bytes(1000).some((byte) => byte > 250)).toBe(true)
    expect(random.fork().uint32()).not.toBe(random.fork().uint32())
  })
})

describe('a random test that fails', () => {
  it('says how to see the failure again', async () => {
    const failing = withSeeds(3, (_, seed) => expect(seed).toBeUndefined())
    const expected =
      /\nAgain: SILTSTONE_SEED=\d+ npx vitest run --config test\/vitest\.config\.ts test\/simulation\/seeded-random\.test\.ts -t 'a random test that fails says how to see the failure again'$/
    await expect(failing).rejects.toThrow(expected)
  })
})
