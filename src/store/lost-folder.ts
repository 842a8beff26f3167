import type { FileSystem } from '../fs/file-system.js'
import { parseStoreFile } from '../tree/file-names.js'

/**
 * The folder, inside the store's, for files that are damaged or not needed any more after damage: recovery and repair use what
 * they can and destroy nothing. A name that is taken there gets a number behind it: `000013.log`, `000013.log.1`.
 */
export const LOST_FOLDER = 'lost'

/** A path in the folder at which nothing stands yet. */
export function lostPath(fs: FileSystem, directory: string, name: string): string {
  const path = `${directory}/${LOST_FOLDER}/${name}`
  let candidate = path
  for (let i = 1; fs.statusSync(candidate) !== undefined; i++) candidate = `${path}.${i}`
  return candidate
}

/** The name that a file had before it was put into the folder. */
export function nameBeforeLost(name: string): string {
  return name.replace(/\.\d+$/, '')
}

/** Whether it was the store that put a file of this name into the folder. */
export function isLostName(name: string): boolean {
  return parseStoreFile(name) !== undefined || parseStoreFile(nameBeforeLost(name)) !== undefined
}
