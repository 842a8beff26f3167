import { expect, it } from 'vitest'
import { ALL_KEYS } from '../../src/tree/key-range.js'
import { withSeeds } from '../simulation/reproduce.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { expectSoundLevels, ForestFixture } from './forest-fixture.js'

const ROUNDS = 6

/** A session in which everything happens once: flushes, a minor and a major compaction, a clean close and an opening. */
async function session(disk: SimulatedDisk, acknowledged: Map<string, string>): Promise<void> {
  const fixture = await ForestFixture.open({ fs: disk })
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < 30; i++) fixture.segment.put(1, `key ${i}`, `round ${round}`)
    fixture.segment.put(1, `only in ${round}`, 'yes')
    await fixture.flush()
    for (let i = 0; i < 30; i++) acknowledged.set(`key ${i}`, `round ${round}`)
    acknowledged.set(`only in ${round}`, 'yes')
    if (round === 2) await fixture.forest.compactRange(fixture.tree(1), { range: ALL_KEYS, kind: 'minor' })
    if (round === 4) await fixture.forest.compactRange(fixture.tree(1), { range: ALL_KEYS, kind: 'major' })
  }
  await fixture.close()
  await fixture.reopen()
  await fixture.forest.idle()
  await fixture.close()
}

it('keeps every table that was acknowledged, wherever power is lost', () =>
  withSeeds(2, async (random, seed) => {
    const whole = new SimulatedDisk(seed)
    await session(whole, new Map())
    for (let call = 1 + random.below(3); call < whole.callCount; call += 3) {
      const disk = new SimulatedDisk(seed)
      disk.crashAtCall(call)
      const acknowledged = new Map<string, string>()
      // The session ends in the crash, or hangs on what the crash has stopped.
      await Promise.race([session(disk, acknowledged).catch(() => {}), crashOf(disk)])
      const after = disk.crash()
      after.makeDirectorySync('/store')
      const fixture = await ForestFixture.open({ fs: after })
      if (!fixture.forest.trees.has(1)) {
        expect(acknowledged.size, `call ${call}`).toBe(0)
        continue
      }
      fixture.forest.deleteObsoleteFiles()
      for (const [key, value] of acknowledged) {
        const seen = fixture.get(1, key)
        // A round that was under way may be there too.
        expect(seen === value || Number(seen?.slice(6)) > Number(value.slice(6)), `call ${call}: ${key} ${seen}`).toBe(
          true,
        )
      }
      expectSoundLevels(fixture.tree(1))
      await fixture.forest.idle()
      const tables = fixture.tree(1).version.metas().flat()
      expect(fixture.files('.sst')).toHaveLength(tables.length)
      await fixture.close()
    }
  }))

async function crashOf(disk: SimulatedDisk): Promise<void> {
  while (!disk.crashed) await new Promise((resolve) => setImmediate(resolve))
  // What was under way hears of it.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
