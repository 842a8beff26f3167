import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'

const HOUR = 3_600_000

async function store(): Promise<{
  db: Database
  clock: ManualClock
  fs: MemoryFileSystem
  reopen(): Promise<Database>
}> {
  const clock = new ManualClock()
  const fs = new MemoryFileSystem()
  const reopen = (): Promise<Database> => open('/store', { clock, fs, executor: 'inline', writeBufferBytes: 64 * 1024 })
  return { db: await reopen(), clock, fs, reopen }
}

describe('a clock that jumps', () => {
  it('ahead ends what expires before, in memory and in tables, for snapshots too', async () => {
    const { db, clock } = await store()
    await db.put('in a table', '1', { ttl: HOUR })
    await db.flush()
    await db.put('in memory', '1', { ttl: HOUR })
    await db.put('for longer', '1', { ttl: 3 * HOUR })
    const snapshot = db.snapshot()
    clock.jump(2 * HOUR)
    expect(db.keys().toArraySync()).toEqual(['for longer'])
    expect(snapshot.keys().toArraySync()).toEqual(['for longer'])
    expect(await db.getMany(['in a table', 'in memory'])).toEqual([undefined, undefined])
    await db.close()
  })

  /** A time to live is a moment on the wall clock, so a clock set back lets keys live on; it brings back none that compaction removed. */
  it('back lets what has not expired by then live on, and brings back nothing that is gone from the disk', async () => {
    const { db, clock } = await store()
    await db.put('removed', '1', { ttl: HOUR })
    await db.put('older', '0')
    await db.put('older', '1', { ttl: HOUR })
    clock.jump(2 * HOUR)
    await db.compact()
    await db.put('not removed', '1', { ttl: HOUR })
    clock.jump(HOUR + 1)
    expect(db.keys().toArraySync()).toEqual([])
    clock.jump(-3 * HOUR)
    expect(db.keys().toArraySync()).toEqual(['not removed'])
    await db.close()
  })

  it.each([
    ['ahead', 24 * 365 * HOUR],
    ['back', -24 * 365 * HOUR],
  ])('%s by a year keeps nobody from flushing, compacting, closing and opening', async (_, ms) => {
    const { db, clock, reopen } = await store()
    for (let i = 0; i < 5; i++) {
      await db.put(`k${i}`, 'x'.repeat(500))
      await db.flush()
      clock.jump(ms)
    }
    await db.idle()
    await db.compact()
    clock.jump(ms)
    expect(db.countSync()).toBe(5)
    expect((await db.verify()).findings).toEqual([])
    await db.close()
    clock.jump(-ms)
    const again = await reopen()
    expect(again.recovery.losses).toEqual([])
    expect(again.countSync()).toBe(5)
    await again.put('k5', '1', { sync: true })
    await again.close()
    expect(clock.waiting).toBe(0)
  })
})
