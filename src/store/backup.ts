import { corruption, invalid, ioError } from '../bytes/errors.js'
import { loadHash } from '../bytes/hash.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { DEFAULT_PERMISSIONS } from '../fs/disk-file-system.js'
import type { FileSystem } from '../fs/file-system.js'
import { readWholeFile } from '../fs/whole-file.js'
import { LOG_HEADER_BYTES, putLogHeader, readLogHeader } from '../log/log-header.js'
import { parseStoreFile, segmentName, tableName } from '../tree/file-names.js'
import { BackupDirectory } from './backup/backup-directory.js'
import type { BackupFile, BackupRecord } from './backup/backup-record.js'
import { Capture, type CapturedSegment } from './copy/capture.js'
import { Construction } from './copy/construction.js'
import type { Database } from './database.js'
import { describe } from './encoding.js'
import { keepAlive } from './keep-alive.js'
import { locate } from './open-engine.js'
import { checked, fileSystem, flag, permissions, whole } from './options.js'
import type { VerifyReport } from './verify/verification.js'

/** What `backup` takes. */
export interface BackupOptions {
  /**
   * Give tables a second name instead of copying them, where the disk can do that (default false). Quick and small, but no help
   * against what happens to the disk: store and backup then have the same bytes.
   */
  link?: boolean
  /** Where the backups are: where the store is, by default. */
  fs?: FileSystem
}

/** Where backups are. */
export interface BackupPlace {
  /** The disk by default. */
  fs?: FileSystem
  /** Permissions of the files of a store that is made of a backup (default 0o600), as `open` takes them. */
  mode?: number
}

/** One backup of a directory. */
export interface BackupInfo {
  /** Its number; later ones have higher ones. */
  readonly id: number
  /** In milliseconds since 1970. */
  readonly createdAt: EpochMs
  /** Everything committed before this position is in it. */
  readonly position: Position
  /** Files it is made of. */
  readonly files: number
  /** Of all its files; backups of one directory share most of them. */
  readonly bytes: number
}

