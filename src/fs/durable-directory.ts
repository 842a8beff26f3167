import { dirname } from 'node:path'
import type { FileSystem } from './file-system.js'

/** Makes a directory and those above it, and their names durable: a synced file is worth nothing in a folder that is lost. */
export function makeDurableDirectory(fs: FileSystem, directory: string): void {
  const parents: string[] = []
  for (let at = directory; fs.statusSync(at) === undefined && dirname(at) !== at; at = dirname(at)) {
    parents.unshift(dirname(at))
  }
  fs.makeDirectorySync(directory)
  for (const parent of parents) fs.syncDirectorySync(parent)
}
