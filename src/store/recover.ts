import { corruption, ioError, SiltstoneError } from '../bytes/errors.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { CommitLog, createSegment } from '../log/commit-log.js'
import { isSalted, LOG_HEADER_BYTES } from '../log/log-header.js'
import { contentProblem } from '../log/record-content.js'
import { type LogLoss, type RecoveredLog, recoverLog } from '../log/recovery.js'
import type { Segment } from '../log/segment.js'
import { parseStoreFile, segmentName } from '../tree/file-names.js'
import type { Forest } from '../tree/forest.js'
import { isOwnFile } from '../tree/own-files.js'
import type { Engine } from './engine.js'
import { LOST_FOLDER, lostPath, makeLostFolder } from './lost-folder.js'

/** What an opening found in the commit log, and what it did about it. */
export interface RecoveryReport {
  /** Segments that were read. */
  readonly segments: number
  /** Commits that were taken up from them. */
  readonly commits: number
  /** What was cut off or put aside; empty after any clean close, and after most crashes. */
  readonly losses: readonly LogLoss[]
  /** Where files that hold more than was recovered were kept, below the store's directory. */
  readonly kept: readonly string[]
}

/** A file of the commit log. */
export interface SegmentFile {
  readonly number: FileNumber
  readonly path: string
}

/**
 * All segments in a directory, oldest first: what a log of this store can have left, and under a number that `isPromised` to it
 * whatever there is, because a loss of power may have left anything.
 */
export function segmentFiles(
  fs: FileSystem,
  directory: string,
  isPromised: (number: FileNumber) => boolean,
): SegmentFile[] {
  return fs
    .listSync(directory)
    .map((name) => ({ file: parseStoreFile(name), path: `${directory}/${name}` }))
    .filter(({ file, path }) => {
      if (file?.kind !== 'segment') return false
      return isPromised(file.number) ? kindOf(fs, path) !== 'directory' : isOwnFile(fs, path)
    })
    .map(({ file, path }) => ({ number: file!.number, path }))
    .sort((a, b) => a.number - b.number)
}

/** Those that are not in tables as a whole. */
export function neededFiles(
  { logFrom, clean }: Pick<Forest, 'logFrom' | 'clean'>,
  files: readonly SegmentFile[],
  directory: string,
): SegmentFile[] {
  const needed = files.filter((file) => file.number >= logFrom)
  if (logFrom > 0 && needed[0]?.number !== logFrom) throw missingSegment(directory, logFrom)
  // Before the first flush the manifest names no segment to begin with, but a clean close names the one it ended in.
  if (clean !== null && !needed.some((file) => file.number === clean.segment)) {
    throw missingSegment(directory, clean.segment)
  }
  return needed
}

function missingSegment(directory: string, number: FileNumber): SiltstoneError {
  const path = `${directory}/${segmentName(number)}`
  return corruption(path, 0, 'the log segment that the manifest names is missing. repair() opens the store without it')
}

/**
 * Takes up what the commit log holds beyond the tables, and makes the engine ready to write.
 *
 * Recovered segments become memtables again and are flushed in the background. After a clean close writing goes on in the
 * last segment; after anything else in a new one, beyond every position that may ever have been used. `isAfterSilence`: whoever wrote
 * the log may wake up, so nothing goes on in a file of theirs.
 */
