import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)

/** The calls of one kind that something makes. */
async function callsDuring(
  disk: SimulatedDisk,
  kind: 'write' | 'sync' | 'syncDirectory',
  work: () => unknown,
): Promise<number> {
  const before = disk.callCountOf(kind)
  await work()
  return disk.callCountOf(kind) - before
}

describe('group commit', () => {
  it('takes one write for 64 puts in flight, and one sync if any of them asked for it', async () => {
    const disk = new SimulatedDisk(seed)
    await using db = await open('/db', { fs: disk })
    const puts = (sync: boolean) => () =>
      Promise.all(Array.from({ length: 64 }, (_, i) => db.put(`key ${i}`, 'value', { sync: sync && i === 7 })))
    await db.put('first', '')
    expect(await callsDuring(disk, 'write', puts(false))).toBe(1)
    expect(await callsDuring(disk, 'sync', puts(false))).toBe(0)
    expect(await callsDuring(disk, 'write', puts(true))).toBe(1)
    expect(await callsDuring(disk, 'sync', puts(true))).toBe(1)
  })

  it('works for 64 writers that each await their own puts', async () => {
    const disk = new SimulatedDisk(seed)
    await using db = await open('/db', { fs: disk })
    const writer = async (name: number): Promise<void> => {
      for (let i = 0; i < 50; i++) await db.put(`${name} ${i}`, 'value', { sync: true })
    }
    const writers = () => Promise.all(Array.from({ length: 64 }, (_, name) => writer(name)))
    expect(await callsDuring(disk, 'write', writers)).toBeLessThan(200)
    expect(await callsDuring(disk, 'sync', writers)).toBeLessThan(200)
    expect(await db.count()).toBe(64 * 50)
  })
})

describe('a write with sync', () => {
  const writes: Record<string, (db: Database) => unknown> = {
    put: (db) => db.put('a', '1', { sync: true }),
    putSync: (db) => db.putSync('a', '1', { sync: true }),
    batch: (db) => db.batch([{ type: 'put', key: 'a', value: '1' }], { sync: true }),
    batchSync: (db) => db.batchSync([{ type: 'put', key: 'a', value: '1' }], { sync: true }),
    'a chained batch': (db) => db.batch().put('a', '1').write({ sync: true }),
    'a chained batch on this thread': (db) => db.batch().put('a', '1').writeSync({ sync: true }),
  }

  it.each(Object.entries(writes))('by %s survives a loss of power as soon as it resolves', async (_, write) => {
    const disk = new SimulatedDisk(seed)
    const db = await open('/deep/down/db', { fs: disk })
    expect(await callsDuring(disk, 'sync', () => write(db))).toBeGreaterThan(0)
    await using again = await open('/deep/down/db', { fs: disk.crash() })
    expect(await again.get('a')).toBe('1')
  })

  it.each(['del', 'clear'] as const)('by %s takes what it removed with it', async (method) => {
    for (const form of [method, `${method}Sync`] as const) {
      const disk = new SimulatedDisk(seed)
      const db = await open('/db', { fs: disk })
      await db.put('a', '1', { sync: true })
      if (method === 'del') await db[form as 'del']('a', { sync: true })
      else await db[form as 'clear']({ prefix: 'a', sync: true })
      await using again = await open('/db', { fs: disk.crash() })
      expect(await again.has('a'), form).toBe(false)
    }
  })

  it('takes those before it with it, which had not asked for it', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await open('/db', { fs: disk, writeBufferBytes: 64 * 1024 })
    for (let i = 0; i < 2000; i++) db.putSync(String(i).padStart(5, '0'), 'x'.repeat(100))
    await db.put('last', '', { sync: true })
    await using again = await open('/db', { fs: disk.crash() })
    expect(await again.count()).toBe(2001)
  })

  it('is what every write is when the store is opened with sync, unless it says otherwise', async () => {
    const disk = new SimulatedDisk(seed)
    await using db = await open('/db', { fs: disk, sync: true })
    expect(await callsDuring(disk, 'sync', () => db.put('a', '1'))).toBe(1)
    expect(await callsDuring(disk, 'sync', () => db.putSync('a', '1'))).toBe(1)
    expect(await callsDuring(disk, 'sync', () => db.keyspace('other').put('a', '1'))).toBe(1)
    expect(await callsDuring(disk, 'sync', () => db.put('a', '1', { sync: false }))).toBe(0)
    expect(await callsDuring(disk, 'sync', () => db.clear({ prefix: 'x' }))).toBe(1)
  })

  it('makes the name of a segment that was made for it durable before it resolves', async () => {
    for (let each = seed; each < seed + 20; each++) {
      const disk = new SimulatedDisk(each)
      const db = await open('/db', { fs: disk, writeBufferBytes: 64 * 1024 })
      const names = (): string[] => [...disk.snapshotFiles().keys()].filter((path) => path.endsWith('.log'))
      const before = names()
      await db.put('large', 'x'.repeat(70_000), { sync: true })
      expect(names(), `SILTSTONE_SEED=${each}`).not.toEqual(before)
      await using again = await open('/db', { fs: disk.crash() })
      expect(await again.keys().toArray(), `SILTSTONE_SEED=${each}`).toEqual(['large'])
    }
  })
})

describe('a write without sync', () => {
  it('survives the death of the process as soon as it resolves', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await open('/db', { fs: disk })
    await db.put('put', '1')
    db.putSync('putSync', '2')
    await db.batch().put('batch', '3').del('put').write()
    await using again = await open('/db', { fs: disk.processDeath() })
    expect(await again.keys().toArray()).toEqual(['batch', 'putSync'])
  })

  it('makes the disk sync nothing', async () => {
    const disk = new SimulatedDisk(seed)
    await using db = await open('/db', { fs: disk })
    await db.put('first', '')
    const work = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await db.put(`key ${i}`, 'value')
    }
    expect(await callsDuring(disk, 'sync', work)).toBe(0)
  })
})
