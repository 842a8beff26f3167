import { SiltstoneError } from '../bytes/errors.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileSystem } from '../fs/file-system.js'
import { parseStoreFile } from '../tree/file-names.js'
import { isOwnFile } from '../tree/own-files.js'

/**
 * The folder, inside the store's, for files that are damaged or not needed any more after damage: recovery and repair use what
 * they can and destroy nothing. A name that is taken there gets a number behind it: `000013.log`, `000013.log.1`.
 */
export const LOST_FOLDER = 'lost'

/** Whether the folder is there. A link of that name leads to somebody else's files, and nothing is put or looked for there. */
export function hasLostFolder(fs: FileSystem, directory: string): boolean {
  return kindOf(fs, `${directory}/${LOST_FOLDER}`) === 'directory'
}

/** Makes the folder where it is not there. */
export function makeLostFolder(fs: FileSystem, directory: string): void {
  const path = `${directory}/${LOST_FOLDER}`
  const kind = kindOf(fs, path)
  if (kind === undefined) fs.makeDirectorySync(path)
  else if (kind !== 'directory') {
    throw new SiltstoneError(
      'SILT_IO',
      `${path} is ${kind === 'file' ? 'a file' : 'a link'}, and damaged files are to be kept in a folder of that name; move it out of the way`,
      { file: path },
    )
  }
}

/** A path in the folder at which nothing stands yet. */
export function lostPath(fs: FileSystem, directory: string, name: string): string {
  const path = `${directory}/${LOST_FOLDER}/${name}`
  let candidate = path
  for (let i = 1; kindOf(fs, candidate) !== undefined; i++) candidate = `${path}.${i}`
  return candidate
}

/** The name that a file had before it was put into the folder. */
export function nameBeforeLost(name: string): string {
  return name.replace(/\.\d+$/, '')
}

/** The files in the folder that a store has written. */
export function ownLostFiles(fs: FileSystem, directory: string): string[] {
  if (!hasLostFolder(fs, directory)) return []
  const lost = `${directory}/${LOST_FOLDER}`
  return fs.listSync(lost).filter((name) => {
    const before = parseStoreFile(name) === undefined ? nameBeforeLost(name) : name
    return isOwnFile(fs, `${lost}/${name}`, before)
  })
}
