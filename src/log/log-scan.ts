import { getU32, getU64 } from '../bytes/integers.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { LOG_HEADER_BYTES } from './log-header.js'
import { recordSynced, soundRecordLength } from './record.js'

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
export function scanLog(bytes: Uint8Array, fileBytes: number, file: FileNumber, base: Position): LogScan {
  const records: number[] = []
  let offset = LOG_HEADER_BYTES
  let synced = 0
  for (;;) {
    const length = soundRecordLength(bytes, offset, fileBytes, file, base + offset)
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
  const syncedLater = highestSyncedBehind(bytes, offset + 1, fileBytes, file, base)
  const kind = Math.max(synced, syncedLater) > base + offset ? 'rot' : 'torn'
  return { records, end: offset, synced, damage: { offset, bytes: fileBytes - offset, kind } }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/**
 * Looks for sound records behind a damaged one. A record knows its own position, so eight bytes decide nearly always
 * whether an offset is worth a checksum.
 */
function highestSyncedBehind(bytes: Uint8Array, from: number, fileBytes: number, file: number, base: number): number {
  let highest = 0
  let offset = from
  while (offset < fileBytes) {
    const plausible = getU64(bytes, offset + 16) === base + offset
    const length = plausible ? soundRecordLength(bytes, offset, fileBytes, file, base + offset) : 0
    if (length > 0) highest = Math.max(highest, recordSynced(bytes, offset))
    offset += length > 0 ? length : 1
  }
  return highest
}

/**
 * Whether the records of a file show that its header, unreadable now, was once on disk: a record beside it in its sector was
 * written after it, and one that names a part of the file as synced names the header too.
 */
export function provesHeader(bytes: Uint8Array, fileBytes: number, file: FileNumber): boolean {
  for (let offset = LOG_HEADER_BYTES; offset < fileBytes; offset++) {
    if (getU32(bytes, offset + 8) !== file) continue
    const position = getU64(bytes, offset + 16)
    if (soundRecordLength(bytes, offset, fileBytes, file, position) === 0) continue
    if (offset === LOG_HEADER_BYTES || recordSynced(bytes, offset) > position - offset) return true
  }
  return false
}