export function recoverForWriting(
  engine: Engine,
  recovery: 'point-in-time' | 'strict',
  isAfterSilence = false,
): RecoveryReport {
  const { fs, directory, forest } = engine
  const files = segmentFiles(fs, directory, (number) => forest.hasPromised(number))
  const flushed = files.filter(({ number }) => number < forest.logFrom)
  const log = recoverLog({
    fs,
    files: neededFiles(forest, files, directory),
    storeId: forest.storeId,
    lastEdit: forest.lastEdit,
    knownSynced: forest.clean?.end ?? 0,
    strict: recovery === 'strict',
    room: engine.writeBufferBytes,
    live: false,
  })
  // Behind the look at the files: whatever is cut off or put aside now is no file of somebody who has taken the store since.
  engine.verifyLock()
  const firstNeeded = `${directory}/${segmentName(forest.logFrom)}`
  const kept = putAside(fs, directory, log, firstNeeded)
  const last = log.segments.at(-1)?.segment
  // What an old version wrote is not bound to its file by a salt: new records go to a segment where they are.
  const goesOn = !isAfterSilence && last !== undefined && isClean(forest, log) && isSalted(last.header)
  for (const { segment, records } of log.segments) {
    replay(engine, segment, records)
    if (segment !== last || !goesOn) engine.seal(segment)
  }
  if (!goesOn) syncRecovered(fs, directory, log)
  const active = goesOn ? reopenSegment(fs, last) : startSegment(engine, last?.endPosition)
  engine.startWriting(new CommitLog(fs, directory, active, active.base + active.synced, goesOn))
  if (log.dropped.includes(firstNeeded)) {
    // The manifest names it, so it may go only when the manifest names another, and that one is sure to be there.
    fs.syncDirectorySync(directory)
    forest.skipLog(log.segments[0]?.segment.number ?? active.number)
    if (isRot(log)) kept.push(keep(fs, directory, firstNeeded))
  }
  engine.retained.takeUp(flushed, engine.segments[0]?.header)
  engine.retained.trim()
  const retained = new Set(engine.retained.segments.map(({ path }) => path))
  for (const { number, path } of files) {
    if (number >= forest.logFrom || retained.has(path)) continue
    const isOther = isOwnFile(fs, path) && !isOwnFile(fs, path, segmentName(number), forest.storeId)
    if (kindOf(fs, path) === 'file' && !isOther) fs.removeSync(path)
  }
  engine.flushSealed()
  return reportOf(log, kept)
}

/**
 * Shows what the log of another process holds right now. Changes nothing on disk. With `alone` nobody else writes, and whatever a
 * strict opening refuses is refused.
 */
export function recoverForReading(engine: Engine, alone = false): RecoveryReport {
  const { fs, directory, forest } = engine
  const files = segmentFiles(fs, directory, (number) => forest.hasPromised(number))
  const log = recoverLog({
    fs,
    files: neededFiles(forest, files, directory),
    storeId: forest.storeId,
    lastEdit: forest.lastEdit,
    knownSynced: forest.clean?.end ?? 0,
    strict: alone,
    room: 0,
    live: !alone,
  })
  if (log.lastEditNamed > forest.lastEdit) throw new StaleManifest(directory, log.lastEditNamed, forest.lastEdit)
  for (const { segment, records } of log.segments) {
    replay(engine, segment, records)
    engine.seal(segment)
  }
  const flushed = files.filter(({ number }) => number < forest.logFrom)
  engine.retained.takeUp(flushed, engine.segments[0]?.header)
  engine.fixAt(Math.max(log.end, newestInTables(forest) + 1))
  return reportOf(log, [])
}

function newestInTables(forest: Forest): Position {
  let newest = 0
  for (const tree of forest.trees.values()) {
    for (const metas of tree.version.metas()) {
      for (const meta of metas) newest = Math.max(newest, meta.highestPosition)
    }
  }
  return newest
}

/** The writer has moved on between the reading of its manifest and of its log: read both again. If that does not help, it is damage. */
export class StaleManifest extends SiltstoneError {
  constructor(directory: string, named: number, last: number) {
    super(
      'SILT_CORRUPTION',
      `The log in ${directory} follows manifest edit ${named}, but the manifest ends at edit ${last}: the manifest was cut short. repair() rebuilds it from the tables`,
      { file: directory },
    )
  }
}

function reportOf(log: RecoveredLog, kept: string[]): RecoveryReport {
  let commits = 0
  for (const { records } of log.segments) commits += records.length
  return { segments: log.segments.length, commits, losses: log.losses, kept }
}

function isClean(forest: Forest, log: RecoveredLog): boolean {
  const { clean } = forest
  const last = log.segments.at(-1)?.segment
  return clean !== null && log.losses.length === 0 && last?.number === clean.segment && log.end === clean.end
}

function replay(engine: Engine, segment: Segment, records: readonly number[]): void {
  if (records.length === 0) return
  for (const record of records) {
    const senseless = contentProblem(segment.bytes, record)
    if (senseless !== undefined) throw corruption(segment.path, senseless.offset, senseless.problem)
  }
  try {
    engine.apply(segment, records[0]!, segment.end)
  } catch (error) {
    if (error instanceof SiltstoneError) throw error
    throw corruption(segment.path, records[0]!, 'its operations cannot be read though their checksum is right', error)
  }
}

