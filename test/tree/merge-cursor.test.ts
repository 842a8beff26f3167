import { expect, it } from 'vitest'
import { MergeCursor } from '../../src/tree/merge-cursor.js'
import { withSeeds } from '../simulation/reproduce.js'
import { SegmentWriter } from './segment-writer.js'

it('merges any number of sources: keys ascending, of a key the newest version first', () =>
  withSeeds(30, (random) => {
    const count = random.between(1, 9)
    const expected: string[] = []
    const sources = Array.from({ length: count }, (_, i) => {
      const segment = new SegmentWriter(i + 1, i * 1_000_000)
      const entries = random.below(4) === 0 ? 0 : random.below(200)
      for (let n = 0; n < entries; n++) {
        const key = `key ${String(random.below(100)).padStart(3, '0')}`
        const position = segment.put(1, key, `value ${n}`, Number.POSITIVE_INFINITY)
        expected.push(`${key} ${String(1e9 - position).padStart(10, '0')}`)
      }
      return segment.memtable(1).cursorOverAll()
    })
    const merged = new MergeCursor(random.shuffle(sources))
    const seen: string[] = []
    for (merged.seekToFirst(); merged.valid; merged.next()) {
      const { keyBytes, keyStart, keyEnd, position } = merged
      seen.push(`${Buffer.from(keyBytes.subarray(keyStart, keyEnd))} ${String(1e9 - position).padStart(10, '0')}`)
    }
    expect(seen).toEqual(expected.sort())
  }))
