import type { Position, TreeId } from '../bytes/units.js'
import { Memtable } from '../memtable/memtable.js'
import type { Tree } from '../tree/tree.js'
import type { TreeOptions } from '../tree/tree-options.js'

/** One keyspace as the store sees it: what is still in memory, newest first, over what is in tables. */
export class TreeState {
  /** Provisional until the tree exists. */
  id: TreeId
  readonly name: string
  options: TreeOptions
  /** Absent until the first write: a keyspace that was only named leaves no trace. */
  tree: Tree | undefined
  active: Memtable | undefined
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
    this.active ??= new Memtable(this.id, base, bytes)
    return this.active
  }

  seal(): Memtable | undefined {
    const sealed = this.active
    if (sealed === undefined) return undefined
    this.active = undefined
    this.sealed = [sealed, ...this.sealed]
    return sealed
  }

  /** Shows what another state of the same tree shows. */
  follow(other: TreeState): void {
    this.id = other.id
    this.options = other.options
    this.tree = other.tree
    this.active = other.active
    this.sealed = other.sealed
  }

  drop(memtable: Memtable): void {
    this.sealed = this.sealed.filter((each) => each !== memtable)
  }
}
