import { MemoryDirectory, type MemoryNode, type Place } from '../../src/fs/memory-tree.js'
import { survivingPrefix } from './losses.js'
import type { SeededRandom } from './seeded-random.js'

interface Entry extends Place {
  /** What the name stands for afterwards; nothing where it is removed. */
  readonly node: MemoryNode | undefined
}

interface Change {
  readonly entries: readonly Entry[]
  /** The file or directory that is made, moved or removed. */
  readonly subject: MemoryNode
}

/**
 * What the disk has of the directories, beside what the cache shows: their entries as of the last sync, and every change since.
 *
 * A change is atomic: a rename takes its old name away and sets its new one, or neither. Changes survive a loss of power in any
 * combination that a journal could leave: one that builds on another, by name or by file, never without it.
 */
export class DurableNames {
  readonly #entries = new Map<MemoryDirectory, Map<string, MemoryNode>>()
  #changes: Change[] = []

  constructor(root: MemoryDirectory) {
    this.#adopt(root)
  }

  added(place: Place, node: MemoryNode): void {
    this.#changes.push({ entries: [{ ...place, node }], subject: node })
  }

  removed(place: Place, node: MemoryNode): void {
    this.#changes.push({ entries: [{ ...place, node: undefined }], subject: node })
  }

  moved(from: Place, to: Place, node: MemoryNode): void {
    this.#changes.push({
      entries: [
        { ...from, node: undefined },
        { ...to, node },
      ],
      subject: node,
    })
  }

  /** Makes the names of a directory durable, and with them whatever they build on elsewhere. */
  sync(directory: MemoryDirectory): void {
    const needed: Change[] = []
    for (const change of this.#changes.toReversed()) {
      const here = change.entries.some((entry) => entry.directory === directory)
      if (here || needed.some((later) => buildsOn(later, change))) needed.push(change)
    }
    for (const change of needed.toReversed()) applyTo(this.#entries, change)
    const kept = new Set(needed)
    this.#changes = this.#changes.filter((change) => !kept.has(change))
  }

  /** What each directory holds after a loss of power. */
  survivors(random: SeededRandom, survival: number): (directory: MemoryDirectory) => ReadonlyMap<string, MemoryNode> {
    const entries = new Map([...this.#entries].map(([directory, names]) => [directory, new Map(names)]))
    for (const change of this.#survivingChanges(random, survival)) applyTo(entries, change)
    return (directory) => entries.get(directory) ?? new Map()
  }

  #survivingChanges(random: SeededRandom, survival: number): Change[] {
    // Most journals keep the order of all changes, so that a prefix survives; some only that of changes which touch each other.
    if (random.chance(0.5)) {
      return this.#changes.slice(0, survivingPrefix(random, this.#changes.length, 0, survival))
    }
    const lost: Change[] = []
    return this.#changes.filter((change) => {
      const survives = random.chance(survival) && !lost.some((earlier) => buildsOn(change, earlier))
      if (!survives) lost.push(change)
      return survives
    })
  }

  #adopt(directory: MemoryDirectory): void {
    this.#entries.set(directory, new Map(directory.entries))
    for (const node of directory.entries.values()) if (node instanceof MemoryDirectory) this.#adopt(node)
  }
}

function buildsOn(later: Change, earlier: Change): boolean {
  if (later.subject === earlier.subject) return true
  return earlier.entries.some(
    (before) =>
      // A directory can only go once what it held is gone.
      before.directory === later.subject ||
      later.entries.some((after) => after.directory === before.directory && after.name === before.name),
  )
}

function applyTo(entries: Map<MemoryDirectory, Map<string, MemoryNode>>, { entries: changed }: Change): void {
  for (const { directory, name, node } of changed) {
    let names = entries.get(directory)
    if (names === undefined) entries.set(directory, (names = new Map()))
    if (node === undefined) names.delete(name)
    else names.set(name, node)
  }
}
