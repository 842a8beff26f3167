import type { FileSystem } from '../../fs/file-system.js'
import { CURRENT, manifestName } from '../../tree/file-names.js'
import { currentManifest, type ManifestReading, readManifest } from '../../tree/manifest-file.js'
import type { TableMeta } from '../../tree/table-meta.js'
import type { Verification } from './verification.js'

// A writer of another process replaces its manifest once in a thousand compactions; twice in a row is chance enough.
const ATTEMPTS = 3

/** Reads CURRENT and the manifest that it names; `undefined` where that cannot be done, which is a finding. */
export function checkManifest(
  verification: Verification,
  fs: FileSystem,
  directory: string,
): ManifestReading | undefined {
  const current = `${directory}/${CURRENT}`
  return verification.attempt(current, () => {
    for (let attempt = 1; ; attempt++) {
      const number = currentManifest(fs, directory)
      if (number === undefined) {
        verification.add(current, 'it is not there')
        return undefined
      }
      if (fs.statusSync(`${directory}/${manifestName(number)}`) !== undefined) {
        verification.checked += 2
        return readManifest(fs, directory, number)
      }
      if (attempt < ATTEMPTS) continue
      verification.add(current, `it names ${manifestName(number)}, which is not there`, 0)
      return undefined
    }
  })
}

/** Holds what the disk says to what an open store knows. Requires: both were read in one turn. */
export function compareManifest(
  verification: Verification,
  directory: string,
  { number, state, end }: ManifestReading,
  lastEdit: number,
  tables: readonly TableMeta[],
): void {
  const path = `${directory}/${manifestName(number)}`
  if (state.edit < lastEdit) {
    verification.add(path, `it ends at edit ${state.edit}, but edit ${lastEdit} was on disk before`, end)
  }
  // What the disk has beyond `lastEdit` is an edit under way: its tables are not in use yet.
  if (state.edit !== lastEdit) return
  const onDisk = [...state.tables.values()].map(placeOf).sort()
  const inUse = tables.map(placeOf).sort()
  if (onDisk.join() === inUse.join()) return
  verification.add(path, `its tables are not those in use: ${onDisk.join(', ')} instead of ${inUse.join(', ')}`)
}

function placeOf({ number, tree, level }: TableMeta): string {
  return `${number} (tree ${tree}, level ${level})`
}
