import { describe, expect, it } from 'vitest'
import { open, type RepairReport, repair } from '../../../src/index.js'
import { contentOf, DamagedStore, DIRECTORY, keyOf, lostFiles, SMALL } from './damaged-store.js'

/** Every key once, all of them in one run, nothing in the log. */
async function settled(keys = 2000): Promise<DamagedStore> {
  const store = await DamagedStore.make()
  for (let i = 0; i < keys; i++) store.put(i, `value ${i} ${'v'.repeat(i % 90)}`)
  await store.db.compact()
  await store.db.close()
  return store
}

function lostEntries(report: RepairReport): number {
  return report.lost.reduce((sum, { reason }) => sum + Number(/(\d+) of [\d]+ entries/.exec(reason)?.[1] ?? 0), 0)
}

function forgetManifest(store: DamagedStore): void {
  store.disk.removeSync(store.path('manifest'))
  store.disk.removeSync(store.path('current'))
}

/** What the store has is true, and what it does not have is what the report says. */
async function expectRest(store: DamagedStore, report: RepairReport): Promise<void> {
  const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
  const content = await contentOf(db)
  for (const [key, value] of content) expect(value).toBe(store.model.get(key))
  expect(store.model.size - content.length).toBe(lostEntries(report))
  expect((await db.verify()).findings).toEqual([])
  await db.close()
}

describe.each(['with', 'without'])('a damaged table, %s a manifest', (manifest) => {
  it('loses the blocks that are damaged and no others, wherever that is', async () => {
    const { length } = (await settled()).disk.snapshotFiles().get((await settled()).largestTable())!
    for (let part = 0; part < 8; part++) {
      const store = await settled()
      const path = store.largestTable()
      const offset = Math.floor((length * part) / 8) + part * 31
      store.disk.corrupt(path, offset, 0x01)
      if (manifest === 'without') forgetManifest(store)
      const report = await store.repair()
      expect(lostEntries(report), `offset ${offset} of ${length}`).toBeLessThan(100)
      await expectRest(store, report)
    }
  })

  it('loses nothing where only footer, properties, index or filter are damaged', async () => {
    for (let back = 1; back < 1500; back += 149) {
      const store = await settled()
      const path = store.largestTable()
      store.disk.corrupt(path, store.bytesOf(path) - back, 0x01)
      if (manifest === 'without' && back > 1000) forgetManifest(store)
      const report = await store.repair()
      expect(report.lost.filter(({ file }) => path.endsWith(file))).toEqual([])
      await expectRest(store, report)
    }
  })

  it('keeps what stands before the end of one that was cut short', async () => {
    const store = await settled()
    const path = store.largestTable()
    store.disk.truncate(path, store.bytesOf(path) >> 1)
    if (manifest === 'without') forgetManifest(store)
    const report = await store.repair()
    expect(lostFiles(report)).toContain(path)
    if (manifest === 'with') {
      expect(lostEntries(report)).toBeLessThan(1200)
      await expectRest(store, report)
    }
  })

  it('keeps what lies around a stretch that is gone', async () => {
    const store = await settled()
    const path = store.largestTable()
    for (let offset = 20_000; offset < 26_000; offset++) store.disk.corrupt(path, offset, 0xa5)
    store.disk.corrupt(path, store.bytesOf(path) - 1, 0xa5)
    if (manifest === 'without') forgetManifest(store)
    const report = await store.repair()
    expect(lostEntries(report)).toBeGreaterThan(0)
    expect(lostEntries(report)).toBeLessThan(400)
    await expectRest(store, report)
  })
})

describe('a table', () => {
  it('that is gone takes with it what only it had', async () => {
    const store = await DamagedStore.make()
    await store.flushEach(3)
    await store.db.close()
    const path = store.path('table', 1)
    store.disk.removeSync(path)
    const report = await store.repair()
    expect(lostFiles(report)).toEqual(expect.arrayContaining([path]))
    store.model.delete(keyOf(1))
    await store.expectContent()
  })

  it('keeps its range deletions when a block of it is damaged, and says so when it does not', async () => {
    const store = await DamagedStore.make()
    for (let i = 0; i < 1000; i++) store.put(i, 'old')
    await store.db.flush()
    store.clear(100, 200)
    for (let i = 500; i < 1000; i++) store.put(i, `new ${'n'.repeat(50)}`)
    await store.db.flush()
    await store.db.close()
    store.disk.corrupt(store.path('table', 1), 10, 1)
    const report = await store.repair()
    expect(report.kept.map(({ what }) => what).join()).toContain('1 range deletion')
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
    expect(await db.get(keyOf(150))).toBeUndefined()
    expect(await db.get(keyOf(250))).toBe('old')
    await db.close()
  })

  it('that the disk cannot read is given up, and the rest of the store is not', async () => {
    const store = await DamagedStore.make()
    await store.flushEach(3)
    await store.db.close()
    const path = store.path('table')
    const repaired = store.disk.failEvery('read', 'EIO', path)
    expect(lostFiles(await store.repair())).toEqual([path])
    repaired()
    store.model.delete(keyOf(0))
    await store.expectContent()
  })

  it('that may not be read stops the repair, because it is not damaged', async () => {
    const store = await settled()
    const before = store.disk.snapshotFiles()
    store.disk.failEvery('open', 'EACCES', store.largestTable())
    await expect(repair(DIRECTORY, { fs: store.disk })).rejects.toMatchObject({ code: 'SILT_IO' })
    expect(store.disk.snapshotFiles()).toEqual(before)
  })

  it('that belongs to nothing is kept aside', async () => {
    const store = await settled()
    const stray = `${DIRECTORY}/000001.sst`
    const file = store.disk.openSync(stray, 'create')
    file.writeSync(new Uint8Array(500), 0, 500, 0)
    file.closeSync()
    store.disk.removeSync(store.path('current'))
    const report = await store.repair()
    expect(report.kept).toContainEqual(expect.objectContaining({ file: '000001.sst', movedTo: 'lost/000001.sst' }))
    await store.expectContent()
  })
})
