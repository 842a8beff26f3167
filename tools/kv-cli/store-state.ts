import { loadHash } from '../../src/bytes/hash.js'
import type { FileNumber } from '../../src/bytes/units.js'
import { currentManifest, readManifest } from '../../src/tree/manifest-file.js'
import type { ManifestState } from '../../src/tree/manifest-state.js'
import { Failure } from './failure.js'
import { unlockedDisk } from './unlocked-disk.js'

/** The number of the manifest that counts, read without opening the store. */
export async function currentNumber(directory: string): Promise<FileNumber> {
  await loadHash()
  const number = unlockedDisk.statusSync(directory)?.isDirectory ? currentManifest(unlockedDisk, directory) : undefined
  if (number === undefined) throw new Failure(`There is no store in ${directory}; say where with --db`)
  return number
}

/** What belongs to a store, as its manifest says. */
export async function readState(directory: string): Promise<ManifestState> {
  return readManifest(unlockedDisk, directory, await currentNumber(directory)).state
}
