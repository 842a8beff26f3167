import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { meanwhile } from '../../simulation/meanwhile.js'
import { withSeeds } from '../../simulation/reproduce.js'
import type { SeededRandom } from '../../simulation/seeded-random.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { commitsOf } from './replica.js'

/** What the writers of all sessions were promised. */
interface Promises {
  /** Commits issued so far; each puts a key of its own, so the keys of the store are its history. */
  issued: number
  /** Keys of those whose loss of power was ruled out. */
  readonly synced: Set<string>
  /** Positions that a reader of changes has written down, with the key of their commits. */
  readonly noted: Map<string, number>
}

async function writeUntilTheEnd(db: Database, random: SeededRandom, promises: Promises): Promise<void> {
  for (let i = 0; i < 150; i++) {
    const key = String(promises.issued++).padStart(5, '0')
    const sync = random.chance(0.2)
    await db.put(key, 'x'.repeat(random.below(4000)), { sync })
    if (sync) promises.synced.add(key)
    if (random.chance(0.03)) await db.flush()
    if (random.chance(0.1)) promises.noted.set(key, db.stats().log.position)
  }
  if (random.chance(0.5)) await db.close()
}

/** The feed is the history of the store: every commit that is there, once, in order, and all that had to be. */
async function checkFeed(db: Database, promises: Promises): Promise<void> {
  const commits = await commitsOf(db)
  const keys = commits.map(({ operations: [operation] }) => (operation?.type === 'put' ? operation.key : 'no put'))
  expect(keys).toEqual([...db.keys()])
  for (const key of promises.synced) if (!keys.includes(key)) expect.fail(`commit ${key} was synced and is lost`)
  const positions = commits.map(({ position }) => position)
  expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  for (const [key, position] of promises.noted) {
    const place = keys.indexOf(key)
    if (place >= 0) expect(await commitsOf(db, position)).toEqual(commits.slice(place + 1))
    else {
      // Its commit was seen and then lost with the power: to go on from there would be to skip what never happened.
      await expect(commitsOf(db, position)).rejects.toMatchObject({ code: 'SILT_GONE' })
      promises.noted.delete(key)
    }
  }
}

describe('changes after crashes', () => {
  it('are the history of what is in the store, whenever the power goes', () =>
    withSeeds(60, async (random, seed) => {
      const clock = new ManualClock()
      const promises: Promises = { issued: 0, synced: new Set(), noted: new Map() }
      let disk = new SimulatedDisk(seed)
      for (let session = 0; session < 4; session++) {
        const fs = disk
        const isOver = (): boolean => fs.crashed
        const logRetention = { bytes: Number.POSITIVE_INFINITY }
        const options = { fs, clock, logRetention, executor: 'inline', writeBufferBytes: 64 * 1024 } as const
        if (session < 3) fs.crashAtCall(random.between(5, 500))
        const live = async (): Promise<void> => {
          const db = await open('/store', options)
          await checkFeed(db, promises)
          await writeUntilTheEnd(db, random, promises)
        }
        try {
          await meanwhile(clock, live(), isOver)
        } catch (error) {
          if (!isOver()) throw error
        }
        if (session < 3) disk = random.chance(0.7) ? fs.crash() : fs.processDeath()
      }
    }))
})
