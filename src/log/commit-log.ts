import { assert, ioError, SiltstoneError } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import type { FileHandle, FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { randomBytes } from '../fs/random-bytes.js'
import { LOG_HEADER_BYTES, type LogHeaderPlan, newSalt, putLogHeader } from './log-header.js'
import { LONGEST_RECORD_BYTES, RECORD_HEADER_BYTES, sealRecord } from './record.js'
import { Segment } from './segment.js'

/** What a group of at most so many bytes takes to sync is nearly all the disk's answer and hardly the bytes. */
const SMALL_SYNC_BYTES = 4096
/** Some 1600 small records; twice the bytes are written, but in one piece and with a sync that waits for the disk anyway. */
const FILLED_BYTES = 256 * 1024
const ZEROS = new Uint8Array(64 * 1024)

/**
 * The endless log of everything that was ever committed, cut into segments. It knows bytes, files and the disk, and nothing of
 * what the operations mean.
 *
 * A record is encoded straight into the active segment's memory (`beginRecord`, `endRecord`); `writePending` hands all
 * records since the last time to the file in one call; `sync` makes them durable. The position of a record is settled when it is
 * encoded: it is where it stands.
 */
export class CommitLog {
  private readonly fs: FileSystem
  private readonly directory: string
  private readonly first: Segment
  private current: Segment
  /** Segments before the active one whose tail is not known to be on disk, oldest first. */
  private unsynced: Segment[] = []
  /** Whether the name of a new segment still has to be made durable. */
  private namesPending = false
  /** Set when a failed write could not be cut off again: nothing may be appended behind it. */
  private tailUncut = false
  private syncedUpTo: Position
  /** Where the record begun last ends at the latest; 0 where none was begun. */
  private promisedEnd = 0
  private resting: boolean

  /** `resting`: the last session ended in order and nothing was written since; `wake` comes before the first record. */
  constructor(fs: FileSystem, directory: string, active: Segment, syncedUpTo: Position, resting = false) {
    this.resting = resting
    this.fs = fs
    this.directory = directory
    this.first = active
    this.current = active
    this.syncedUpTo = syncedUpTo
    this.namesPending = active.synced === 0
  }

  get active(): Segment {
    return this.current
  }

  /** The position behind the last encoded record. */
  get end(): Position {
    return this.current.endPosition
  }

  /** Everything before this position is known to be on disk. */
  get synced(): Position {
    return this.syncedUpTo
  }

  get isResting(): boolean {
    return this.resting
  }

  /** From now on the log is written to. */
  wake(): void {
    this.resting = false
  }

  /** Whether a record with this much payload can be added to the active segment as it is. */
  fits(payloadBytes: number): boolean {
    return !this.resting && this.current.end + RECORD_HEADER_BYTES + payloadBytes <= this.current.bytes.length
  }

  /** Where the payload of the next record goes, which has at most so many bytes. Requires: it fits. */
  beginRecord(payloadBytes: number): number {
    const start = this.current.end + RECORD_HEADER_BYTES
    this.promisedEnd = start + payloadBytes
    return start
  }

  /** Closes the record begun last, whose payload ends at `payloadEnd`. */
  endRecord(payloadEnd: number, operationCount: number): void {
    const { current } = this
    const start = current.end
    assert(payloadEnd - start > RECORD_HEADER_BYTES && operationCount > 0, 'a record holds something')
    assert(payloadEnd <= this.promisedEnd, 'a record takes no more room than was asked for')
    assert(payloadEnd - start <= LONGEST_RECORD_BYTES, 'a record is shorter than 2 GiB')
    this.promisedEnd = 0
    sealRecord(current.view, start, payloadEnd, current.frame, operationCount, current.base + start, this.syncedUpTo)
    current.end = payloadEnd
  }

  /** Takes back every record that was not written yet. */
  dropPending(): void {
    this.current.end = this.current.written
  }

  /**
   * Writes the pending records. If that fails they are taken back, in memory and in the file, as if they had never been
   * issued; what was written before stays, and the next call tries anew.
   */
  writePending(): void {
    const { current } = this
    this.cutTail()
    try {
      writeAll(current.file!, current.bytes, current.written, current.end)
    } catch (error) {
      this.dropPending()
      this.tailUncut = true
      try {
        this.cutTail()
      } catch (uncut) {
        if (hasFailed(uncut)) throw uncut
        // Tried again before the next write; until then this one's error says enough.
      }
      throw ioError(error, 'write', current.path)
    }
    current.written = current.end
  }

  /** On the disk too: a loss of power would bring back what was only cut off in the page cache. */
  private cutTail(): void {
    if (!this.tailUncut) return
    const { current } = this
    try {
      current.file!.truncateSync(current.written)
    } catch (error) {
      this.dropPending()
      throw ioError(error, 'cut a failed write off', current.path)
    }
    this.tailUncut = false
    current.filled = 0
    try {
      current.file!.syncSync()
    } catch (error) {
      this.dropPending()
      throw new SiltstoneError(
        'SILT_FAILED',
        `Could not sync ${current.path} after a failed write was cut off, so it is not known what of it is on disk. Reading goes on; close the store, check the disk and open it again to write`,
        { cause: error, file: current.path },
      )
    }
  }

  /** Whether `sync` has anything to do. */
  get needsSync(): boolean {
    return this.current.synced < this.current.written || this.unsynced.length > 0 || this.namesPending
  }

  /**
   * Where small records are synced one by one, the file is filled with zeros ahead of them: a sync that need not change the size
   * of the file takes some 95 us instead of 130. Filled is when the size has changed anyway, and only so far that a crash leaves
   * little behind; recovery takes zeros behind the last record for its end.
   */
  private fillAhead(): void {
    const { current } = this
    const { written } = current
    if (written <= current.filled || written - current.synced > SMALL_SYNC_BYTES) return
    const end = Math.min(written + FILLED_BYTES, current.bytes.length)
    try {
      for (current.filled = written; current.filled < end; ) {
        const count = Math.min(ZEROS.length, end - current.filled)
        const filled = current.file!.writeSync(ZEROS, 0, count, current.filled)
        if (filled <= 0) return
        current.filled += filled
      }
    } catch {
      // Records need no zeros; if the disk is full, their own write says so.
    }
  }

  /** A segment that is left ends with its records. */
  private cutFilled(): void {
    const { current } = this
    if (current.filled <= current.written) return
    try {
      current.file!.truncateSync(current.written)
    } catch (error) {
      throw ioError(error, 'end', current.path)
    }
    current.filled = 0
  }

  /** Makes everything written so far durable, off this thread. */
  async sync(): Promise<void> {
    this.fillAhead()
    const { current, unsynced, namesPending } = this
    const target = current.written
    const older = unsynced.slice()
    // A segment that is retired meanwhile has no file any more, and needs none: its content stands in tables.
    for (const segment of older) await segment.file?.sync()
    await current.file?.sync()
    if (namesPending) await this.fs.syncDirectory(this.directory)
    this.markSynced(current, target, older, namesPending)
  }

  /** The same on this thread. */
  syncSync(): void {
    this.fillAhead()
    const { current, unsynced, namesPending } = this
    const older = unsynced.slice()
    for (const segment of older) segment.file?.syncSync()
    current.file!.syncSync()
    if (namesPending) this.fs.syncDirectorySync(this.directory)
    this.markSynced(current, current.written, older, namesPending)
  }

  private markSynced(segment: Segment, offset: number, older: Segment[], names: boolean): void {
    for (const each of older) each.synced = each.written
    segment.synced = Math.max(segment.synced, offset)
    this.syncedUpTo = Math.max(this.syncedUpTo, segment.base + segment.synced)
    this.unsynced = this.unsynced.filter((each) => each.synced < each.written)
    // A segment that was made while the directory was being synced has its own turn.
    if (names && segment === this.current) this.namesPending = false
  }

  /**
   * After a failed sync: takes everything behind `offset` of a segment out of its file, and the segments behind it away, so that what was
   * never acknowledged cannot come back. Best effort on a disk that is failing. Requires: nothing is written any more.
   */
  cutBackTo(segment: Segment, offset: number): void {
    const { current } = this
    segment.end = offset
    segment.written = offset
    segment.synced = Math.min(segment.synced, offset)
    if (segment === current) {
      this.tailUncut = true
      this.cutTail()
      return
    }
    for (const later of [...this.unsynced, current]) {
      if (later.number <= segment.number) continue
      later.end = later.written = LOG_HEADER_BYTES
      this.discard(later)
    }
    segment.file?.truncateSync(offset)
    segment.file?.syncSync()
    this.fs.syncDirectorySync(this.directory)
  }

  /**
   * Goes on in a new segment. Requires: nothing is pending. Refused while a failed write is still in the file: nobody would
   * cut it off a sealed segment, and recovery would stop there.
   */
  rotate(next: Segment): Segment {
    try {
      this.cutTail()
      this.cutFilled()
      this.keepFirstName()
    } catch (error) {
      this.discard(next)
      throw error
    }
    const sealed = this.current
    assert(sealed.written === sealed.end, 'a segment is sealed only when all of it is written')
    if (sealed.synced < sealed.written) this.unsynced.push(sealed)
    this.current = next
    this.namesPending = true
    return sealed
  }

  /** Makes the name of the first segment durable, off this thread. */
  async keepNames(): Promise<void> {
    if (!this.namesPending) return
    const { current } = this
    await this.fs.syncDirectory(this.directory)
    if (this.current === current) this.namesPending = false
  }

  /**
   * Recovery notices a segment that is missing between two others. Of one that is missing in front of all nothing tells, so its
   * name is durable before there are records behind it.
   */
  private keepFirstName(): void {
    if (this.current !== this.first || !this.namesPending) return
    try {
      this.fs.syncDirectorySync(this.directory)
    } catch (error) {
      throw ioError(error, 'sync', this.directory)
    }
  }

  /** A segment that nothing was written to must not stay: the next one to follow the same end would not be believed. */
  private discard(segment: Segment): void {
    segment.closeFile()
    try {
      this.fs.removeSync(segment.path)
    } catch {
      // The disk refuses everything; the error that led here says so.
    }
  }

  /** A sealed segment is not needed any more: its content stands in tables. */
  retire(segment: Segment): void {
    this.unsynced = this.unsynced.filter((each) => each !== segment)
    segment.closeFile()
  }

  /** Closes its files; with `asTheyAre` nothing is cut off them, because somebody else has the store. */
  close(asTheyAre = false): void {
    try {
      if (asTheyAre) return
      this.cutTail()
      if (this.current.file !== undefined) this.cutFilled()
    } catch {
      // Whoever wrote it was told that it failed; that the next opening may find it is all that is left to say.
    } finally {
      for (const segment of this.unsynced) segment.closeFile()
      this.current.closeFile()
    }
  }
}

/** Makes a segment's file. The name becomes durable with the first sync. `memory` is as large as the plan's capacity. */
export function createSegment(
  fs: FileSystem,
  path: string,
  plan: LogHeaderPlan,
  memory: Uint8Array = new Uint8Array(new SharedArrayBuffer(plan.capacity)),
): Segment {
  const header = { ...plan, salt: newSalt((count) => randomBytes(fs, count)) }
  assert(memory.length === header.capacity, 'a segment is as large in memory as it may become on disk')
  putLogHeader(memory, header)
  try {
    const file = fs.openSync(path, 'create')
    try {
      writeAll(file, memory, 0, LOG_HEADER_BYTES)
    } catch (error) {
      letGo(file)
      fs.removeSync(path)
      throw error
    }
    return new Segment(header, path, memory, file)
  } catch (error) {
    throw ioError(error, 'create', path)
  }
}

function hasFailed(error: unknown): boolean {
  return error instanceof SiltstoneError && error.code === 'SILT_FAILED'
}

/** Writes a range of a segment's memory to the same place in its file, however many calls that takes. */
function writeAll(file: FileHandle, bytes: Uint8Array, start: number, end: number): void {
  for (let offset = start; offset < end; ) {
    const written = file.writeSync(bytes, offset, end - offset, offset)
    if (written <= 0) throw new SiltstoneError('SILT_IO', `Writing ${file.path} made no progress`)
    offset += written
  }
}
