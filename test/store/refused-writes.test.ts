import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

/*
 * A write that was refused is never visible, now or after reopening. Each of these was found by the sweep over all faults, or
 * by asking what it could not reach.
 */

function openOn(disk: SimulatedDisk): Promise<Database> {
  return open('/store', { fs: disk, clock: new ManualClock(), executor: 'inline', writeBufferBytes: 64 * 1024 })
}

function usedBytes(disk: SimulatedDisk): number {
  return [...disk.snapshotFiles().values()].reduce((sum, bytes) => sum + bytes.length, 0)
}

const FULL = expect.objectContaining({ status: 'rejected', reason: expect.objectContaining({ code: 'SILT_NO_SPACE' }) })
const FAILED = expect.objectContaining({ status: 'rejected', reason: expect.objectContaining({ code: 'SILT_FAILED' }) })

describe('a write that was refused', () => {
  /** The group was cut off in the page cache only: a loss of power brought back those of its records that had reached the disk. */
  it('for want of space does not come back after a loss of power', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const disk = new SimulatedDisk(seed)
      const db = await openOn(disk)
      // Large, so that the file is not filled ahead of what follows.
      await db.put('accepted', '1'.repeat(5000), { sync: true })
      // Two records of the group fit, the third does not.
      disk.quotaBytes = usedBytes(disk) + 130
      const group = ['a', 'b', 'c'].map((key) => db.put(key, 'x'))
      expect(await Promise.allSettled(group)).toEqual([FULL, FULL, FULL])
      const again = await openOn(disk.crash())
      expect(again.keys().toArraySync(), `seed ${seed}`).toEqual(['accepted'])
      await again.close()
    }
  })

  /** The group stood at the beginning of a fresh segment, and was not recognized as the one that nobody had seen yet. */
  it('because a sync failed does not come back, also as the first of a segment', async () => {
    const disk = new SimulatedDisk(1)
    const db = await openOn(disk)
    await db.put('accepted', '1'.repeat(30_000), { sync: true })
    await db.flush()
    disk.failCall(disk.callCountOf('sync') + 1, 'EIO', 'sync')
    const group = ['a', 'b'].map((key) => db.put(key, 'x', { sync: true }))
    expect(await Promise.allSettled(group)).toEqual([FAILED, FAILED])
    expect(db.getSync('a')).toBeUndefined()
    await db.close()
    const again = await openOn(disk)
    expect(again.keys().toArraySync()).toEqual(['accepted'])
    await again.close()
  })
})

describe('a store of which a sync has failed', () => {
  it('is read, takes no write, and does not call its end a clean one', async () => {
    const disk = new SimulatedDisk(1)
    const db = await openOn(disk)
    await db.put('accepted', '1')
    disk.failCall(disk.callCountOf('sync') + 1, 'EIO', 'sync')
    await expect(db.put('refused', '1', { sync: true })).rejects.toMatchObject({ code: 'SILT_FAILED' })
    expect(await db.get('accepted')).toBe('1')
    await expect(db.put('later', '1')).rejects.toMatchObject({ code: 'SILT_FAILED' })
    // The kernel has forgotten what it could not write: this sync would succeed and mean nothing.
    const syncs = disk.callCountOf('sync')
    await db.close()
    expect(disk.callCountOf('sync')).toBe(syncs)
    const again = await openOn(disk)
    expect(again.engine.forest.clean).toBeNull()
    expect(again.keys().toArraySync()).toEqual(['accepted'])
    await again.put('later', '1', { sync: true })
    await again.close()
  })
})
