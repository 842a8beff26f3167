import { SiltstoneError, type SiltstoneErrorCode } from '../../bytes/errors.js'

/** What the programs of Level look for, for each refusal of the store that they know. */
const LEVEL_CODES: Partial<Record<SiltstoneErrorCode, string>> = {
  SILT_CORRUPTION: 'LEVEL_CORRUPTION',
  SILT_FAILED: 'LEVEL_IO_ERROR',
  SILT_FENCED: 'LEVEL_IO_ERROR',
  SILT_IO: 'LEVEL_IO_ERROR',
  SILT_LOCKED: 'LEVEL_LOCKED',
  SILT_NOT_OPEN: 'LEVEL_DATABASE_NOT_OPEN',
  SILT_NOT_SUPPORTED: 'LEVEL_NOT_SUPPORTED',
  SILT_NO_SPACE: 'LEVEL_IO_ERROR',
  SILT_READ_ONLY: 'LEVEL_READONLY',
}

/** An error with a code of Level's own; what the store said is its `cause`. */
export class LevelError extends Error {
  /** What went wrong, by the names that Level has for it. */
  readonly code: string

  /** @internal */
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** A read that its signal ended; named as the web names it. */
export class AbortError extends LevelError {
  constructor(cause: unknown) {
    super('LEVEL_ABORTED', 'Operation has been aborted', cause)
    this.name = 'AbortError'
  }
}

/** The store's refusal under the code that Level has for it; where Level has none, the refusal itself. */
export function levelError(error: unknown): unknown {
  if (!(error instanceof SiltstoneError)) return error
  const code = LEVEL_CODES[error.code] ?? codeOfArgument(error)
  return code === undefined ? error : new LevelError(code, error.message, error)
}

/** Why a store did not open. Programs for LevelDB match these two sentences, which have no code there either. */
export function openError(error: unknown, location: string): unknown {
  const code = error instanceof SiltstoneError ? error.code : undefined
  if (code === 'SILT_NOT_FOUND') {
    return new Error(`${location} does not exist (createIfMissing is false)`, { cause: error })
  }
  if (code === 'SILT_EXISTS') return new Error(`${location} exists (errorIfExists is true)`, { cause: error })
  return levelError(error)
}

/** For promises: `.catch(rethrow)`. */
export function rethrow(error: unknown): never {
  throw levelError(error)
}

/** What is wrong with an argument is in the first words of the sentence; null and undefined never come this far. */
function codeOfArgument({ code, message }: SiltstoneError): string | undefined {
  if (code !== 'SILT_INVALID_ARGUMENT') return undefined
  if (message.startsWith('A key ')) return 'LEVEL_INVALID_KEY'
  return message.startsWith('A value ') ? 'LEVEL_INVALID_VALUE' : undefined
}