/** What `backup` returns. */
export interface BackupReport extends BackupInfo {
  /** Bytes that this backup has added to the directory. */
  readonly addedBytes: number
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the encodings, it is bytes that are copied
type Source = Pick<Database<any, any>, 'engine' | 'placeOutside'>

const PART_BYTES = 1 << 20

/**
 * Adds a backup of an open store to a directory of backups, while reads and writes go on. Only tables that no earlier backup has
 * are copied. It counts once all of it is on disk; what an interrupted one has left goes with the next.
 *
 * @example
 * const { id, addedBytes } = await backup(db, './backups')
 */
// biome-ignore lint/suspicious/noExplicitAny: whatever the encodings, it is bytes that are copied
export function backup(db: Database<any, any>, directory: string, options: BackupOptions = {}): Promise<BackupReport> {
  return keepAlive(addBackup(db, directory, options))
}

async function addBackup(db: Source, path: string, options: BackupOptions): Promise<BackupReport> {
  const { link = false, fs } = checked(options, { link: flag, fs: fileSystem }, 'backup') as BackupOptions
  if (db?.engine === undefined) throw invalid(`backup takes an open store, not ${describe(db)}`)
  db.engine.checkOpen()
  const place = fs === undefined ? db.placeOutside(path) : locate(path, fs)
  const directory = new BackupDirectory(place.fs, place.directory)
  try {
    const lock = await directory.lock()
    try {
      directory.sweep()
      return await copyIn(db, directory, link)
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw ioError(error, 'add a backup to', directory.path)
  }
}

async function copyIn(db: Source, directory: BackupDirectory, link: boolean): Promise<BackupReport> {
  const { engine } = db
  const capture = await Capture.take(engine)
  try {
    const { records, damaged } = directory.find()
    const id = Math.max(0, ...records.map((record) => record.id), ...damaged.map((record) => record.id)) + 1
    const state = capture.manifestState()
    const known = knownTables(records, state.storeId)
    const files: BackupFile[] = []
    for (const { number, bytes } of capture.tables) {
      const name = tableName(number)
      const same = known.get(name)
      const isKnown =
        same?.bytes === bytes && directory.fs.statusSync(directory.filePlace(same.sha256).path)?.bytes === bytes
      files.push(
        isKnown ? same : await directory.takeIn(name, { fs: engine.fs, path: `${engine.directory}/${name}` }, link),
      )
      engine.checkOpen()
    }
    for (const segment of capture.segments) {
      files.push(await directory.takeInBytes(segmentName(segment.header.number), partsOf(segment)))
      engine.checkOpen()
    }
    const record: BackupRecord = { id, createdAt: engine.clock.now(), position: capture.position, files, state }
    await directory.add(record)
    return { ...infoOf(record), addedBytes: directory.addedBytes }
  } finally {
    capture.release()
  }
}

/** A store never uses a number for a second table, so one that a backup of the same store has by that name is the same. */
function knownTables(records: readonly BackupRecord[], storeId: number): Map<string, BackupFile> {
  const known = new Map<string, BackupFile>()
  for (const { state, files } of records) {
    if (state.storeId !== storeId) continue
    for (const file of files) if (parseStoreFile(file.name)?.kind === 'table') known.set(file.name, file)
  }
  return known
}

/** The file of a segment up to the position of the backup, in parts that are quick to write. */
function* partsOf({ header, bytes, end }: CapturedSegment): Generator<Uint8Array> {
  const head = new Uint8Array(LOG_HEADER_BYTES)
  putLogHeader(head, header)
  yield head
  for (let start = LOG_HEADER_BYTES; start < end; start += PART_BYTES) {
    yield bytes.subarray(start, Math.min(end, start + PART_BYTES))
  }
}

/**
 * The backups of a directory, oldest first.
 *
 * @example
 * for (const { id, createdAt, bytes } of await listBackups('./backups')) console.log(id, new Date(createdAt), bytes)
 */
export async function listBackups(directory: string, place: BackupPlace = {}): Promise<BackupInfo[]> {
  return directoryAt(directory, place).all().map(infoOf)
}

/**
 * Reads every file of a backup and holds it to its checksum.
 *
 * @example
 * const { ok, findings } = await verifyBackup('./backups', 1)
 */
export async function verifyBackup(directory: string, id: number, place: BackupPlace = {}): Promise<VerifyReport> {
  const backups = directoryAt(directory, place)
  const { files } = backups.read(checkedId(id))
  const findings: { file: string; problem: string }[] = []
  for (const file of files) {
    const problem = await backups.problemOf(file)
    if (problem !== undefined) {
      findings.push({ file: backups.filePlace(file.sha256).path, problem: `${problem} (${file.name} of the store)` })
    }
  }
  return { ok: findings.length === 0, checked: files.length, findings }
}

/**
 * Makes a store of a backup in a directory that is not there or empty (`SILT_EXISTS` otherwise). Every file is held to its checksum on
 * the way. The store has a history of its own from then on; each restoring of one backup makes another store.
 *
 * @example
 * await restoreBackup('./backups', 1, './data-as-it-was')
 */
export async function restoreBackup(
  directory: string,
  id: number,
  target: string,
  place: BackupPlace = {},
): Promise<void> {
  const { fs, mode = DEFAULT_PERMISSIONS } = place
  return keepAlive(restore(directoryAt(directory, place), checkedId(id), locate(target, fs, mode)))
}

async function restore(backups: BackupDirectory, id: number, target: ReturnType<typeof locate>): Promise<void> {
  await loadHash()
  try {
    const { files, state } = backups.read(id)
    const construction = await Construction.begin(target.fs, target.directory, state.lease.files - 1)
    try {
      for (const file of files) await restoreFile(backups, file, construction)
      await construction.finish(state)
    } catch (error) {
      await construction.abandon()
      throw error
    }
  } catch (error) {
    throw ioError(error, `restore backup ${id} of ${backups.path} in`, target.directory)
  }
}

async function restoreFile(backups: BackupDirectory, file: BackupFile, construction: Construction): Promise<void> {
  const { path, fs } = backups.filePlace(file.sha256)
  const refuse = (problem: string): never => {
    throw corruption(path, 0, `${problem} (${file.name} of backup); take another backup`)
  }
  const { kind, number } = parseStoreFile(file.name)!
  if (kind === 'table') {
    const problem = await backups.bringBack(file, { fs: construction.fs, path: construction.tablePath(number) })
    if (problem !== undefined) refuse(problem)
    return
  }
  const problem = await backups.problemOf(file)
  if (problem !== undefined) refuse(problem)
  const bytes = readWholeFile(fs, path)!
  const header = readLogHeader(bytes, bytes.length, 'SILTLOG\n', path)
  if (header?.number !== number) return refuse('it is no log of that number')
  await construction.addSegment({ header, bytes, end: bytes.length }, () => {})
}

/**
 * Removes all backups but the newest `keep`, and the files that only those needed. Returns the ids that are gone.
 *
 * @example
 * const removed = await pruneBackups('./backups', { keep: 7 })
 */
export async function pruneBackups(directory: string, options: { keep: number } & BackupPlace): Promise<number[]> {
  const checks = { keep: whole(0, Number.MAX_SAFE_INTEGER, 'backups'), fs: fileSystem }
  const { keep, fs } = checked(options, checks, 'pruneBackups') as unknown as typeof options
  if (keep === undefined) throw invalid('pruneBackups needs to be told how many backups to keep: { keep: 7 }')
  const backups = backupsAt(directory, fs)
  const lock = await backups.lock()
  try {
    const ids = backups.all().map(({ id }) => id)
    const removed = ids.slice(0, Math.max(0, ids.length - keep))
    await backups.remove(removed)
    backups.sweep()
    return removed
  } catch (error) {
    throw ioError(error, 'remove backups from', backups.path)
  } finally {
    await lock.release()
  }
}

function directoryAt(path: string, place: BackupPlace): BackupDirectory {
  return backupsAt(path, fsOf(place, 'a place of backups'))
}

/** The file system that a place says, checked. */
function fsOf(place: BackupPlace, where: string): FileSystem | undefined {
  return (checked(place, { fs: fileSystem, mode: permissions }, where) as BackupPlace).fs
}

function backupsAt(path: string, fs: FileSystem | undefined): BackupDirectory {
  const place = locate(path, fs)
  return new BackupDirectory(place.fs, place.directory)
}

function infoOf({ id, createdAt, position, files }: BackupRecord): BackupInfo {
  return { id, createdAt, position, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

function checkedId(id: number): number {
  if (Number.isSafeInteger(id) && id > 0) return id
  throw invalid(`The id of a backup is a number that listBackups() names, not ${describe(id)}`)
}
