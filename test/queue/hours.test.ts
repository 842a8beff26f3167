import { describe, expect, it, vi } from 'vitest'
import { withSeeds } from '../simulation/reproduce.js'
import { Hours } from './hours.js'

/** `npm run test:kill -- --rounds N`: so many stories, each of some hours. */
const ROUNDS = Number(process.env['SILTSTONE_KILL_ROUNDS'] ?? 0)

describe('a queue over hours of simulated time', () => {
  it('loses nothing, does nothing twice or too early, and counts right, whenever its process is killed or the power goes', {
    timeout: 0,
  }, async () => {
    const told = { hours: 0, deaths: 0, sent: 0, done: 0, died: 0, expired: 0, ticks: 0, heldTicks: 0 }
    await withSeeds(ROUNDS || 4, async (random, seed) => {
      // The jitter of the backoff has to come again with the seed.
      const chance = vi.spyOn(Math, 'random').mockImplementation(() => random.fraction())
      const hours = new Hours(random)
      try {
        await hours.pass(random.between(3, 8))
      } finally {
        chance.mockRestore()
      }
      const { tally } = hours
      for (const name of Object.keys(told) as (keyof typeof told)[]) told[name] += tally[name]
      if (ROUNDS > 0) console.log(`seed ${seed}`, tally)
    })
    // All of it has happened, or this shows nothing.
    if (process.env['SILTSTONE_SEED'] === undefined) {
      for (const [name, count] of Object.entries(told)) expect(count, name).toBeGreaterThan(5)
    }
  })
})
