import type { SiltstoneError } from '../bytes/errors.js'
import { getU32, getU64, putU32, putU64 } from '../bytes/integers.js'
import type { Entry } from './entry.js'
import { senseless } from './stored-bytes.js'

/*
 * Messages of a lane that were passed over because their group had one under way. In the state tree they stand by lane, group and
 * offset, so the next one of a group is found however many there are of others, and memory holds the first few of each group that waits for
 * one under way. The value, never to change within format version 1, little-endian:
 *
 *   0          4             12               20
 *   +----------+-------------+----------------+
 *   | size u32 | sent at u64 | expires at u64 |
 *   +----------+-------------+----------------+
 */

const VALUE_BYTES = 20

/** One that was passed over. */
export interface Passed {
  readonly offset: number
  readonly size: number
  readonly sentAt: number
  readonly expiresAt: number
  /** What it became when its turn came. */
  entry: Entry | undefined
}

export function encodePassed({ size, sentAt, expiresAt }: Passed): Uint8Array {
  const bytes = new Uint8Array(VALUE_BYTES)
  putU32(bytes, 0, size)
  putU64(bytes, 4, sentAt)
  putU64(bytes, 12, expiresAt)
  return bytes
}

export function decodePassed(offset: number, bytes: Uint8Array): Passed {
  if (bytes.length !== VALUE_BYTES) throw senselessBacklog('it is not as long as it has to be')
  return { offset, size: getU32(bytes, 0), sentAt: getU64(bytes, 4), expiresAt: getU64(bytes, 12), entry: undefined }
}

/** What is stored of messages that were passed over cannot be. */
export function senselessBacklog(problem: string): SiltstoneError {
  return senseless('What is remembered of messages that wait for their group', 0, problem)
}
