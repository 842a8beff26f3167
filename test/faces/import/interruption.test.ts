import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { open } from '../../../src/index.js'
import { importLevel } from '../../../src/level.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { meanwhile } from '../../simulation/meanwhile.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { scratchDirectory } from '../level/scratch.js'
import { contentOf, randomEntries, shown, sourceOf } from './sources.js'

/** `npm run test:crash -- --rounds N`: so many hundred imports. */
const ROUNDS = Number(process.env['SILTSTONE_CRASH_ROUNDS'] ?? 0)

const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

describe('an import that is interrupted', () => {
  it('goes on from whatever a crash has left, and is whole in the end', { timeout: 0 }, () =>
    withSeeds(ROUNDS * 100 || 20, async (random, seed) => {
      const entries = randomEntries(400, seed, 1000)
      const expected = shown(entries)
      const source = await sourceOf(entries)
      const clock = new ManualClock()
      let disk = new SimulatedDisk(seed)
      for (let life = 0, isDone = false; !isDone; life++) {
        const fs = disk
        const isOver = (): boolean => fs.crashed
        // The last life is not cut short, however many there were before.
        if (life < 6) fs.crashAtCall(random.between(5, 250))
        const live = async (): Promise<void> => {
          const db = await open('/store', { ...BYTES, fs, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
          const there = await contentOf(db)
          // Commits are whole, and in order: what is there is what the source begins with.
          expect(there).toEqual(expected.slice(0, there.length))
          const complete = there.length === entries.length
          try {
            const report = await importLevel(source, db, { batchEntries: random.between(1, 60) })
            expect(report).toMatchObject({ entries: 400, resumedAfter: there.length })
          } catch (error) {
            // It had ended, and what ended it had got lost with the life of who would have heard of it.
            if (!complete || (error as { code?: string }).code !== 'SILT_EXISTS') throw error
          }
          // Once it has resolved no closing is needed, whatever happens to the power.
          if (random.chance(0.5)) await db.close()
          isDone = true
        }
        try {
          await meanwhile(clock, live(), isOver)
        } catch (error) {
          if (!isOver()) throw error
        }
        disk = random.chance(0.5) ? fs.crash() : fs.processDeath()
      }
      const db = await open('/store', { ...BYTES, fs: disk, clock, executor: 'inline' })
      expect(await contentOf(db)).toEqual(expected)
      await expect(importLevel(source, db)).rejects.toMatchObject({ code: 'SILT_EXISTS' })
      await db.close()
    }),
  )

  it('goes on after its process was killed, wherever it was', async () => {
    const [from, to] = [scratchDirectory(), scratchDirectory()]
    const entries = randomEntries(4000)
    const expected = shown(entries)
    const level = new ClassicLevel<Buffer, Buffer>(from, BYTES)
    await level.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
    await level.close()
    const random = new SeededRandom(1)
    const program = fileURLToPath(new URL('./import-process.mjs', import.meta.url))
    let there = 0
    for (let kill = 0; kill < 3; kill++) {
      const child = spawn(process.execPath, [program, from, to], { stdio: ['ignore', 'pipe', 'inherit'] })
      const ended = once(child, 'close')
      const commits = random.between(1, 40)
      let seen = 0
      for await (const line of createInterface({ input: child.stdout })) {
        if (line === 'copy' && ++seen === commits) child.kill('SIGKILL')
      }
      expect((await ended)[1]).toBe('SIGKILL')
      const db = await open(to, BYTES)
      const found = await contentOf(db)
      await db.close()
      expect(found.length).toBeGreaterThanOrEqual(there + commits * 20 - 20)
      expect(found).toEqual(expected.slice(0, found.length))
      there = found.length
    }
    expect(there).toBeLessThan(entries.length)
    await level.open()
    const db = await open(to, BYTES)
    expect(await importLevel(level, db)).toMatchObject({ entries: 4000, resumedAfter: there })
    expect(await contentOf(db)).toEqual(expected)
    await db.close()
    await level.close()
  })
})
