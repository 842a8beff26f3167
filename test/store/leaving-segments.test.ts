import { describe, expect, it } from 'vitest'
import type { FileHandle, FileSystem } from '../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { systemError } from '../../src/fs/system-error.js'
import { type Database, open } from '../../src/index.js'
import { withSeeds } from '../simulation/reproduce.js'

/*
 * Writes in promise form that fill several segments while the syncs of the first ones are on their way: nothing is seen before its turn has
 * come, everything in the order in which it was issued, and what a sync fails for is gone for good.
 */

const OPTIONS = { executor: 'inline', writeBufferBytes: 64 * 1024 } as const
const FILLING = 'f'.repeat(20_000)

/** A file system whose syncs of logs on the pool wait until they are let go, and may fail then. */
class HeldSyncs {
  readonly memory = new MemoryFileSystem()
  readonly fs: FileSystem
  private readonly held: ((error?: Error) => void)[] = []
  isHolding = false

  constructor() {
    const hold = (path: string): Promise<void> =>
      new Promise((resolve, reject) => {
        if (!this.isHolding) resolve()
        else this.held.push((error) => (error === undefined ? resolve() : reject(error)))
        void path
      })
    const wrapped = (handle: FileHandle): FileHandle =>
      !handle.path.endsWith('.log')
        ? handle
        : new Proxy(handle, {
            get(target, name) {
              if (name === 'sync') return () => hold(target.path)
              const value = Reflect.get(target, name, target) as unknown
              return typeof value === 'function' ? value.bind(target) : value
            },
          })
    this.fs = new Proxy(this.memory as FileSystem, {
      get(target, name) {
        if (name === 'openSync') {
          return (...given: Parameters<FileSystem['openSync']>) => wrapped(target.openSync(...given))
        }
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  get count(): number {
    return this.held.length
  }

  release(error?: Error): void {
    for (const settle of this.held.splice(0)) settle(error)
  }
}

async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

async function opened(disk: HeldSyncs): Promise<Database> {
  const db = await open('/store', { fs: disk.fs, ...OPTIONS })
  await db.put('a', 'old')
  await db.put('gone', 'old')
  disk.isHolding = true
  return db
}

/** In one turn: more than three segments, the first writes of which ask for a sync. */
function issue(db: Database): Promise<PromiseSettledResult<unknown>[]> {
  const issued: Promise<unknown>[] = [db.put('a', 'new', { sync: true }), db.clear({ prefix: 'gone', sync: true })]
  for (let i = 0; i < 10; i++) issued.push(db.put(`filling ${i}`, FILLING, { sync: i < 5 }))
  issued.push(db.put('a', 'newest'), db.keyspace('made then').put('k', 'v'))
  return Promise.allSettled(issued)
}

describe('writes behind a sync that is on its way', () => {
  it('are not seen by anybody, in whatever segment they are', async () => {
    const disk = new HeldSyncs()
    const db = await opened(disk)
    const settled = issue(db)
    await turns()
    expect(db.stats().log.segments).toBeGreaterThan(3)
    expect(await db.get('a')).toBe('old')
    expect(db.getSync('gone')).toBe('old')
    expect(await db.keys().toArray()).toEqual(['a', 'gone'])
    expect(await db.keyspace('made then').count()).toBe(0)
    using snapshot = db.snapshot()
    const checked = expect(
      db.transaction(async (tx) => tx.put('b', (await tx.get('a'))!), { retries: 0 }),
    ).rejects.toMatchObject({ code: 'SILT_CONFLICT' })
    await checked
    while (disk.count > 0) {
      disk.release()
      await turns()
    }
    expect((await settled).every(({ status }) => status === 'fulfilled')).toBe(true)
    expect(await db.get('a')).toBe('newest')
    expect(await db.get('gone')).toBeUndefined()
    expect(await snapshot.get('a')).toBe('old')
    expect(await snapshot.get('gone')).toBe('old')
    disk.isHolding = false
    await db.idle()
    expect(await db.verify()).toMatchObject({ ok: true })
    await db.close()
  })

  it('are seen at once by whoever may wait on this thread', async () => {
    const disk = new HeldSyncs()
    const db = await opened(disk)
    const settled = issue(db)
    db.putSync('b', 'last')
    expect(db.getSync('a')).toBe('newest')
    expect(db.countSync()).toBe(12)
    await turns()
    while (disk.count > 0) {
      disk.release()
      await turns()
    }
    expect((await settled).every(({ status }) => status === 'fulfilled')).toBe(true)
    disk.isHolding = false
    await db.close()
  })

  it('are refused with it, and never come back', async () => {
    const disk = new HeldSyncs()
    const db = await opened(disk)
    const settled = issue(db)
    await turns()
    disk.release(systemError('EIO', 'fdatasync', '/store'))
    for (const outcome of await settled) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SILT_FAILED' } })
    }
    expect(await db.get('a')).toBe('old')
    expect(await db.keys().toArray()).toEqual(['a', 'gone'])
    disk.isHolding = false
    await db.close().catch(() => {})
    const again = await open('/store', { fs: disk.memory, ...OPTIONS })
    expect(again.recovery.losses).toEqual([])
    expect(await again.entries().toArray()).toEqual([
      ['a', 'old'],
      ['gone', 'old'],
    ])
    expect(await again.verify()).toMatchObject({ ok: true })
    await again.close()
  })

  it('make up prefixes of what was issued, whatever comes when', async () => {
    await withSeeds(20, async (random) => {
      const disk = new HeldSyncs()
      const db = await open('/store', { fs: disk.fs, ...OPTIONS })
      disk.isHolding = true
      // Key i is written with the number of the write; so what is seen says how many writes are.
      const issued: Promise<unknown>[] = []
      const values = new Map<string, number>()
      const history: [string, number][] = []
      const check = async (): Promise<void> => {
        const seen = new Map((await db.entries().toArray()).map(([key, value]) => [key, Number(value.split(' ')[0])]))
        const newest = Math.max(0, ...seen.values())
        const expected = new Map(history.slice(0, newest))
        expect([...seen].sort()).toEqual([...expected].sort())
      }
      for (let step = 0; step < 60; step++) {
        for (let i = random.between(0, 12); i > 0; i--) {
          const key = `key ${random.below(10)}`
          const number = history.length + 1
          history.push([key, number])
          values.set(key, number)
          const value = `${number} ${'v'.repeat(random.below(12_000))}`
          const sync = random.chance(0.4)
          if (random.chance(0.03)) db.putSync(key, value, { sync })
          else issued.push(db.put(key, value, { sync }))
        }
        if (random.chance(0.5)) disk.release()
        if (random.chance(0.5)) await turns(random.between(1, 3))
        if (random.chance(0.1)) issued.push(db.flush())
        await check()
      }
      disk.isHolding = false
      while (disk.count > 0) {
        disk.release()
        await turns()
      }
      await Promise.all(issued)
      await check()
      await db.close()
      const again = await open('/store', { fs: disk.memory, ...OPTIONS })
      const kept = (await again.entries().toArray()).map(([key, value]) => [key, Number(value.split(' ')[0])])
      expect(kept.sort()).toEqual([...values].sort())
      await again.close()
    })
  })
})