/**
 * Cuts damaged tails off and takes away what lies behind a loss, durably, before anything new is written: otherwise the
 * next recovery would stop at the same place and lose what came after this one. What may have held data is kept.
 */
function putAside(fs: FileSystem, directory: string, log: RecoveredLog, firstNeeded: string): string[] {
  const kept: string[] = []
  try {
    for (const path of log.dropped) {
      if (path === firstNeeded) continue
      if (isRot(log)) kept.push(keep(fs, directory, path))
      else fs.removeSync(path)
    }
    for (const { segment, fileBytes } of log.segments) {
      if (fileBytes === segment.end) continue
      if (isRot(log)) kept.push(keepCopy(fs, directory, segment, fileBytes))
      const file = fs.openSync(segment.path, 'update')
      try {
        file.truncateSync(segment.end)
        file.syncSync()
      } finally {
        letGo(file)
      }
    }
    if (log.dropped.length > 0) fs.syncDirectorySync(directory)
    return kept
  } catch (error) {
    throw ioError(error, 'put aside the damaged log in', directory)
  }
}

/** Where a file of the store is kept. */
function isRot(log: RecoveredLog): boolean {
  return log.losses.some((loss) => loss.kind === 'rot')
}

/**
 * After a crash the tail of the log may stand in the page cache only. The records of the next segment are going to say that
 * everything before them is on disk, so it has to be.
 */
function syncRecovered(fs: FileSystem, directory: string, log: RecoveredLog): void {
  try {
    for (const { segment } of log.segments) {
      const file = fs.openSync(segment.path, 'update')
      try {
        file.syncSync()
      } finally {
        letGo(file)
      }
    }
    if (log.segments.length > 0) fs.syncDirectorySync(directory)
  } catch (error) {
    throw ioError(error, 'sync the recovered log in', directory)
  }
}

function lostName(fs: FileSystem, directory: string, path: string): string {
  makeLostFolder(fs, directory)
  return lostPath(fs, directory, path.slice(path.lastIndexOf('/') + 1))
}

function keep(fs: FileSystem, directory: string, path: string): string {
  const target = lostName(fs, directory, path)
  fs.renameSync(path, target)
  fs.syncDirectorySync(`${directory}/${LOST_FOLDER}`)
  return target.slice(directory.length + 1)
}

/** The whole damaged file, before its tail is cut off. */
function keepCopy(fs: FileSystem, directory: string, segment: Segment, fileBytes: number): string {
  const target = lostName(fs, directory, segment.path)
  const copy = fs.openSync(target, 'create')
  try {
    for (let offset = 0; offset < fileBytes; ) {
      offset += copy.writeSync(segment.bytes, offset, fileBytes - offset, offset)
    }
    copy.syncSync()
  } finally {
    letGo(copy)
  }
  fs.syncDirectorySync(`${directory}/${LOST_FOLDER}`)
  return target.slice(directory.length + 1)
}

function reopenSegment(fs: FileSystem, segment: Segment): Segment {
  try {
    segment.file = fs.openSync(segment.path, 'update')
  } catch (error) {
    throw ioError(error, 'reopen', segment.path)
  }
  // A clean close has synced all of it, its name included.
  segment.synced = segment.end
  return segment
}

function startSegment(engine: Engine, previousEnd: Position | undefined): Segment {
  const { fs, directory, forest, clock } = engine
  const base = Math.max(forest.firstFreePosition, previousEnd ?? 0)
  const capacity = Math.max(engine.writeBufferBytes, LOG_HEADER_BYTES * 2)
  const number = forest.nextFileNumber()
  forest.leasePositions(base + capacity)
  engine.verifyLock()
  return createSegment(fs, `${directory}/${segmentName(number)}`, {
    magic: 'SILTLOG\n',
    number,
    base,
    // Without a segment before it there is no end to follow, unless it is the first in which anything is kept.
    previousEnd: previousEnd ?? (forest.logFrom === 0 ? 0 : base),
    capacity,
    lastEdit: forest.lastEdit,
    createdAt: clock.now(),
    storeId: forest.storeId,
  })
}
