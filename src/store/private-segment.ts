import type { Found } from '../bytes/cursor.js'
import { invalid } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { operationEnd, operationTree } from '../log/operation.js'
import { Memtable } from '../memtable/memtable.js'
import type { TreeState } from './tree-state.js'

const FIRST_BYTES = 4096
// As a batch: it becomes one record.
const MOST_BYTES = 2 ** 30

/**
 * The writes of a transaction before they are anybody else's: operations in the layout of the commit log, indexed by memtables
 * like those of a segment. A commit copies the bytes into the log as they are.
 */
export class PrivateSegment {
  /** Trees that are written to. */
  readonly states: TreeState[] = []
  private bytes = new Uint8Array(FIRST_BYTES)
  private end = 0
  private readonly memtables = new Map<number, Memtable>()
  /** Above every position the transaction reads at, so that its own writes are the newest. */
  private readonly base: Position
  operationCount = 0

  constructor(base: Position) {
    this.base = base
  }

  get byteLength(): number {
    return this.end
  }

  memtable(state: TreeState): Memtable | undefined {
    return this.memtables.get(state.id)
  }

  /** The position behind the last write. */
  get limit(): Position {
    return this.base + this.end
  }

  /** Adds an operation of at most `byteBound` bytes that `put` encodes at the offset it gets; it returns where it ends. */
  add(state: TreeState, byteBound: number, put: (bytes: Uint8Array, offset: number) => number): void {
    if (this.end + byteBound > MOST_BYTES) throw invalid('A transaction writes at most 1 GiB; do it in parts')
    if (this.end + byteBound > this.bytes.length) this.grow(this.end + byteBound)
    const offset = this.end
    this.end = put(this.bytes, offset)
    this.operationCount++
    if (!this.states.includes(state)) this.states.push(state)
    this.index(state.id, offset)
  }

  lookup(state: TreeState, key: Uint8Array, keyEnd: number, found: Found): boolean {
    return this.memtables.get(state.id)?.lookup(key, 0, keyEnd, Number.POSITIVE_INFINITY, found) ?? false
  }

  copyTo(target: Uint8Array, offset: number): number {
    target.set(this.bytes.subarray(0, this.end), offset)
    return offset + this.end
  }

  private index(tree: number, offset: number): void {
    let memtable = this.memtables.get(tree)
    if (memtable === undefined) {
      memtable = new Memtable(tree, this.base, this.bytes)
      this.memtables.set(tree, memtable)
    }
    // Older versions stay, because a scan of the transaction may have begun before the newer one came.
    memtable.add(offset, Number.POSITIVE_INFINITY)
  }

  /** Memtables point into their bytes, so larger bytes need new ones; those of scans that are open stay as they are. */
  private grow(atLeast: number): void {
    const larger = new Uint8Array(Math.max(atLeast, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.end))
    this.bytes = larger
    this.memtables.clear()
    for (let offset = 0; offset < this.end; offset = operationEnd(larger, offset)) {
      this.index(operationTree(larger, offset), offset)
    }
  }
}
