import { invalid } from '../bytes/errors.js'
import type { MessageOptions } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { checkWellFormed } from '../store/name.js'
import { expiryOf } from '../store/operations.js'
import { checked } from '../store/options.js'
import { encodeBody, encodeMessage, jsonOf } from './message-format.js'
import type { TimeMark } from './queue-time.js'
import { milliseconds, momentAfter, timeToLive } from './rules.js'
import type { Signer } from './signature.js'
import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from './state-keys.js'

/** A message that is checked and encoded and waits for its commit. */
export interface Draft {
  readonly bytes: Uint8Array
  readonly priority: number
  /** 0 where it can be received at once. */
  readonly due: number
  /** 0 where it does not expire. */
  readonly expiresAt: number
  readonly dedupId: string | undefined
}

// A dedup id is a key; a group is held in memory while one of its messages is under way.
const LONGEST_ID = 1024

const text = (value: unknown, name: string): unknown => {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_ID) {
    throw invalid(`Option ${name} must be a text of 1 to ${LONGEST_ID} characters, not ${describe(value)}`)
  }
  checkWellFormed(value, `Option ${name}`)
  return value
}

const priority = (value: unknown): unknown => {
  if (Number.isInteger(value) && (value as number) >= LOWEST_PRIORITY && (value as number) <= HIGHEST_PRIORITY) {
    return value
  }
  throw invalid(
    `Option priority must be a whole number from ${LOWEST_PRIORITY} to ${HIGHEST_PRIORITY}, not ${describe(value)}`,
  )
}

const ttl = (value: unknown, name: string): unknown => {
  if (value === Number.POSITIVE_INFINITY) return value
  return timeToLive(value, name)
}

const headers = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) return value
  throw invalid(`Option headers must be an object, not ${describe(value)}`)
}

const checks = { delay: milliseconds, ttl, dedupId: text, group: text, priority, headers }
const NOTHING: MessageOptions = {}

/** Encodes a message as it is sent now; what it is given may change afterwards. */
export function draftMessage(
  body: unknown,
  options: MessageOptions | undefined,
  { time, wall }: TimeMark,
  defaultTtl: number | undefined,
  signer: Signer | undefined,
): Draft {
  if (body === undefined) throw invalid('A message needs a body: bytes, text or what JSON holds')
  const given = options === undefined ? NOTHING : (checked(options, checks, 'send') as MessageOptions)
  const ttl = given.ttl ?? defaultTtl ?? Number.POSITIVE_INFINITY
  const expiresAt = ttl === Number.POSITIVE_INFINITY ? 0 : expiryOf(ttl, time)
  const bytes = encodeMessage({
    sentAt: wall,
    expiresAt,
    group: given.group,
    headers: given.headers === undefined ? undefined : jsonOf(given.headers, 'The headers of a message'),
    history: undefined,
    signature: undefined,
    body: encodeBody(body),
  })
  const due = given.delay ? momentAfter(time, given.delay) : 0
  return {
    bytes: signer === undefined ? bytes : signer.sign(bytes),
    priority: given.priority ?? 0,
    due,
    expiresAt,
    dedupId: given.dedupId,
  }
}
