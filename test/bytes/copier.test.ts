import { describe, expect, it } from 'vitest'
import { Copier } from '../../src/bytes/copier.js'
import { withSeeds } from '../simulation/reproduce.js'

describe('a copier', () => {
  it('copies what `set` copies and touches nothing else, from and to whatever arrays', () =>
    withSeeds(20, (random) => {
      const copier = new Copier()
      const shared = new Uint8Array(new SharedArrayBuffer(2000))
      shared.set(random.bytes(shared.length))
      const few = [shared, random.bytes(2000), random.bytes(2100).subarray(7, 2007)]
      // More than it remembers.
      const many = Array.from({ length: 40 }, () => random.bytes(1000))
      const targets = [new Uint8Array(2000), new Uint8Array(2050).subarray(3, 2003)]
      let last: Uint8Array = shared
      for (let i = 0; i < 1000; i++) {
        // Mostly the one before or one of a few: an array is copied in another way when it is met again and again.
        const source = random.chance(0.5) ? last : random.pick(random.chance(0.9) ? few : many)
        last = source
        const target = random.pick(targets)
        const length = random.pick([random.below(20), random.below(200), 511, 512, random.below(1000)])
        const start = random.below(source.length - length + 1)
        const at = random.below(target.length - length + 1)
        const expected = target.slice()
        expected.set(source.subarray(start, start + length), at)
        copier.copy(source, start, start + length, target, at)
        if (Buffer.compare(target, expected) !== 0) expect(target).toEqual(expected)
      }
    }))
})
