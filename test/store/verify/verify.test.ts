import { describe, expect, it } from 'vitest'
import type { OpenMode } from '../../../src/fs/file-system.js'
import { type Database, type FileSystem, MemoryFileSystem, open } from '../../../src/index.js'
import { verifyStore } from '../../../src/store/verify.js'
import { parseStoreFile } from '../../../src/tree/file-names.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

const SMALL = { writeBufferBytes: 64 * 1024, blockBytes: 1024 }
const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)

function keyOf(i: number): string {
  return `key${String(i).padStart(6, '0')}`
}

/** A store with several levels, range tombstones, more than one keyspace, and something in its log. */
async function filled(disk: SimulatedDisk): Promise<Database> {
  const db = await open('/db', { fs: disk, ...SMALL })
  const other = db.keyspace('other')
  for (let i = 0; i < 3000; i++) db.putSync(keyOf((i * 7919) % 3000), `value ${i}`.repeat(10))
  await db.compact()
  db.clearSync({ gte: keyOf(100), lt: keyOf(200) })
  for (let i = 0; i < 500; i++) other.putSync(keyOf(i), 'other')
  await db.flush()
  await db.idle()
  for (let i = 0; i < 100; i++) await db.put(keyOf(i), 'newest', { sync: true })
  return db
}

function filesOf(disk: SimulatedDisk, kind: string): string[] {
  return [...disk.snapshotFiles().keys()].filter((path) => {
    const inStore = /^\/db\/([^/]+)$/.exec(path)?.[1]
    return inStore !== undefined && parseStoreFile(inStore)?.kind === kind
  })
}

/** The same files, to be read. */
function copyOf(disk: SimulatedDisk): MemoryFileSystem {
  const copy = new MemoryFileSystem()
  copy.makeDirectorySync('/db')
  for (const [path, bytes] of disk.snapshotFiles()) {
    const file = copy.openSync(path, 'create')
    file.writeSync(bytes, 0, bytes.length, 0)
    file.closeSync()
  }
  return copy
}

describe('verify of a store that is whole', () => {
  it('finds nothing and says how much it read', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await filled(disk)
    const report = await db.verify()
    expect(report).toMatchObject({ ok: true, findings: [] })
    const files = ['current', 'manifest', 'table', 'segment'].flatMap((kind) => filesOf(disk, kind))
    expect(report.checked).toBe(files.length)
    await db.close()
  })

  it('finds nothing while it is written to, flushed and compacted', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await open('/db', { fs: disk, ...SMALL })
    const random = new SeededRandom(seed)
    let writing = true
    const write = async (): Promise<void> => {
      for (let i = 0; writing; i++) {
        await db.put(keyOf(random.between(0, 2000)), 'x'.repeat(random.between(0, 500)))
        if (i % 50 === 0) await db.clear({ gte: keyOf(i % 2000), lt: keyOf((i % 2000) + 20) })
        if (i % 1000 === 0) await db.compact()
      }
    }
    const writer = write()
    for (let i = 0; i < 15; i++) expect((await db.verify()).findings).toEqual([])
    writing = false
    await writer
    await db.idle()
    expect((await db.verify()).findings).toEqual([])
    await db.close()
  }, 60_000)

  it('finds nothing in one that lives in memory', async () => {
    const db = await open(':memory:', SMALL)
    for (let i = 0; i < 2000; i++) db.putSync(keyOf(i), 'x'.repeat(100))
    expect(await db.verify()).toMatchObject({ ok: true, findings: [] })
    await db.close()
  })

  it('finds nothing in one opened to read, whatever its writer removes meanwhile', async () => {
    const disk = new SimulatedDisk(seed)
    const writer = await filled(disk)
    const reader = await open('/db', { fs: disk, readOnly: true })
    expect((await reader.verify()).findings).toEqual([])
    const before = filesOf(disk, 'table')
    for (let i = 0; i < 1000; i++) writer.putSync(keyOf(i), 'later')
    await writer.compact()
    await writer.idle()
    expect(filesOf(disk, 'table')).not.toEqual(before)
    expect((await reader.verify()).findings).toEqual([])
    await reader.close()
    await writer.close()
  })

  it('finds nothing after a crash, at rest or opened again', async () => {
    for (let i = 0; i < 10; i++) {
      const disk = new SimulatedDisk(seed + i)
      await filled(disk)
      const after = disk.crash()
      expect((await verifyStore('/db', { fs: after })).findings).toEqual([])
      const db = await open('/db', { fs: after, ...SMALL })
      expect((await db.verify()).findings).toEqual([])
      await db.close()
      expect((await verifyStore('/db', { fs: after })).findings).toEqual([])
    }
  })

  it('finds nothing from beside in files that its writer has replaced while it looked', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await filled(disk)
    const before = copyOf(disk)
    await db.compact()
    await db.idle()
    const after = copyOf(disk)
    // The compaction is done in the moment in which the first table is opened: the manifest that was read is an old one.
    let now = before
    const overtaken: FileSystem = Object.assign(Object.create(before) as MemoryFileSystem, {
      listSync: (path: string) => now.listSync(path),
      statusSync: (path: string) => now.statusSync(path),
      openSync(path: string, mode: OpenMode) {
        if (path.endsWith('.sst')) now = after
        return now.openSync(path, mode)
      },
    })
    expect(await verifyStore('/db', { fs: overtaken })).toMatchObject({ ok: true, findings: [] })
    expect(now).toBe(after)
    await db.close()
  })

  it('ends when the store is closed', async () => {
    const db = await filled(new SimulatedDisk(seed))
    const [verified] = await Promise.allSettled([db.verify(), db.close()])
    if (verified.status === 'rejected') expect(verified.reason).toMatchObject({ code: 'SILT_NOT_OPEN' })
    await expect(db.verify()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
  })
})

