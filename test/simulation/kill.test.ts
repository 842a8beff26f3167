import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { killRounds } from './kill-rounds.js'
import { withSeeds } from './reproduce.js'

/** `npm run test:kill -- --rounds N`. */
const ROUNDS = Number(process.env['SILTSTONE_KILL_ROUNDS'] ?? 0)

describe('a process that is killed while it writes', () => {
  it(
    'leaves everything that was acknowledged, whole and in order, also to those who read beside it',
    { timeout: 0 },
    () =>
      withSeeds(1, async (random) => {
        const base = mkdtempSync(join(tmpdir(), 'siltstone-kill-'))
        try {
          // Fresh stores now and then: the making of one is to be interrupted too.
          const rounds = ROUNDS || 24
          for (let done = 0; done < rounds; done += 12) {
            const tally = await killRounds(join(base, String(done)), Math.min(12, rounds - done), random)
            expect(tally.acknowledged).toBeGreaterThan(0)
            expect(tally.looks).toBeGreaterThan(0)
            if (ROUNDS > 0) console.log(`${done + tally.rounds} rounds`, tally)
          }
        } finally {
          rmSync(base, { recursive: true, force: true })
        }
      }),
  )
})
