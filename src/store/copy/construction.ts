import { corruption, SiltstoneError } from '../../bytes/errors.js'
import type { FileNumber } from '../../bytes/units.js'
import { makeDurableDirectoryInPool } from '../../fs/durable-directory.js'
import { kindOf } from '../../fs/file-kind.js'
import type { FileHandle, FileLock, FileSystem } from '../../fs/file-system.js'
import { letGo } from '../../fs/let-go.js'
import { LOG_HEADER_BYTES, putLogHeader } from '../../log/log-header.js'
import {
  CURRENT,
  LOCK,
  manifestName,
  parseStoreFile,
  segmentName,
  tableName,
  UNFINISHED,
} from '../../tree/file-names.js'
import { randomStoreId } from '../../tree/forest.js'
import { ManifestFile } from '../../tree/manifest-file.js'
import type { ManifestState } from '../../tree/manifest-state.js'
import { Turn } from '../turn.js'
import type { CapturedSegment } from './capture.js'

const SLICE_BYTES = 1 << 20

/**
 * A store that is being put together in a directory of its own from the tables and the log of another one.
 *
 * Before anything else the directory gets CURRENT.unfinished, durably, and the last step renames that to CURRENT. So whatever
 * interrupts it, either all of it is there or a file that says that it is no store; the next construction in the same place
 * clears away what it finds of that kind. The lock of the directory is held all the time.
 *
 * The new store has an id of its own: what is written to it from now on is another history than that of its origin, though both go
 * on with the same positions and file numbers, and a file of the one that is put into the other must be noticed.
 */
export class Construction {
  readonly fs: FileSystem
  readonly directory: string
  private readonly manifestNumber: FileNumber
  private readonly storeId: number
  private readonly lock: FileLock
  private readonly madeDirectory: boolean
  private readonly turn = new Turn()
  private renamed = false

  private constructor(
    fs: FileSystem,
    directory: string,
    manifestNumber: FileNumber,
    lock: FileLock,
    madeDirectory: boolean,
  ) {
    this.fs = fs
    this.storeId = randomStoreId(fs)
    this.directory = directory
    this.manifestNumber = manifestNumber
    this.lock = lock
    this.madeDirectory = madeDirectory
  }

  /** Begins in a directory that is not there yet, or is empty, or holds what an interrupted construction has left. */
  static async begin(fs: FileSystem, directory: string, manifestNumber: FileNumber): Promise<Construction> {
    const isThere = requireFree(fs, directory)
    await makeDurableDirectoryInPool(fs, directory)
    const lock = await fs.lock(directory)
    const construction = new Construction(fs, directory, manifestNumber, lock, !isThere)
    try {
      requireFree(fs, directory)
      await construction.clear()
      await construction.writeMarker()
      return construction
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  tablePath(number: FileNumber): string {
    return `${this.directory}/${tableName(number)}`
  }

  /** Holds a table that was put in its place to what the manifest is going to say of it. */
  checkTable(number: FileNumber, bytes: number): void {
    const path = this.tablePath(number)
    const found = this.fs.statusSync(path)?.bytes ?? 0
    if (found !== bytes)
      throw corruption(path, Math.min(found, bytes), `it has ${found} bytes and ought to have ${bytes}`)
  }

  /** Writes a segment of the log. `check` is called between slices and may throw. */
  async addSegment({ header, bytes, end }: CapturedSegment, check: () => void): Promise<void> {
    const file = this.fs.openSync(`${this.directory}/${segmentName(header.number)}`, 'create')
    try {
      const head = new Uint8Array(LOG_HEADER_BYTES)
      putLogHeader(head, { ...header, storeId: this.storeId })
      writeAll(file, head, 0, LOG_HEADER_BYTES)
      for (let offset = LOG_HEADER_BYTES; offset < end; offset += SLICE_BYTES) {
        writeAll(file, bytes, offset, Math.min(end, offset + SLICE_BYTES))
        if (this.turn.isDue()) await this.turn.next()
        check()
      }
      await file.sync()
    } finally {
      letGo(file)
    }
  }

  /** Makes a store of it: durable, names included, when this resolves. */
  async finish(state: ManifestState): Promise<void> {
    const { fs, directory, storeId } = this
    const manifest = ManifestFile.create(fs, directory, this.manifestNumber, state.edit, storeId, Date.now())
    try {
      manifest.append(state.edit + 1, { ...state.asEdit(), storeId })
      await manifest.file.sync()
    } finally {
      letGo(manifest.file)
    }
    await fs.syncDirectory(directory)
    this.lock.verify?.()
    fs.renameSync(`${directory}/${UNFINISHED}`, `${directory}/${CURRENT}`)
    this.renamed = true
    await fs.syncDirectory(directory)
    await this.lock.release()
  }

  /** Takes away what was made so far; what cannot be is recognised by the next construction. */
  async abandon(): Promise<void> {
    const { fs, directory } = this
    try {
      if (this.renamed) fs.renameSync(`${directory}/${CURRENT}`, `${directory}/${UNFINISHED}`)
      await this.clear()
    } catch {
      // The error that led here says more.
    }
    await this.lock.release()
    try {
      if (fs.listSync(directory).includes(LOCK)) fs.removeSync(`${directory}/${LOCK}`)
      if (this.madeDirectory) fs.removeDirectorySync(directory)
    } catch {
      // An empty directory is in nobody's way, and what somebody has put there meanwhile is theirs.
    }
  }

  /** Removes what stands there, the file that says what it is last. Requires: only files of an unfinished store do. */
  private async clear(): Promise<void> {
    const { fs, directory } = this
    const names = fs.listSync(directory).filter((name) => name !== LOCK)
    if (names.length === 0) return
    for (const name of names) if (name !== UNFINISHED) fs.removeSync(`${directory}/${name}`)
    await fs.syncDirectory(directory)
    fs.removeSync(`${directory}/${UNFINISHED}`)
  }

  private async writeMarker(): Promise<void> {
    const { fs, directory } = this
    const file = fs.openSync(`${directory}/${UNFINISHED}`, 'create')
    try {
      const bytes = Buffer.from(`${manifestName(this.manifestNumber)}\n`, 'latin1')
      writeAll(file, bytes, 0, bytes.length)
      await file.sync()
    } finally {
      letGo(file)
    }
    await fs.syncDirectory(directory)
  }
}

/** Whether the directory is there. Throws where something of somebody's is in it. */
function requireFree(fs: FileSystem, directory: string): boolean {
  const status = fs.statusSync(directory)
  if (status === undefined) return false
  if (status.isDirectory) {
    const names = fs.listSync(directory).filter((name) => name !== LOCK)
    const isUnfinished = names.includes(UNFINISHED) && !names.includes(CURRENT)
    if (names.length === 0 || (isUnfinished && names.every((name) => isOfStore(fs, directory, name)))) return true
  }
  throw new SiltstoneError(
    'SILT_EXISTS',
    `${directory} is there already and not empty; choose another place, or empty it`,
    {
      file: directory,
    },
  )
}

/** What an interrupted construction has left may be any part of a file, but it is a file. */
function isOfStore(fs: FileSystem, directory: string, name: string): boolean {
  return parseStoreFile(name) !== undefined && kindOf(fs, `${directory}/${name}`) === 'file'
}

function writeAll(file: FileHandle, bytes: Uint8Array, start: number, end: number): void {
  for (let offset = start; offset < end; ) {
    const written = file.writeSync(bytes, offset, end - offset, offset)
    if (written <= 0) throw new SiltstoneError('SILT_IO', `Writing ${file.path} made no progress`)
    offset += written
  }
}
