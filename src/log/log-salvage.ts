import { corruption, SiltstoneError } from '../bytes/errors.js'
import { getU32, getU64 } from '../bytes/integers.js'
import { SearchBudget } from '../bytes/search-budget.js'
import type { FileNumber, Position } from '../bytes/units.js'
import { frameBehindDamage, frameOf, LOG_HEADER_BYTES, type LogHeader, readLogHeader } from './log-header.js'
import { claimedRecordLength, type RecordFrame, recordSynced, soundRecordLength } from './record.js'
import { type ContentProblem, contentProblem } from './record-content.js'
import { RecordSearch } from './record-search.js'

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
  /** Stretches that are not sound and have sound records behind them, or hold operations that make no sense. */
  readonly holes: readonly LogHole[]
  /** Behind the last sound record. */
  readonly end: number
  /** The highest position that any sound record names as synced. */
  readonly synced: Position
  /** Whether anything but zeros stands behind `end`. */
  readonly hasTornEnd: boolean
}

export interface LogHole {
  readonly offset: number
  readonly bytes: number
  /** What is wrong with it where its checksum is right. */
  readonly problem?: string
}

/** Called now and then in long work: lets others run when it is time for that. */
export type Breathe = () => Promise<void>

const SLICE_BYTES = 64 * 1024
const WASTED_BYTES_PER_BYTE = 16

/**
 * Finds every sound record of a segment. Recovery never looks behind the first damage, because a store is a prefix of what was
 * committed; this is for those who would rather have the rest as well.
 */
export async function salvageLog(
  bytes: Uint8Array,
  number: FileNumber,
  path: string,
  breathe: Breathe,
): Promise<LogSalvage> {
  const { header, headerProblem } = headerOf(bytes, number, path)
  const frame = header === undefined ? frameBehindDamage(bytes, number, 'SILTLOG\n') : frameOf(header)
  const base = header?.base ?? (frame && (await baseByRecords(bytes, frame, breathe)))
  const found = new Findings(Math.min(LOG_HEADER_BYTES, bytes.length))
  if (frame !== undefined && base !== undefined) {
    const search = new RecordSearch(bytes, bytes.length, frame, base)
    for (let offset = found.end; offset < bytes.length; ) {
      const limit = Math.min(bytes.length, offset + SLICE_BYTES)
      const record = search.next(offset, limit)
      offset = record < limit ? record + getU32(bytes, record + 4) : limit
      if (record < limit) found.add(bytes, record, offset)
      await breathe()
    }
  }
  const { records, holes, end, synced } = found
  const hasTornEnd = bytes.subarray(end).some((byte) => byte !== 0)
  return { number, path, bytes, header, headerProblem, base, records, holes, end, synced, hasTornEnd }
}

class Findings {
  readonly records: number[] = []
  readonly holes: LogHole[] = []
  synced: Position = 0
  /** Behind the last record whose checksum is right. */
  end: number

  constructor(start: number) {
    this.end = start
  }

  add(bytes: Uint8Array, record: number, end: number): void {
    if (record > this.end) this.holes.push({ offset: this.end, bytes: record - this.end })
    const senseless: ContentProblem | undefined = contentProblem(bytes, record)
    if (senseless === undefined) this.records.push(record)
    else this.holes.push({ offset: record, bytes: end - record, problem: senseless.problem })
    this.synced = Math.max(this.synced, recordSynced(bytes, record))
    this.end = end
  }
}

/** The header, where it is one that belongs to a file of this name. */
function headerOf(
  bytes: Uint8Array,
  number: FileNumber,
  path: string,
): { header: LogHeader | undefined; headerProblem: SiltstoneError | undefined } {
  try {
    const header = readLogHeader(bytes, bytes.length, 'SILTLOG\n', path)
    if (header === undefined || header.number === number) return { header, headerProblem: undefined }
    return { header: undefined, headerProblem: misnamed(header, path) }
  } catch (error) {
    if (!(error instanceof SiltstoneError) || error.code === 'SILT_FORMAT') throw error
    return { header: undefined, headerProblem: error }
  }
}

/** A file that got the name of another one. */
export function misnamed({ number }: LogHeader, path: string): SiltstoneError {
  return corruption(path, 12, `it says that it is log ${number}`)
}

/** Where the file's first byte stands in the log, told by the first record that is sound wherever it claims to be. */
async function baseByRecords(bytes: Uint8Array, frame: RecordFrame, breathe: Breathe): Promise<Position | undefined> {
  const budget = new SearchBudget(WASTED_BYTES_PER_BYTE)
  for (let offset = LOG_HEADER_BYTES; offset < bytes.length; offset++) {
    if (offset % SLICE_BYTES === 0) await breathe()
    if (getU32(bytes, offset + 8) !== frame.tag || !budget.allows(offset)) continue
    const position = getU64(bytes, offset + 16)
    if (soundRecordLength(bytes, offset, bytes.length, frame, position) > 0) return position - offset
    budget.spend(claimedRecordLength(bytes, offset, bytes.length, frame, position))
  }
  return undefined
}
