import type { FileNumber } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { parseStoreFile } from '../../tree/file-names.js'
import { isOwnFile, ownFiles } from '../../tree/own-files.js'
import { hasLostFolder, LOST_FOLDER, nameBeforeLost } from '../lost-folder.js'
import type { Turn } from '../turn.js'
import { findSegments } from './found-log.js'
import { type FoundCurrent, type FoundManifest, findCurrent, findManifests } from './found-manifest.js'
import { type FoundTable, findTable } from './found-table.js'

/** Everything in the directory of a store, read from end to end. */
export interface Inventory {
  readonly current: FoundCurrent
  readonly manifests: readonly FoundManifest[]
  readonly tables: readonly FoundTable[]
  readonly segments: readonly LogSalvage[]
  /** The highest number that any file has or had. */
  readonly highestNumber: FileNumber
}

export async function takeInventory(fs: FileSystem, directory: string, turn: Turn): Promise<Inventory> {
  // What a manifest names is the store's, whatever is left of it.
  const manifests = findManifests(fs, directory)
  const namedTables = new Set(manifests.flatMap(({ state }) => [...state.tables.keys()]))
  const namedSegments = new Set(manifests.flatMap(({ state }) => [state.logFrom, state.clean?.segment ?? 0]))
  const tables: FoundTable[] = []
  for (const name of fs.listSync(directory).sort()) {
    const file = parseStoreFile(name)
    if (file?.kind !== 'table') continue
    if (!namedTables.has(file.number) && !isOwnFile(fs, `${directory}/${name}`)) continue
    tables.push(await findTable(fs, directory, file.number, turn))
  }
  return {
    current: findCurrent(fs, directory),
    manifests,
    tables,
    segments: await findSegments(fs, directory, namedSegments, turn),
    highestNumber: highestNumber(fs, directory),
  }
}

function highestNumber(fs: FileSystem, directory: string): FileNumber {
  const lost = `${directory}/${LOST_FOLDER}`
  const lostNames = hasLostFolder(fs, directory) ? fs.listSync(lost) : []
  const names = [...ownFiles(fs, directory), ...lostNames, ...lostNames.map(nameBeforeLost)]
  return names.reduce((highest, name) => Math.max(highest, parseStoreFile(name)?.number ?? 0), 0)
}
