/*
 * What JSON out of a file has to be. A checksum says that it is what somebody wrote, not that it makes sense: a number where there
 * should be a list is damage too, and is told as such before anything is done with it.
 */

/** Throws a plain `Error` where a value is not what it should be; `what` is what it is called. */
export type Shape = (value: unknown, what: string) => void

/** A whole number from `low` to `high`. */
export function whole(low = 0, high = Number.MAX_SAFE_INTEGER): Shape {
  return (value, what) => {
    const isWhole = Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
    if (!isWhole) throw new Error(`${what} is no whole number from ${low} to ${high}`)
  }
}

/** Any number that JSON holds. */
export const finite: Shape = (value, what) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${what} is no number`)
}

export const text: Shape = (value, what) => {
  if (typeof value !== 'string') throw new Error(`${what} is no text`)
}

export const truth: Shape = (value, what) => {
  if (typeof value !== 'boolean') throw new Error(`${what} is neither true nor false`)
}

export function oneOf(...choices: readonly (string | number | boolean | null)[]): Shape {
  return (value, what) => {
    if (!choices.includes(value as string)) throw new Error(`${what} is none of ${choices.join(', ')}`)
  }
}

export function listOf(shape: Shape, fewest = 0): Shape {
  return (value, what) => {
    if (!Array.isArray(value) || value.length < fewest) throw new Error(`${what} is no list`)
    for (const each of value) shape(each, what)
  }
}

/** An object by names that anybody may have given. */
export function mapOf(shape: Shape): Shape {
  return (value, what) => {
    for (const [name, each] of Object.entries(objectOf(value, what))) shape(each, `${what} of ${name}`)
  }
}

/** An object with fields that have to be there, and others that may be; more are let pass, for a later version may know them. */
export function record(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): Shape {
  return (value, what) => {
    const object = objectOf(value, what)
    for (const name in required) required[name]!(object[name], `${name} of ${what}`)
    for (const name in optional) if (object[name] !== undefined) optional[name]!(object[name], `${name} of ${what}`)
  }
}

export function orNull(shape: Shape): Shape {
  return (value, what) => {
    if (value !== null) shape(value, what)
  }
}

// Far more than anything that is stored has, and far less than what writing it again could take.
const DEEPEST = 64

/** Anything, but not so deep that it could not be written again. */
export const anything: Shape = (value, what) => checkDepth(value, what, DEEPEST)

function checkDepth(value: unknown, what: string, left: number): void {
  if (typeof value !== 'object' || value === null) return
  if (left === 0) throw new Error(`${what} is too deep`)
  for (const each of Object.values(value)) checkDepth(each, what, left - 1)
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error(`${what} is no object`)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** JSON in UTF-8 that has a shape. Throws a plain `Error` where the bytes are not that. */
export function parseShaped<T>(bytes: Uint8Array, shape: Shape, what: string): T {
  const value: unknown = JSON.parse(utf8.decode(bytes))
  shape(value, what)
  return value as T
}
