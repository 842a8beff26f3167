import { describe, expect, it } from 'vitest'
import { open } from '../../../src/index.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { DamagedStore, DIRECTORY, rehearsedRepair, SMALL } from './damaged-store.js'

const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)

/** Puts files back that the store had removed, as a crash before their removal would have left them. */
function putBack(store: DamagedStore, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of files) {
    if (store.disk.statusSync(path) !== undefined || !/\.(sst|log)$/.test(path)) continue
    const file = store.disk.openSync(path, 'create')
    file.writeSync(bytes, 0, bytes.length, 0)
    file.closeSync()
  }
}

function forgetManifest(store: DamagedStore): void {
  store.disk.removeSync(store.path('manifest'))
  store.disk.removeSync(store.path('current'))
}

describe('what was deleted stays deleted without a manifest', () => {
  it('though the tables that a compaction replaced are still there', async () => {
    const store = await DamagedStore.make()
    for (let i = 0; i < 500; i++) store.put(i, `old ${i}`)
    await store.db.flush()
    for (let i = 0; i < 400; i++) store.del(i)
    store.clear(400, 450)
    await store.db.flush()
    const before = store.disk.snapshotFiles()
    await store.db.compact()
    await store.db.close()
    putBack(store, before)
    expect(store.files('table').length).toBeGreaterThan(2)
    forgetManifest(store)
    await store.repair()
    await store.expectContent()
  })

  it('though a scan had kept tables that were replaced two compactions ago', async () => {
    const store = await DamagedStore.make()
    for (let i = 0; i < 300; i++) store.put(i, `old ${i}`)
    await store.db.flush()
    const scan = store.db.entries()
    await scan.nextMany(1)
    for (let i = 0; i < 200; i++) store.del(i)
    await store.db.compact()
    for (let i = 250; i < 300; i++) store.put(i, 'new')
    await store.db.compact()
    await store.db.compact()
    await store.db.idle()
    const killed = Object.assign(Object.create(store), { disk: store.disk.processDeath() }) as DamagedStore
    forgetManifest(killed)
    await killed.repair()
    await killed.expectContent()
  })

  it('though a segment of the log is still there that stands in tables', async () => {
    const store = await DamagedStore.make()
    for (let i = 0; i < 300; i++) store.put(i, `old ${i}`)
    const before = store.disk.snapshotFiles()
    await store.db.flush()
    for (let i = 0; i < 200; i++) store.del(i)
    await store.db.compact()
    store.put(0, 'again')
    await store.db.compact()
    await store.db.close()
    putBack(store, before)
    forgetManifest(store)
    await store.repair()
    await store.expectContent()
  })
})

describe('a store that died at any moment', () => {
  it.each(Array.from({ length: 24 }, (_, i) => seed * 1000 + i))(
    'comes back whole without its manifest (seed %i)',
    async (each) => {
      const random = new SeededRandom(each)
      const store = await DamagedStore.make(each)
      store.disk.crashAtCall(store.disk.callCount + random.between(1, 1500))
      // An operation that dies half-way may have happened or not.
      let before = new Map<string, string>()
      try {
        for (let round = 0; round < 40; round++) {
          for (let i = 0; i < 40; i++) {
            before = new Map(store.model)
            store.churn(1)
          }
          if (random.chance(0.3)) await store.db.flush()
          if (random.chance(0.1)) await store.db.compact()
          await new Promise((resolve) => setImmediate(resolve))
        }
      } catch (error) {
        // A crash may show itself as the refusal that it leads to.
        if (!store.disk.crashed) throw error
      }
      const disk = store.disk.processDeath()
      const killed = Object.assign(Object.create(store), { disk }) as DamagedStore
      if (random.chance(0.5)) disk.removeSync(killed.path('current'))
      const manifest = killed.files('manifest').at(-1)
      if (manifest !== undefined) {
        if (random.chance(0.5)) disk.removeSync(manifest)
        else disk.truncate(manifest, random.below(killed.bytesOf(manifest)))
      }
      await rehearsedRepair(disk)
      const db = await open(DIRECTORY, { fs: disk, ...SMALL })
      expect((await db.verify()).findings).toEqual([])
      const content = new Map(await db.entries().toArray())
      await db.close()
      const differs = [...new Set([...content.keys(), ...store.model.keys()])].filter(
        (key) => content.get(key) !== store.model.get(key) && content.get(key) !== before.get(key),
      )
      expect(differs).toEqual([])
    },
  )
})
