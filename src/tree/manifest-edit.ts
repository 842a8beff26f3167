import { compareKeys } from '../bytes/compare.js'
import { compressionShape } from '../bytes/compression.js'
import { finite, listOf, orNull, parseShaped, record, text, whole } from '../bytes/shape.js'
import { type EpochMs, LAST_NUMBER } from '../bytes/units.js'
import { HIGHEST_TREE } from '../log/operation.js'
import type { ManifestEdit } from './manifest-state.js'
import { LAST_LEVEL, type TableMeta } from './table-meta.js'
import { treeOptionsShape } from './tree-options.js'

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

const position = whole(0, LAST_NUMBER)
const fileNumber = whole(0, LAST_NUMBER)
const treeNumber = whole(0, HIGHEST_TREE)
const level = whole(0, LAST_LEVEL)
const storeNumber = whole(1)

const tableShape = record(
  {
    number: whole(1, LAST_NUMBER),
    tree: treeNumber,
    level,
    bytes: whole(1),
    rawBytes: whole(),
    entries: whole(),
    compression: compressionShape,
    createdAt: finite,
    start: text,
    low: position,
    high: position,
  },
  { end: text, deletions: whole(), tombstones: whole(), held: whole(), expiring: listOf(whole(), 3) },
)

const editShape = record(
  { edit: whole(1) },
  {
    storeId: storeNumber,
    add: listOf(tableShape),
    drop: listOf(fileNumber),
    move: listOf(record({ number: fileNumber, level })),
    trees: listOf(record({ id: treeNumber, name: text, options: treeOptionsShape })),
    logFrom: fileNumber,
    // Promised ahead of what is used.
    lease: record({ files: whole(), positions: whole() }),
    clean: orNull(record({ segment: fileNumber, end: position })),
    origin: orNull(record({ storeId: storeNumber, position })),
  },
)

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
  } = parseShaped<EditJson>(bytes, editShape, 'an edit')
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
  const [expiringCount, earliestExpiry, latestExpiry] = json.expiring ?? [0, 0, 0]
  const meta = metaOf(json, expiringCount, earliestExpiry, latestExpiry)
  const { start, end, number } = meta
  if (end !== undefined && compareKeys(start, end) >= 0) throw new Error(`table ${number} ends where it begins`)
  if (meta.lowestPosition > meta.highestPosition)
    throw new Error(`the positions of table ${number} end before they begin`)
  return meta
}

function metaOf(json: TableJson, expiringCount: number, earliestExpiry: EpochMs, latestExpiry: EpochMs): TableMeta {
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
