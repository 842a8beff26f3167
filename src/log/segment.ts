import type { FileNumber, Position } from '../bytes/units.js'
import type { FileHandle } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { frameOf, LOG_HEADER_BYTES, type LogHeader } from './log-header.js'
import type { RecordFrame } from './record.js'

/**
 * One file of the commit log and the memory that holds the same bytes. Records are encoded into the memory; what lies between
 * `written` and `end` has yet to reach the file. Memtables point into the memory for as long as they live.
 *
 * Invariant: LOG_HEADER_BYTES <= synced <= written <= end <= bytes.length, the header apart while it is not synced.
 */
export class Segment {
  readonly header: LogHeader
  readonly frame: RecordFrame
  readonly path: string
  /** Shared, so that the worker that flushes it reads it where it is. */
  readonly bytes: Uint8Array
  /** The same memory. */
  readonly view: DataView
  /** Offset behind the last record. */
  end = LOG_HEADER_BYTES
  /** Offset up to which the file holds the same bytes. */
  written = LOG_HEADER_BYTES
  /** Offset up to which the file is known to be on disk. */
  synced = 0
  /** Offset up to which the file was filled with zeros ahead of the records; at or below `written` where it was not. */
  filled = 0
  /** Absent where the segment was recovered and is only read. */
  file: FileHandle | undefined

  constructor(header: LogHeader, path: string, bytes: Uint8Array, file?: FileHandle) {
    this.header = header
    this.frame = frameOf(header)
    this.path = path
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.file = file
  }

  get number(): FileNumber {
    return this.header.number
  }

  get base(): Position {
    return this.header.base
  }

  get endPosition(): Position {
    return this.header.base + this.end
  }

  closeFile(): void {
    letGo(this.file)
    this.file = undefined
  }
}
