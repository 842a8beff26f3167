import type { Position, TreeId } from '../bytes/units.js'
import { Memtable } from '../memtable/memtable.js'
import type { OrderedIndexImage } from '../memtable/ordered-index.js'
import type { KeyRange } from '../tree/key-range.js'
import type { Tree } from '../tree/tree.js'
import type { TreeOptions } from '../tree/tree-options.js'

// Shared memory is freed only when the collectors of all threads that saw it have run, so it is worth using again; that of
// a few entries is not worth holding on to, in a store with thousands of trees.
const SPARE_INDEX_BYTES = 256 * 1024

/** One keyspace as the store sees it: what is still in memory, newest first, over what is in tables. */
export class TreeState {
  /** Provisional until the tree exists. */
  id: TreeId
  readonly name: string
  options: TreeOptions
  /** Absent until the first write: a keyspace that was only named leaves no trace. */
  tree: Tree | undefined
  active: Memtable | undefined
  /** Keys before this one are not needed any more, as of what is visible: those of a tree whose keys only grow. */
  trimmedBefore: Uint8Array | undefined
  /** The memory of an index that nobody reads any more. */
  private spareIndex: OrderedIndexImage | undefined
  /** Newest first. */
  sealed: readonly Memtable[] = []

  constructor(id: TreeId, name: string, options: TreeOptions, tree?: Tree) {
    this.id = id
    this.name = name
    this.options = options
    this.tree = tree
  }

  /** The memtable in which this tree's operations of the segment go. */
  memtable(base: Position, bytes: Uint8Array): Memtable {
    if (this.active === undefined) {
      this.active = new Memtable(this.id, base, bytes, undefined, this.spareIndex)
      this.spareIndex = undefined
    }
    return this.active
  }

  seal(): Memtable | undefined {
    const sealed = this.active
    if (sealed === undefined) return undefined
    this.active = undefined
    this.sealed = [sealed, ...this.sealed]
    return sealed
  }

  /** About how many bytes of disk a range takes: in tables, and in the commit log what is not in tables yet. */
  approximateBytes(range: KeyRange): number {
    let bytes = this.tree?.approximateBytes(range) ?? 0
    for (const memtable of this.active === undefined ? this.sealed : [this.active, ...this.sealed]) {
      bytes += memtable.index.approximateBytes(range.start, range.end)
    }
    return bytes
  }

  /** Shows what another state of the same tree shows. */
  follow(other: TreeState): void {
    this.id = other.id
    this.options = other.options
    this.tree = other.tree
    this.active = other.active
    this.sealed = other.sealed
  }

  /** The memtable stands in tables now. */
  drop(memtable: Memtable): void {
    this.sealed = this.sealed.filter((each) => each !== memtable)
    const isWorthKeeping = memtable.index.indexBytes >= SPARE_INDEX_BYTES
    if (isWorthKeeping && memtable.holders === 0) this.spareIndex = memtable.index.image()
  }
}
