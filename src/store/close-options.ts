import { invalid } from '../bytes/errors.js'
import { describe } from '../bytes/reason.js'
import { checked } from './options.js'

/** What `close` takes. */
export interface CloseOptions {
  /**
   * Milliseconds that handlers of queues and topics that still run have left (default 30,000; Infinity: as long as they take). Then they
   * are given up: their messages are given back.
   */
  timeout?: number
}

const DEFAULT_TIMEOUT_MS = 30_000

const timeout = (value: unknown, name: string): unknown => {
  if (typeof value === 'number' && value >= 0) return value
  throw invalid(`Option ${name} must be a number of milliseconds from 0 on, not ${describe(value)}`)
}

/** For how many milliseconds closing waits for handlers. */
export function closeTimeout(options: CloseOptions): number {
  return (checked(options, { timeout }, 'close') as CloseOptions).timeout ?? DEFAULT_TIMEOUT_MS
}
