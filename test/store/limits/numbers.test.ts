import { beforeAll, describe, expect, it } from 'vitest'
import { loadHash } from '../../../src/bytes/hash.js'
import { LAST_NUMBER } from '../../../src/bytes/units.js'
import { open, repair } from '../../../src/index.js'
import { manifestName, parseStoreFile, segmentName, tableName } from '../../../src/tree/file-names.js'
import { currentManifest, ManifestFile, readManifest } from '../../../src/tree/manifest-file.js'
import type { Lease } from '../../../src/tree/manifest-state.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

/*
 * Numbers of files and positions as they are after any length of life, put there by a lease in the manifest: a store that has got over the
 * width of some field works as one that has not, however its sessions end.
 */

const DIRECTORY = '/store'
const OPTIONS = { executor: 'inline', writeBufferBytes: 64 * 1024, logRetention: { bytes: 2 ** 24 } } as const

beforeAll(() => loadHash())

function leaseOf(disk: SimulatedDisk): Lease {
  return readManifest(disk, DIRECTORY, currentManifest(disk, DIRECTORY)!).state.lease
}

/** What a long life would have come to. */
function putLease(disk: SimulatedDisk, change: Partial<Lease>): void {
  const reading = readManifest(disk, DIRECTORY, currentManifest(disk, DIRECTORY)!)
  const manifest = ManifestFile.reopen(disk, DIRECTORY, reading)
  manifest.append(reading.state.edit + 1, { lease: { ...reading.state.lease, ...change } })
  manifest.file.syncSync()
  manifest.file.closeSync()
}

async function started(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(7)
  const db = await open(DIRECTORY, { ...OPTIONS, fs: disk })
  await db.put('begun', 'yes')
  await db.flush()
  await db.close()
  return disk
}

/** Sessions that end in every way, each of which finds what those before it have written. */
async function live(begin: SimulatedDisk): Promise<SimulatedDisk> {
  let disk = begin
  const expected = new Map([['begun', 'yes']])
  for (let session = 0; session < 8; session++) {
    const db = await open(DIRECTORY, { ...OPTIONS, fs: disk })
    expect(new Map(await db.entries().toArray())).toEqual(expected)
    const since = db.engine.visible
    using snapshot = db.snapshot()
    for (let i = 0; i < 4; i++) {
      const key = `${session}/${i}`
      await db.put(key, 'x'.repeat(30_000), { sync: true })
      expected.set(key, 'x'.repeat(30_000))
    }
    expect(await snapshot.count()).toBe(expected.size - 4)
    let commits = 0
    for await (const _ of db.changes({ since, follow: false })) commits++
    expect(commits).toBe(4)
    if (session % 3 === 1) await db.flush()
    if (session % 3 === 2) await db.compact()
    expect(await db.count()).toBe(expected.size)
    expect((await db.verify()).findings).toEqual([])
    if (session % 2 === 0) {
      const after = session % 4 === 0 ? disk.processDeath() : disk.crash()
      await db.close().catch(() => {})
      disk = after
    } else await db.close()
  }
  expect(await repair(DIRECTORY, { fs: disk, dryRun: true })).toMatchObject({ lost: [] })
  return disk
}

describe('a store whose file numbers have come near', () => {
  it.each([2 ** 16, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52])('%d goes on', async (edge) => {
    const disk = await started()
    putLease(disk, { files: edge - 5 })
    const end = await live(disk)
    expect(leaseOf(end).files).toBeGreaterThan(edge)
  })

  it('the last one there is says so and writes nothing more', async () => {
    const disk = await started()
    putLease(disk, { files: LAST_NUMBER + 1 })
    await expect(open(DIRECTORY, { ...OPTIONS, fs: disk })).rejects.toMatchObject({ code: 'SILT_FULL' })
    const reader = await open(DIRECTORY, { ...OPTIONS, fs: disk, readOnly: true })
    expect(await reader.get('begun')).toBe('yes')
    await reader.close()
  })
})

describe('a store whose positions have come near', () => {
  it.each([2 ** 31, 2 ** 32, 2 ** 48, 2 ** 52])('%d goes on', async (edge) => {
    const disk = await started()
    putLease(disk, { positions: edge - 100_000 })
    const end = await live(disk)
    expect(leaseOf(end).positions).toBeGreaterThan(edge)
  })

  it('the last one there is says so and writes nothing more', async () => {
    const disk = await started()
    putLease(disk, { positions: LAST_NUMBER - 1000 })
    await expect(open(DIRECTORY, { ...OPTIONS, fs: disk })).rejects.toMatchObject({ code: 'SILT_FULL' })
  })
})

describe('an unclean end', () => {
  it('loses no more numbers than its session has used, and a few', async () => {
    let disk = await started()
    const rounds = 20
    const before = leaseOf(disk)
    for (let round = 0; round < rounds; round++) {
      const db = await open(DIRECTORY, { ...OPTIONS, fs: disk })
      await db.put(`${round}`, 'v', { sync: true })
      const after = disk.processDeath()
      await db.close().catch(() => {})
      disk = after
    }
    const { files, positions } = leaseOf(disk)
    expect(files - before.files).toBeLessThanOrEqual(rounds * 220)
    expect(positions - before.positions).toBeLessThanOrEqual(rounds * 2 * OPTIONS.writeBufferBytes)
  })

  it('of a session that has written much loses about as much again', async () => {
    const disk = await started()
    const before = leaseOf(disk).positions
    const db = await open(DIRECTORY, { ...OPTIONS, fs: disk })
    for (let i = 0; i < 200; i++) await db.put(`${i}`, 'x'.repeat(30_000))
    const used = db.engine.visible - before
    const after = disk.processDeath()
    await db.close().catch(() => {})
    expect(leaseOf(after).positions - before).toBeLessThanOrEqual(2 * used + 4 * OPTIONS.writeBufferBytes)
  })
})

it('names of files are read back for every number', () => {
  for (const number of [1, 999_999, 1_000_000, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    for (const name of [tableName(number), segmentName(number), manifestName(number)]) {
      expect(parseStoreFile(name)?.number).toBe(number)
    }
  }
  expect(parseStoreFile('9007199254740993.sst')).toBeUndefined()
})
