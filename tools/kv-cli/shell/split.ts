/** A line as words, as a shell splits it: quotes keep spaces, a backslash keeps the next character. */
export type Split = { readonly words: readonly string[] } | { readonly incomplete: true }

/**
 * Splits a line. A word that begins with { or [ is JSON and goes on to its closing bracket, with its own quotes and over as many
 * lines as it takes, so nobody has to quote it.
 */
export function split(line: string): Split {
  const words: string[] = []
  let at = 0
  while (at < line.length) {
    if (/\s/.test(line[at]!)) at++
    else {
      const word = /[[{]/.test(line[at]!) ? jsonWord(line, at) : plainWord(line, at)
      if (word === undefined) return { incomplete: true }
      words.push(word.text)
      at = word.end
    }
  }
  return { words }
}

interface Word {
  readonly text: string
  readonly end: number
}

function jsonWord(line: string, start: number): Word | undefined {
  let depth = 0
  let inText = false
  for (let at = start; at < line.length; at++) {
    const character = line[at]!
    if (inText) {
      if (character === '\\') at++
      else if (character === '"') inText = false
    } else if (character === '"') inText = true
    else if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) {
      return { text: line.slice(start, at + 1), end: at + 1 }
    }
  }
  return undefined
}

function plainWord(line: string, start: number): Word | undefined {
  let text = ''
  let quote = ''
  let at = start
  for (; at < line.length; at++) {
    const character = line[at]!
    if (quote !== '') {
      if (character === quote) quote = ''
      else if (character === '\\' && quote === '"' && at + 1 < line.length) text += line[++at]
      else text += character
    } else if (character === '"' || character === "'") quote = character
    else if (character === '\\') {
      if (at + 1 === line.length) return undefined
      text += line[++at]
    } else if (/\s/.test(character)) break
    else text += character
  }
  return quote === '' ? { text, end: at } : undefined
}
