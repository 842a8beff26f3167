import { compareKeys } from '../../bytes/compare.js'
import { getU32 } from '../../bytes/integers.js'
import type { Position } from '../../bytes/units.js'
import {
  KIND_DELETE,
  KIND_RANGE_DELETE,
  KIND_TREE,
  operationEnd,
  operationExpiresAt,
  operationKeyLength,
  operationKeyStart,
  operationKind,
  operationTree,
  operationValueLength,
} from '../../log/operation.js'
import { RECORD_HEADER_BYTES, recordCount } from '../../log/record.js'
import type { KeyRange } from '../../tree/key-range.js'
import { encodeKey } from '../bounds.js'
import { type Encoding, namingKey, resolveEncoding } from '../encoding.js'
import type { Engine } from '../engine.js'
import { isInternal } from '../internal-trees.js'

/** A key was set. */
export interface PutChange<K = unknown, V = unknown> {
  /** Tells it from other changes. */
  readonly type: 'put'
  /** The name of the keyspace; the default one has none. */
  readonly keyspace: string
  /** The key that was set. */
  readonly key: K
  /** What it was set to. */
  readonly value: V
  /** When the key is gone, in milliseconds since 1970; absent where it stays. */
  readonly expiresAt?: number
}

/** A key was removed, whether it was there or not. */
export interface DeleteChange<K = unknown> {
  /** Tells it from other changes. */
  readonly type: 'del'
  /** The name of the keyspace; the default one has none. */
  readonly keyspace: string
  /** The key that was removed. */
  readonly key: K
}

/** All keys of a range were removed. */
export interface ClearChange<K = unknown> {
  /** Tells it from other changes. */
  readonly type: 'clear'
  /** The name of the keyspace; the default one has none. */
  readonly keyspace: string
  /** The first key of the range; `undefined` where no key of this encoding is at just that place. */
  readonly start: K | undefined
  /** The first key behind it; `undefined` where there is none, or where no key of this encoding is at just that place. */
  readonly end: K | undefined
  /** The same bounds as they are, which is exact in any encoding; `end` is `undefined` where there is none. */
  readonly range: KeyRange
}

/** One operation of a commit. */
export type Change<K = unknown, V = unknown> = PutChange<K, V> | DeleteChange<K> | ClearChange<K>

/** A batch, a transaction or a single write, as it was committed: all of it at once. */
export interface Commit<K = unknown, V = unknown> {
  /** The position in the log behind it: `changes({ since: position })` goes on with the next one. */
  readonly position: Position
  /** What it did, in order. */
  readonly operations: readonly Change<K, V>[]
}

/** How keys and values of a keyspace are read. */
export interface Encodings {
  readonly keyEncoding: Encoding<unknown>
  readonly valueEncoding: Encoding<unknown>
}

const view = resolveEncoding<unknown>('view', 'keyEncoding')
const RAW: Encodings = { keyEncoding: view, valueEncoding: view }

/**
 * Makes a commit of the record at an offset: what it did to keyspaces of the user's, or raw: to any. `undefined` where it did nothing to
 * them.
 */
export function readCommit(
  engine: Engine,
  encodings: ((keyspace: string) => Encodings) | 'raw',
  bytes: Uint8Array,
  base: Position,
  record: number,
): Commit | undefined {
  const operations: Change[] = []
  let operation = record + RECORD_HEADER_BYTES
  for (let left = recordCount(bytes, record); left > 0; left--) {
    const tree =
      operationKind(bytes, operation) === KIND_TREE ? undefined : engine.treeOf(operationTree(bytes, operation))
    if (tree !== undefined && (encodings === 'raw' || !isInternal(tree.name))) {
      const { name } = tree
      operations.push(readChange(bytes, operation, name, encodings === 'raw' ? RAW : encodings(name)))
    }
    operation = operationEnd(bytes, operation)
  }
  if (operations.length === 0) return undefined
  return { position: base + record + getU32(bytes, record + 4), operations }
}

/** Makes a change of the operation at an offset, with a key and a value of their own. */
export function readChange(bytes: Uint8Array, operation: number, keyspace: string, encodings: Encodings): Change {
  const { keyEncoding, valueEncoding } = encodings
  const kind = operationKind(bytes, operation)
  const keyStart = operationKeyStart(bytes, operation)
  const keyEnd = keyStart + operationKeyLength(bytes, operation)
  if (kind === KIND_RANGE_DELETE) return clearChange(keyspace, clearedRange(bytes, operation), keyEncoding)
  let part: 'key' | 'value' = 'key'
  try {
    const key = keyEncoding.read(bytes, keyStart, keyEnd)
    if (kind === KIND_DELETE) return { type: 'del', keyspace, key }
    part = 'value'
    const value = valueEncoding.read(bytes, keyEnd, keyEnd + operationValueLength(bytes, operation))
    const expiresAt = operationExpiresAt(bytes, operation)
    return { type: 'put', keyspace, key, value, ...(expiresAt === 0 ? {} : { expiresAt }) }
  } catch (error) {
    throw namingKey(error, part, keyspace, bytes.slice(keyStart, keyEnd))
  }
}

/** What a deletion of a range covers, in memory of its own. */
export function clearedRange(bytes: Uint8Array, operation: number): KeyRange {
  const keyStart = operationKeyStart(bytes, operation)
  const keyEnd = keyStart + operationKeyLength(bytes, operation)
  const end = keyEnd + operationValueLength(bytes, operation)
  return {
    start: Uint8Array.from(bytes.subarray(keyStart, keyEnd)),
    end: end === keyEnd ? undefined : Uint8Array.from(bytes.subarray(keyEnd, end)),
  }
}

export function clearChange<K>(keyspace: string, range: KeyRange, encoding: Encoding<K>): ClearChange<K> {
  const { start, end } = range
  return {
    type: 'clear',
    keyspace,
    start: boundIn(encoding, start),
    end: end === undefined ? undefined : boundIn(encoding, end),
    range,
  }
}

/**
 * A bound is a place between keys, and not every place is a key: behind `lte: '"a"'` of JSON comes a zero, behind a prefix bytes that
 * are no UTF-8. What does not read and write back to the same bytes would be another range.
 */
function boundIn<K>(encoding: Encoding<K>, bound: Uint8Array): K | undefined {
  try {
    const key = encoding.read(bound, 0, bound.length)
    return compareKeys(encodeKey(encoding, key), bound) === 0 ? key : undefined
  } catch {
    return undefined
  }
}
