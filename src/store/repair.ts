import { systemClock } from '../bytes/clock.js'
import { ioError, SiltstoneError } from '../bytes/errors.js'
import { loadHash } from '../bytes/hash.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileLock, FileSystem } from '../fs/file-system.js'
import { CURRENT, parseStoreFile, UNFINISHED } from '../tree/file-names.js'
import { unfinishedStore } from '../tree/manifest-file.js'
import { isOwnFile, ownFiles, requireNoOtherDatabase } from '../tree/own-files.js'
import { locate, rehearseOpening } from './open-engine.js'
import { checked, fileSystem, flag, permissions } from './options.js'
import { bookRepair } from './repair/bookkeeping.js'
import { install } from './repair/installation.js'
import { takeInventory } from './repair/inventory.js'
import type { RepairReport } from './repair/ledger.js'
import { isDamage } from './repair/readable-bytes.js'
import { Rebuild } from './repair/rebuild.js'
import { Rehearsal } from './repair/rehearsal.js'
import { Survey } from './repair/survey.js'
import { Turn } from './turn.js'

/** What `repair` takes. */
export interface RepairOptions {
  /** Report what a repair would do, and change nothing (default false). */
  dryRun?: boolean
  /** Where the files are: the disk by default. */
  fs?: FileSystem
  /** Permissions of files that it makes (default 0o600), as `open` takes them. */
  mode?: number
}

/**
 * Makes a damaged store one that opens again, with everything in it that can still be read: sound tables, sound blocks of
 * damaged ones, sound commits of the log, those behind a damaged place too. What it cannot use, and every original of what it
 * replaces, is kept in the folder `lost` of the store.
 *
 * Says of each file what was kept of it and what was lost; a store that nothing is wrong with stays as it is. An open store is
 * refused with `SILT_LOCKED`, except for a dry run, which takes no lock and writes nothing: beside a writer it may report what is just
 * being written. A directory without any file of a store is refused with `SILT_NOT_FOUND`.
 *
 * @example
 * const { lost } = await repair('./data', { dryRun: true })
 * for (const { file, offset, reason } of lost) console.error(file, offset, reason)
 * await repair('./data')
 */
export async function repair(path: string, options: RepairOptions = {}): Promise<RepairReport> {
  const given = checked(options, { dryRun: flag, fs: fileSystem, mode: permissions }, 'repair') as RepairOptions
  const { dryRun = false } = given
  await loadHash()
  const { fs, directory } = locate(path, given.fs, given.mode)
  let lock: FileLock | undefined
  try {
    requireFiles(fs, directory)
    // Who only looks stands in nobody's way, and leaves not even a lock file behind.
    if (!dryRun) lock = await fs.lock(directory)
    return await repairLocked(fs, directory, dryRun, lock)
  } catch (error) {
    throw ioError(error, 'repair the store in', directory)
  } finally {
    await lock?.release()
  }
}

async function repairLocked(
  fs: FileSystem,
  directory: string,
  dryRun: boolean,
  lock: FileLock | undefined,
): Promise<RepairReport> {
  const turn = new Turn()
  const inventory = await takeInventory(fs, directory, turn)
  let survey = new Survey(inventory)
  if (survey.isIntact && !(await canBeOpened(fs, directory))) survey = new Survey(inventory, 'refused')
  if (survey.isIntact) return bookRepair(fs, directory, survey, undefined).report()
  const now = systemClock.now()
  const rebuild = new Rebuild(dryRun ? new Rehearsal(fs) : fs, directory, survey, now, turn)
  const rebuilt = await rebuild.run(dryRun)
  const ledger = bookRepair(fs, directory, survey, rebuilt)
  if (!dryRun) {
    const { state, number } = rebuilt
    lock?.verify?.()
    await install({ fs, directory, now, number, state, moves: ledger.moves })
    rebuild.removeUnnamed(state)
  }
  return ledger.report()
}

/** Whatever an opening looks at, a store that it refuses is not left as it is. */
async function canBeOpened(fs: FileSystem, directory: string): Promise<boolean> {
  try {
    await rehearseOpening(fs, directory)
    return true
  } catch (error) {
    if (isDamage(error)) return false
    throw error
  }
}

function requireFiles(fs: FileSystem, directory: string): void {
  const status = fs.statusSync(directory)
  if (status?.isDirectory === false) {
    throw new SiltstoneError('SILT_IO', `${directory} is a file; a store needs a directory`)
  }
  const names = status === undefined ? [] : ownFiles(fs, directory)
  requireNoLinks(fs, directory)
  // What was never complete would come out as a store in which nothing tells what is missing.
  if (names.includes(UNFINISHED) && !names.includes(CURRENT)) throw unfinishedStore(directory)
  if (status !== undefined) requireNoOtherDatabase(fs, directory)
  if (names.length > 0) return
  throw new SiltstoneError('SILT_NOT_FOUND', `There are no files of a store in ${directory}; check the path`)
}

/**
 * Throws where something that may be a part of the store is a link, or no file at all. A repair follows none, and without it
 * would make a store that misses it.
 */
function requireNoLinks(fs: FileSystem, directory: string): void {
  for (const name of fs.statusSync(directory) === undefined ? [] : fs.listSync(directory)) {
    const path = `${directory}/${name}`
    const kind = parseStoreFile(name)?.kind
    if (kind === undefined || kind === 'lock') continue
    // A repair replaces CURRENT, and needs that name for it.
    if (kindOf(fs, path) === 'file' && (kind !== 'next-current' || isOwnFile(fs, path))) continue
    throw new SiltstoneError(
      'SILT_IO',
      `${path} has the name of a file of the store, but is a link, or nothing that a store has written. Repair has changed nothing; put the file in its place, or move it out of the way`,
      { file: path },
    )
  }
}
