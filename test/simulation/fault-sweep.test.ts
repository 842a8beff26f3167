import { beforeEach, describe, expect, it, vi } from 'vitest'
import { faultSweep } from './fault-sweep.js'
import { withSeeds } from './reproduce.js'
import { WORKLOADS } from './workloads.js'

vi.mock('../../src/tree/tuning.js', async (original) => {
  const { SMALL_TUNING } = await import('./small-tuning.js')
  return { ...(await original<object>()), ...SMALL_TUNING }
})

/** `npm run test:crash -- --rounds N`: N seeds, a fault at every call. */
const ROUNDS = Number(process.env['SILTSTONE_CRASH_ROUNDS'] ?? 0)

beforeEach(() => {
  vi.spyOn(performance, 'now').mockReturnValue(0)
})

describe('a store of which any one call to the disk fails tells so, and shows exactly what it has accepted', () => {
  it.each(WORKLOADS)('$name', { timeout: ROUNDS > 0 ? 0 : 120_000 }, async (workload) => {
    await withSeeds(ROUNDS || 1, async (_, seed) => {
      const tally = await faultSweep({ workload, seed, stride: ROUNDS > 0 ? 1 : 9 })
      expect(tally.errors).toBeGreaterThan(0)
      if (ROUNDS > 0 || process.env['SILTSTONE_SAY'])
        console.log(`seed ${seed}: ${tally.faults} faults, ${tally.errors} errors told`)
    })
  })
})
