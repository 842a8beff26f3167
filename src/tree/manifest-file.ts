import { assert, corruption, ioError, SiltstoneError } from '../bytes/errors.js'
import { getU32 } from '../bytes/integers.js'
import type { FileNumber } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { randomBytes } from '../fs/random-bytes.js'
import { systemError } from '../fs/system-error.js'
import { readWholeFile } from '../fs/whole-file.js'
import {
  frameBehindDamage,
  frameOf,
  LOG_HEADER_BYTES,
  type LogHeader,
  newSalt,
  putLogHeader,
  readLogHeader,
} from '../log/log-header.js'
import { type LogScan, scanLog } from '../log/log-scan.js'
import { RECORD_HEADER_BYTES, type RecordFrame, sealRecord } from '../log/record.js'
import { CURRENT, holdsStoreData, manifestName, parseStoreFile, UNFINISHED } from './file-names.js'
import { decodeEdit, encodeEdit } from './manifest-edit.js'
import { contradictionIn } from './manifest-sense.js'
import { type ManifestEdit, ManifestState } from './manifest-state.js'
import { ownFiles } from './own-files.js'

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

/** A manifest is no part of the commit log: its positions are its own offsets. */
const MANIFEST_BASE = 0

/** What a manifest says, read from its beginning. */
export interface ManifestReading {
  readonly number: FileNumber
  readonly state: ManifestState
  /** Behind the last sound edit. */
  readonly end: number
  /** Behind `end` stands an edit that was never acknowledged. */
  readonly torn: boolean
  /** What its records have in common; `undefined` where its header cannot be read. */
  readonly header: LogHeader | undefined
}

/**
 * The number of the manifest that counts, or `undefined` where there is no store. A directory with files of a store but
 * without CURRENT is a damaged store: taking it for an empty place would bury its data.
 */
