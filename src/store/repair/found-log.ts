import { getU32 } from '../../bytes/integers.js'
import type { FileNumber, Position } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import { type LogSalvage, salvageLog } from '../../log/log-salvage.js'
import { operationEnd } from '../../log/operation.js'
import { RECORD_HEADER_BYTES, recordCount } from '../../log/record.js'
import { segmentFiles } from '../recover.js'
import type { Turn } from '../turn.js'
import { readableBytes } from './readable-bytes.js'

/** All segments that are there, oldest first; those that a manifest names whatever stands in them. */
export async function findSegments(
  fs: FileSystem,
  directory: string,
  named: ReadonlySet<FileNumber>,
  turn: Turn,
): Promise<LogSalvage[]> {
  const found: LogSalvage[] = []
  for (const { number, path } of segmentFiles(fs, directory, (number) => named.has(number))) {
    found.push(await salvageLog(readableBytes(fs, path), number, path, () => turn.breathe()))
  }
  return found
}

/** A segment as it was written, but for an end that may be torn. */
export function isWholeSegment({ header, holes, synced, end }: LogSalvage): boolean {
  return header !== undefined && holes.length === 0 && synced <= header.base + end
}

/** The offsets of all operations in sound records, in the order in which they were committed. */
export function* operationsOf({ bytes, records }: LogSalvage): Generator<number> {
  for (const record of records) {
    let operation = record + RECORD_HEADER_BYTES
    const end = record + getU32(bytes, record + 4)
    for (let left = recordCount(bytes, record); left > 0 && operation < end; left--) {
      yield operation
      operation = operationEnd(bytes, operation)
    }
  }
}

/** A part of the log that is missing behind the end of a segment. */
export interface LogGap {
  readonly behind: LogSalvage
  readonly bytes: number
  readonly reason: string
}

/**
 * What segments that follow each other miss. `knownSynced` is the position up to which a clean close had all of it on disk.
 */
export function gapsOf(segments: readonly LogSalvage[], knownSynced: Position): LogGap[] {
  const gaps: LogGap[] = []
  const placed = segments.filter((segment) => segment.base !== undefined)
  for (let i = 1; i < placed.length; i++) {
    const behind = placed[i - 1]!
    const missing = (placed[i]!.header?.previousEnd ?? 0) - endOf(behind)
    if (missing > 0) gaps.push({ behind, bytes: missing, reason: `the segment after it follows ${missing} bytes more` })
  }
  const last = placed.at(-1)
  if (last === undefined) return gaps
  const missing = placed.reduce((synced, segment) => Math.max(synced, segment.synced), knownSynced) - endOf(last)
  if (missing > 0) gaps.push({ behind: last, bytes: missing, reason: `it was on disk for ${missing} bytes more` })
  return gaps
}

/** Whether segments can stay the log of a store: whole, of one store, and one after the other. */
export function isUnbroken(segments: readonly LogSalvage[], storeId: number, knownSynced: Position): boolean {
  return (
    segments.every((segment) => isWholeSegment(segment) && segment.header?.storeId === storeId) &&
    segments.every((segment, i) => i === 0 || segment.header?.previousEnd === endOf(segments[i - 1]!)) &&
    gapsOf(segments, knownSynced).length === 0
  )
}

/** The position behind the last sound record. Requires: the base is known. */
export function endOf({ base, end }: LogSalvage): Position {
  return base! + end
}

/** The first segment that is not known to stand in tables as a whole. */
export function neededFrom(segments: readonly LogSalvage[], logFrom: FileNumber): LogSalvage[] {
  return segments.filter(({ number }) => number >= logFrom)
}
