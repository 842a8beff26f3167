import { getU32, getU64 } from '../bytes/integers.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { frameBehindDamage, LOG_HEADER_BYTES } from './log-header.js'
import {
  claimedRecordLength,
  RECORD_HEADER_BYTES,
  type RecordFrame,
  recordCount,
  recordSynced,
  soundRecordLength,
} from './record.js'
import { RecordSearch } from './record-search.js'

/** What a log file holds, from its header to its end or to its first damage. */
export interface LogScan {
  /** Offsets of the sound records, in order. */
  readonly records: number[]
  /** The offset behind the last sound record. */
  readonly end: number
  /** The highest position that any sound record names as synced. */
  readonly synced: Position
  /** What is wrong behind `end`; `undefined` where the file ends there, or goes on with zeros only. */
  readonly damage?: LogDamage
}

export interface LogDamage {
  readonly offset: number
  /** Bytes from the damage to the end of the file. */
  readonly bytes: number
  /**
   * `torn`: nobody was told that this part is safe, so cutting it off breaks no promise. `rot`: a later record says that the
   * damaged part had reached the disk.
   */
  readonly kind: 'torn' | 'rot'
}

/** Walks the records of a file. Requires: `bytes` begins with the file's header. */
export function scanLog(bytes: Uint8Array, fileBytes: number, frame: RecordFrame, base: Position): LogScan {
  const records: number[] = []
  const search = new RecordSearch(bytes, fileBytes, frame, base)
  let offset = LOG_HEADER_BYTES
  let synced = 0
  for (;;) {
    const length = search.lengthAt(offset)
    if (length === 0) break
    records.push(offset)
    synced = Math.max(synced, recordSynced(bytes, offset))
    offset += length
  }
  if (isBlank(bytes, offset, fileBytes)) {
    const lost = synced > base + offset
    return lost
      ? { records, end: offset, synced, damage: { offset, bytes: 0, kind: 'rot' } }
      : { records, end: offset, synced }
  }
  const syncedLater = highestSyncedBehind(search, bytes, offset + 1, fileBytes)
  const kind = Math.max(synced, syncedLater) > base + offset ? 'rot' : 'torn'
  return { records, end: offset, synced, damage: { offset, bytes: fileBytes - offset, kind } }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/** The highest position that a sound record behind damage names as synced. */
function highestSyncedBehind(search: RecordSearch, bytes: Uint8Array, from: number, fileBytes: number): Position {
  let highest = 0
  for (let offset = search.next(from, fileBytes); offset < fileBytes; ) {
    highest = Math.max(highest, recordSynced(bytes, offset))
    offset = search.next(offset + search.lengthAt(offset), fileBytes)
  }
  return highest
}

/**
 * Whether the records of a file show that its header, unreadable now, was once on disk: a record beside it in its sector was
 * written after it, and one that names a part of the file as synced names the header too.
 *
 * The salt may have gone with the header, and without it no checksum can be told. Then it has to be a record in all but that, and be
 * followed by nothing but such records to the end of the file.
 */
export function provesHeader(bytes: Uint8Array, fileBytes: number, file: FileNumber): boolean {
  const frame = frameBehindDamage(bytes.subarray(0, fileBytes), file, 'SILTLOG\n')
  const end = endOfContent(bytes, fileBytes)
  for (let offset = LOG_HEADER_BYTES; offset + RECORD_HEADER_BYTES < fileBytes; offset++) {
    if (offset > LOG_HEADER_BYTES && !namesHeader(bytes, offset)) continue
    const position = getU64(bytes, offset + 16)
    if (frame !== undefined && soundRecordLength(bytes, offset, fileBytes, frame, position) > 0) return true
    if (leadsTo(bytes, offset, end, fileBytes)) return true
  }
  return false
}

/** Whether what may be a record says that the beginning of its file was synced. */
function namesHeader(bytes: Uint8Array, offset: number): boolean {
  return recordSynced(bytes, offset) > getU64(bytes, offset + 16) - offset && hasPlace(bytes, offset)
}

function hasPlace(bytes: Uint8Array, offset: number): boolean {
  const position = getU64(bytes, offset + 16)
  return position >= offset && position <= Number.MAX_SAFE_INTEGER && recordSynced(bytes, offset) <= position
}

/** Whether records, but for their checksums, stand between an offset and the end of what a file holds. */
function leadsTo(bytes: Uint8Array, start: number, end: number, fileBytes: number): boolean {
  const tag = getU32(bytes, start + 8)
  const base = getU64(bytes, start + 16) - start
  for (let offset = start; offset < end; ) {
    const length = claimedRecordLength(bytes, offset, fileBytes, { tag, seed: 0 }, base + offset)
    if (length === 0 || recordCount(bytes, offset) === 0 || !hasPlace(bytes, offset)) return false
    offset += length
  }
  return start < end
}

/** Behind the last byte that is not zero. */
function endOfContent(bytes: Uint8Array, fileBytes: number): number {
  let end = fileBytes
  while (end > 0 && bytes[end - 1] === 0) end--
  return end
}
