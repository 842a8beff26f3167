// What is stored with every failed message has to end somewhere.
const LONGEST_REASON = 2000
// Of a wrong value so many characters of text, to know it by.
const MOST_SHOWN = 100

/**
 * What was thrown, in one line of text. Anything can be thrown: an object without a prototype, a proxy that refuses, a getter that throws
 * in its turn. So this never throws, and every place that turns a user's value into text comes by here.
 */
export function reasonOf(thrown: unknown): string {
  return oneLine(textOf(thrown), LONGEST_REASON)
}

function oneLine(text: string, most: number): string {
  const line = text.trim().replace(/\s*[\r\n\u2028\u2029]+\s*/g, ' ')
  return line.length > most ? `${line.slice(0, most)}…` : line
}

function textOf(thrown: unknown): string {
  try {
    if (isObject(thrown)) {
      const { message } = thrown as { message?: unknown }
      if (typeof message === 'string' && message.trim() !== '') return message
      if (isError(thrown)) return String((thrown as Error).name)
    }
    const text = String(thrown)
    return text.trim() === '' ? 'an empty text' : text
  } catch {
    return `${kindOf(thrown)} that has no text`
  }
}

/** What a value is, for a sentence about a wrong one. Never throws. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object' || typeof value === 'function') return kindOf(value)
  try {
    return oneLine(`the ${typeof value} ${String(value)}`, MOST_SHOWN)
  } catch {
    return kindOf(value)
  }
}

function kindOf(value: unknown): string {
  if (!isObject(value)) return `a ${typeof value}`
  if (typeof value === 'function') return 'a function'
  try {
    return `an object of ${value.constructor?.name ?? 'no class'}`
  } catch {
    return 'an object'
  }
}

/** Whether it is an error; of what refuses to be looked at: no. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    return false
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
