import type { FileNumber } from '../bytes/units.js'

/*
 * What the files of a store are called. Never to change within format version 1.
 *
 *   000012.sst          a table
 *   000013.log          a segment of the commit log
 *   MANIFEST-000014     the list of what belongs to the store, as a log of edits
 *   CURRENT             the name of the manifest that counts, and a line feed
 *   CURRENT.000014      the next CURRENT, for that manifest, before it is renamed; left over only by a crash. Earlier
 *                       versions called it CURRENT.new
 *   CURRENT.unfinished  in place of CURRENT while a checkpoint or a restored backup is being made: no store yet
 *   LOCK                says which process has the store open, or had it last
 *   LOCK.<16 digits>    of a process that is about to follow the one with that id; left over only by a crash
 *
 * Tables, segments and manifests draw their numbers from one sequence, at least six digits wide so that a listing sorts.
 */

export type StoreFileKind = 'table' | 'segment' | 'manifest' | 'current' | 'next-current' | 'unfinished' | 'lock'

export interface StoreFile {
  readonly kind: StoreFileKind
  /** 0 for the kinds of which a store has only one. */
  readonly number: FileNumber
}

export const CURRENT = 'CURRENT'
/** What earlier versions called the next CURRENT. */
export const NEXT_CURRENT_BEFORE = 'CURRENT.new'
export const UNFINISHED = 'CURRENT.unfinished'
export const LOCK = 'LOCK'

export function tableName(number: FileNumber): string {
  return `${digits(number)}.sst`
}

export function segmentName(number: FileNumber): string {
  return `${digits(number)}.log`
}

export function manifestName(number: FileNumber): string {
  return `MANIFEST-${digits(number)}`
}

/** Each has a name of its own: a process that has lost the store must not rename what another one has written. */
export function nextCurrentName(manifest: FileNumber): string {
  return `${CURRENT}.${digits(manifest)}`
}

/** What a name stands for; `undefined` for every file that is not the store's, and so not the store's to touch. */
export function parseStoreFile(name: string): StoreFile | undefined {
  if (name === CURRENT) return { kind: 'current', number: 0 }
  if (name === NEXT_CURRENT_BEFORE) return { kind: 'next-current', number: 0 }
  if (name === UNFINISHED) return { kind: 'unfinished', number: 0 }
  if (name === LOCK || /^LOCK\.[0-9a-f]{16}$/.test(name)) return { kind: 'lock', number: 0 }
  const match = /^(?:(MANIFEST-|CURRENT\.)(\d{6,16})|(\d{6,16})\.(sst|log))$/.exec(name)
  if (match === null) return undefined
  const number = Number(match[2] ?? match[3])
  // Only the one way to write a number is ours: '0000012.sst' was made by somebody else.
  if (!Number.isSafeInteger(number) || digits(number) !== (match[2] ?? match[3])) return undefined
  const kind = match[1] === 'MANIFEST-' ? 'manifest' : match[4] === 'sst' ? 'table' : 'segment'
  return { kind: match[1] === 'CURRENT.' ? 'next-current' : kind, number }
}

/** Whether a name can only be there because a store is, or was: without CURRENT such a directory is a damaged store. */
export function holdsStoreData(name: string): boolean {
  const kind = parseStoreFile(name)?.kind
  return kind === 'table' || kind === 'segment' || kind === 'manifest' || kind === 'unfinished'
}

function digits(number: FileNumber): string {
  return String(number).padStart(6, '0')
}
