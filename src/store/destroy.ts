import { ioError, SiltstoneError } from '../bytes/errors.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import { CURRENT, LOCK, parseStoreFile, UNFINISHED } from '../tree/file-names.js'
import { isLostName, LOST_FOLDER } from './lost-folder.js'
import { locate } from './open-engine.js'

/**
 * Removes the store in a directory and nothing else: files that are not the store's stay, and so does the directory that
 * holds them. Where there is no store, nothing happens. An open store is refused with `SILT_LOCKED`.
 *
 * @example
 * await destroy('./data')
 */
export async function destroy(path: string, options: { fs?: FileSystem } = {}): Promise<void> {
  const { fs, directory } = locate(path, options.fs)
  let lock: FileLock | undefined
  try {
    const status = fs.statusSync(directory)
    if (status === undefined) return
    if (!status.isDirectory) throw new SiltstoneError('SILT_IO', `${directory} is a file; a store needs a directory`)
    if (!fs.listSync(directory).some((name) => parseStoreFile(name) !== undefined)) return
    lock = await fs.lock(directory)
    removeStore(fs, directory)
  } catch (error) {
    throw ioError(error, 'destroy the store in', directory)
  } finally {
    await lock?.release()
  }
  removeLock(fs, directory)
}

function removeStore(fs: FileSystem, directory: string): void {
  // CURRENT goes last: a destruction that was interrupted leaves a store that says what is missing, and can be repeated. So does
  // what stands in its place where the store was never complete.
  const isLast = (name: string): number => Number(name === CURRENT || name === UNFINISHED)
  const names = fs.listSync(directory).sort((a, b) => isLast(a) - isLast(b))
  for (const name of names) {
    if (name !== LOCK && parseStoreFile(name) !== undefined) fs.removeSync(`${directory}/${name}`)
  }
  const lost = `${directory}/${LOST_FOLDER}`
  if (fs.statusSync(lost)?.isDirectory) {
    for (const name of fs.listSync(lost)) {
      if (isLostName(name)) fs.removeSync(`${lost}/${name}`)
    }
    if (fs.listSync(lost).length === 0) fs.removeDirectorySync(lost)
  }
  fs.syncDirectorySync(directory)
}

/** The lock's own file stays until the lock is free; what a new owner holds by then is not touched. */
function removeLock(fs: FileSystem, directory: string): void {
  try {
    const left = fs.listSync(directory)
    if (left.some((name) => name !== LOCK && parseStoreFile(name) !== undefined)) return
    if (left.includes(LOCK)) fs.removeSync(`${directory}/${LOCK}`)
    if (left.every((name) => name === LOCK)) fs.removeDirectorySync(directory)
  } catch {
    // Somebody has come in meanwhile: then the directory is theirs.
  }
}
