import { expect } from 'vitest'
import { SiltstoneError } from '../../src/index.js'
import { frameOf, LOG_HEADER_BYTES, readLogHeader } from '../../src/log/log-header.js'
import { scanLog } from '../../src/log/log-scan.js'
import { parseStoreFile, type StoreFileKind } from '../../src/tree/file-names.js'
import type { History } from './history.js'
import { newPast, type Past, Scribe, STORE } from './scribe.js'
import type { SeededRandom } from './seeded-random.js'
import { SimulatedDisk } from './simulated-disk.js'

/** The files of a store as they lie on a disk, and what was ever written to it. */
export interface Image {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly past: Past
  readonly now: number
}

/** What is done to one file. */
export type Damage =
  | { readonly kind: 'flip'; readonly path: string; readonly offset: number; readonly xor: number }
  | { readonly kind: 'cut'; readonly path: string; readonly bytes: number }

/** How a damaged store may answer. */
export type Answer =
  | 'right data'
  | 'refused to open'
  | 'refused to read'
  | 'recovered to a point in time'
  /** Without a report of it. */
  | 'recovered to a point in time, unseen'

/** Two keyspaces, tables and a log, small enough to damage every byte of it. The last two commits were never synced. */
export async function smallImage(closed: boolean): Promise<Image> {
  const scribe = new Scribe(new SimulatedDisk(1), newPast({ blockBytes: 256 }))
  await scribe.open()
  for (let i = 0; i < 12; i++) await scribe.put(`k${i % 8}`, scribe.value(24))
  await scribe.put('order', scribe.value(), { keyspace: 'orders' })
  await scribe.del('k3')
  await scribe.flush()
  await scribe.clear('k5', 'k7', { sync: true })
  await scribe.batch(
    [
      ['', 'k1', scribe.value()],
      ['orders', 'second', scribe.value()],
    ],
    true,
  )
  await scribe.put('k2', scribe.value(), { sync: true })
  await scribe.put('k0', scribe.value())
  await scribe.put('k9', scribe.value())
  await scribe.idle()
  if (closed) await scribe.close()
  return { files: scribe.disk.snapshotFiles(), past: scribe.past, now: scribe.clock.now() }
}

/** Several levels and segments, for samples. */
export async function largeImage(random: SeededRandom): Promise<Image> {
  const scribe = new Scribe(new SimulatedDisk(2), newPast({ blockBytes: 1024 }))
  await scribe.open()
  for (let i = 0; i < 400; i++) {
    await scribe.put(`k${random.below(200)}`, scribe.value(random.pick([20, 400, 3000])))
    if (i % 60 === 59) await scribe.flush()
  }
  await scribe.idle()
  await scribe.put('last', scribe.value(), { sync: true })
  return { files: scribe.disk.snapshotFiles(), past: scribe.past, now: scribe.clock.now() }
}

export function kindOf(path: string): StoreFileKind {
  return parseStoreFile(path.slice(path.lastIndexOf('/') + 1))!.kind
}

/** Opens a damaged copy of a store, reads everything in it, and holds the answer to what is allowed. */
export async function answerTo({ files, past, now }: Image, damage: Damage, strict = false): Promise<Answer> {
  const disk = diskWith(files)
  if (damage.kind === 'flip') disk.corrupt(damage.path, damage.offset, damage.xor)
  else disk.truncate(damage.path, damage.bytes)
  const scribe = new Scribe(disk, { ...newPast(past.options), history: past.history }, now)
  try {
    await scribe.open({ recovery: strict ? 'strict' : 'point-in-time' })
  } catch (error) {
    expectNamed(error, damage.path)
    expect(disk.openPaths, 'files that a refused opening leaves open').toEqual([])
    return 'refused to open'
  }
  try {
    return await readAll(scribe, damage)
  } finally {
    scribe.onRefusal = (error) => expectNamed(error, damage.path)
    await scribe.close()
  }
}

async function readAll(scribe: Scribe, damage: Damage): Promise<Answer> {
  const { db, history } = scribe
  const { losses } = db.recovery
  if (kindOf(damage.path) === 'table') {
    // Found by whoever looks for it, wherever in the file it is.
    const { findings } = await scribe.until(db.verify())
    const files = findings.map(({ file }) => file)
    expect(files, 'the files that verify names').toContain(damage.path)
    return await readDamagedTable(scribe, history, damage.path)
  }
  const content = await scribe.content()
  const count = history.find(content, 0, scribe.clock.now())
  if (count === undefined) return expect.fail('wrong data')
  if (count === history.length) return 'right data'
  return losses.length > 0 ? 'recovered to a point in time' : 'recovered to a point in time, unseen'
}

/** Every key has its value or an error that names the file, and so has every scan. */
async function readDamagedTable(scribe: Scribe, history: History, path: string): Promise<Answer> {
  const expected = history.contentAt(history.length, scribe.clock.now())
  let answer: Answer = 'right data'
  const attempt = async (read: () => Promise<void>): Promise<void> => {
    try {
      await read()
    } catch (error) {
      expectNamed(error, path)
      answer = 'refused to read'
    }
  }
  for (const [name, entries] of expected) {
    const keyspace = name === '' ? scribe.db : scribe.db.keyspace(name)
    const keys = new Set([...entries.keys(), 'k3', 'k5', 'k6', 'nothing'])
    for (const key of keys) {
      await attempt(async () => {
        const value = await scribe.until(keyspace.get(key))
        if (value !== entries.get(key)) expect.fail(`'${key}' is '${value}', not '${entries.get(key)}'`)
      })
    }
    await attempt(async () => {
      expect(new Map(await scribe.until(keyspace.entries().toArray()))).toEqual(entries)
    })
  }
  return answer
}

function expectNamed(error: unknown, path: string): void {
  if (!(error instanceof SiltstoneError)) throw error
  expect(error.code, error.message).toBe('SILT_CORRUPTION')
  // A name in CURRENT, or a number in the manifest, that is damaged may lead to a file that is not there.
  if (kindOf(path) === 'table' || kindOf(path) === 'segment') expect(error.file, error.message).toBe(path)
  expect(error.message.length, 'a sentence').toBeGreaterThan(20)
}

function diskWith(files: ReadonlyMap<string, Uint8Array>): SimulatedDisk {
  const disk = new SimulatedDisk(1)
  disk.makeDirectorySync(STORE)
  for (const [path, bytes] of files) {
    const file = disk.openSync(path, 'create')
    file.writeSync(bytes, 0, bytes.length, 0)
    file.syncSync()
    file.closeSync()
  }
  disk.syncDirectorySync(STORE)
  return disk
}

/** What one may know of the log from outside: where its records begin, and up to where it says itself that it was synced. */
export interface LogAnatomy {
  readonly path: string
  readonly bytes: number
  readonly records: readonly number[]
  /** Offset: what stands before it was synced, and a record behind it says so. */
  readonly provenUpTo: number
}

export function anatomyOfLog({ files }: Image): LogAnatomy {
  const [path, bytes] = [...files].findLast(([name]) => kindOf(name) === 'segment')!
  const header = readLogHeader(bytes, bytes.length, 'SILTLOG\n', path)!
  const { records, end, synced } = scanLog(bytes, bytes.length, frameOf(header), header.base)
  expect(records[0]).toBe(LOG_HEADER_BYTES)
  return { path, bytes: end, records, provenUpTo: synced - header.base }
}

/** The paths of a store that hold its data. */
export function dataFiles({ files }: Image): string[] {
  return [...files.keys()].filter((path) => parseStoreFile(path.slice(path.lastIndexOf('/') + 1)) !== undefined)
}
