import type { Clock } from '../bytes/clock.js'
import type { EpochMs, FileNumber, Position } from '../bytes/units.js'
import type { FileSystem } from '../fs/file-system.js'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader } from '../log/log-header.js'
import type { Segment } from '../log/segment.js'

/** What `logRetention` takes: a segment goes when it breaks either limit. */
export interface LogRetention {
  /** Milliseconds for which commits are kept at least, as long as `bytes` allows it. */
  readonly age?: number
  /** Bytes that kept segments take at most. */
  readonly bytes?: number
}

interface LogFile {
  readonly number: FileNumber
  readonly path: string
}

/** A segment of the commit log that stands in tables as a whole, and is there for those who read the past. */
export interface RetainedSegment extends LogFile {
  readonly header: LogHeader
  /** The position behind its last record, and the size of its file. */
  readonly end: Position
  readonly fileBytes: number
  /** When the segment after it was made: nothing in it is younger. */
  readonly sealedAt: EpochMs
}

/**
 * The part of the commit log before the one that recovery reads: files only, oldest first.
 *
 * Invariant: each segment ends where the next one says that it follows, the last of them where the first segment that recovery
 * needs says so. So there is never a hole in what is kept, and what is missing is missing in front.
 */
export class RetainedLog {
  private readonly fs: FileSystem
  private readonly clock: Clock
  private readonly limits: LogRetention | undefined
  private kept: readonly RetainedSegment[] = []

  constructor(fs: FileSystem, clock: Clock, limits: LogRetention | undefined) {
    this.fs = fs
    this.clock = clock
    this.limits = limits
  }

  /** Looks for what an earlier session, or the writer beside a reader, has kept in front of the first needed segment. */
  takeUp(files: readonly LogFile[], firstNeeded: LogHeader | undefined): void {
    this.kept = findRetained(this.fs, files, firstNeeded)
  }

  get segments(): readonly RetainedSegment[] {
    return this.kept
  }

  /** Whether anything is kept at all. */
  get isWanted(): boolean {
    return this.limits !== undefined
  }

  get bytes(): number {
    return this.kept.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
  }

  /** Takes over a segment that recovery needs no more, or removes it. `following` is the one after it. */
  add(segment: Segment, following: Segment): void {
    const { header, number, path, end, endPosition } = segment
    const sealedAt = following.header.createdAt
    this.kept = [...this.kept, { header, number, path, fileBytes: end, end: endPosition, sealedAt }]
    this.trim()
  }

  /** Removes what has grown too old or too much, from the old end. */
  trim(): void {
    let excessBytes = this.bytes - (this.limits?.bytes ?? Number.POSITIVE_INFINITY)
    const now = this.clock.now()
    let count = 0
    for (const { fileBytes, sealedAt } of this.kept) {
      const isTooOld = now - sealedAt >= (this.limits?.age ?? Number.POSITIVE_INFINITY)
      if (this.isWanted && !isTooOld && excessBytes <= 0) break
      excessBytes -= fileBytes
      count++
    }
    if (count === 0) return
    const gone = this.kept.slice(0, count)
    this.kept = this.kept.slice(count)
    for (const { path } of gone) this.remove(path)
  }

  private remove(path: string): void {
    try {
      this.fs.removeSync(path)
    } catch {
      // The next opening removes it: nothing follows it any more.
    }
  }
}

/** Goes back from the first needed segment for as long as each file ends where the one after it says that it follows. */
function findRetained(
  fs: FileSystem,
  files: readonly LogFile[],
  firstNeeded: LogHeader | undefined,
): RetainedSegment[] {
  const found: RetainedSegment[] = []
  let next = firstNeeded
  for (const file of files.toReversed()) {
    if (next === undefined) break
    const segment = readRetained(fs, file, next)
    if (segment === undefined) break
    found.unshift(segment)
    next = segment.header
  }
  return found
}

function readRetained(fs: FileSystem, { number, path }: LogFile, next: LogHeader): RetainedSegment | undefined {
  try {
    const file = fs.openSync(path, 'read')
    try {
      const fileBytes = file.sizeSync()
      const head = new Uint8Array(LOG_HEADER_BYTES)
      file.readSync(head, 0, LOG_HEADER_BYTES, 0)
      const header = readLogHeader(head, fileBytes, 'SILTLOG\n', path)
      const end = header === undefined ? undefined : header.base + fileBytes
      if (header?.number !== number || header.storeId !== next.storeId || end !== next.previousEnd) return undefined
      return { header, number, path, fileBytes, end, sealedAt: next.createdAt }
    } finally {
      file.closeSync()
    }
  } catch {
    // Damaged, or removed meanwhile by the writer beside this reader: the past begins behind it.
    return undefined
  }
}
