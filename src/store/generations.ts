import type { Position } from '../bytes/units.js'
import type { Forest } from '../tree/forest.js'
import type { Pins } from './pins.js'
import { TreeState } from './tree-state.js'

/** What a reader saw before a refresh: its trees with their memtables and the files of their tables. */
export class Generation {
  /** All reads of a generation are at its position. */
  readonly position: Position
  readonly forest: Forest
  private readonly states = new Map<TreeState, TreeState>()

  constructor(position: Position, forest: Forest, states: readonly (TreeState | undefined)[]) {
    this.position = position
    this.forest = forest
    for (const state of states) {
      if (state === undefined) continue
      const kept = new TreeState(state.id, state.name, state.options)
      kept.follow(state)
      this.states.set(state, kept)
    }
  }

  /** The tree as it was; one that came later is empty. */
  stateOf(state: TreeState): TreeState {
    return this.states.get(state) ?? new TreeState(state.id, state.name, state.options)
  }
}

/**
 * The earlier generations of a reader that somebody still reads. The writer beside it knows nothing of the reader's snapshots, and
 * compacts away what they see; so each of them goes on in the files and memtables that it was made on.
 */
export class Generations {
  private kept: Generation[] = []

  add(generation: Generation): void {
    this.kept.push(generation)
  }

  /** The tree as a reader at a position sees it. Requires: the position is not the newest one. */
  stateAt(state: TreeState, position: Position): TreeState {
    return this.kept.find((generation) => generation.position === position)?.stateOf(state) ?? state
  }

  /** Lets go of those that nobody reads any more. */
  async closeUnread(pins: Pins): Promise<void> {
    const unread = this.kept.filter(({ position }) => !pins.has(position))
    this.kept = this.kept.filter(({ position }) => pins.has(position))
    for (const { forest } of unread) await forest.close()
  }

  async closeAll(): Promise<void> {
    const { kept } = this
    this.kept = []
    for (const { forest } of kept) await forest.close()
  }
}
