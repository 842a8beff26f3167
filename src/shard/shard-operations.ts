import type { OperationList } from '../store/operation-list.js'
import {
  checkSizes,
  clearByteBound,
  deleteByteBound,
  putByteBound,
  putClear,
  putDelete,
  putPut,
} from '../store/operations.js'
import type { TreeState } from '../store/tree-state.js'
import type { ShardOperation } from './shard.js'

/** Room that an operation takes in the log. Refuses keys and values that are too long. */
export function byteBoundOf(operation: ShardOperation): number {
  if (operation.type === 'clear') return clearByteBound({ start: operation.key, end: operation.end })
  checkSizes(operation.key, operation.type === 'put' ? operation.value : '')
  return operation.type === 'put' ? putByteBound(operation.key, operation.value) : deleteByteBound(operation.key)
}

/** Writes an operation where the log wants it and returns the offset behind it. */
export function putOperation(bytes: Uint8Array, offset: number, state: TreeState, operation: ShardOperation): number {
  const { key } = operation
  if (operation.type === 'put') return putPut(bytes, offset, state, key, operation.value, operation.expiresAt)
  if (operation.type === 'del') return putDelete(bytes, offset, state, key)
  return putClear(bytes, offset, state, { start: key, end: operation.end })
}

/** Adds an operation to those of a record. */
export function addOperation(record: OperationList, state: TreeState, operation: ShardOperation): void {
  const { key } = operation
  if (operation.type === 'put') record.put(state, key, operation.value, operation.expiresAt)
  else if (operation.type === 'del') record.del(state, key)
  else record.clear(state, { start: key, end: operation.end })
}
