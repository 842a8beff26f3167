import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { rebalanceKilled } from '../../bench/shard-rebalance.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()
// A process of its own needs what the build makes of the script.
const script = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/bench/shard-rebalance.js')

it('a rebalance whose process is killed leaves every key once, with its value, and moves little more than it must', {
  timeout: 0,
}, async () => {
  const outcome = await rebalanceKilled(directory(), 12_000, 4, { path: script, execArgv: [] })
  expect(outcome.problems).toEqual([])
  expect(outcome.kills).toBeGreaterThan(0)
  expect(outcome.keysMoved).toBeGreaterThan(0)
  expect(outcome.movedOverBest).toBeLessThanOrEqual(1.15)
})
