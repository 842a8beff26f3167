import { SiltstoneError } from '../bytes/errors.js'
import { getU32, getU64 } from '../bytes/integers.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader } from './log-header.js'
import { soundRecordLength } from './record.js'

/** Everything in a segment of the commit log that can still be read, whatever stands in between. */
export interface LogSalvage {
  readonly number: FileNumber
  readonly path: string
  readonly bytes: Uint8Array
  /** Absent where it is damaged, see `headerProblem`, or was never written. */
  readonly header: LogHeader | undefined
  readonly headerProblem: SiltstoneError | undefined
  /** From the header or, where that is damaged, from the first sound record; absent where there is neither. */
  readonly base: Position | undefined
  /** Offsets of all sound records, in order. */
  readonly records: readonly number[]
  /** Stretches that are not sound and have sound records behind them. */
  readonly holes: readonly LogHole[]
  /** Behind the last sound record. */
  readonly end: number
  /** Whether anything but zeros stands behind `end`. */
  readonly hasTornEnd: boolean
}

export interface LogHole {
  readonly offset: number
  readonly bytes: number
}

/**
 * Finds every sound record of a segment. Recovery never looks behind the first damage, because a store is a prefix of what was
 * committed; this is for those who would rather have the rest as well.
 */
export function salvageLog(bytes: Uint8Array, number: FileNumber, path: string): LogSalvage {
  let header: LogHeader | undefined
  let headerProblem: SiltstoneError | undefined
  try {
    header = readLogHeader(bytes, bytes.length, 'SILTLOG\n', path)
  } catch (error) {
    if (!(error instanceof SiltstoneError) || error.code === 'SILT_FORMAT') throw error
    headerProblem = error
  }
  const records: number[] = []
  const holes: LogHole[] = []
  const base = header?.base ?? baseByRecords(bytes, number)
  let end = Math.min(LOG_HEADER_BYTES, bytes.length)
  for (let offset = end; base !== undefined && offset < bytes.length; ) {
    // A record knows its own position, so eight bytes decide nearly always whether an offset is worth a checksum.
    const isPlausible = offset === end || getU64(bytes, offset + 16) === base + offset
    const length = isPlausible ? soundRecordLength(bytes, offset, bytes.length, number, base + offset) : 0
    if (length === 0) {
      offset++
      continue
    }
    if (offset > end) holes.push({ offset: end, bytes: offset - end })
    records.push(offset)
    offset += length
    end = offset
  }
  const hasTornEnd = bytes.subarray(end).some((byte) => byte !== 0)
  return { number, path, bytes, header, headerProblem, base, records, holes, end, hasTornEnd }
}

/** Where the file's first byte stands in the log, told by the first record that is sound wherever it claims to be. */
function baseByRecords(bytes: Uint8Array, number: FileNumber): Position | undefined {
  for (let offset = LOG_HEADER_BYTES; offset < bytes.length; offset++) {
    if (getU32(bytes, offset + 8) !== number) continue
    const position = getU64(bytes, offset + 16)
    if (soundRecordLength(bytes, offset, bytes.length, number, position) > 0) return position - offset
  }
  return undefined
}
