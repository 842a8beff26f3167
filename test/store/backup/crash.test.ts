import { expect, it } from 'vitest'
import { backup, listBackups, open, pruneBackups, restoreBackup, verifyBackup } from '../../../src/index.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

const STRIDE = 2

interface Reached {
  /** Calls before the first backup. */
  begun: number
  /** Backups that were reported to be made, less those that were pruned. */
  made: number[]
}

/** Three backups of a store that grows, and the removal of the first. */
async function session(disk: SimulatedDisk, reached: Reached): Promise<void> {
  const db = await open('/store', { fs: disk, executor: 'inline', writeBufferBytes: 64 * 1024 })
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 10; i++) await db.put(`key ${i}`, `round ${round}`)
    if (round < 3) await db.flush()
    if (round === 1) reached.begun = disk.callCount
    const { id } = await backup(db, '/backups')
    reached.made.push(id)
  }
  // From here on the first may be gone.
  reached.made = [2, 3]
  await pruneBackups('/backups', { keep: 2, fs: disk })
  await db.close()
}

async function sessionUntilCrash(disk: SimulatedDisk): Promise<number[]> {
  const reached: Reached = { begun: 0, made: [] }
  const crashed = (async () => {
    while (!disk.crashed) await new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  })()
  await Promise.race([session(disk, reached).catch(() => {}), crashed])
  return reached.made
}

it('every backup that counts can be restored, and every one that was reported counts, wherever the power goes', () =>
  withSeeds(1, async (random, seed) => {
    const whole = new SimulatedDisk(seed)
    const reached: Reached = { begun: 0, made: [] }
    await session(whole, reached)
    for (let call = reached.begun + 1 + random.below(STRIDE); call < whole.callCount; call += STRIDE) {
      const disk = new SimulatedDisk(seed)
      disk.crashAtCall(call)
      const made = await sessionUntilCrash(disk)
      const after = random.chance(0.7) ? disk.crash() : disk.processDeath()
      const listed = (await listBackups('/backups', { fs: after })).map(({ id }) => id)
      expect(listed, `call ${call}`).toEqual(expect.arrayContaining(made))
      for (const id of listed) {
        expect(await verifyBackup('/backups', id, { fs: after }), `call ${call}`).toMatchObject({ ok: true })
        await restoreBackup('/backups', id, `/restored ${id}`, { fs: after })
        const copy = await open(`/restored ${id}`, { fs: after, executor: 'inline', recovery: 'strict' })
        expect(await copy.get('key 9'), `call ${call}`).toBe(`round ${id}`)
        await copy.close()
      }
      // The next one works, and clears away what was interrupted.
      const db = await open('/store', { fs: after, executor: 'inline' })
      await backup(db, '/backups')
      await db.close()
      await pruneBackups('/backups', { keep: 1, fs: after })
      const files = [...after.snapshotFiles().keys()].filter((path) => path.startsWith('/backups/'))
      const [{ files: count } = { files: 0 }] = await listBackups('/backups', { fs: after })
      expect(files, `call ${call}`).toHaveLength(count + 1)
      expect(after.openPaths).toEqual([])
    }
  }))
