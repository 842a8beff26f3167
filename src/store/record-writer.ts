import type { KeyRange } from '../tree/key-range.js'
import { type Prepared, putClear, putDelete, putPut, putTree, treeByteBound } from './operations.js'
import type { TreeState } from './tree-state.js'

/**
 * Encodes operations of one record straight into the commit log's memory, over any trees. The first operation on a tree that is
 * not there yet also creates it.
 *
 * Requires: the pipeline made room for what is going to be written, `creationByteBound` of each tree included.
 */
export class RecordWriter {
  /** Operations so far. */
  count = 0
  private readonly bytes: Uint8Array
  private offset: number
  private readonly created: TreeState[]

  constructor(bytes: Uint8Array, offset: number, created: readonly TreeState[] = [], count = 0) {
    this.bytes = bytes
    this.offset = offset
    this.created = created.slice()
    this.count = count
  }

  /** The offset behind the last operation. */
  get end(): number {
    return this.offset
  }

  /** Writes a put; `expiresAt` is 0 where it does not expire. */
  put(state: TreeState, key: Prepared, value: Prepared, expiresAt = 0): void {
    this.ensure(state)
    this.offset = putPut(this.bytes, this.offset, state, key, value, expiresAt)
    this.count++
  }

  del(state: TreeState, key: Prepared): void {
    this.ensure(state)
    this.offset = putDelete(this.bytes, this.offset, state, key)
    this.count++
  }

  clear(state: TreeState, range: KeyRange): void {
    this.ensure(state)
    this.offset = putClear(this.bytes, this.offset, state, range)
    this.count++
  }

  private ensure(state: TreeState): void {
    if (state.tree !== undefined || this.created.includes(state)) return
    this.created.push(state)
    this.offset = putTree(this.bytes, this.offset, state)
    this.count++
  }
}

/** Room that the creation of a tree takes in a record, if it is not there yet. */
export const creationByteBound = treeByteBound
