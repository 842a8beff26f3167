import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Database, open } from '../../../src/index.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { temporaryDirectories } from '../temporary.js'

const directory = temporaryDirectories()

afterEach(() => vi.restoreAllMocks())

async function withTables(keys: number, options: object = {}): Promise<Database> {
  const db = await open(':memory:', { executor: 'inline', ...options })
  for (let i = 0; i < keys; i++) await db.put(`key ${i * 2}`, 'x')
  await db.flush()
  return db
}

describe('filters', () => {
  it('are counted by what they were good for', async () => {
    const db = await withTables(1000)
    for (let i = 0; i < 1000; i++) expect(db.getSync(`key ${i}`)).toBe(i % 2 === 0 ? 'x' : undefined)
    const { checks, useful, falsePositives } = db.stats().filters
    // Of keys that are not there some fall outside the range of the table, of which no filter is asked.
    expect(checks).toBeGreaterThan(900)
    expect(checks).toBe(500 + useful + falsePositives)
    // 10 bits a key let one of a hundred through.
    expect(falsePositives).toBeLessThan(50)
    await db.close()
  })

  it('let nothing through for nothing where the keys are there, and are left alone after 64 of them', async () => {
    const db = await withTables(200)
    for (let i = 0; i < 50; i++) db.getSync(`key ${i * 2}`)
    expect(db.stats().filters).toEqual({ checks: 50, useful: 0, falsePositives: 0 })
    for (let i = 50; i < 200; i++) db.getSync(`key ${i * 2}`)
    expect(db.stats().filters).toEqual({ checks: 64, useful: 0, falsePositives: 0 })
    await db.close()
  })

  it('let everything through where there are none', async () => {
    const without = await withTables(200, { filterBitsPerKey: 0 })
    without.getSync('key 3')
    expect(without.stats().filters).toEqual({ checks: 0, useful: 0, falsePositives: 0 })
    await without.close()
  })
})

describe('latencies', () => {
  it('are those of one group of commits in 16, of all syncs and of all reads from the disk', async () => {
    const db = await open(directory(), { cacheBytes: 0 })
    for (let i = 0; i < 32; i++) await db.put(`key ${i}`, 'x')
    for (let i = 0; i < 32; i++) db.putSync(`key ${i}`, 'x')
    await db.put('a', '1', { sync: true })
    db.putSync('a', '1', { sync: true })
    const { commits, syncs } = db.stats().latencies
    expect(commits.count).toBe(5)
    expect(syncs.count).toBe(2)
    expect(commits.totalMs).toBeGreaterThan(0)
    expect(syncs.maxMs).toBeGreaterThanOrEqual(syncs.p50Ms)
    await db.flush()
    const before = db.stats()
    db.getSync('key 7')
    const after = db.stats()
    expect(after.latencies.reads.count - before.latencies.reads.count).toBe(after.cache.misses - before.cache.misses)
    expect(after.cache.misses).toBeGreaterThan(before.cache.misses)
    await db.close()
  })

  it('are the times that it took', async () => {
    const db = await open(directory())
    let now = 1000
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const disk = db.engine.log!.active.file!
    vi.spyOn(disk, 'syncSync').mockImplementation(() => {
      now += 8
    })
    for (let i = 0; i < 4; i++) db.putSync('a', '1', { sync: true })
    const { syncs } = db.stats().latencies
    expect(syncs.count).toBe(4)
    expect(syncs.totalMs).toBeCloseTo(32)
    for (const ms of [syncs.p50Ms, syncs.p90Ms, syncs.p99Ms, syncs.p999Ms, syncs.maxMs]) {
      expect(Math.abs(ms - 8)).toBeLessThan(0.1)
    }
    vi.restoreAllMocks()
    await db.close()
  })

  it('are all zero where nothing was measured', async () => {
    const path = directory()
    await (await open(path)).close()
    const reader = await open(path, { readOnly: true })
    const { commits, syncs } = reader.stats().latencies
    expect(commits).toEqual({ count: 0, totalMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 })
    expect(syncs).toEqual(commits)
    await reader.close()
  })
})

describe('the rest of the figures', () => {
  it('tell of failures in the background, and of what memory is used for', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/store', { fs: disk, executor: 'inline', writeBufferBytes: 64 * 1024 })
    await db.put('a', 'x'.repeat(100))
    const mend = disk.failEvery('open', 'EIO', '.sst')
    await expect(db.flush()).rejects.toMatchObject({ code: 'SILT_IO' })
    expect(db.stats().failures).toBe(1)
    expect(db.stats().backgroundError).toMatchObject({ code: 'SILT_IO' })
    mend()
    await db.flush()
    const { failures, flushes, history, memory } = db.stats()
    expect({ failures, flushes: flushes.count, history: history.map(({ kind }) => kind) }).toEqual({
      failures: 1,
      flushes: 1,
      history: ['flush'],
    })
    expect(memory.segments).toBe(64 * 1024)
    // Without a thread beside this one nobody holds on to the memory of what was flushed.
    expect(memory.spareSegments).toBe(64 * 1024)
    await db.close()
  })

  it('say what holds writers back', async () => {
    const db = await open(':memory:')
    expect(db.stats().slowdown).toBeUndefined()
    db.engine.admission.update({ debt: 1.5, reason: 'runs pile up on level 0' })
    const { slowdown } = db.stats()
    expect(slowdown?.reason).toBe('runs pile up on level 0')
    expect(slowdown?.bytesPerSecond).toBeLessThan(64 * 1024 * 1000)
    db.engine.admission.update({ debt: 0 })
    await db.close()
  })
})
