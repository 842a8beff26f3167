import { invalid } from '../bytes/errors.js'
import { oneOf as anyOf, text as anyText, finite, parseShaped, record, type Shape, truth } from '../bytes/shape.js'
import { type EpochMs, LATEST_EXPIRY } from '../bytes/units.js'
import { describe } from '../store/encoding.js'
import { checkWellFormed } from '../store/name.js'
import { isTtl } from '../store/operations.js'
import { checked, flag, oneOf, whole } from '../store/options.js'
import { believed } from './stored-bytes.js'

/** In which order messages are handed out. */
export type Ordering = 'none' | 'group' | 'strict'

/** What a full queue does. */
export type Overflow = 'reject' | 'block' | 'drop-oldest' | 'dead-letter'

/** How long a failed message waits for its next attempt: `base`, doubled with each attempt up to `max`. */
export interface Backoff {
  /** The first wait, in milliseconds. */
  readonly base: number
  /** The longest wait, in milliseconds. */
  readonly max: number
  /** Draws each wait between half of it and all of it, so that what failed together does not come back together. */
  readonly jitter: boolean
}

/** What holds for everybody who uses a queue; stored with it. Times are in milliseconds. */
export interface Rules {
  /** In which order messages are handed out (default 'none'). */
  readonly ordering: Ordering
  /** How long a message that was handed out is its receiver's (default 30,000). */
  readonly visibilityTimeout: number
  /** How often a message is handed out before it dies (default 5). */
  readonly maxAttempts: number
  /** How long a failed message waits for its next attempt. */
  readonly backoff: Backoff
  /** Where messages go that cannot be handled; false keeps nothing. */
  readonly deadLetter: string | false
  /** How long a dedup id is remembered (default 300,000). */
  readonly dedupWindow: number
  /** How long a message waits at most; `undefined` for ever. */
  readonly ttl: number | undefined
  /** At most so many messages wait or are in flight. */
  readonly maxLength: number | undefined
  /** At most so many bytes of messages do. */
  readonly maxBytes: number | undefined
  /** What happens to a message for which there is no room. */
  readonly overflow: Overflow
  /** How long a producer waits for room with `overflow: 'block'`, before `SILT_TIMEOUT`. */
  readonly blockTimeout: number
}

/** What a handle on a queue is made with; what is left out stays what it is. */
export interface QueueRules extends Partial<Omit<Rules, 'backoff'>> {
  /** How long failed messages wait; what is left out stays what it is. */
  readonly backoff?: Partial<Backoff>
}

/** How producers are slowed down: so many messages a second, and so many at once. */
export interface RateLimit {
  /** Messages a second, on the long run. */
  readonly perSecond: number
  /** Messages that may come at once. */
  readonly burst?: number
}

/** What `db.queue(name, …)` takes. */
export interface QueueOptions extends QueueRules {
  /** Of this handle: its producers send no faster. */
  readonly rateLimit?: RateLimit
  /** Of this handle: it signs what it sends, and refuses what is not signed with the same key. */
  readonly signingKey?: string | Uint8Array
}

type Check = (value: unknown, name: string) => unknown

const LONGEST_MS = Number.MAX_SAFE_INTEGER

export const milliseconds: Check = (value, name) => {
  if (typeof value === 'number' && value >= 0 && value <= LONGEST_MS) return value
  throw invalid(`Option ${name} must be a number of milliseconds from 0 on, not ${describe(value)}`)
}

const aboveZero: Check = (value, name) => {
  if (typeof value === 'number' && value > 0 && value <= LONGEST_MS) return value
  throw invalid(`Option ${name} must be a number of milliseconds above 0, not ${describe(value)}`)
}

/** As of a key: what lives longer than files can say does not expire. */
export const timeToLive: Check = (value, name) => {
  if (isTtl(value)) return value
  throw invalid(`Option ${name} must be a number of milliseconds above 0 and at most 2 ** 47, not ${describe(value)}`)
}

/** When so many milliseconds are over; what is too far away for the files comes with the latest moment that they hold. */
export function momentAfter(now: EpochMs, ms: number): EpochMs {
  return Math.min(Math.max(1, Math.ceil(now + ms)), LATEST_EXPIRY)
}

const limit = (unit: string): Check => {
  const isWhole = whole(0, Number.MAX_SAFE_INTEGER, unit)
  return (value, name) => (value === Number.POSITIVE_INFINITY ? undefined : isWhole(value, name))
}

const attempts: Check = (value, name) =>
  value === Number.POSITIVE_INFINITY ? 0xffffffff : whole(1, 0xffffffff, 'attempts')(value, name)

const backoff: Check = (value, name) => {
  const given = checked(value as object, { base: milliseconds, max: milliseconds, jitter: flag }, name)
  return given
}

