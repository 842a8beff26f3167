import { createHash } from 'node:crypto'
import { corruption, SiltstoneError } from '../../bytes/errors.js'
import type { EpochMs, Position } from '../../bytes/units.js'
import { parseStoreFile, segmentName, tableName } from '../../tree/file-names.js'
import { decodeEdit, encodeEdit } from '../../tree/manifest-edit.js'
import { ManifestState } from '../../tree/manifest-state.js'

/*
 * What a directory of backups holds. Never to change within format version 1.
 *
 *   backup-000007.json      one backup: it counts from the moment in which it has this name
 *   backup-000007.json.new  the same before it is renamed; left over only by a crash
 *   files/<sha-256>         tables and log segments of all backups, each once, by the hash of its content in hexadecimal
 *   files/incoming          a file that is being copied; left over only by a crash
 *   LOCK                    held while a backup is made or removed
 *
 * A backup is one JSON object in UTF-8:
 *
 *   format      1
 *   id          the number in its name
 *   createdAt   milliseconds since 1970
 *   position    everything committed before it is in the backup
 *   files       [{ name, bytes, sha256 }]: what the files are called in a store
 *   manifest    the one edit (manifest-edit.ts) with which the manifest of the store begins
 *   checksum    SHA-256, in hexadecimal, over the same JSON text without this field, which is the last one
 */

const FORMAT = 1
/** Of a store with millions of tables. */
export const LONGEST_RECORD_BYTES = 256 * 1024 * 1024
export const SHA_256 = /^[0-9a-f]{64}$/

export interface BackupFile {
  /** In a store: a table's or a segment's. */
  readonly name: string
  readonly bytes: number
  /** In hexadecimal; its name among the files of all backups. */
  readonly sha256: string
}

/** One backup: which files it consists of, and what makes a store of them. */
export interface BackupRecord {
  readonly id: number
  readonly createdAt: EpochMs
  readonly position: Position
  readonly files: readonly BackupFile[]
  /** What the manifest of a restored store is to say. */
  readonly state: ManifestState
}

export function recordName(id: number): string {
  return `backup-${String(id).padStart(6, '0')}.json`
}

/** The id of the backup with that name; `undefined` for every other file. */
export function parseRecordName(name: string): number | undefined {
  const id = Number(/^backup-(\d{6,})\.json$/.exec(name)?.[1])
  return recordName(id) === name ? id : undefined
}

export function encodeRecord({ id, createdAt, position, files, state }: BackupRecord): Uint8Array {
  const manifest = JSON.parse(Buffer.from(encodeEdit(state.edit + 1, state.asEdit())).toString()) as unknown
  const body = { format: FORMAT, id, createdAt, position, files, manifest }
  return Buffer.from(JSON.stringify({ ...body, checksum: checksumOf(body) }))
}

/** Reads a record that stands under the name of a backup with this id. Whatever is in it, what is returned can be relied on. */
export function decodeRecord(bytes: Uint8Array, path: string, expectedId: number): BackupRecord {
  const { checksum, ...body } = objectOf(bytes, path)
  if (checksum !== checksumOf(body)) throw damaged(path)
  if (body['format'] !== FORMAT) {
    throw new SiltstoneError(
      'SILT_FORMAT',
      `${path} has format version ${String(body['format'])}, this Siltstone reads ${FORMAT}; use a newer one`,
      { file: path },
    )
  }
  const { id, createdAt, position } = body
  if (id !== expectedId) throw senseless(path, `it says that it is backup ${String(id)}`)
  if (!isCount(createdAt) || !isCount(position)) throw senseless(path, 'time or position are no numbers')
  const files = filesOf(body['files'], path)
  const state = stateOf(body['manifest'], path)
  requireFiles(state, files, path)
  return { id: expectedId, createdAt, position, files, state }
}

function objectOf(bytes: Uint8Array, path: string): Record<string, unknown> {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString()) as unknown
    if (isObject(json)) return json
  } catch (error) {
    throw damaged(path, error)
  }
  throw damaged(path)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** The files of a record: names of a store, hashes that are nothing but hashes. */
function filesOf(files: unknown, path: string): BackupFile[] {
  if (!Array.isArray(files)) throw senseless(path, 'it has no list of files')
  const names = new Set<unknown>()
  return files.map((file: unknown) => {
    const { name, bytes, sha256 } = isObject(file) ? file : {}
    const kind = typeof name === 'string' ? parseStoreFile(name)?.kind : undefined
    if (kind !== 'table' && kind !== 'segment') throw senseless(path, `${shown(name)} is no name of a table or a log`)
    if (typeof sha256 !== 'string' || !SHA_256.test(sha256))
      throw senseless(path, `${shown(sha256)} is no hash of a file`)
    if (!isCount(bytes)) throw senseless(path, `${shown(name)} has no size`)
    if (names.has(name)) throw senseless(path, `it names ${shown(name)} twice`)
    names.add(name)
    return { name: name as string, bytes, sha256 }
  })
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 100)
}

function stateOf(manifest: unknown, path: string): ManifestState {
  const state = new ManifestState()
  try {
    const { number, edit } = decodeEdit(Buffer.from(JSON.stringify(manifest ?? null)))
    state.apply(number, edit)
    // The manifest of a restored store is still to begin with it.
    state.edit = number - 1
  } catch (error) {
    throw corruption(path, 0, 'what it says of the store makes no sense; take another backup', error)
  }
  return state
}

/** Everything that the store is said to be made of is in the list, and no number is beyond what was ever given out. */
function requireFiles(state: ManifestState, files: readonly BackupFile[], path: string): void {
  const bytesOf = new Map(files.map(({ name, bytes }) => [name, bytes]))
  for (const { number, bytes } of state.tables.values()) {
    if (bytesOf.get(tableName(number)) !== bytes) throw senseless(path, `${tableName(number)} is not among its files`)
  }
  const segments = [state.logFrom, state.clean?.segment ?? state.logFrom]
  for (const number of segments) {
    if (!bytesOf.has(segmentName(number))) throw senseless(path, `${segmentName(number)} is not among its files`)
  }
  const highest = files.reduce((most, { name }) => Math.max(most, parseStoreFile(name)!.number), 0)
  const { lease, storeId } = state
  if (!isCount(lease.files) || lease.files <= highest + 1 || !isCount(lease.positions)) {
    throw senseless(path, 'its files have numbers that were never given out')
  }
  if (!isCount(storeId)) throw senseless(path, 'the id of its store is no number')
}

function senseless(path: string, problem: string): SiltstoneError {
  return corruption(path, 0, `${problem}; take another backup, or remove the file to go on without this one`)
}

function damaged(path: string, cause?: unknown): SiltstoneError {
  return corruption(path, 0, 'it is not what was written; remove the file to go on without this backup', cause)
}

function checksumOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex')
}
