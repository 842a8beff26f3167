import { type CompressionName, compressionShape } from '../bytes/compression.js'
import { anything, finite, parseShaped, record, text, truth, whole } from '../bytes/shape.js'
import { type EpochMs, type FileNumber, LAST_NUMBER, type Position, type TreeId } from '../bytes/units.js'
import { HIGHEST_TREE } from '../log/operation.js'

/*
 * What a table knows about itself, as JSON: read once when it is opened, and by people. Keys are base64. Fields that this
 * version does not know are ignored, so a later one may add some without a new format version.
 */

export interface TableProperties {
  readonly fileNumber: FileNumber
  readonly formatVersion: number
  readonly tree: TreeId
  readonly level: number
  readonly createdAt: EpochMs
  /** Every version of every key, deletions included. */
  readonly entryCount: number
  readonly deletionCount: number
  readonly expiringCount: number
  /** Fragments of range tombstones. */
  readonly rangeTombstoneCount: number
  /** No key has more than one version. */
  readonly uniqueKeys: boolean
  readonly rawKeyBytes: number
  readonly rawValueBytes: number
  readonly dataBlockCount: number
  readonly compression: CompressionName
  readonly filterBitsPerKey: number
  /** First and last key of the entries; `undefined` where there are none. */
  readonly smallestKey: Uint8Array | undefined
  readonly largestKey: Uint8Array | undefined
  /** Where the range tombstones begin and end; no end with some of them there means that they have none. */
  readonly rangeStart: Uint8Array | undefined
  readonly rangeEnd: Uint8Array | undefined
  /** Of entries and range tombstones; 0 where there are neither. */
  readonly minPosition: Position
  readonly maxPosition: Position
  /** Of the entries that expire; 0 where there are none. */
  readonly minExpiresAt: EpochMs
  readonly maxExpiresAt: EpochMs
  /** Whatever the writer's caller wants to find again, such as which inputs a compaction had. */
  readonly origin: Readonly<Record<string, unknown>>
}

const KEYS = ['smallestKey', 'largestKey', 'rangeStart', 'rangeEnd'] as const

const position = whole(0, LAST_NUMBER)

const shape = record(
  {
    fileNumber: whole(1, LAST_NUMBER),
    formatVersion: whole(1, 0xffffffff),
    tree: whole(0, HIGHEST_TREE),
    level: whole(0, 255),
    createdAt: finite,
    entryCount: whole(),
    deletionCount: whole(),
    expiringCount: whole(),
    rangeTombstoneCount: whole(),
    uniqueKeys: truth,
    rawKeyBytes: whole(),
    rawValueBytes: whole(),
    dataBlockCount: whole(),
    compression: compressionShape,
    filterBitsPerKey: finite,
    minPosition: position,
    maxPosition: position,
    // Earlier versions wrote moments that the entries themselves have no room for.
    minExpiresAt: whole(),
    maxExpiresAt: whole(),
  },
  { smallestKey: text, largestKey: text, rangeStart: text, rangeEnd: text, origin: record({}) },
)

export function encodeProperties(properties: TableProperties): Uint8Array {
  const keys = Object.fromEntries(
    KEYS.map((name) => {
      const key = properties[name]
      return [name, key === undefined ? undefined : Buffer.from(key).toString('base64')]
    }),
  )
  return new TextEncoder().encode(JSON.stringify({ ...properties, ...keys }))
}

/** Throws a plain `Error` where the bytes are not properties. */
export function decodeProperties(bytes: Uint8Array, end: number): TableProperties {
  const properties = parseShaped<Record<string, unknown>>(bytes.subarray(0, end), shape, 'properties')
  anything(properties['origin'], 'the origin')
  for (const name of KEYS) {
    // A copy of exactly its length: small Buffers are cut from a shared slab of 8 KiB, which they would keep alive.
    if (properties[name] !== undefined) properties[name] = keyOf(String(properties[name]))
  }
  return Object.freeze({
    smallestKey: undefined,
    largestKey: undefined,
    rangeStart: undefined,
    rangeEnd: undefined,
    origin: {},
    ...properties,
  }) as unknown as TableProperties
}

function keyOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}
