import { assert } from '../bytes/errors.js'
import type { ManifestEdit } from './manifest-state.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'

/*
 * An edit as the payload of a record in a manifest: one JSON object in UTF-8. Rare and small beside the tables that it
 * speaks of, so it is written to be read by people and to be extended: unknown fields are ignored, missing ones have the
 * meaning given here. Names are never to change within format version 1.
 *
 *   edit      number of the edit, one above that of the edit before it
 *   storeId   random number of the store; in the first edit of each manifest
 *   add       tables, see below
 *   drop      numbers of tables that are no longer part of the store
 *   move      [{ number, level }]: tables that changed their level as they are
 *   trees     [{ id, name, options }]
 *   logFrom   number of the first segment of the commit log that is still needed
 *   lease     { files, positions }: no number at or above these was ever used
 *   clean     { segment, end }: the store was closed in order, its log ends there
 *   origin    { storeId, position }: the store began as a copy of that one at that position
 *
 * A table:
 *
 *   number, tree, level, bytes, rawBytes, entries, compression, createdAt
 *   start, end              first key, and the first key behind it, in base64url; end is missing where it has none
 *   low, high               lowest and highest position
 *   deletions, tombstones   point deletions, fragments of range tombstones; 0 where missing
 *   held                    entries that only snapshots kept; 0 where missing
 *   expiring                [count, earliest, latest]; missing where nothing expires
 */

interface TableJson {
  number: number
  tree: number
  level: number
  bytes: number
  rawBytes: number
  entries: number
  compression: TableMeta['compression']
  createdAt: number
  start: string
  end?: string
  low: number
  high: number
  deletions?: number
  tombstones?: number
  held?: number
  expiring?: [number, number, number]
}

type EditJson = Omit<ManifestEdit, 'add'> & { edit: number; add?: TableJson[] }

const utf8 = new TextEncoder()
const text = new TextDecoder('utf-8', { fatal: true })

export function encodeEdit(number: number, edit: ManifestEdit): Uint8Array {
  const { add, ...rest } = edit
  const json: EditJson = { edit: number, ...rest, ...(add === undefined ? {} : { add: add.map(tableToJson) }) }
  return utf8.encode(JSON.stringify(json))
}

/** Throws a plain `Error` where the bytes are not an edit. */
export function decodeEdit(bytes: Uint8Array): { number: number; edit: ManifestEdit } {
  const {
    edit: number,
    add,
    storeId,
    drop,
    move,
    trees,
    logFrom,
    lease,
    clean,
    origin,
  } = JSON.parse(text.decode(bytes)) as EditJson
  assert(Number.isSafeInteger(number) && number > 0, 'an edit has a number')
  return {
    number,
    edit: {
      ...(add && { add: add.map(tableFromJson) }),
      ...(storeId !== undefined && { storeId }),
      ...(drop && { drop }),
      ...(move && { move }),
      ...(trees && { trees }),
      ...(logFrom !== undefined && { logFrom }),
      ...(lease && { lease }),
      ...(clean && { clean }),
      ...(origin && { origin }),
    },
  }
}

function tableToJson(meta: TableMeta): TableJson {
  return {
    number: meta.number,
    tree: meta.tree,
    level: meta.level,
    bytes: meta.bytes,
    rawBytes: meta.rawBytes,
    entries: meta.entryCount,
    compression: meta.compression,
    createdAt: meta.createdAt,
    start: Buffer.from(meta.start).toString('base64url'),
    ...(meta.end !== undefined && { end: Buffer.from(meta.end).toString('base64url') }),
    low: meta.lowestPosition,
    high: meta.highestPosition,
    ...(meta.deletionCount > 0 && { deletions: meta.deletionCount }),
    ...(meta.rangeTombstoneCount > 0 && { tombstones: meta.rangeTombstoneCount }),
    ...(meta.heldCount > 0 && { held: meta.heldCount }),
    ...(meta.expiringCount > 0 && { expiring: [meta.expiringCount, meta.earliestExpiry, meta.latestExpiry] as const }),
  } as TableJson
}

function tableFromJson(json: TableJson): TableMeta {
  assert(Number.isSafeInteger(json.number) && json.number > 0, 'a table has a number')
  assert(json.level >= 0 && json.level <= LAST_LEVEL, `a table stands on one of the levels 0 to ${LAST_LEVEL}`)
  const [expiringCount, earliestExpiry, latestExpiry] = json.expiring ?? [0, 0, 0]
  return {
    number: json.number,
    tree: json.tree,
    level: json.level,
    bytes: json.bytes,
    rawBytes: json.rawBytes,
    entryCount: json.entries,
    compression: json.compression,
    createdAt: json.createdAt,
    start: keyOf(json.start),
    end: json.end === undefined ? undefined : keyOf(json.end),
    lowestPosition: json.low,
    highestPosition: json.high,
    deletionCount: json.deletions ?? 0,
    rangeTombstoneCount: json.tombstones ?? 0,
    heldCount: json.held ?? 0,
    expiringCount,
    earliestExpiry,
    latestExpiry,
  }
}

function keyOf(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, 'base64url'))
}