export function currentManifest(fs: FileSystem, directory: string): FileNumber | undefined {
  const path = `${directory}/${CURRENT}`
  const bytes = readWholeFile(fs, path)
  if (bytes === undefined) {
    const left = ownFiles(fs, directory).filter(holdsStoreData)
    if (left.includes(UNFINISHED)) throw unfinishedStore(directory)
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

/** Whoever was making a checkpoint here, or bringing a backup back, did not come to the end. */
export function unfinishedStore(directory: string): SiltstoneError {
  return new SiltstoneError(
    'SILT_CORRUPTION',
    `${directory} is a checkpoint or a restored backup that was interrupted before it was complete, so it is no store; make it again in the same place, or remove it`,
    { file: `${directory}/${UNFINISHED}` },
  )
}

/** Whoever died while making the store leaves a first manifest behind, and nothing that anybody had written. */
function isAbandonedCreation(fs: FileSystem, directory: string, left: readonly string[]): boolean {
  return left.every((name) => {
    const file = parseStoreFile(name)
    if (file?.kind !== 'manifest') return false
    const path = `${directory}/${name}`
    const bytes = readWholeFile(fs, path) ?? new Uint8Array(0)
    if (bytes.length < LOG_HEADER_BYTES || bytes.every((byte) => byte === 0)) return true
    const { header } = readHeader(bytes, file.number, path)
    if (scanEdits(bytes, file.number, header).records.length > 1) return false
    const { state } = readManifestPrefix(bytes, file.number, path)
    return state.tables.size === 0 && state.trees.size === 0 && state.logFrom === 0
  })
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
  const { problem, ...reading } = readManifestPrefix(bytes, number, path)
  if (problem !== undefined) throw problem
  return { number, ...reading }
}

/** What a manifest says up to its first damage. */
export interface ManifestPrefix extends Omit<ManifestReading, 'number'> {
  /** All tables that its edits took out of the store. */
  readonly dropped: ReadonlySet<FileNumber>
  /** What is wrong with it. A torn end is not: nobody was told that what stood there counts. */
  readonly problem: SiltstoneError | undefined
}

/** Reads a manifest for as far as its edits follow each other. Throws only where it was made by a newer version. */
export function readManifestPrefix(bytes: Uint8Array, number: FileNumber, path: string): ManifestPrefix {
  const state = new ManifestState()
  const dropped = new Set<FileNumber>()
  const { header, problem: headerProblem } = readHeader(bytes, number, path)
  let problem = headerProblem
  const scan = scanEdits(bytes, number, header)
  if (scan.damage?.kind === 'rot') {
    problem ??= corruption(path, scan.damage.offset, 'an edit that was on disk before is unreadable')
  }
  // CURRENT named this file only after its first edit was on disk.
  if (scan.records.length === 0) problem ??= corruption(path, LOG_HEADER_BYTES, 'its first edit is unreadable')
  let end = LOG_HEADER_BYTES
  for (const offset of scan.records) {
    const next = offset + getU32(bytes, offset + 4)
    try {
      const { number: edit, edit: change } = decodeEdit(bytes.subarray(offset + RECORD_HEADER_BYTES, next))
      assert(offset === LOG_HEADER_BYTES || edit === state.edit + 1, `edit ${edit} follows edit ${state.edit}`)
      state.apply(edit, change)
      for (const table of change.drop ?? []) dropped.add(table)
    } catch (error) {
      problem ??= corruption(path, offset, (error as Error).message, error)
      break
    }
    end = next
  }
  if (header !== undefined && state.storeId !== header.storeId) {
    problem ??= corruption(path, 56, 'it belongs to another store')
  }
  const contradiction = problem === undefined ? contradictionIn(state) : undefined
  if (contradiction !== undefined) problem = corruption(path, end, contradiction)
  return { state, end, torn: scan.damage !== undefined || end < bytes.length, header, dropped, problem }
}

function scanEdits(bytes: Uint8Array, number: FileNumber, header: LogHeader | undefined): LogScan {
  const frame = header === undefined ? frameBehindDamage(bytes, number, 'SILTMAN\n') : frameOf(header)
  if (frame === undefined) return { records: [], end: Math.min(LOG_HEADER_BYTES, bytes.length), synced: 0 }
  return scanLog(bytes, bytes.length, frame, MANIFEST_BASE)
}

function readHeader(
  bytes: Uint8Array,
  number: FileNumber,
  path: string,
): { header?: LogHeader; problem?: SiltstoneError } {
  try {
    const header = readLogHeader(bytes, bytes.length, 'SILTMAN\n', path)
    if (header === undefined) return { problem: corruption(path, 0, 'its header was never written') }
    if (header.number === number) return { header }
    return { problem: corruption(path, 12, `it says that it is manifest ${header.number}`) }
  } catch (error) {
    if (error instanceof SiltstoneError && error.code === 'SILT_CORRUPTION') return { problem: error }
    throw error
  }
}

/** A manifest that is written to: edits go behind each other, durable when `file` was synced. */
export class ManifestFile {
  readonly number: FileNumber
  readonly path: string
  readonly file: FileHandle
  private readonly frame: RecordFrame
  /** Where the next edit goes. */
  end: number
  /** Up to here the file is known to be on disk. */
  syncedEnd: number
  /** False once half an edit stands behind `end` that could not be cut off. */
  isWhole = true

  private constructor(
    number: FileNumber,
    path: string,
    file: FileHandle,
    frame: RecordFrame,
    end: number,
    syncedEnd: number,
  ) {
    this.number = number
    this.path = path
    this.frame = frame
    this.file = file
    this.end = end
    this.syncedEnd = syncedEnd
  }

  static reopen(fs: FileSystem, directory: string, reading: ManifestReading): ManifestFile {
    const path = `${directory}/${manifestName(reading.number)}`
    const file = fs.openSync(path, 'update')
    return new ManifestFile(reading.number, path, file, frameOf(reading.header!), reading.end, reading.end)
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
    const header: LogHeader = {
      magic: 'SILTMAN\n',
      number,
      base: MANIFEST_BASE,
      previousEnd: 0,
      capacity: 0,
      lastEdit,
      createdAt,
      storeId,
      salt: newSalt((count) => randomBytes(fs, count)),
    }
    const manifest = new ManifestFile(number, path, file, frameOf(header), 0, 0)
    const bytes = new Uint8Array(LOG_HEADER_BYTES)
    putLogHeader(bytes, header)
    try {
      manifest.write(bytes)
    } catch (error) {
      letGo(file)
      fs.removeSync(path)
      throw error
    }
    return manifest
  }

  /** Writes an edit behind the others, or throws having left the file as it was. */
  append(number: number, edit: ManifestEdit): void {
    const payload = encodeEdit(number, edit)
    const record = new Uint8Array(RECORD_HEADER_BYTES + payload.length)
    record.set(payload, RECORD_HEADER_BYTES)
    sealRecord(new DataView(record.buffer), 0, record.length, this.frame, 1, this.end, this.syncedEnd)
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
