import { isError, reasonOf } from './reason.js'

/** Every way in which Siltstone says no. `docs/errors.md` has a section for each of them. */
export type SiltstoneErrorCode =
  | 'SILT_CONFLICT'
  | 'SILT_CORRUPTION'
  | 'SILT_CROSS_SHARD'
  | 'SILT_EXISTS'
  | 'SILT_FAILED'
  | 'SILT_FENCED'
  | 'SILT_FORMAT'
  | 'SILT_FULL'
  | 'SILT_GONE'
  | 'SILT_INVALID_ARGUMENT'
  | 'SILT_IO'
  | 'SILT_LOCKED'
  | 'SILT_MISMATCH'
  | 'SILT_NOT_FOUND'
  | 'SILT_NOT_OPEN'
  | 'SILT_NOT_SUPPORTED'
  | 'SILT_NO_SPACE'
  | 'SILT_READ_ONLY'
  | 'SILT_STALE_RECEIPT'
  | 'SILT_TIMEOUT'

/** What an error can tell beside its sentence. */
export interface SiltstoneErrorDetails {
  /** The error below it. */
  cause?: unknown
  /** The file the error is about. */
  file?: string
  /** The byte offset inside that file. */
  offset?: number
  /** The process that holds the lock (`SILT_LOCKED`). */
  pid?: number
}

/**
 * The one error class of the store: a `code` to branch on, a sentence to act on, and the `cause` where there is one.
 *
 * @example
 * try { await open('./data', { createIfMissing: false }) } catch (error) {
 *   if (error instanceof SiltstoneError && error.code === 'SILT_NOT_FOUND') console.log('nothing there yet')
 * }
 */
export class SiltstoneError extends Error {
  /** What went wrong, to branch on. */
  readonly code: SiltstoneErrorCode
  /** The file it is about. */
  readonly file?: string
  /** The byte offset inside that file. */
  readonly offset?: number
  /** The process that holds the lock (`SILT_LOCKED`). */
  readonly pid?: number

  /** For stores and file systems of your own; what Siltstone throws it makes itself. */
  constructor(code: SiltstoneErrorCode, message: string, details: SiltstoneErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'SiltstoneError'
    this.code = code
    if (details.file !== undefined) this.file = details.file
    if (details.offset !== undefined) this.offset = details.offset
    if (details.pid !== undefined) this.pid = details.pid
  }
}

/** Bytes that are not what was written: names file and offset, so that an operator can look at the place. */
export function corruption(file: string, offset: number, problem: string, cause?: unknown): SiltstoneError {
  return new SiltstoneError('SILT_CORRUPTION', `${file} is damaged at offset ${offset}: ${problem}`, {
    file,
    offset,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** A user's mistake, in one sentence. */
export function invalid(message: string): SiltstoneError {
  return new SiltstoneError('SILT_INVALID_ARGUMENT', message)
}

/** An invariant of the engine itself, not of its input: a failure is a bug of Siltstone. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`Siltstone invariant broken: ${invariant}`)
}

const ADVICE: Record<string, string> = {
  EACCES: 'check the permissions of the directory',
  EPERM: 'check the permissions of the directory',
  EROFS: 'the disk is mounted read-only; open with { readOnly: true } to read',
  EMFILE: 'the process has too few file descriptors; raise the limit (ulimit -n) or lower maxOpenFiles',
  ENFILE: 'the system has no file descriptors left',
  EIO: 'the disk failed; check it before writing on',
}

/**
 * The operating system's refusal, as a `SiltstoneError` that says what was attempted on which file. What is no refusal of the
 * system, a broken invariant for one, stays what it is.
 */
export function ioError(error: unknown, attempt: string, file: string): Error {
  const code = (error as { code?: string } | undefined)?.code
  if (isError(error) && (error instanceof SiltstoneError || code === undefined)) return error
  const reason = reasonOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SiltstoneError('SILT_NO_SPACE', `No space left to ${attempt} ${file}; free some and write again`, {
      cause: error,
      file,
    })
  }
  const advice = code === undefined ? undefined : ADVICE[code]
  return new SiltstoneError('SILT_IO', `Could not ${attempt} ${file}: ${reason}${advice ? `; ${advice}` : ''}`, {
    cause: error,
    file,
  })
}

/** Whether an error says that nothing may be written any more: the disk is not to be trusted, or somebody else has the store. */
export function endsWriting(error: unknown): error is SiltstoneError {
  return error instanceof SiltstoneError && (error.code === 'SILT_FAILED' || error.code === 'SILT_FENCED')
}

/** Whether an error says that there was no memory, which says nothing about bytes that were being read. */
export function isOutOfMemory(error: unknown): boolean {
  // Errors of Node that are no more than out of range have a code.
  return error instanceof RangeError && !('code' in error)
}
