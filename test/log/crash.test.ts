import { describe, expect, it } from 'vitest'
import { withSeeds } from '../simulation/reproduce.js'
import { SeededRandom } from '../simulation/seeded-random.js'
import type { SimulatedDisk } from '../simulation/simulated-disk.js'
import { append, newDisk, newLog, payloads, recover, rotate } from './sample-log.js'

// Making the directory and syncing its name.
const SETUP_CALLS = 2

/** What a writer did until the disk crashed. */
interface History {
  /** All payloads, in the order in which they were issued. */
  readonly issued: string[]
  /** How many of them were written when the last successful sync began. */
  acknowledged: number
}

/** Appends, syncs and rotates at random, until it is through or the disk crashes under it. */
async function write(disk: SimulatedDisk, random: SeededRandom, history: History): Promise<void> {
  const log = newLog(disk, { base: 5000 })
  for (let step = 0; step < 12; step++) {
    const payload = `${step}:${'x'.repeat(random.pick([0, 10, 400, 900]))}`
    if (!log.fits(payload.length) || random.chance(0.15)) rotate(log, disk)
    history.issued.push(payload)
    append(log, payload)
    if (!random.chance(0.3)) continue
    const count = history.issued.length
    if (random.chance(0.5)) log.syncSync()
    else await log.sync()
    history.acknowledged = count
  }
  log.close()
}

/** Runs the workload of a seed up to a crash at one of its calls. */
async function crashed(seed: number, call: number): Promise<[SimulatedDisk, History]> {
  const disk = newDisk(seed)
  disk.crashAtCall(call)
  const history: History = { issued: [], acknowledged: 0 }
  try {
    await write(disk, new SeededRandom(seed), history)
  } catch (error) {
    // Wrapped or not, it is what every call gets from the crash on.
    if (!disk.crashed) throw error
  }
  return [disk, history]
}

/** Recovers and checks what came back. */
function check(disk: SimulatedDisk, { issued, acknowledged }: History, call: number): void {
  const log = recover(disk, { strict: true })
  const found = payloads(log)
  expect(found, `after a crash at call ${call}`).toEqual(issued.slice(0, found.length))
  expect(found.length, `after a crash at call ${call}`).toBeGreaterThanOrEqual(acknowledged)
}

describe('after a loss of power at any call', () => {
  it('everything that was synced is there, and of the rest a prefix', () =>
    withSeeds(15, async (_, seed) => {
      const [whole] = await crashed(seed, Number.POSITIVE_INFINITY)
      for (let call = SETUP_CALLS + 1; call <= whole.callCount + 1; call++) {
        const [disk, history] = await crashed(seed, call)
        for (let outcome = 0; outcome < 6; outcome++) check(disk.crash(), history, call)
      }
    }))
})

describe('after the death of the process at any call', () => {
  it('everything that was written is there', () =>
    withSeeds(15, async (_, seed) => {
      const [whole] = await crashed(seed, Number.POSITIVE_INFINITY)
      for (let call = SETUP_CALLS + 1; call <= whole.callCount + 1; call++) {
        const [disk, history] = await crashed(seed, call)
        // All but the record whose write was interrupted.
        check(disk.processDeath(), { ...history, acknowledged: history.issued.length - 1 }, call)
      }
    }))
})
