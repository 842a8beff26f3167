import { invalid } from '../bytes/errors.js'
import { isWellFormed } from '../bytes/text.js'
import { describe } from './encoding.js'

/**
 * Refuses what cannot be a name. Names are the user's; they have to be there, and to be found again: a surrogate without its
 * partner is written as U+FFFD, so two names of that kind are one on disk.
 */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string' || name === '') {
    throw invalid(`The name of a ${what} must be a text that is not empty, not ${describe(name)}`)
  }
  checkWellFormed(name, `The name of a ${what}`)
}

/** Refuses a text that names something and has a surrogate without its partner. */
export function checkWellFormed(text: string, what: string): void {
  if (isWellFormed(text)) return
  throw invalid(`${what} must be well-formed Unicode; ${JSON.stringify(text)} has half of a surrogate pair`)
}
