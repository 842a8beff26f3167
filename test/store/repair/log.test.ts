import { describe, expect, it } from 'vitest'
import { open } from '../../../src/index.js'
import { DamagedStore, DIRECTORY, keyOf, lostFiles, SMALL } from './damaged-store.js'

/** Three hundred commits of known length in the log, nothing in tables. */
async function logged(): Promise<DamagedStore> {
  const store = await DamagedStore.make()
  for (let i = 0; i < 300; i++) store.put(i, 'v'.repeat(100))
  await store.db.close()
  return store
}

/** Several segments that no flush has brought into tables, because the disk took no more of those. */
async function severalSegments(): Promise<DamagedStore> {
  const store = await DamagedStore.make()
  store.disk.failEvery('open', 'EIO', '.sst')
  for (let i = 0; i < 1200; i++) store.put(i, 'v'.repeat(100))
  expect(store.files('segment').length).toBeGreaterThan(2)
  return Object.assign(Object.create(store), { disk: store.disk.processDeath() }) as DamagedStore
}

describe('a segment of the log', () => {
  it('that is damaged in the middle loses one commit, and what follows it is used', async () => {
    const store = await logged()
    store.disk.corrupt(store.path('segment'), 20_000, 1)
    const report = await store.repair()
    expect(report.lost).toMatchObject([{ file: expect.stringMatching(/\.log$/), offset: expect.any(Number) }])
    const missing = Math.floor((20_000 - report.lost[0]!.offset!) / 200) // The one at the damage.
    expect(missing).toBe(0)
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
    const kept = await db.keys().toArray()
    expect(kept).toHaveLength(299)
    await db.close()
  })

  it('whose header is damaged loses nothing', async () => {
    for (const offset of [0, 13, 20, 60, 78]) {
      const store = await logged()
      store.disk.corrupt(store.path('segment'), offset, 0x80)
      await store.repair()
      await store.expectContent()
    }
  })

  it('whose header is damaged loses nothing, without a manifest too', async () => {
    const store = await logged()
    store.disk.corrupt(store.path('segment'), 70, 0x80)
    store.disk.removeSync(store.path('manifest'))
    await store.repair()
    await store.expectContent()
  })

  it('that was cut short loses its end, and says how much that was', async () => {
    const store = await logged()
    const path = store.path('segment')
    const bytes = store.bytesOf(path)
    store.disk.truncate(path, bytes - 1000)
    const report = await store.repair()
    expect(lostFiles(report)).toEqual([path])
    expect(report.lost[0]!.reason).toMatch(/bytes behind it are missing/)
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL, recovery: 'strict' })
    const count = await db.count()
    expect(count).toBeGreaterThan(285)
    expect(count).toBeLessThan(300)
    await db.close()
  })

  it('that is gone loses what no table has', async () => {
    const store = await (await DamagedStore.make()).fill()
    const model = new Map(store.model)
    const other = new Map(store.other)
    await store.db.flush()
    for (let i = 0; i < 50; i++) store.db.putSync(keyOf(i), 'only in the log')
    await store.db.close()
    const path = store.path('segment', -1)
    store.disk.removeSync(path)
    expect(lostFiles(await store.repair())).toContain(path)
    await store.expectContent(model, other)
  })

  it('that was never flushed and is gone is missed after a clean end', async () => {
    const store = await logged()
    const path = store.path('segment')
    store.disk.removeSync(path)
    expect(lostFiles(await store.repair())).toEqual([path])
    await store.expectContent(new Map(), new Map())
  })
})

describe('a log of several segments', () => {
  it('comes back whole without a manifest', async () => {
    const store = await severalSegments()
    store.disk.removeSync(store.path('manifest'))
    store.disk.removeSync(store.path('current'))
    await store.repair()
    await store.expectContent()
  })

  it('that misses one in the middle has what the others have', async () => {
    const store = await severalSegments()
    const { length } = store.files('segment')
    store.disk.removeSync(store.path('segment', 1))
    const report = await store.repair()
    expect(report.lost.map(({ reason }) => reason).join()).toMatch(/bytes behind it are missing/)
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
    const count = await db.count()
    expect(count).toBeLessThan(1200)
    expect(count).toBeGreaterThan(1200 - Math.ceil((1200 / (length - 1)) * 1.2))
    expect(await db.get(keyOf(0))).toBeDefined()
    expect(await db.get(keyOf(1199))).toBeDefined()
    await db.close()
  })

  it('that is damaged in the middle of its first goes on behind it', async () => {
    const store = await severalSegments()
    store.disk.corrupt(store.path('segment'), 5000, 1)
    await store.repair()
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
    expect(await db.count()).toBe(1199)
    await db.close()
  })
})
