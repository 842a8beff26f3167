import { ioError, SiltstoneError } from '../bytes/errors.js'
import { loadHash } from '../bytes/hash.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import { CURRENT, LOCK, UNFINISHED } from '../tree/file-names.js'
import { currentManifest, readManifest } from '../tree/manifest-file.js'
import { isOwnFile, ownFiles, requireNoOtherDatabase } from '../tree/own-files.js'
import { hasLostFolder, LOST_FOLDER, ownLostFiles } from './lost-folder.js'
import { locate } from './open-engine.js'
import { checked, fileSystem } from './options.js'

/**
 * Removes the store in a directory and nothing else: what a store has not written stays, whatever it is called, and so does the
 * directory that holds it. Links are not followed. Where there is no store, nothing happens; another program's database is
 * refused with `SILT_CORRUPTION`, an open store with `SILT_LOCKED`.
 *
 * @example
 * await destroy('./data')
 */
export async function destroy(path: string, options: { fs?: FileSystem } = {}): Promise<void> {
  const given = checked(options, { fs: fileSystem }, 'destroy') as { fs?: FileSystem }
  const { fs, directory } = locate(path, given.fs)
  let lock: FileLock | undefined
  try {
    const status = fs.statusSync(directory)
    if (status === undefined) return
    if (!status.isDirectory) throw new SiltstoneError('SILT_IO', `${directory} is a file; a store needs a directory`)
    await loadHash()
    requireNoOtherDatabase(fs, directory)
    if (filesOf(fs, directory).length === 0) return
    lock = await fs.lock(directory)
    removeStore(fs, directory)
    lock.verify?.()
    if (kindOf(fs, `${directory}/${LOCK}`) === 'file') fs.removeSync(`${directory}/${LOCK}`)
  } catch (error) {
    throw ioError(error, 'destroy the store in', directory)
  } finally {
    await lock?.release()
  }
  removeIfEmpty(fs, directory)
}

function removeStore(fs: FileSystem, directory: string): void {
  // CURRENT goes last: a destruction that was interrupted leaves a store that says what is missing, and can be repeated. So does
  // what stands in its place where the store was never complete.
  const isLast = (name: string): number => Number(name === CURRENT || name === UNFINISHED)
  const names = filesOf(fs, directory).sort((a, b) => isLast(a) - isLast(b))
  for (const name of names) fs.removeSync(`${directory}/${name}`)
  if (hasLostFolder(fs, directory)) {
    const lost = `${directory}/${LOST_FOLDER}`
    for (const name of ownLostFiles(fs, directory)) fs.removeSync(`${lost}/${name}`)
    if (fs.listSync(lost).length === 0) fs.removeDirectorySync(lost)
  }
  fs.syncDirectorySync(directory)
}

/** The files of the store itself: another store's that somebody has put beside them stay. */
function filesOf(fs: FileSystem, directory: string): string[] {
  const names = ownFiles(fs, directory)
  const storeId = storeIdOf(fs, directory, names)
  return names.filter((name) => isOwnFile(fs, `${directory}/${name}`, name, storeId))
}

/** Of the store that CURRENT leads to, where that can be told. */
function storeIdOf(fs: FileSystem, directory: string, names: readonly string[]): number | undefined {
  try {
    const number = names.includes(CURRENT) ? currentManifest(fs, directory) : undefined
    return number === undefined ? undefined : readManifest(fs, directory, number).state.storeId
  } catch (error) {
    if (error instanceof SiltstoneError && error.code !== 'SILT_IO') return undefined
    throw error
  }
}

function removeIfEmpty(fs: FileSystem, directory: string): void {
  try {
    if (fs.listSync(directory).length === 0) fs.removeDirectorySync(directory)
  } catch {
    // Somebody has come in meanwhile: then the directory is theirs.
  }
}