const deadLetter: Check = (value, name) => {
  if (value === false) return value
  if (typeof value !== 'string' || value === '') {
    throw invalid(`Option ${name} must be the name of a queue, or false, not ${describe(value)}`)
  }
  checkWellFormed(value, `Option ${name}`)
  return value
}

const rateLimit: Check = (value, name) => {
  const rate = (each: unknown, field: string): unknown => {
    if (typeof each === 'number' && each > 0 && Number.isFinite(each)) return each
    throw invalid(`Option ${name}.${field} must be a number of messages above 0, not ${describe(each)}`)
  }
  const given = checked(value as object, { perSecond: rate, burst: rate }, name)
  if (given['perSecond'] === undefined) throw invalid(`Option ${name} must say how many messages { perSecond }`)
  return given
}

const signingKey: Check = (value, name) => {
  if ((typeof value === 'string' || value instanceof Uint8Array) && value.length > 0) return value
  throw invalid(`Option ${name} must be a text or bytes that are not empty`)
}

export const ruleChecks: Record<keyof Rules, Check> = {
  ordering: oneOf('none', 'group', 'strict'),
  visibilityTimeout: aboveZero,
  maxAttempts: attempts,
  backoff,
  deadLetter,
  dedupWindow: milliseconds,
  ttl: timeToLive,
  maxLength: limit('messages'),
  maxBytes: limit('bytes'),
  overflow: oneOf('reject', 'block', 'drop-oldest', 'dead-letter'),
  blockTimeout: milliseconds,
}

const queueChecks: Record<keyof QueueOptions, Check> = { ...ruleChecks, rateLimit, signingKey }

/** The options of `db.queue`, checked. A rule that is given as undefined is taken back. */
export function checkQueueOptions(options: object, where: string): QueueOptions {
  const given = checked(options, queueChecks, where)
  return { ...erased(options), ...given } as QueueOptions
}

/** Limits that were named in order to be taken away. */
export function erased(options: object): object {
  const gone: Record<string, undefined> = {}
  for (const name of ['ttl', 'maxLength', 'maxBytes']) {
    const value = (options as Record<string, unknown>)[name]
    if (name in options && (value === undefined || value === Number.POSITIVE_INFINITY)) gone[name] = undefined
  }
  return gone
}

export function defaultRules(name: string): Rules {
  return {
    ordering: 'none',
    visibilityTimeout: 30_000,
    maxAttempts: 5,
    backoff: { base: 1000, max: 60_000, jitter: true },
    deadLetter: `${name}.dead`,
    dedupWindow: 300_000,
    ttl: undefined,
    maxLength: undefined,
    maxBytes: undefined,
    overflow: 'reject',
    blockTimeout: 30_000,
  }
}

/** The rules of a queue that others put their dead letters in: there they stay until somebody looks at them. */
export function deadLetterRules(name: string): Rules {
  return { ...defaultRules(name), deadLetter: false, maxAttempts: 0xffffffff }
}

const RULES = Object.keys(ruleChecks) as (keyof Rules)[]

/** Rules with some of them changed; the same object where none was. */
export function changedRules(rules: Rules, given: QueueRules): Rules {
  const next: Record<string, unknown> = { ...rules }
  let changed = false
  for (const rule of RULES) {
    if (!(rule in given)) continue
    const value = rule === 'backoff' ? { ...rules.backoff, ...given.backoff } : given[rule]
    if (JSON.stringify(value) === JSON.stringify(rules[rule])) continue
    next[rule] = value
    changed = true
  }
  return changed ? (next as unknown as Rules) : rules
}

/** How long a message waits after its n-th attempt has failed. */
export function backoffDelay({ base, max, jitter }: Backoff, attempt: number): number {
  const delay = Math.min(max, base * 2 ** Math.min(attempt - 1, 52))
  return Math.ceil(jitter ? delay * (0.5 + Math.random() / 2) : delay)
}

const time = finiteFrom(0)
const rulesShape = record(
  {},
  {
    ordering: anyOf('none', 'group', 'strict'),
    visibilityTimeout: time,
    maxAttempts: time,
    backoff: record({ base: time, max: time, jitter: truth }),
    deadLetter: (value, what) => {
      if (value !== false) anyText(value, what)
    },
    dedupWindow: time,
    ttl: time,
    maxLength: time,
    maxBytes: time,
    overflow: anyOf('reject', 'block', 'drop-oldest', 'dead-letter'),
    blockTimeout: time,
  },
)

function finiteFrom(low: number): Shape {
  return (value, what) => {
    finite(value, what)
    if ((value as number) < low) throw new Error(`${what} is below ${low}`)
  }
}

/** Rules as they were stored with a queue. */
export function storedRules(bytes: Uint8Array, name: string): Partial<Rules> {
  return believed(`What is stored of the rules of ${name}`, () => parseShaped(bytes, rulesShape, 'what is stored'))
}
