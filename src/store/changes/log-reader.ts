import { corruption, ioError, SiltstoneError } from '../../bytes/errors.js'
import { getU32 } from '../../bytes/integers.js'
import type { Position } from '../../bytes/units.js'
import type { FileHandle } from '../../fs/file-system.js'
import { letGo } from '../../fs/let-go.js'
import { frameOf, LOG_HEADER_BYTES, type LogHeader } from '../../log/log-header.js'
import { RECORD_HEADER_BYTES, soundRecordLength } from '../../log/record.js'
import { contentProblem } from '../../log/record-content.js'
import type { Engine } from '../engine.js'
import type { RetainedSegment } from '../retained-log.js'

/**
 * Is shown whole records: those between two offsets of `bytes`, whose first byte has the position `base`. The memory is used again
 * once this returns, so what is kept of it is copied.
 */
export type RecordVisitor = (bytes: Uint8Array, base: Position, start: number, end: number) => void

// What is shown at once; a record that is larger is shown alone.
const SLICE_BYTES = 64 * 1024
const NOTHING = new Uint8Array(0)

/**
 * Walks the records that are visible, from a position on, wherever they stand: in the memory of segments that are not in tables yet,
 * or in files that are kept.
 *
 * It holds nothing between two steps, neither memory nor a file, so the store need not know of it: a segment goes when its time
 * comes, and a reader that has not got that far is told.
 */
export class LogReader {
  private readonly engine: Engine
  /** Records that end here or before are walked over and not shown: the position of a commit is where its record ends. */
  private readonly from: Position
  private next: Position
  /** Whether `next` is known to be where a record begins or ends; what a user gives need not be. */
  private isAligned: boolean

  constructor(engine: Engine, from: Position, isAligned: boolean) {
    this.engine = engine
    this.from = from
    this.next = from
    this.isAligned = isAligned
  }

  /** Whether there is more to be shown. */
  get isBehind(): boolean {
    return this.next < this.engine.visible
  }

  /** Shows what comes next, as much as is good at once. That may be nothing although it got further. */
  async advance(visit: RecordVisitor): Promise<void> {
    const { engine, next } = this
    if (next < engine.oldestPosition) throw gone(next, engine.oldestPosition)
    const retained = engine.retained.segments.find(({ end }) => end > next)
    if (retained === undefined) this.readMemory(visit)
    else await this.readFile(retained, visit)
    if (engine.turn.isDue()) await engine.turn.next()
  }

  private readMemory(visit: RecordVisitor): void {
    const { engine } = this
    const segment = engine.segments.find(({ endPosition }) => endPosition > this.next)
    // A reader beside a writer may know of commits only by their tables.
    if (segment === undefined) throw gone(this.next, engine.visible)
    const { bytes, base } = segment
    const start = this.startIn(segment.header)
    const end = endOfSlice(bytes, start, Math.min(segment.end, engine.visible - base))
    this.show(visit, bytes, base, start, end)
  }

  private async readFile(retained: RetainedSegment, visit: RecordVisitor): Promise<void> {
    const { engine } = this
    const { header, path } = retained
    engine.checkOpen()
    const start = this.startIn(header)
    let file: FileHandle | undefined
    try {
      file = engine.fs.openSync(path, 'read')
      const bytes = await readRecords(file, retained, start)
      this.show(visit, bytes, header.base + start, 0, bytes.length)
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') throw gone(this.next, retained.end)
      throw ioError(error, 'read', path)
    } finally {
      letGo(file)
    }
  }

  /** The offset of the next record in a segment. */
  private startIn({ base, previousEnd }: LogHeader): number {
    const { next } = this
    if (next > previousEnd && next < base) throw cutOff(next, previousEnd)
    const start = this.isAligned ? next - base : 0
    this.isAligned = true
    return Math.max(start, LOG_HEADER_BYTES)
  }

  private show(visit: RecordVisitor, bytes: Uint8Array, base: Position, start: number, end: number): void {
    this.next = base + end
    let first = start
    while (first < end) {
      const recordEnd = first + getU32(bytes, first + 4)
      if (base + recordEnd > this.from) break
      first = recordEnd
    }
    if (first < end) visit(bytes, base, first, end)
  }
}

/** The end of the last whole record in a slice, or of the first one, however long that is. */
function endOfSlice(bytes: Uint8Array, start: number, limit: number): number {
  // A crash right after another one leaves a segment without any.
  if (start >= limit) return limit
  let end = start + getU32(bytes, start + 4)
  for (;;) {
    if (end >= limit) return end
    const next = end + getU32(bytes, end + 4)
    if (next - start > SLICE_BYTES) return end
    end = next
  }
}

/** The next whole records of a kept file, checked as on any reading. */
async function readRecords(file: FileHandle, retained: RetainedSegment, start: number): Promise<Uint8Array> {
  const { header, path, fileBytes } = retained
  const frame = frameOf(header)
  const left = fileBytes - start
  if (left === 0) return NOTHING
  let bytes = await readPart(file, start, Math.min(SLICE_BYTES, left))
  const firstBytes = bytes.length < RECORD_HEADER_BYTES ? 0 : getU32(bytes, 4)
  if (firstBytes > bytes.length && firstBytes <= left) bytes = await readPart(file, start, firstBytes)
  let end = 0
  for (;;) {
    const recordBytes = soundRecordLength(bytes, end, bytes.length, frame, header.base + start + end)
    if (recordBytes === 0) break
    const senseless = contentProblem(bytes, end)
    if (senseless !== undefined) throw corruption(path, start + senseless.offset, senseless.problem)
    end += recordBytes
  }
  if (end === 0) throw corruption(path, start, 'no sound record stands here, though the log goes on behind it')
  return bytes.subarray(0, end)
}

async function readPart(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, await file.read(bytes, 0, length, offset))
}

function gone(position: Position, oldest: Position): SiltstoneError {
  return new SiltstoneError(
    'SILT_GONE',
    `What follows position ${position} of the log is not kept any more, it begins at ${oldest}. Start over from a snapshot or a checkpoint and its position; logRetention keeps the log for longer`,
  )
}

function cutOff(position: Position, end: Position): SiltstoneError {
  return new SiltstoneError(
    'SILT_GONE',
    `Position ${position} was lost in a crash before it was on disk: the log goes on from ${end}, and commits that were seen behind it never happened. Start over from a snapshot or a checkpoint and its position`,
  )
}
