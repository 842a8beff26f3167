import { assert, corruption, ioError, SiltstoneError } from '../bytes/errors.js'
import { getU32 } from '../bytes/integers.js'
import type { FileNumber } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { systemError } from '../fs/system-error.js'
import { readWholeFile } from '../fs/whole-file.js'
import { LOG_HEADER_BYTES, putLogHeader, readLogHeader } from '../log/log-header.js'
import { scanLog } from '../log/log-scan.js'
import { RECORD_HEADER_BYTES, sealRecord } from '../log/record.js'
import { CURRENT, holdsStoreData, manifestName, parseStoreFile } from './file-names.js'
import { decodeEdit, encodeEdit } from './manifest-edit.js'
import { type ManifestEdit, ManifestState } from './manifest-state.js'

/*
 * MANIFEST-NNNNNN: a log file (src/log/log-header.ts, magic 'SILTMAN\n', base 0) of edits.
 *
 *   +--------+--------------------------------+------------------------+------------------------+-----
 *   | header | record                         | record                 | record                 | …
 *   | 80     | edit with the whole state      | edit                   | edit                   |
 *   +--------+--------------------------------+------------------------+------------------------+-----
 *
 * The payload of each record (src/log/record.ts, count 1) is one edit (manifest-edit.ts).
 */

/** What a manifest says, read from its beginning. */
export interface ManifestReading {
  readonly number: FileNumber
  readonly state: ManifestState
  /** Behind the last sound edit. */
  readonly end: number
  /** Behind `end` stands an edit that was never acknowledged. */
  readonly torn: boolean
}

/**
 * The number of the manifest that counts, or `undefined` where there is no store. A directory with files of a store but
 * without CURRENT is a damaged store: taking it for an empty place would bury its data.
 */
export function currentManifest(fs: FileSystem, directory: string): FileNumber | undefined {
  const path = `${directory}/${CURRENT}`
  const bytes = readWholeFile(fs, path)
  if (bytes === undefined) {
    const left = fs.listSync(directory).filter(holdsStoreData)
    if (left.length === 0 || isAbandonedCreation(fs, directory, left)) return undefined
    throw new SiltstoneError(
      'SILT_CORRUPTION',
      `${directory} holds files of a store (${left[0]}) but no CURRENT; repair() rebuilds it from the tables and logs`,
      { file: path },
    )
  }
  const name = Buffer.from(bytes).toString('latin1')
  const file = name.endsWith('\n') ? parseStoreFile(name.slice(0, -1)) : undefined
  if (file?.kind !== 'manifest') {
    throw corruption(path, 0, 'it does not name a manifest; repair() rebuilds the store from its tables and logs')
  }
  return file.number
}

/** A process that died while it made the store leaves the first manifest behind, and nothing that anybody had written. */
function isAbandonedCreation(fs: FileSystem, directory: string, left: readonly string[]): boolean {
  if (left.length > 1 || left[0] !== manifestName(1)) return false
  const bytes = readWholeFile(fs, `${directory}/${left[0]}`) ?? new Uint8Array(0)
  const limit = Math.min(bytes.length, LOG_HEADER_BYTES)
  if (limit < LOG_HEADER_BYTES || bytes.every((byte) => byte === 0)) return true
  return scanLog(bytes, bytes.length, 1, 0).records.length <= 1
}

/** Reads a manifest from its first edit to its last sound one. */
export function readManifest(fs: FileSystem, directory: string, number: FileNumber): ManifestReading {
  const path = `${directory}/${manifestName(number)}`
  const bytes = readWholeFile(fs, path)
  if (bytes === undefined) {
    throw new SiltstoneError(
      'SILT_CORRUPTION',
      `${path} is missing though CURRENT names it; repair() rebuilds the store from its tables and logs`,
      { file: path, cause: systemError('ENOENT', 'open', path) },
    )
  }
  const header = readLogHeader(bytes, bytes.length, 'SILTMAN\n', path)
  if (header === undefined) throw corruption(path, 0, 'its header was never written')
  if (header.number !== number) throw corruption(path, 12, `it says that it is manifest ${header.number}`)
  const scan = scanLog(bytes, bytes.length, number, header.base)
  if (scan.damage?.kind === 'rot') {
    throw corruption(path, scan.damage.offset, 'an edit that was on disk before is unreadable')
  }
  // CURRENT named this file only after its first edit was on disk.
  if (scan.records.length === 0) throw corruption(path, LOG_HEADER_BYTES, 'its first edit is unreadable')
  const state = new ManifestState()
  for (const offset of scan.records) {
    try {
      const { number: edit, edit: change } = decodeEdit(
        bytes.subarray(offset + RECORD_HEADER_BYTES, offset + getU32(bytes, offset + 4)),
      )
      assert(offset === LOG_HEADER_BYTES || edit === state.edit + 1, `edit ${edit} follows edit ${state.edit}`)
      state.apply(edit, change)
    } catch (error) {
      throw corruption(path, offset, (error as Error).message, error)
    }
  }
  if (state.storeId !== header.storeId) throw corruption(path, 56, 'it belongs to another store')
  return { number, state, end: scan.end, torn: scan.damage !== undefined || scan.end < bytes.length }
}

/** A manifest that is written to: edits go behind each other, durable when `file` was synced. */
export class ManifestFile {
  readonly number: FileNumber
  readonly path: string
  readonly file: FileHandle
  /** Where the next edit goes. */
  end: number
  /** Up to here the file is known to be on disk. */
  syncedEnd: number
  /** False once half an edit stands behind `end` that could not be cut off. */
  isWhole = true

  private constructor(number: FileNumber, path: string, file: FileHandle, end: number, syncedEnd: number) {
    this.number = number
    this.path = path
    this.file = file
    this.end = end
    this.syncedEnd = syncedEnd
  }

  static reopen(fs: FileSystem, directory: string, reading: ManifestReading): ManifestFile {
    const path = `${directory}/${manifestName(reading.number)}`
    const file = fs.openSync(path, 'update')
    return new ManifestFile(reading.number, path, file, reading.end, reading.end)
  }

  static create(
    fs: FileSystem,
    directory: string,
    number: FileNumber,
    lastEdit: number,
    storeId: number,
    createdAt: number,
  ): ManifestFile {
    const path = `${directory}/${manifestName(number)}`
    const file = fs.openSync(path, 'create')
    const manifest = new ManifestFile(number, path, file, 0, 0)
    const header = new Uint8Array(LOG_HEADER_BYTES)
    putLogHeader(header, {
      magic: 'SILTMAN\n',
      number,
      base: 0,
      previousEnd: 0,
      capacity: 0,
      lastEdit,
      createdAt,
      storeId,
    })
    manifest.write(header)
    return manifest
  }

  /** Writes an edit behind the others, or throws having left the file as it was. */
  append(number: number, edit: ManifestEdit): void {
    const payload = encodeEdit(number, edit)
    const record = new Uint8Array(RECORD_HEADER_BYTES + payload.length)
    record.set(payload, RECORD_HEADER_BYTES)
    sealRecord(record, 0, record.length, this.number, 1, this.end, this.syncedEnd)
    this.write(record)
  }

  private write(bytes: Uint8Array): void {
    try {
      let done = 0
      while (done < bytes.length) done += this.file.writeSync(bytes, done, bytes.length - done, this.end + done)
    } catch (error) {
      this.cutTail()
      throw ioError(error, 'write', this.path)
    }
    this.end += bytes.length
  }

  private cutTail(): void {
    try {
      this.file.truncateSync(this.end)
    } catch {
      this.isWhole = false
    }
  }
}
