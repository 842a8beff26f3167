import { describe, expect, it } from 'vitest'
import { blockHash } from '../../../src/bytes/hash.js'
import { putU32 } from '../../../src/bytes/integers.js'
import { destroy, MemoryFileSystem, open, repair } from '../../../src/index.js'
import { FOOTER_BYTES } from '../../../src/table/footer.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { contentOf, DamagedStore, DIRECTORY, keyOf, rehearsedRepair, SMALL, sorted } from './damaged-store.js'

const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)

describe('repair', () => {
  it('refuses a place without a file of a store', async () => {
    const fs = new MemoryFileSystem()
    await expect(repair('/nowhere', { fs })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    fs.makeDirectorySync('/empty')
    fs.openSync('/empty/notes.txt', 'create').closeSync()
    await expect(repair('/empty', { fs })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    expect(fs.listSync('/empty')).toEqual(['notes.txt'])
  })

  it('refuses an open store, which a rehearsal only looks at', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/db', { fs })
    await expect(repair('/db', { fs })).rejects.toMatchObject({ code: 'SILT_LOCKED' })
    expect((await repair('/db', { fs, dryRun: true })).lost).toEqual([])
    await db.close()
    expect((await repair('/db', { fs })).lost).toEqual([])
  })

  it('refuses a store of a newer version', async () => {
    const store = await (await DamagedStore.make()).fill()
    await store.db.close()
    const path = store.path('table')
    const bytes = store.disk.snapshotFiles().get(path)!
    const footer = bytes.length - FOOTER_BYTES
    putU32(bytes, footer + 56, 99)
    putU32(bytes, footer + 60, blockHash(bytes, footer, footer + 60, 0))
    const file = store.disk.openSync(path, 'update')
    file.writeSync(bytes, footer, FOOTER_BYTES, footer)
    file.closeSync()
    await expect(repair(DIRECTORY, { fs: store.disk })).rejects.toMatchObject({ code: 'SILT_FORMAT' })
  })

  it('makes an empty store of one whose making was interrupted', async () => {
    const disk = new SimulatedDisk(seed)
    await (await open(DIRECTORY, { fs: disk, ...SMALL })).close()
    for (const name of ['CURRENT', ...disk.listSync(DIRECTORY).filter((each) => each.endsWith('.log'))]) {
      disk.removeSync(`${DIRECTORY}/${name}`)
    }
    await rehearsedRepair(disk)
    const db = await open(DIRECTORY, { fs: disk, ...SMALL, createIfMissing: false })
    expect(await contentOf(db)).toEqual([])
    await db.close()
  })

  it('gives keyspaces back their names and what is settled about them', async () => {
    const store = await (await DamagedStore.make()).fill()
    await store.db.flush()
    await store.db.close()
    for (const kind of ['manifest', 'current', 'segment'] as const) {
      for (const path of store.files(kind)) store.disk.removeSync(path)
    }
    await store.repair()
    const db = await open(DIRECTORY, { fs: store.disk, ...SMALL })
    expect(db.keyspaceNames()).toEqual(['other'])
    expect(() => db.keyspace('other', { compaction: 'leveled' })).toThrow(/tiered/)
    expect(await contentOf(db.keyspace('other'))).toEqual(sorted(store.other))
    await db.close()
  })

  it('overwrites nothing that an earlier repair has put aside', async () => {
    const store = await (await DamagedStore.make()).fill()
    await store.db.close()
    for (let round = 1; round <= 3; round++) {
      store.disk.removeSync(store.path('manifest'))
      await store.repair()
    }
    const lost = store.disk.listSync(`${DIRECTORY}/lost`)
    expect(lost).toEqual(expect.arrayContaining(['CURRENT', 'CURRENT.1', 'CURRENT.2']))
    await store.expectContent()
    await destroy(DIRECTORY, { fs: store.disk })
    expect(store.disk.statusSync(DIRECTORY)).toBeUndefined()
  })

  it('can be repeated when it was interrupted, wherever that was', async () => {
    const damaged = async (): Promise<DamagedStore> => {
      const store = await (await DamagedStore.make()).fill()
      await store.db.close()
      store.disk.removeSync(store.path('manifest'))
      store.disk.corrupt(store.path('segment', -1), 30, 1)
      return store
    }
    const whole = await damaged()
    const before = whole.disk.callCount
    await repair(DIRECTORY, { fs: whole.disk })
    const calls = whole.disk.callCount - before
    for (let i = 1; i < calls; i += Math.ceil(calls / 40)) {
      const store = await damaged()
      const originals = store.disk.snapshotFiles()
      store.disk.crashAtCall(store.disk.callCount + i)
      await expect(repair(DIRECTORY, { fs: store.disk })).rejects.toThrow()
      const after = Object.assign(Object.create(store), { disk: store.disk.crash() }) as DamagedStore
      await repair(DIRECTORY, { fs: after.disk })
      const files = [...after.disk.snapshotFiles().values()]
      for (const [path, bytes] of originals) {
        const isThere = files.some((each) => Buffer.compare(each, bytes) === 0)
        expect(isThere, `${path}, interrupted at call ${i} of ${calls}`).toBe(true)
      }
      await after.expectContent()
    }
  })

  it('leaves the store as it was when there is no space for it', async () => {
    const store = await (await DamagedStore.make()).fill()
    await store.db.close()
    store.disk.corrupt(store.largestTable(), 100, 1)
    const before = store.disk.snapshotFiles()
    store.disk.quotaBytes = [...before.values()].reduce((sum, { length }) => sum + length, 2000)
    await expect(repair(DIRECTORY, { fs: store.disk })).rejects.toMatchObject({ code: 'SILT_NO_SPACE' })
    expect(store.disk.snapshotFiles()).toEqual(before)
    store.disk.quotaBytes = Number.POSITIVE_INFINITY
    await store.repair()
  })

  it('works on a disk', async () => {
    const { mkdtempSync, rmSync, unlinkSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const directory = mkdtempSync(`${tmpdir()}/siltstone-repair-`)
    try {
      const db = await open(`${directory}/db`, SMALL)
      for (let i = 0; i < 1000; i++) db.putSync(keyOf(i), `value ${i}`)
      await db.compact()
      await db.close()
      unlinkSync(`${directory}/db/CURRENT`)
      const rehearsed = await repair(`${directory}/db`, { dryRun: true })
      expect(await repair(`${directory}/db`)).toEqual(rehearsed)
      const again = await open(`${directory}/db`, SMALL)
      expect(await again.count()).toBe(1000)
      expect((await again.verify()).findings).toEqual([])
      await again.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
