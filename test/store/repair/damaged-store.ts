import { expect } from 'vitest'
import { type Database, open, type RepairReport, repair } from '../../../src/index.js'
import { parseStoreFile, type StoreFileKind } from '../../../src/tree/file-names.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

export const SMALL = { writeBufferBytes: 64 * 1024, blockBytes: 1024 }
export const DIRECTORY = '/db'
export const OTHER = 'other'

export type Content = Map<string, string>

export function keyOf(i: number): string {
  return `key${String(i).padStart(6, '0')}`
}

/** A store whose content is known, with everything that a store can have: levels, deletions, ranges deleted, a log. */
export class DamagedStore {
  readonly disk: SimulatedDisk
  readonly model: Content = new Map()
  readonly other: Content = new Map()
  db: Database
  private readonly random: SeededRandom

  private constructor(disk: SimulatedDisk, db: Database, seed: number) {
    this.disk = disk
    this.db = db
    this.random = new SeededRandom(seed)
  }

  static async make(seed = 1): Promise<DamagedStore> {
    const disk = new SimulatedDisk(seed)
    return new DamagedStore(disk, await open(DIRECTORY, { fs: disk, ...SMALL }), seed)
  }

  put(i: number, value: string): void {
    this.model.set(keyOf(i), value)
    this.db.putSync(keyOf(i), value)
  }

  del(i: number): void {
    this.model.delete(keyOf(i))
    this.db.delSync(keyOf(i))
  }

  clear(from: number, to: number): void {
    for (const key of [...this.model.keys()]) if (key >= keyOf(from) && key < keyOf(to)) this.model.delete(key)
    this.db.clearSync({ gte: keyOf(from), lt: keyOf(to) })
  }

  putOther(i: number, value: string): void {
    this.other.set(keyOf(i), value)
    this.db.keyspace(OTHER, { compaction: 'tiered' }).putSync(keyOf(i), value)
  }

  /** Puts, overwrites, deletes: a few hundred operations on a thousand keys. */
  churn(operations: number): void {
    for (let i = 0; i < operations; i++) {
      const at = this.random.below(1000)
      const choice = this.random.below(20)
      if (choice === 0) this.clear(at, at + 5)
      else if (choice < 4) this.del(at)
      else if (choice < 7) this.putOther(at, `other ${i} ${'o'.repeat(20)}`)
      else this.put(at, `value ${i} ${'v'.repeat(this.random.below(200))}`)
    }
  }

  /** Several levels of tables, and something in the log. */
  async fill(): Promise<this> {
    this.churn(1500)
    await this.db.compact()
    this.churn(300)
    await this.db.flush()
    this.churn(200)
    await this.db.flush()
    await this.db.idle()
    this.churn(100)
    return this
  }

  /** In table of level 0 one key each, the first the oldest. */
  async flushEach(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.put(i, `flushed ${i}`)
      await this.db.flush()
    }
  }

  files(kind: StoreFileKind): string[] {
    return filesOf(this.disk, kind)
  }

  path(kind: StoreFileKind, index = 0): string {
    const path = this.files(kind).at(index)
    expect(path, `a ${kind}`).toBeDefined()
    return path!
  }

  bytesOf(path: string): number {
    return this.disk.statusSync(path)!.bytes
  }

  largestTable(): string {
    return this.files('table').sort((a, b) => this.bytesOf(b) - this.bytesOf(a))[0]!
  }

  /** Rehearses a repair and does it, and holds both to what every repair has to keep to. */
  repair(): Promise<RepairReport> {
    return rehearsedRepair(this.disk)
  }

  /** Opens the store and reads everything in it, twice: as it is, and with everything merged. */
  async expectContent(model: Content = this.model, other: Content = this.other): Promise<void> {
    const db = await open(DIRECTORY, { fs: this.disk, ...SMALL, createIfMissing: false })
    expect((await db.verify()).findings).toEqual([])
    expect(await contentOf(db)).toEqual(sorted(model))
    expect(await contentOf(db.keyspace(OTHER))).toEqual(sorted(other))
    await db.compact()
    expect(await contentOf(db)).toEqual(sorted(model))
    // Writing goes on, in a log that no one before has written to.
    await db.put('written after the repair', 'yes', { sync: true })
    await db.close()
    const again = await open(DIRECTORY, { fs: this.disk, ...SMALL })
    expect(await contentOf(again)).toEqual(sorted(new Map(model).set('written after the repair', 'yes')))
    await again.close()
  }
}

export function filesOf(disk: SimulatedDisk, kind: StoreFileKind): string[] {
  return [...disk.snapshotFiles().keys()]
    .filter((path) => parseStoreFile(path.replace(`${DIRECTORY}/`, ''))?.kind === kind)
    .sort()
}

export async function rehearsedRepair(disk: SimulatedDisk): Promise<RepairReport> {
  const before = disk.snapshotFiles()
  const rehearsed = await repair(DIRECTORY, { fs: disk, dryRun: true })
  expect(disk.snapshotFiles(), 'a rehearsal changes nothing').toEqual(before)
  const report = await repair(DIRECTORY, { fs: disk })
  expect(rehearsed, 'a rehearsal reports what is done').toEqual(report)
  expect(disk.openPaths, 'every file is closed').toEqual([])
  const after = disk.snapshotFiles()
  for (const [path, bytes] of before) {
    const isThere = [...after.values()].some((each) => Buffer.compare(each, bytes) === 0)
    expect(isThere, `every byte of ${path} is still there`).toBe(true)
  }
  for (const { file, movedTo } of [...report.kept, ...report.lost]) {
    const original = before.get(`${DIRECTORY}/${file}`)
    if (movedTo !== undefined) expect(after.get(`${DIRECTORY}/${movedTo}`), movedTo).toEqual(original)
  }
  const booked = new Set([...report.kept, ...report.lost].map(({ file }) => `${DIRECTORY}/${file}`))
  for (const path of before.keys()) {
    if (!path.startsWith(`${DIRECTORY}/lost/`)) expect(booked, 'every file is in the report').toContain(path)
  }
  return report
}

export function lostFiles(report: RepairReport): string[] {
  return report.lost.map(({ file }) => `${DIRECTORY}/${file}`)
}

interface Readable {
  entries(): { toArray(): Promise<[string, string][]> }
}

export async function contentOf(keyspace: Readable): Promise<[string, string][]> {
  return keyspace.entries().toArray()
}

export function sorted(content: Content): [string, string][] {
  return [...content].sort(([a], [b]) => (a < b ? -1 : 1))
}
