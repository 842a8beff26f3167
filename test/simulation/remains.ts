import type { MemoryFile } from '../../src/fs/memory-file.js'
import { MemoryDirectory } from '../../src/fs/memory-tree.js'
import { DurableFile } from './durable-file.js'
import { DurableNames } from './durable-names.js'
import type { Losses } from './losses.js'
import type { SeededRandom } from './seeded-random.js'

/** What one simulated disk leaves to the next. */
export interface Remains {
  readonly root: MemoryDirectory
  readonly files: WeakMap<MemoryFile, DurableFile>
  readonly names: DurableNames
  readonly ticks: number
}

/** Everything that reached the disk, and nothing else; two names of one file still share it. */
export function afterPowerLoss(before: Remains, random: SeededRandom, losses: Losses): Remains {
  const entriesOf = before.names.survivors(random, losses.survival)
  const survivors = new Map<MemoryFile, MemoryFile>()
  const fileAfter = (file: MemoryFile): MemoryFile => {
    let survivor = survivors.get(file)
    if (survivor === undefined) {
      survivor = (before.files.get(file) ?? new DurableFile(file)).survivors(random, losses)
      survivors.set(file, survivor)
    }
    return survivor
  }
  const directoryAfter = (directory: MemoryDirectory): MemoryDirectory => {
    const after = new MemoryDirectory(before.ticks)
    for (const [name, node] of entriesOf(directory)) {
      after.entries.set(name, node instanceof MemoryDirectory ? directoryAfter(node) : fileAfter(node))
    }
    return after
  }
  const root = directoryAfter(before.root)
  return { root, files: new WeakMap(), names: new DurableNames(root), ticks: before.ticks }
}
