import { invalid } from '../bytes/errors.js'
import type { TreeId } from '../bytes/units.js'
import { HIGHEST_TREE } from '../log/operation.js'
import type { Tree } from '../tree/tree.js'
import type { TreeOptions } from '../tree/tree-options.js'
import { TreeState } from './tree-state.js'

/** The trees of a store, by the number that stands in the log and by name; those too that nothing was written to yet. */
export class TreeStates {
  private byId: TreeState[] = []
  private readonly byName = new Map<string, TreeState>()

  constructor(trees: Iterable<Tree>) {
    for (const tree of trees) this.learn(new TreeState(tree.id, tree.name, tree.options, tree))
  }

  private learn(state: TreeState): TreeState {
    this.byId[state.id] = state
    this.byName.set(state.name, state)
    return state
  }

  /** The tree of that name; one that is not there comes into being with its first write. */
  named(name: string, options: TreeOptions): TreeState {
    const known = this.byName.get(name)
    if (known !== undefined) return known
    if (this.byId.length > HIGHEST_TREE) throw invalid(`A store has at most ${HIGHEST_TREE + 1} keyspaces and queues`)
    return this.learn(new TreeState(this.byId.length, name, options))
  }

  /** The tree of that number, with what the log says of one that is not known yet. */
  numbered(id: TreeId, name: string, options: TreeOptions): TreeState {
    return this.byId[id] ?? this.learn(new TreeState(id, name, options))
  }

  find(name: string): TreeState | undefined {
    return this.byName.get(name)
  }

  /** None where a damaged store was repaired without it. */
  of(id: TreeId): TreeState | undefined {
    return this.byId[id]
  }

  /** By number; there may be holes. */
  all(): readonly (TreeState | undefined)[] {
    return this.byId
  }

  /** Takes over the trees of another reader of the same store. Whoever holds one of these goes on with it. */
  adopt(other: TreeStates): void {
    const provisional = this.byId.filter((state) => other.find(state.name) === undefined)
    this.byId = []
    for (const theirs of other.byId) {
      if (theirs !== undefined) this.learn(this.byName.get(theirs.name) ?? theirs).follow(theirs)
    }
    for (const state of provisional) {
      state.id = this.byId.length
      this.learn(state)
    }
  }
}
