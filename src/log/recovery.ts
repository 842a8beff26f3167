import { corruption, ioError, SiltstoneError } from '../bytes/errors.js'
import type { FileNumber, Position } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { frameOf, LOG_HEADER_BYTES, LONGEST_LOG_BYTES, type LogHeader, readLogHeader } from './log-header.js'
import { misnamed } from './log-salvage.js'
import { provesHeader, scanLog } from './log-scan.js'
import { Segment } from './segment.js'

/** Something that was missing from the commit log, or could not be read. */
export interface LogLoss {
  /** The file, with its path. */
  readonly file: string
  /** Where in the file the damage begins. */
  readonly offset: number
  /** Bytes from the damage to the end of the file; what they held cannot be told. */
  readonly bytes: number
  /** `torn`: never acknowledged as synced. `rot`: it was. `gap`: a segment's predecessor ends too early. */
  readonly kind: 'torn' | 'rot' | 'gap'
}

/** What the commit log of a store held when it was opened. */
export interface RecoveredLog {
  /** The sound part, in order; a segment's `end` is where its sound part ends. */
  readonly segments: RecoveredSegment[]
  readonly losses: LogLoss[]
  /** Files that lie wholly behind the first loss. */
  readonly dropped: string[]
  /** The position behind the last sound record. */
  readonly end: Position
  readonly synced: Position
  /** The newest manifest edit that any segment names. */
  readonly lastEditNamed: number
}

export interface RecoveredSegment {
  readonly segment: Segment
  /** Offsets of the records. */
  readonly records: number[]
  /** Bytes the file had, before anything is cut off. */
  readonly fileBytes: number
}

export interface RecoveryRequest {
  readonly fs: FileSystem
  /** Paths of the segments that are still needed, in order of their numbers. */
  readonly files: readonly { readonly number: FileNumber; readonly path: string }[]
  readonly storeId: number
  /** The newest edit of the manifest. */
  readonly lastEdit: number
  /** Everything before this position was synced: where a clean close ended. */
  readonly knownSynced: Position
  readonly strict: boolean
  /** How much memory a segment is given that may be written on; the others take as much as they have bytes. */
  readonly room: number
  /** A reader beside a live writer: the tail is still being written, so what is not sound there is no loss. */
  readonly live: boolean
}

/**
 * Reads the commit log up to its end, or up to the first place that is not sound. Changes nothing on disk.
 *
 * Nothing behind the first loss is used, however sound it looks: the state of a store is always a prefix of what was
 * committed.
 */
export function recoverLog(request: RecoveryRequest): RecoveredLog {
  const segments: RecoveredSegment[] = []
  const losses: LogLoss[] = []
  const dropped: string[] = []
  let end: Position = 0
  let synced: Position = 0
  let lastEditNamed = 0
  for (const { number, path } of request.files) {
    const { bytes, fileBytes, header } = readSegment(request.fs, number, path, request.room)
    if (header === undefined) {
      // The machine stopped while this file was being made; nothing in it was ever synced.
      dropped.push(path)
      if (losses.length === 0) losses.push(loss(path, 0, fileBytes, 'torn'))
      continue
    }
    checkHeader(header, number, path, request)
    lastEditNamed = Math.max(lastEditNamed, header.lastEdit)
    const scan = scanLog(bytes, fileBytes, frameOf(header), header.base)
    synced = Math.max(synced, scan.synced)
    // The first one that is needed follows what stands in tables.
    const follows = segments.length > 0 ? header.previousEnd === end : dropped.length === 0
    if (!follows) {
      // It follows something that is not there. What comes after it may still belong: a segment made by a recovery that
      // ended where this one did, and that was interrupted before it had put this file away.
      dropped.push(path)
      const last = segments[segments.length - 1]
      if (losses.length === 0 && last !== undefined && scan.records.length > 0) {
        losses.push(loss(last.segment.path, last.segment.end, 0, 'gap'))
      }
      continue
    }
    // Whoever made this segment knew where the one before it ends, so what lies behind that end was dropped long ago.
    losses.length = 0
    const segment = new Segment(header, path, bytes)
    segment.end = scan.end
    segment.written = scan.end
    segments.push({ segment, records: scan.records, fileBytes })
    end = segment.endPosition
    if (scan.damage !== undefined) losses.push(loss(path, scan.damage.offset, scan.damage.bytes, scan.damage.kind))
  }
  synced = Math.max(synced, request.knownSynced)
  if (synced > end && losses.length === 0 && segments.length > 0) {
    const last = segments[segments.length - 1]!
    losses.push(loss(last.segment.path, last.segment.end, 0, 'rot'))
  }
  const judged = losses.map((each) => (synced > end && each.kind !== 'rot' ? { ...each, kind: 'rot' as const } : each))
  const rot = judged.find((each) => each.kind === 'rot')
  if (rot !== undefined && request.strict) {
    throw corruption(
      rot.file,
      rot.offset,
      "the commit log holds no sound record here although it was synced further; recovery is strict, so nothing was opened. Open with { recovery: 'point-in-time' } to use what comes before",
    )
  }
  return { segments, losses: request.live ? [] : judged, dropped, end, synced, lastEditNamed }
}

function loss(file: string, offset: number, bytes: number, kind: LogLoss['kind']): LogLoss {
  return { file, offset, bytes, kind }
}

function checkHeader(header: LogHeader, number: FileNumber, path: string, request: RecoveryRequest): void {
  if (header.number !== number) throw misnamed(header, path)
  if (header.storeId !== request.storeId) throw corruption(path, 56, 'it belongs to another store')
  if (header.lastEdit > request.lastEdit && !request.live) {
    throw corruption(
      path,
      40,
      `it follows manifest edit ${header.lastEdit}, but the manifest ends at edit ${request.lastEdit}: the manifest was cut short. repair() rebuilds it from the tables`,
    )
  }
}

interface SegmentContent {
  readonly bytes: Uint8Array
  readonly fileBytes: number
  readonly header: LogHeader | undefined
}

/** Reads a whole segment into memory in which it can be written on. */
function readSegment(fs: FileSystem, number: FileNumber, path: string, room: number): SegmentContent {
  let file: FileHandle | undefined
  try {
    file = fs.openSync(path, 'read')
    const fileBytes = file.sizeSync()
    if (fileBytes > LONGEST_LOG_BYTES)
      throw corruption(path, LONGEST_LOG_BYTES, 'it is longer than any segment becomes')
    const head = new Uint8Array(LOG_HEADER_BYTES)
    file.readSync(head, 0, LOG_HEADER_BYTES, 0)
    let header: LogHeader | undefined
    let unsound: unknown
    try {
      header = readLogHeader(head, fileBytes, 'SILTLOG\n', path)
    } catch (error) {
      unsound = error
    }
    const bytes = new Uint8Array(
      new SharedArrayBuffer(Math.max(fileBytes, Math.min(header?.capacity ?? 0, room), LOG_HEADER_BYTES)),
    )
    const read = file.readSync(bytes, 0, fileBytes, 0)
    // A header that never reached the disk may read as anything that lay in its sector before.
    if (unsound !== undefined && (isNewerFormat(unsound) || provesHeader(bytes, read, number))) throw unsound
    return { bytes, fileBytes: read, header }
  } catch (error) {
    if (error instanceof SiltstoneError) throw error
    throw ioError(error, 'read', path)
  } finally {
    letGo(file)
  }
}

function isNewerFormat(error: unknown): boolean {
  return error instanceof SiltstoneError && error.code === 'SILT_FORMAT'
}
