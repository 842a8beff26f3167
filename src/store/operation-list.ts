import { invalid } from '../bytes/errors.js'
import type { KeyRange } from '../tree/key-range.js'
import type { CommitOutcome } from './commit-group.js'
import type { CommitPipeline } from './commit-pipeline.js'
import {
  checkSizes,
  clearByteBound,
  deleteByteBound,
  type Prepared,
  putByteBound,
  putClear,
  putDelete,
  putPut,
  putTree,
  treeByteBound,
} from './operations.js'
import type { TreeState } from './tree-state.js'

/** In the place of an expiry: the operation removes the range from its key to its value. */
const IS_CLEAR = -1
// A record's length is an integer of 31 bits, and its memory is one allocation.
const MOST_BYTES = 2 ** 30

/**
 * Operations that are to be one record, over any trees, column by column: no object per operation. Each is checked when it is added, and
 * the list knows what room its record takes, so that nothing can go wrong any more when it is encoded. What it is given stays the
 * caller's until then: it must not change.
 */
export class OperationList {
  private readonly states: TreeState[] = []
  private readonly keys: Prepared[] = []
  /** `undefined` for a deletion, and for a range without end. */
  private readonly values: (Prepared | undefined)[] = []
  private readonly expiries: number[] = []
  private bytes = 0

  get length(): number {
    return this.keys.length
  }

  /** Adds a put; `expiresAt` is 0 where it does not expire. */
  put(state: TreeState, key: Prepared, value: Prepared, expiresAt = 0): void {
    checkSizes(key, value)
    this.add(state, key, value, expiresAt)
    this.bytes += putByteBound(key, value)
  }

  del(state: TreeState, key: Prepared): void {
    checkSizes(key, '')
    this.add(state, key, undefined, 0)
    this.bytes += deleteByteBound(key)
  }

  /** Adds the deletion of a range that is not empty. */
  clear(state: TreeState, range: KeyRange): void {
    checkSizes(range.start, '')
    this.add(state, range.start, range.end, IS_CLEAR)
    this.bytes += clearByteBound(range)
  }

  private add(state: TreeState, key: Prepared, value: Prepared | undefined, expiresAt: number): void {
    this.states.push(state)
    this.keys.push(key)
    this.values.push(value)
    this.expiries.push(expiresAt)
  }

  /** Takes back what was added behind the first so many. */
  cut(length: number): void {
    const { states, keys, values, expiries } = this
    for (let i = length; i < keys.length; i++) {
      const [key, value] = [keys[i]!, values[i]]
      if (expiries[i] === IS_CLEAR) this.bytes -= clearByteBound(rangeOf(key, value))
      else this.bytes -= value === undefined ? deleteByteBound(key) : putByteBound(key, value)
    }
    for (const column of [states, keys, values, expiries]) column.length = length
  }

  /** Room that the record takes at most. Refuses what is too much for one. */
  byteBound(most = MOST_BYTES): number {
    let { bytes } = this
    for (const state of this.created()) bytes += treeByteBound(state)
    if (bytes > most) throw invalid('One commit has at most 1 GiB; write it in parts')
    return bytes
  }

  /** The trees that are not there yet: the record creates them. */
  private created(): TreeState[] {
    const created: TreeState[] = []
    for (const state of this.states) if (state.tree === undefined && !created.includes(state)) created.push(state)
    return created
  }

  /** Commits the operations as one record of at most `byteBound` bytes. `outcome` hears how it ended, also where this throws. */
  commit(
    pipeline: CommitPipeline,
    byteBound: number,
    sync: boolean,
    onThisThread: boolean,
    outcome?: CommitOutcome,
  ): Promise<void> {
    if (this.keys.length === 0) {
      outcome?.committed()
      return Promise.resolve()
    }
    const created = this.created()
    let end: number
    try {
      end = this.encode(pipeline, byteBound, created, onThisThread)
    } catch (error) {
      outcome?.refused(error)
      throw error
    }
    const count = created.length + this.keys.length
    if (!onThisThread) return pipeline.commit(end, count, sync, outcome)
    pipeline.commitSync(end, count, sync, outcome)
    return Promise.resolve()
  }

  private encode(pipeline: CommitPipeline, byteBound: number, created: readonly TreeState[], mayWait: boolean): number {
    const { states, keys, values, expiries } = this
    let offset = pipeline.begin(byteBound, mayWait)
    const { bytes } = pipeline
    for (const state of created) offset = putTree(bytes, offset, state)
    for (let i = 0; i < keys.length; i++) {
      const [state, key, value, expiresAt] = [states[i]!, keys[i]!, values[i], expiries[i]!]
      if (expiresAt === IS_CLEAR) offset = putClear(bytes, offset, state, rangeOf(key, value))
      else if (value === undefined) offset = putDelete(bytes, offset, state, key)
      else offset = putPut(bytes, offset, state, key, value, expiresAt)
    }
    return offset
  }
}

function rangeOf(start: Prepared, end: Prepared | undefined): KeyRange {
  return { start, end } as KeyRange
}

/** Something that adds operations to a commit and changes memory with it. */
export interface Contribution extends CommitOutcome {
  /**
   * Adds its operations and takes them for issued; `refused` takes that back, also what a call did that threw. It may be called
   * again after that.
   */
  add(operations: OperationList): void
}

/**
 * Commits a list with what contributes to it: all of it or nothing. Everything is added, checked and measured before the log is
 * touched; whatever throws on the way takes back what was changed.
 */
export function commitWith(
  pipeline: CommitPipeline,
  operations: OperationList,
  contribution: Contribution,
  sync: boolean,
  onThisThread = false,
): Promise<void> {
  const { length } = operations
  const takeBack = (error?: unknown): void => {
    contribution.refused(error)
    operations.cut(length)
  }
  for (;;) {
    pipeline.checkUsable()
    // Nothing fits before the first write of a session.
    if (!pipeline.fits(0)) pipeline.makeRoom(0, onThisThread)
    let byteBound: number
    try {
      contribution.add(operations)
      byteBound = operations.byteBound()
    } catch (error) {
      takeBack(error)
      throw error
    }
    if (pipeline.fits(byteBound)) {
      try {
        return operations.commit(pipeline, byteBound, sync, onThisThread, contribution)
      } catch (error) {
        // The contribution has heard of it.
        operations.cut(length)
        throw error
      }
    }
    // Making room may refuse what was issued before, and nothing may build on that: so it is added anew, behind what is left.
    takeBack()
    pipeline.makeRoom(byteBound, onThisThread)
  }
}
