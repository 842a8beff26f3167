import { expect, it } from 'vitest'
import { open, repair, SiltstoneError } from '../../../src/index.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SimulatedCrash, SimulatedDisk } from '../../simulation/simulated-disk.js'

const CONTENT = new Map(Array.from({ length: 40 }, (_, i) => [`key ${String(i).padStart(2, '0')}`, `value ${i}`]))

/** A store with tables and a log, and a checkpoint of it. Says when the checkpoint was reported to be made. */
async function session(disk: SimulatedDisk, reached: { filled?: number; made?: boolean }): Promise<void> {
  const db = await open('/store', { fs: disk, executor: 'inline', writeBufferBytes: 64 * 1024 })
  let written = 0
  for (const [key, value] of CONTENT) {
    await db.put(key, value)
    if (++written % 15 === 0) await db.flush()
  }
  await db.put('synced', 'yes', { sync: true })
  reached.filled = disk.callCount
  await db.checkpoint('/copy')
  reached.made = true
  await db.close()
}

async function crashOf(disk: SimulatedDisk): Promise<void> {
  while (!disk.crashed) await new Promise((resolve) => setImmediate(resolve))
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const OPENED = { executor: 'inline', recovery: 'strict' } as const

/** What opening the place of the checkpoint comes to. */
async function judge(disk: SimulatedDisk): Promise<'complete' | 'unfinished' | 'nothing'> {
  try {
    const copy = await open('/copy', { fs: disk, createIfMissing: false, ...OPENED })
    expect(copy.recovery.losses).toEqual([])
    expect(Object.fromEntries(await copy.entries().toArray())).toEqual({
      ...Object.fromEntries(CONTENT),
      synced: 'yes',
    })
    expect((await copy.verify()).findings).toEqual([])
    await copy.close()
    return 'complete'
  } catch (error) {
    if (!(error instanceof SiltstoneError)) throw error
    if (error.code === 'SILT_NOT_FOUND') return 'nothing'
    expect(error.code).toBe('SILT_CORRUPTION')
    expect(error.message).toContain('interrupted before it was complete')
    return 'unfinished'
  }
}

it('is whole or no store, wherever power is lost or the process dies, and its origin is unharmed', () =>
  withSeeds(2, async (_, seed) => {
    const whole = new SimulatedDisk(seed)
    const reached: { filled?: number; made?: boolean } = {}
    await session(whole, reached)
    const seen = new Set<string>()
    for (let call = reached.filled! + 1; call < whole.callCount; call++) {
      for (const end of ['crash', 'crash', 'processDeath'] as const) {
        const disk = new SimulatedDisk(seed)
        disk.crashAtCall(call)
        const { made } = await sessionUntilCrash(disk)
        const after = disk[end]()
        const verdict = await judge(after)
        seen.add(verdict)
        if (made) expect(verdict, `${end} at call ${call}`).toBe('complete')
        const db = await open('/store', { fs: after, ...OPENED })
        expect(await db.count(), `${end} at call ${call}`).toBe(CONTENT.size + 1)
        expect((await db.verify()).findings).toEqual([])
        if (verdict === 'complete') await expect(db.checkpoint('/copy')).rejects.toMatchObject({ code: 'SILT_EXISTS' })
        else {
          await db.checkpoint('/copy')
          expect(await judge(after)).toBe('complete')
        }
        await db.close()
        expect(after.openPaths).toEqual([])
      }
    }
    expect([...seen].sort()).toEqual(['complete', 'nothing', 'unfinished'])
  }))

async function sessionUntilCrash(disk: SimulatedDisk): Promise<{ made?: boolean }> {
  const reached: { made?: boolean } = {}
  const ended = session(disk, reached).catch((error: unknown) => {
    if (!(error instanceof SimulatedCrash) && !disk.crashed) throw error
  })
  await Promise.race([ended, crashOf(disk)])
  return reached
}

it('is not made a store of by a repair before it is complete', async () => {
  const disk = new SimulatedDisk(1)
  const reached: { filled?: number } = {}
  await session(disk, reached)
  const other = new SimulatedDisk(1)
  other.crashAtCall(reached.filled! + 14)
  await sessionUntilCrash(other)
  const after = other.processDeath()
  expect(await judge(after)).toBe('unfinished')
  await expect(repair('/copy', { fs: after })).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
  expect(await judge(after)).toBe('unfinished')
})
