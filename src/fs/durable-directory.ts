import { dirname } from 'node:path'
import type { FileSystem } from './file-system.js'

/** Makes a directory and those above it, and their names durable: a synced file is worth nothing in a folder that is lost. */
export function makeDurableDirectory(fs: FileSystem, directory: string): void {
  for (const parent of madeIn(fs, directory)) fs.syncDirectorySync(parent)
}

/** The same, durable on the thread pool. */
export async function makeDurableDirectoryInPool(fs: FileSystem, directory: string): Promise<void> {
  for (const parent of madeIn(fs, directory)) await fs.syncDirectory(parent)
}

/** Makes them and returns those that got a new name. */
function madeIn(fs: FileSystem, directory: string): string[] {
  const parents: string[] = []
  for (let at = directory; fs.statusSync(at) === undefined && dirname(at) !== at; at = dirname(at)) {
    parents.unshift(dirname(at))
  }
  fs.makeDirectorySync(directory)
  return parents
}
