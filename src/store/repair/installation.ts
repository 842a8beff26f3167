import type { EpochMs, FileNumber } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import { copyTree } from '../../fs/file-tree.js'
import { errorCode } from '../../fs/system-error.js'
import { CURRENT, manifestName } from '../../tree/file-names.js'
import { Manifest } from '../../tree/manifest.js'
import type { ManifestState } from '../../tree/manifest-state.js'
import { isOwnFile } from '../../tree/own-files.js'
import { LOST_FOLDER, makeLostFolder } from '../lost-folder.js'

/** What a repair comes to. */
export interface Installation {
  readonly fs: FileSystem
  readonly directory: string
  readonly now: EpochMs
  /** Of the manifest to be written; its file number is below `state.lease.files`. */
  readonly number: FileNumber
  readonly state: ManifestState
  /** Names of files that are put aside, and the paths at which they are kept. */
  readonly moves: ReadonlyMap<string, string>
}

/**
 * Makes a repaired state the one that counts.
 *
 * First every file that goes gets a second name, then CURRENT is replaced, then the first names go. Whenever this is interrupted,
 * there is either the damaged store as it was, to be repaired again, or the repaired one; and every original is
 * there under one name at least.
 */
export async function install({ fs, directory, now, number, state, moves }: Installation): Promise<void> {
  if (moves.size > 0) {
    const lost = `${directory}/${LOST_FOLDER}`
    makeLostFolder(fs, directory)
    for (const [name, path] of moves) await secondName(fs, `${directory}/${name}`, path)
    fs.syncDirectorySync(lost)
    fs.syncDirectorySync(directory)
  }
  // Of a repair that was interrupted.
  const leftover = `${directory}/${manifestName(number)}`
  if (isOwnFile(fs, leftover)) fs.removeSync(leftover)
  let failure: Error | undefined
  const manifest = Manifest.create(
    {
      fs,
      directory,
      now: () => now,
      takeNumber: () => number,
      onFailed: (error) => {
        failure = error
      },
    },
    state,
  )
  manifest.close()
  if (failure !== undefined) throw failure
  for (const name of moves.keys()) {
    // The name went to the CURRENT of the new manifest.
    if (name !== CURRENT) fs.removeSync(`${directory}/${name}`)
  }
  fs.syncDirectorySync(directory)
}

async function secondName(fs: FileSystem, from: string, to: string): Promise<void> {
  try {
    fs.linkSync(from, to)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'].includes(errorCode(error) ?? '')) throw error
    await copyTree(fs, from, to)
  }
}
