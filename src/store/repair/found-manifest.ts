import type { FileNumber } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { CURRENT, parseStoreFile } from '../../tree/file-names.js'
import { currentManifest, type ManifestPrefix, readManifestPrefix } from '../../tree/manifest-file.js'
import { ManifestState } from '../../tree/manifest-state.js'
import { ownFiles } from '../../tree/own-files.js'
import { LOST_FOLDER, nameBeforeLost, ownLostFiles } from '../lost-folder.js'
import { isDamage, readableBytes } from './readable-bytes.js'

/** A manifest that is there, in its place or in the folder of what was lost before. */
export interface FoundManifest extends ManifestPrefix {
  /** Its name in the directory of the store. */
  readonly file: string
  readonly number: FileNumber
}

/** What CURRENT says. */
export interface FoundCurrent {
  readonly names: FileNumber | undefined
  readonly problem: string | undefined
}

export function findManifests(fs: FileSystem, directory: string): FoundManifest[] {
  const lostNames = ownLostFiles(fs, directory).map((name) => `${LOST_FOLDER}/${name}`)
  return [...ownFiles(fs, directory), ...lostNames].flatMap((file) => {
    const name = file.slice(file.lastIndexOf('/') + 1)
    const parsed = parseStoreFile(file === name ? name : nameBeforeLost(name))
    if (parsed?.kind !== 'manifest') return []
    const path = `${directory}/${file}`
    const { number } = parsed
    return [{ file, number, ...readManifestPrefix(readableBytes(fs, path), number, path) }]
  })
}

export function findCurrent(fs: FileSystem, directory: string): FoundCurrent {
  try {
    const names = currentManifest(fs, directory)
    return { names, problem: names === undefined ? `${CURRENT} is missing` : undefined }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { names: undefined, problem: error.message }
  }
}

/** What the manifests together tell. */
export interface Knowledge {
  /** Of the newest manifest; empty where none can be read. */
  readonly state: ManifestState
  readonly source: FoundManifest | undefined
  /** All tables that were ever taken out of the store, as far as it is told. */
  readonly dropped: ReadonlySet<FileNumber>
  /** Whether the state is the last one that the store had, so that what it does not name is no part of the store. */
  readonly isExact: boolean
}

/** The manifest with the newest edits, and whether everything else bears it out. */
export function knowledgeOf(
  manifests: readonly FoundManifest[],
  current: FoundCurrent,
  tables: ReadonlySet<FileNumber>,
  segments: readonly LogSalvage[],
): Knowledge {
  const readable = manifests.filter(({ state }) => state.edit > 0)
  const [source] = readable.toSorted((a, b) => b.state.edit - a.state.edit)
  const dropped = new Set(readable.flatMap((manifest) => [...manifest.dropped]))
  if (source === undefined) return { state: new ManifestState(), source, dropped, isExact: false }
  const { state, problem, file } = source
  const isCurrent = current.names === undefined ? !file.includes('/') : source.number === current.names
  const isExact = isCurrent && problem === undefined && isBorneOut(state, tables, segments)
  return { state, source, dropped, isExact }
}

/**
 * A manifest can be cut short so cleanly that nothing in it shows. But what was done afterwards does: tables that it still
 * names were replaced and removed, segments flushed and removed, and new segments name newer edits.
 */
function isBorneOut(
  { edit, tables, logFrom, clean }: ManifestState,
  present: ReadonlySet<FileNumber>,
  segments: readonly LogSalvage[],
): boolean {
  const hasSegment = (number: FileNumber): boolean => segments.some((segment) => segment.number === number)
  return (
    [...tables.keys()].every((number) => present.has(number)) &&
    segments.every(({ header }) => header === undefined || header.lastEdit <= edit) &&
    (logFrom === 0 ? beginsTheLog(segments[0], present) : hasSegment(logFrom)) &&
    (clean === null || hasSegment(clean.segment))
  )
}

/** Before the first flush the log is there from its first byte on, and no table is. */
function beginsTheLog(first: LogSalvage | undefined, present: ReadonlySet<FileNumber>): boolean {
  return first === undefined ? present.size === 0 : first.header?.previousEnd === 0
}
