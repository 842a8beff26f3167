import { invalid } from '../bytes/errors.js'
import { textByteBound } from '../bytes/text.js'
import { LATEST_EXPIRY, LONGEST_TTL } from '../bytes/units.js'
import {
  KIND_DELETE,
  KIND_PUT,
  KIND_PUT_EXPIRING,
  KIND_RANGE_DELETE,
  KIND_TREE,
  LONGEST_KEY_BYTES,
  LONGEST_VALUE_BYTES,
  operationBytes,
  operationKeyStart,
  putOperationHeader,
} from '../log/operation.js'
import type { KeyRange } from '../tree/key-range.js'
import { describe, preparedByteBound, putPrepared } from './encoding.js'
import type { TreeState } from './tree-state.js'

/** A key or a value as an encoding has prepared it. */
export type Prepared = string | Uint8Array

/** Room that a write to this tree needs besides its own: the first one says that the tree exists. */
export function treeByteBound(state: TreeState): number {
  if (state.tree !== undefined) return 0
  return operationBytes(KIND_TREE, textByteBound(state.name), textByteBound(JSON.stringify(state.options)))
}

/** Writes the operation that creates the tree. */
export function putTree(bytes: Uint8Array, offset: number, state: TreeState): number {
  return putOperation(bytes, offset, state.id, KIND_TREE, state.name, JSON.stringify(state.options), 0)
}

export function putByteBound(key: Prepared, value: Prepared): number {
  return operationBytes(KIND_PUT_EXPIRING, preparedByteBound(key), preparedByteBound(value))
}

export function deleteByteBound(key: Prepared): number {
  return operationBytes(KIND_DELETE, preparedByteBound(key), 0)
}

export function clearByteBound(range: KeyRange): number {
  return operationBytes(KIND_RANGE_DELETE, range.start.length, range.end?.length ?? 0)
}

/** Writes a put; `expiresAt` is 0 where it does not expire. */
export function putPut(
  bytes: Uint8Array,
  offset: number,
  state: TreeState,
  key: Prepared,
  value: Prepared,
  expiresAt: number,
): number {
  return putOperation(bytes, offset, state.id, expiresAt === 0 ? KIND_PUT : KIND_PUT_EXPIRING, key, value, expiresAt)
}

export function putDelete(bytes: Uint8Array, offset: number, state: TreeState, key: Prepared): number {
  return putOperation(bytes, offset, state.id, KIND_DELETE, key, '', 0)
}

export function putClear(bytes: Uint8Array, offset: number, state: TreeState, range: KeyRange): number {
  return putOperation(bytes, offset, state.id, KIND_RANGE_DELETE, range.start, range.end ?? '', 0)
}

/** The lengths of texts are known only when they are written, so the header comes last. */
function putOperation(
  bytes: Uint8Array,
  offset: number,
  tree: number,
  kind: number,
  key: Prepared,
  value: Prepared,
  expiresAt: number,
): number {
  bytes[offset + 4] = kind
  const keyStart = operationKeyStart(bytes, offset)
  const keyEnd = putPrepared(bytes, keyStart, key)
  if (keyEnd - keyStart > LONGEST_KEY_BYTES) throw longKey(keyEnd - keyStart)
  const valueEnd = value === '' ? keyEnd : putPrepared(bytes, keyEnd, value)
  if (valueEnd - keyEnd > LONGEST_VALUE_BYTES) throw longValue(valueEnd - keyEnd)
  putOperationHeader(bytes, offset, tree, kind, keyEnd - keyStart, valueEnd - keyEnd, expiresAt)
  return valueEnd
}

/**
 * Refuses keys and values that are too long before anything makes room for them. Text takes one to three bytes a character; it is
 * measured only where that leaves it open.
 */
export function checkSizes(key: Prepared, value: Prepared): void {
  if (key.length > LONGEST_KEY_BYTES / 3) {
    const bytes = preparedByteBound(key)
    if (bytes > LONGEST_KEY_BYTES) throw longKey(bytes)
  }
  if (value.length > LONGEST_VALUE_BYTES / 3) {
    const bytes = preparedByteBound(value)
    if (bytes > LONGEST_VALUE_BYTES) throw longValue(bytes)
  }
}

function longKey(bytes: number): Error {
  return invalid(`A key has at most ${LONGEST_KEY_BYTES.toLocaleString('en')} bytes; this one has ${bytes}`)
}

function longValue(bytes: number): Error {
  return invalid(`A value has at most 256 MiB; this one has ${bytes} bytes. Store it in parts`)
}

/** When something expires that was given a moment for that, in milliseconds since 1970, or else a time to live from now on. */
export function expiryAtOf(expiresAt: number | undefined, ttl: number | undefined, now: number): number {
  if (expiresAt === undefined) return expiryOf(ttl, now)
  if (ttl !== undefined) throw invalid('A put takes ttl or expiresAt, not both')
  if (typeof expiresAt === 'number' && expiresAt > 0 && expiresAt <= Number.MAX_SAFE_INTEGER) {
    return Math.min(Math.ceil(expiresAt), LATEST_EXPIRY)
  }
  throw invalid(`Option expiresAt must be a number of milliseconds since 1970 above 0, not ${describe(expiresAt)}`)
}

/** When something written now expires. */
export function expiryOf(ttl: number | undefined, now: number): number {
  if (ttl === undefined) return 0
  // A clock may stand anywhere, before 1970 too; 0 would say that it does not expire.
  if (isTtl(ttl)) return Math.min(Math.max(1, Math.ceil(now + ttl)), LATEST_EXPIRY)
  throw invalid(`Option ttl must be a number of milliseconds above 0 and at most 2 ** 47, not ${describe(ttl)}`)
}

/** Whether something is a time to live. */
export function isTtl(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= LONGEST_TTL
}
