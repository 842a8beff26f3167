import { describe, expect, it } from 'vitest'
import { getU32 } from '../../../src/bytes/integers.js'
import { LOG_HEADER_BYTES } from '../../../src/log/log-header.js'
import { DamagedStore, DIRECTORY, lostFiles } from './damaged-store.js'

/** The store as it is found, after a clean end or none. */
const ENDINGS = ['closed', 'killed'] as const

async function ended(store: DamagedStore, ending: (typeof ENDINGS)[number]): Promise<DamagedStore> {
  if (ending === 'closed') {
    await store.db.close()
    return store
  }
  return Object.assign(Object.create(store), { disk: store.disk.processDeath() }) as DamagedStore
}

describe.each(ENDINGS)('a store that was %s', (ending) => {
  it('stays as it is where nothing is wrong with it', async () => {
    const store = await ended(await (await DamagedStore.make()).fill(), ending)
    const before = store.disk.snapshotFiles()
    expect((await store.repair()).lost).toEqual([])
    expect(store.disk.snapshotFiles()).toEqual(before)
    await store.expectContent()
  })

  it('comes back whole without CURRENT', async () => {
    const store = await ended(await (await DamagedStore.make()).fill(), ending)
    store.disk.removeSync(store.path('current'))
    expect(lostFiles(await store.repair())).toEqual([`${DIRECTORY}/CURRENT`])
    await store.expectContent()
  })

  it.each([0, 5, -1])('comes back whole with a CURRENT that is damaged at %i', async (offset) => {
    const store = await ended(await (await DamagedStore.make()).fill(), ending)
    const path = store.path('current')
    store.disk.corrupt(path, offset < 0 ? store.bytesOf(path) + offset : offset, 0x55)
    const { lost } = await store.repair()
    expect(lost.map(({ file }) => file)).toContain('CURRENT')
    await store.expectContent()
  })

  it('comes back whole without a manifest', async () => {
    const store = await ended(await (await DamagedStore.make()).fill(), ending)
    const path = store.path('manifest')
    store.disk.removeSync(path)
    expect(lostFiles(await store.repair())).toEqual([path])
    await store.expectContent()
  })

  it('comes back whole without a manifest and without CURRENT', async () => {
    const store = await ended(await (await DamagedStore.make()).fill(), ending)
    store.disk.removeSync(store.path('manifest'))
    store.disk.removeSync(store.path('current'))
    expect(lostFiles(await store.repair())).toEqual([`${DIRECTORY}/CURRENT`])
    await store.expectContent()
  })

  // Once such a manifest was taken at its word: tables that it did not know yet were put aside, and so was their content.
  it('comes back whole with a manifest that ends cleanly behind any of its edits', async () => {
    const whole = await ended(await (await DamagedStore.make()).fill(), ending)
    const bytes = whole.disk.snapshotFiles().get(whole.path('manifest'))!
    for (let offset = LOG_HEADER_BYTES; offset < bytes.length; offset += getU32(bytes, offset + 4)) {
      const store = await ended(await (await DamagedStore.make()).fill(), ending)
      store.disk.truncate(store.path('manifest'), offset)
      await store.repair()
      await store.expectContent()
    }
  })

  it('comes back whole with a manifest that is damaged or cut short anywhere', async () => {
    const { length } = await manifestBytes(ending)
    for (let part = 0; part < 12; part++) {
      const offset = Math.floor((length * part) / 12) + part
      for (const harm of ['flip', 'cut'] as const) {
        const store = await ended(await (await DamagedStore.make()).fill(), ending)
        const path = store.path('manifest')
        if (harm === 'flip') store.disk.corrupt(path, offset, 0x10)
        else store.disk.truncate(path, offset)
        await store.repair()
        await store.expectContent()
      }
    }
  })
})

async function manifestBytes(ending: (typeof ENDINGS)[number]): Promise<Uint8Array> {
  const store = await ended(await (await DamagedStore.make()).fill(), ending)
  return store.disk.snapshotFiles().get(store.path('manifest'))!
}
