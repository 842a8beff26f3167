import { describe, expect, it } from 'vitest'
import { Copier } from '../../src/bytes/copier.js'
import { withSeeds } from '../simulation/reproduce.js'

describe('a copier', () => {
  it('copies what `set` copies and touches nothing else, from and to whatever arrays', () =>
    withSeeds(20, (random) => {
      const copier = new Copier()
      const shared = new Uint8Array(new SharedArrayBuffer(2000))
      shared.set(random.bytes(shared.length))
      const sources = [shared, random.bytes(2000), random.bytes(2100).subarray(7, 2007)]
      const targets = [new Uint8Array(2000), new Uint8Array(2050).subarray(3, 2003)]
      let last: Uint8Array = shared
      for (let i = 0; i < 300; i++) {
        // Mostly the one before: an array is copied in another way when it is met again and again.
        const source = random.chance(0.05) ? random.pick(sources) : last
        last = source
        const target = random.pick(targets)
        const length = random.pick([random.below(20), random.below(200), 511, 512, random.below(1000)])
        const start = random.below(source.length - length + 1)
        const at = random.below(target.length - length + 1)
        const expected = target.slice()
        expected.set(source.subarray(start, start + length), at)
        copier.copy(source, start, start + length, target, at)
        expect(target).toEqual(expected)
      }
    }))
})
