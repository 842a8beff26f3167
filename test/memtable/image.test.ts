import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Memtable } from '../../src/memtable/memtable.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { key } from './arena.js'
import { backward, forward, lookup, Modelled } from './model.js'

const NOW = Number.POSITIVE_INFINITY

/** A memtable with versions, deletions and range deletions. */
function filled(random: SeededRandom, count: number): Modelled {
  const model = new Modelled()
  for (let i = 0; i < count; i++) {
    const name = `key ${random.below(count)}`
    if (random.chance(0.2)) model.delete(name)
    else model.put(name)
    if (random.chance(0.02)) model.pin()
    if (random.chance(0.02)) model.memtable.add(model.arena.deleteRange(key('key 5'), key('key 6')), 0)
  }
  return model
}

describe('the image of a sealed memtable', () => {
  it('reads as the memtable does, once it has been cloned as for a message', () =>
    withSeeds(6, (random) => {
      const model = filled(random, random.pick([0, 1, 64, 65, 2000]))
      const original = model.memtable
      const copy = Memtable.fromImage(structuredClone(original.image()))
      for (const limit of [...model.pins, NOW]) {
        expect(forward(copy.cursor(limit))).toEqual(model.stateAt(limit))
        expect(backward(copy.cursor(limit))).toEqual(model.stateAt(limit).toReversed())
        for (const name of model.keys) expect(lookup(copy, name, limit)).toEqual(model.versionAt(name, limit))
      }
      expect(forward(copy.cursorOverAll())).toEqual(model.keptVersions)
      expect(copy.rangeTombstones.encode()).toEqual(original.rangeTombstones.encode())
      expect({ ...copy.image(), index: null, bytes: null }).toEqual({ ...original.image(), index: null, bytes: null })
      expect([copy.entryCount, copy.deletionCount, copy.isEmpty, copy.index.shadowedCount]).toEqual([
        original.entryCount,
        original.deletionCount,
        original.isEmpty,
        original.index.shadowedCount,
      ])
    }))

  it('is read by another thread where it is, without a copy', () =>
    withSeeds(1, async (random) => {
      const model = filled(random, 3000)
      const worker = new Worker(new URL('./read-image.mjs', import.meta.url), { workerData: model.memtable.image() })
      const [read] = await once(worker, 'message')
      await worker.terminate()
      const lines = model.keptVersions.map((version) => `${version.key}@${version.position}=${version.value}`)
      expect(read).toEqual({ lines, isShared: true })
    }))
})
