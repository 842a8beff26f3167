import { describe, expect, it } from 'vitest'
import { type Database, MemoryFileSystem, open } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { meanwhile } from '../../simulation/meanwhile.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { applyTo, contentOf } from './replica.js'
import { writeSomething } from './write-something.js'

async function copy(db: Database, replica: Database, since: number): Promise<void> {
  for await (const commit of db.changes({ since, follow: false })) await applyTo(replica, commit)
}

describe('a replica made of nothing but changes', () => {
  it('holds what its source holds, whatever is done to that, live and after reopening', () =>
    withSeeds(6, async (random) => {
      const clock = new ManualClock()
      const options = { executor: 'inline', writeBufferBytes: 64 * 1024, clock } as const
      const source = { ...options, fs: new MemoryFileSystem(), logRetention: { bytes: Number.POSITIVE_INFINITY } }
      await using replica = await open(':memory:', options)
      let position = 0
      for (let session = 0; session < 3; session++) {
        const db = await open('/store', source)
        const controller = new AbortController()
        const follow = async (): Promise<void> => {
          for await (const commit of db.changes({ since: position, signal: controller.signal })) {
            expect(commit.position).toBeGreaterThan(position)
            position = commit.position
            await applyTo(replica, commit)
          }
        }
        const following = follow().catch((reason) => expect(reason).toBe('stop'))
        const write = async (): Promise<void> => {
          for (let i = 0; i < 60; i++) await writeSomething(db, random)
        }
        await meanwhile(clock, Promise.all([write(), write(), write()]))
        controller.abort('stop')
        await meanwhile(clock, following)
        await meanwhile(clock, db.close())
      }
      await using db = await open('/store', source)
      await meanwhile(clock, copy(db, replica, position))
      expect(contentOf(replica)).toEqual(contentOf(db))
      clock.advance(3000)
      expect(contentOf(replica)).toEqual(contentOf(db))
      await using second = await open(':memory:', options)
      await meanwhile(clock, copy(db, second, 0))
      expect(contentOf(second)).toEqual(contentOf(db))
    }))
})
