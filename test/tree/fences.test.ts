import { expect, test } from 'vitest'
import { compareKeys } from '../../src/bytes/compare.js'
import { Fences } from '../../src/tree/fences.js'
import { containsKey, type KeyRange } from '../../src/tree/key-range.js'
import { type SeededRandom, seededRandom } from '../table/random.js'

/** Few different bytes, so that keys are prefixes of each other and heads are alike. */
function someKey(random: SeededRandom, prefix: Uint8Array): Uint8Array {
  const rest = Array.from({ length: random.integer(0, 7) }, () => random.pick([0, 0, 1, 0x7f, 0x80, 0xff]))
  return Uint8Array.of(...prefix, ...rest)
}

test('the range that holds a key is found, whatever the keys', () => {
  const random = seededRandom('fences')
  for (let round = 0; round < 2000; round++) {
    const prefix = random.bytes(random.pick([0, 0, 1, 3, 12]))
    const keys = Array.from({ length: random.integer(2, 20) }, () => someKey(random, prefix))
      .sort(compareKeys)
      .filter((key, i, all) => i === 0 || compareKeys(key, all[i - 1]!) !== 0)
    if (keys.length < 2) continue
    const ranges: KeyRange[] = []
    for (let i = 0; i + 1 < keys.length; i += random.pick([1, 1, 2])) {
      ranges.push({ start: keys[i]!, end: keys[i + 1]! })
    }
    if (random.integer(0, 4) === 0) ranges.push({ start: ranges.at(-1)!.end!, end: undefined })
    const fences = new Fences(ranges)
    const sought = [
      ...keys,
      ...Array.from({ length: 20 }, () => someKey(random, random.integer(0, 9) > 0 ? prefix : new Uint8Array(0))),
    ]
    for (const key of sought) {
      const among = Uint8Array.of(7, ...key, 9)
      expect(fences.find(among, 1, 1 + key.length), `round ${round}`).toBe(
        ranges.findIndex((range) => containsKey(range, key, 0, key.length)),
      )
    }
  }
})
