import { beforeEach, describe, expect, it, vi } from 'vitest'
import { crashSweep } from './crash-sweep.js'
import { withSeeds } from './reproduce.js'
import { WORKLOADS } from './workloads.js'

vi.mock('../../src/tree/tuning.js', async (original) => {
  const { SMALL_TUNING } = await import('./small-tuning.js')
  return { ...(await original<object>()), ...SMALL_TUNING }
})

/** `npm run test:crash -- --rounds N`: N seeds, a crash at every call. */
const ROUNDS = Number(process.env['SILTSTONE_CRASH_ROUNDS'] ?? 0)

beforeEach(() => {
  // Pacing looks at the clock of the machine; standing still it makes every run the same.
  vi.spyOn(performance, 'now').mockReturnValue(0)
})

describe('a store that is stopped at any call of the file system comes back with all it promised', () => {
  it.each(WORKLOADS)('$name', { timeout: ROUNDS > 0 ? 0 : 120_000 }, async (workload) => {
    await withSeeds(ROUNDS || 1, async (_, seed) => {
      const tally = await crashSweep({ workload, seed, stride: ROUNDS > 0 ? 1 : 9, outcomes: ROUNDS > 0 ? 4 : 2 })
      expect(tally.crashes).toBeGreaterThan(tally.crashPoints)
      if (ROUNDS > 0 || process.env['SILTSTONE_SAY'])
        console.log(`seed ${seed}: ${tally.crashPoints} crash points, ${tally.crashes} crashes`)
    })
  })
})
