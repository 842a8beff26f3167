import { invalid, type SiltstoneError } from '../bytes/errors.js'
import { describe } from './encoding.js'

/*
 * An option that nobody knows is a mistake: what it asks for would silently not happen. So every call that takes options names those it
 * knows. Where no options are given, nothing is checked; else the names are walked over once, without memory.
 */

export const WRITE_NAMES: readonly string[] = ['sync']
export const PUT_NAMES: readonly string[] = ['sync', 'ttl']
const READ_NAMES: readonly string[] = ['snapshot']
export const EXPIRY_NAMES: readonly string[] = ['ttl', 'expiresAt']
const BOUND_NAMES: readonly string[] = ['gt', 'gte', 'lt', 'lte', 'prefix']
export const RANGE_NAMES: readonly string[] = BOUND_NAMES
export const SCAN_NAMES: readonly string[] = [...BOUND_NAMES, 'snapshot', 'reverse', 'limit', 'signal']

/** Refuses options that are none, and names that are not known. */
export function checkNames(options: object, known: readonly string[], where: string): void {
  requireObject(options, where)
  for (const name in options) if (!known.includes(name)) throwUnknown(name, known, where)
}

/** The same for point reads, which are so quick that looking for names in a list would show. */
export function checkReadNames(options: object): void {
  requireObject(options, 'a read')
  for (const name in options) if (name !== 'snapshot') throwUnknown(name, READ_NAMES, 'a read')
}

/**
 * The same where some of the options say which keys something is done to: one of these that is undefined would mean more of them. A
 * read may say a bound that is undefined for none.
 */
export function checkRangeNames(options: object, known: readonly string[], where: string): void {
  requireObject(options, where)
  for (const name in options) {
    if (!known.includes(name)) throwUnknown(name, known, where)
    if ((options as Record<string, unknown>)[name] === undefined) refuseWider(name, where)
  }
}

export function requireObject(options: unknown, where: string): asserts options is object {
  if (typeof options !== 'object' || options === null) {
    throw invalid(`The options of ${where} must be an object, not ${describe(options)}`)
  }
}

function throwUnknown(name: string, known: readonly string[], where: string): void {
  // What somebody has added to all objects is on this one as well.
  if (!(name in Object.prototype)) throw unknownOption(name, known, where)
}

export function unknownOption(name: string, known: readonly string[], where: string): SiltstoneError {
  const nearest = nearestName(name, known)
  return invalid(`${where} knows no option '${name}'${nearest === undefined ? '' : `; did you mean '${nearest}'?`}`)
}

/** Refuses a bound that is named and undefined: without it the call would mean more keys than its caller thinks. */
export function refuseWider(name: string, where: string): void {
  if (!BOUND_NAMES.includes(name) && name !== 'key') return
  throw invalid(`Bound ${name} of ${where} is undefined; leave it out where all keys are meant`)
}

/** The known name that takes the fewest changes, where there is one near enough to be what was meant. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  let fewest = Math.max(2, Math.floor(name.length / 2)) + 1
  for (const candidate of known) {
    const changes = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (changes < fewest) {
      fewest = changes
      nearest = candidate
    }
  }
  return nearest
}

// A name that is longer than that is compared by its beginning: the work grows with the square.
const LONGEST_NAME = 64

function editDistance(long: string, b: string): number {
  const a = long.slice(0, LONGEST_NAME)
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
