import { beforeAll, describe, expect, it } from 'vitest'
import { loadHash } from '../../src/bytes/hash.js'
import type { FileNumber } from '../../src/bytes/units.js'
import { type Database, open, SiltstoneError } from '../../src/index.js'
import { Manifest } from '../../src/tree/manifest.js'
import { ManifestState } from '../../src/tree/manifest-state.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

/* What the sweep over all faults brought to light, one story each. */

beforeAll(loadHash)

function openOn(disk: SimulatedDisk, clock = new ManualClock()): Promise<Database> {
  return open('/store', { fs: disk, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
}

/** The first manifest of a store, with nothing around it. */
function newManifest(disk: SimulatedDisk): { state: ManifestState; manifest: Manifest; failures: unknown[] } {
  disk.makeDirectorySync('/store')
  const state = new ManifestState()
  state.storeId = 1
  const failures: unknown[] = []
  let number = 0
  const manifest = Manifest.create(
    {
      fs: disk,
      directory: '/store',
      now: () => 0,
      takeNumber: () => ++number as FileNumber,
      onFailed: (error) => failures.push(error),
    },
    state,
  )
  return { state, manifest, failures }
}

/** A store that was in use when its process died: with tables, and a log to recover. */
async function interrupted(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(1)
  const db = await openOn(disk)
  await db.put('in a table', '1')
  await db.flush()
  await db.put('in the log', '1')
  return disk.processDeath()
}

function expectSpoken(error: unknown): void {
  expect(error).toBeInstanceOf(SiltstoneError)
}

describe('an opening that is refused', () => {
  /** The segment that it had just made, or the first manifest of a new store, stayed open for as long as the process lived. */
  it.each([
    ['of a new store', async () => new SimulatedDisk(1)],
    ['of a store that was interrupted', interrupted],
  ])('%s leaves no file open and no timer set, whatever call of it fails', async (_, newDisk) => {
    const whole = await newDisk()
    const before = whole.callCount
    const db = await openOn(whole)
    const calls = whole.callCount - before
    await db.close()
    let refused = 0
    for (let call = 1; call <= calls; call++) {
      const disk = await newDisk()
      const clock = new ManualClock()
      disk.failCall(disk.callCount + call, 'EIO')
      const opening = await openOn(disk, clock).catch((error: unknown) => error)
      if (opening instanceof Error) {
        refused++
        expect(opening, `call ${call}`).toBeInstanceOf(SiltstoneError)
      } else await (opening as Database).close().catch(expectSpoken)
      expect(disk.openPaths, `call ${call}`).toEqual([])
      expect(clock.waiting, `call ${call}`).toBe(0)
      // Whatever was left behind: the next opening finds its way.
      await (await openOn(disk, clock)).close()
    }
    expect(refused).toBeGreaterThan(calls / 2)
  })
})

describe('a disk that fails in the background', () => {
  /** The error of the system came through as it was, without a word on what was attempted or what to do. */
  it('while the names of new tables are synced is reported in words', async () => {
    const disk = new SimulatedDisk(1)
    const db = await openOn(disk)
    await db.put('a', '1')
    const heal = disk.failEvery('syncDirectory', 'EIO')
    await expect(db.flush()).rejects.toMatchObject({ name: 'SiltstoneError', code: 'SILT_IO', file: '/store' })
    heal()
    await db.flush()
    await db.close()
  })

  it('while the lock is taken is reported in words', async () => {
    const disk = new SimulatedDisk(1)
    const heal = disk.failEvery('lock', 'EIO')
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'SiltstoneError', code: 'SILT_IO' })
    heal()
    await (await openOn(disk)).close()
  })
})

describe('a sync of the manifest that fails after it was taken over', () => {
  /** A write that needed the edit at once had it synced on this thread; the sync on the pool failed later, while the next edit waited. */
  it('ends the writing, and nothing else', async () => {
    const disk = new SimulatedDisk(1)
    const { state, manifest, failures } = newManifest(disk)
    manifest.commitSync({ logFrom: 1 })
    disk.failCall(disk.callCountOf('sync') + 1, 'EIO', 'sync')
    // Two syncs of one edit, on the pool and here; the first of them fails, but is heard of later.
    manifest.commitSync({ logFrom: 2 })
    const refusal = new Promise((resolve) => manifest.submit({ logFrom: 3 }, () => resolve('durable'), resolve))
    expect(await refusal).toMatchObject({ code: 'SILT_FAILED' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(failures).toHaveLength(1)
    expect(state.logFrom).toBeGreaterThanOrEqual(2)
    manifest.close()
    expect(disk.openPaths).toEqual([])
  })
})

describe('a scan that cannot be made', () => {
  /** Nobody has it, so nobody can close it: what it held on to could never be compacted away. */
  it('holds on to nothing', async () => {
    const disk = await interrupted()
    const db = await openOn(disk)
    const heal = disk.failEvery('open', 'EMFILE', '.sst')
    expect(() => db.entries()).toThrow(expect.objectContaining({ code: 'SILT_IO' }))
    expect(db.engine.pins.size).toBe(0)
    heal()
    expect(db.keys().toArraySync()).toEqual(['in a table', 'in the log'])
    await db.close()
  })
})

describe('a manifest that cannot be replaced', () => {
  /** The sync of the new one fails, so the work on it is given up in the middle: its file was never closed. */
  it('ends the writing, and leaves no file open at close', async () => {
    for (const kind of ['sync', 'syncDirectory', 'rename', 'write', 'open'] as const) {
      const disk = await interrupted()
      // A torn edit at the end makes the next one begin a new manifest.
      const manifest = [...disk.snapshotFiles().keys()].find((path) => path.includes('MANIFEST'))!
      const file = disk.openSync(manifest, 'update')
      file.writeSync(new Uint8Array(10).fill(1), 0, 10, file.sizeSync())
      file.closeSync()
      const heal = disk.failEvery(kind, 'EIO', kind === 'rename' ? 'CURRENT' : undefined)
      await expect(openOn(disk), kind).rejects.toBeInstanceOf(SiltstoneError)
      expect(disk.openPaths, kind).toEqual([])
      heal()
      const again = await openOn(disk)
      expect(again.keys().toArraySync(), kind).toEqual(['in a table', 'in the log'])
      await again.close()
      expect(disk.openPaths, kind).toEqual([])
    }
  })
})