describe('verify of a store that is damaged', () => {
  it.each(['table', 'segment', 'manifest', 'current'])(
    'names file and offset of a flipped byte in a %s',
    async (kind) => {
      const disk = new SimulatedDisk(seed)
      const random = new SeededRandom(seed)
      const db = await filled(disk)
      for (const path of filesOf(disk, kind)) {
        // The zeros that a log is filled with ahead hold nothing, and the next record overwrites them.
        const length =
          disk
            .snapshotFiles()
            .get(path)!
            .findLastIndex((byte) => byte !== 0) + 1
        const offsets = [0, length - 1, ...Array.from({ length: 20 }, () => random.between(0, length - 1))]
        for (const offset of offsets) {
          const bit = 1 << random.between(0, 7)
          disk.corrupt(path, offset, bit)
          const { ok, findings } = await db.verify()
          const where = `${path}, offset ${offset}, bit ${bit}, SILTSTONE_SEED=${seed}`
          expect(ok, where).toBe(false)
          expect(findings[0], where).toMatchObject({ file: path, offset: expect.any(Number) })
          expect(findings[0]!.offset, where).toBeLessThanOrEqual(length)
          disk.corrupt(path, offset, bit)
        }
      }
      expect((await db.verify()).findings).toEqual([])
      await db.close()
    },
  )

  it('finds the same bytes when nobody has the store open', async () => {
    const disk = new SimulatedDisk(seed)
    const random = new SeededRandom(seed)
    await (await filled(disk)).close()
    for (const path of ['table', 'segment', 'manifest', 'current'].flatMap((kind) => filesOf(disk, kind))) {
      const { length } = disk.snapshotFiles().get(path)!
      for (let i = 0; i < 5; i++) {
        const offset = random.between(0, length - 1)
        disk.corrupt(path, offset, 1)
        const { findings } = await verifyStore('/db', { fs: disk })
        expect(findings[0], `${path}, offset ${offset}`).toMatchObject({ file: path, offset: expect.any(Number) })
        disk.corrupt(path, offset, 1)
      }
    }
    expect((await verifyStore('/db', { fs: disk })).findings).toEqual([])
  })

  it.each(['table', 'segment', 'manifest', 'current'])('finds a missing %s', async (kind) => {
    const disk = new SimulatedDisk(seed)
    const db = await filled(disk)
    const path = filesOf(disk, kind)[0]!
    disk.removeSync(path)
    const { findings } = await db.verify()
    expect(findings.map(({ file }) => file)).toContain(kind === 'manifest' ? '/db/CURRENT' : path)
  })

  it('finds a table cut short, and every damaged block of another', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await filled(disk)
    const [first, second] = filesOf(disk, 'table').sort((a, b) => disk.statusSync(b)!.bytes - disk.statusSync(a)!.bytes)
    for (const offset of [10, 5000, 9000]) disk.corrupt(first!, offset, 255)
    disk.truncate(second!, 100)
    const { findings } = await db.verify()
    expect(findings.filter(({ file }) => file === first)).toHaveLength(3)
    expect(findings.filter(({ file }) => file === second)).toHaveLength(1)
    await db.close()
  })

  it('finds files that belong to nothing, and leaves those alone that are not the store’s', async () => {
    const disk = new SimulatedDisk(seed)
    const db = await filled(disk)
    for (const name of ['000001.sst', '000001.log', 'MANIFEST-000001', 'CURRENT.new', 'notes.txt']) {
      if (disk.statusSync(`/db/${name}`) === undefined) disk.openSync(`/db/${name}`, 'create').closeSync()
    }
    await db.idle()
    const strays = (await db.verify()).findings.map(({ file }) => file)
    expect(strays).toEqual(expect.arrayContaining(['/db/000001.sst', '/db/000001.log', '/db/CURRENT.new']))
    expect(strays).not.toContain('/db/notes.txt')
    await db.close()
  })

  it('reads what can be read of a store without a manifest', async () => {
    const disk = new SimulatedDisk(seed)
    await (await filled(disk)).close()
    disk.removeSync('/db/CURRENT')
    const table = filesOf(disk, 'table')[0]!
    disk.corrupt(table, 100, 1)
    const { findings, checked } = await verifyStore('/db', { fs: disk })
    expect(findings.map(({ file }) => file)).toEqual(['/db/CURRENT', table])
    expect(checked).toBeGreaterThan(2)
  })

  it('refuses a place where there is no store', async () => {
    const disk = new SimulatedDisk(seed)
    disk.makeDirectorySync('/db')
    await expect(verifyStore('/db', { fs: disk })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    await expect(verifyStore('/nowhere', { fs: disk })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
  })
})
