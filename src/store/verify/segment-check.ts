import { ioError } from '../../bytes/errors.js'
import type { FileNumber } from '../../bytes/units.js'
import type { FileHandle, FileSystem } from '../../fs/file-system.js'
import { frameOf, LOG_HEADER_BYTES, type LogHeader, readLogHeader } from '../../log/log-header.js'
import { soundRecordLength } from '../../log/record.js'
import { contentProblem } from '../../log/record-content.js'
import type { Verification } from './verification.js'

/** A segment of which the store knows how far it was written. */
export interface WrittenSegment {
  readonly path: string
  readonly number: FileNumber
  readonly header: LogHeader
  /** May shrink while it is checked, on a disk that fails. */
  readonly written: number
}

/**
 * Reads a segment from the disk again, up to where it was written: all records must be there and sound. `wasRemoved` says whether
 * a missing segment is missing rightly.
 */
export async function checkSegment(
  verification: Verification,
  fs: FileSystem,
  segment: WrittenSegment,
  wasRemoved: () => boolean,
): Promise<void> {
  const { path, header } = segment
  let file: FileHandle
  try {
    file = fs.openSync(path, 'read')
  } catch (error) {
    if (fs.statusSync(path) !== undefined) verification.addError(path, ioError(error, 'open', path))
    else if (!wasRemoved()) verification.add(path, 'the store still needs this segment of its log, but it is not there')
    return
  }
  verification.checked++
  try {
    const { written } = segment
    const bytes = new Uint8Array(written)
    const length = await file.read(bytes, 0, written, 0)
    if (!hasItsHeader(verification, bytes, length, segment)) return
    // A failing disk may have made the store take back what it had written.
    const end = Math.min(written, segment.written)
    const frame = frameOf(header)
    for (let offset = LOG_HEADER_BYTES; offset < end; ) {
      const recordBytes = soundRecordLength(bytes, offset, length, frame, header.base + offset)
      if (recordBytes === 0) {
        verification.add(path, `no sound record stands here, though the log was written up to ${end}`, offset)
        return
      }
      const senseless = contentProblem(bytes, offset)
      if (senseless !== undefined) verification.add(path, senseless.problem, senseless.offset)
      offset += recordBytes
      await verification.breathe()
    }
  } catch (error) {
    verification.addError(path, ioError(error, 'read', path))
  } finally {
    file.closeSync()
  }
}

function hasItsHeader(verification: Verification, bytes: Uint8Array, length: number, segment: WrittenSegment): boolean {
  const { path, header } = segment
  const found = verification.attempt(path, () => readLogHeader(bytes, length, header.magic, path) ?? 'missing')
  if (found === undefined) return false
  if (found === 'missing') verification.add(path, 'its header is not there', 0)
  else if (found.number === header.number && found.base === header.base && found.storeId === header.storeId) return true
  else verification.add(path, `it has the header of log ${found.number} of store ${found.storeId}`, 0)
  return false
}
