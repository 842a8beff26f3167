import { createHash } from 'node:crypto'
import { corruption, SiltstoneError } from '../../bytes/errors.js'
import type { EpochMs, Position } from '../../bytes/units.js'
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

export function decodeRecord(bytes: Uint8Array, path: string): BackupRecord {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
  } catch (error) {
    throw damaged(path, error)
  }
  const { checksum, ...body } = json
  if (checksum !== checksumOf(body)) throw damaged(path)
  if (body['format'] !== FORMAT) {
    throw new SiltstoneError(
      'SILT_FORMAT',
      `${path} has format version ${body['format']}, this Siltstone reads ${FORMAT}; use a newer one`,
      { file: path },
    )
  }
  const { number, edit } = decodeEdit(Buffer.from(JSON.stringify(body['manifest'])))
  const state = new ManifestState()
  state.apply(number, edit)
  // The manifest of a restored store is still to begin with it.
  state.edit = number - 1
  const { id, createdAt, position, files } = body as unknown as BackupRecord
  return { id, createdAt, position, files, state }
}

function damaged(path: string, cause?: unknown): SiltstoneError {
  return corruption(path, 0, 'it is not what was written; remove the file to go on without this backup', cause)
}

function checksumOf(body: object): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex')
}
