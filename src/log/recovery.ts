import { corruption, ioError, SiltstoneError } from '../bytes/errors.js'
import type { FileNumber, Position } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader } from './log-header.js'
import { scanLog } from './log-scan.js'
import { Segment } from './segment.js'

/** Something that was missing from the commit log, or could not be read. */
export interface LogLoss {
  readonly file: string
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
  readonly strict: boolean
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
  let broken: LogLoss | undefined

  for (const [index, { number, path }] of request.files.entries()) {
    const { bytes, fileBytes } = readSegment(request.fs, path)
    const header = readLogHeader(bytes, fileBytes, 'SILTLOG\n', path)
    if (header === undefined) {
      // The machine stopped while this file was being made; whatever comes after it was not synced either.
      dropped.push(path)
      broken ??= loss(path, 0, fileBytes, 'torn')
      continue
    }
    checkHeader(header, number, path, request)
    lastEditNamed = Math.max(lastEditNamed, header.lastEdit)
    const scan = scanLog(bytes, fileBytes, number, header.base)
    synced = Math.max(synced, scan.synced)
    if (broken === undefined && index > 0 && header.previousEnd !== end) {
      const previous = segments[segments.length - 1]!
      broken = loss(previous.segment.path, previous.segment.end, 0, 'gap')
      losses.push(broken)
    }
    if (broken !== undefined) {
      dropped.push(path)
      if (scan.records.length > 0 && !losses.includes(broken)) losses.push(broken)
      continue
    }
    const segment = new Segment(header, path, bytes)
    segment.end = scan.end
    segment.written = scan.end
    segments.push({ segment, records: scan.records, fileBytes })
    end = segment.endPosition
    if (scan.damage !== undefined) {
      broken = loss(path, scan.damage.offset, scan.damage.bytes, scan.damage.kind)
      losses.push(broken)
    }
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
  if (header.number !== number) throw corruption(path, 12, `it says that it is log ${header.number}`)
  if (header.storeId !== request.storeId) throw corruption(path, 56, 'it belongs to another store')
  if (header.lastEdit > request.lastEdit && !request.live) {
    throw corruption(
      path,
      40,
      `it follows manifest edit ${header.lastEdit}, but the manifest ends at edit ${request.lastEdit}: the manifest was cut short. repair() rebuilds it from the tables`,
    )
  }
}

/** Reads a whole segment into memory as large as the segment may become. */
function readSegment(fs: FileSystem, path: string): { bytes: Uint8Array; fileBytes: number } {
  let file: FileHandle | undefined
  try {
    file = fs.openSync(path, 'read')
    const fileBytes = file.sizeSync()
    const head = new Uint8Array(LOG_HEADER_BYTES)
    file.readSync(head, 0, LOG_HEADER_BYTES, 0)
    const capacity = wantedCapacity(head, fileBytes, path)
    const bytes = new Uint8Array(new SharedArrayBuffer(capacity))
    const read = file.readSync(bytes, 0, fileBytes, 0)
    return { bytes, fileBytes: read }
  } catch (error) {
    if (error instanceof SiltstoneError) throw error
    throw ioError(error, 'read', path)
  } finally {
    file?.closeSync()
  }
}

function wantedCapacity(head: Uint8Array, fileBytes: number, path: string): number {
  const header = readLogHeader(head, fileBytes, 'SILTLOG\n', path)
  return Math.max(fileBytes, header?.capacity ?? 0, LOG_HEADER_BYTES)
}
