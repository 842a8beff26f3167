import { isUtf8 } from 'node:buffer'
import { usage } from './failure.js'

/*
 * How bytes are written down.
 *
 *   text     UTF-8. In lines, tab, line feed, carriage return and backslash are \t \n \r \\, and bytes that are no text are \xNN,
 *            so that a line is an entry whatever is in it, and what was printed can be read back.
 *   hex      two digits a byte
 *   base64
 *
 * In JSON, text is a string; bytes that are no text are {"base64": "…"}.
 */

export type Notation = 'text' | 'hex' | 'base64'

export interface NotationOptions {
  readonly hex?: boolean
  readonly base64?: boolean
}

export type JsonBytes = string | { readonly base64: string }

export function notationOf({ hex, base64 }: NotationOptions): Notation {
  if (hex && base64) throw usage('Choose one of --hex and --base64')
  return hex ? 'hex' : base64 ? 'base64' : 'text'
}

/** An argument of the command line: taken as it is, or decoded. */
export function parseArgument(text: string, notation: Notation, what: string): Buffer {
  if (notation === 'text') return Buffer.from(text)
  if (notation === 'hex') {
    if (/^(?:[0-9a-f]{2})*$/i.test(text)) return Buffer.from(text, 'hex')
    throw usage(`${what} is not hex: '${text}' is no even number of the digits 0-9 and a-f`)
  }
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  throw usage(`${what} is not base64: '${text}' has other characters in it`)
}

/** What stands in a line: with escapes where it is text. */
export function parseField(field: string, notation: Notation, what: string): Buffer {
  if (notation !== 'text') return parseArgument(field, notation, what)
  return field.includes('\\') ? unescaped(field, what) : Buffer.from(field)
}

export function formatField(bytes: Uint8Array, notation: Notation): string {
  const buffer = asBuffer(bytes)
  if (notation !== 'text') return buffer.toString(notation)
  if (!isUtf8(buffer)) return escapeBytes(buffer)
  const text = buffer.toString()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal would obey them, and a line has to stay one.
  return /[\\\u0000-\u001f\u007f]/.test(text) ? text.replace(/[\\\u0000-\u001f\u007f]/g, escapeCharacter) : text
}

export function jsonField(bytes: Uint8Array, notation: Notation): JsonBytes {
  const buffer = asBuffer(bytes)
  if (notation !== 'text') return buffer.toString(notation)
  return isUtf8(buffer) ? buffer.toString() : { base64: buffer.toString('base64') }
}

export function parseJsonField(value: unknown, notation: Notation, what: string): Buffer {
  if (typeof value === 'string') return parseArgument(value, notation, what)
  const base64 = (value as { base64?: unknown } | null | undefined)?.base64
  if (typeof base64 === 'string') return parseArgument(base64, 'base64', what)
  throw usage(`${what} must be a text or {"base64": "…"}, not ${JSON.stringify(value) ?? 'missing'}`)
}

/** A short form for people. */
export function shortField(bytes: Uint8Array, longest: number): string {
  const text = formatField(bytes.subarray(0, longest), 'text')
  return text.length > longest || bytes.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const NAMED: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function escapeCharacter(character: string): string {
  return NAMED[character] ?? escapeByte(character.charCodeAt(0))
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

function escapeBytes(bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    text += byte >= 0x20 && byte < 0x7f ? (byte === 0x5c ? '\\\\' : String.fromCharCode(byte)) : escapeByte(byte)
  }
  return text
}

const MEANINGS: Record<string, string> = { '\\': '\\', t: '\t', n: '\n', r: '\r' }

function unescaped(field: string, what: string): Buffer {
  const parts: Buffer[] = []
  let plainFrom = 0
  for (let at = field.indexOf('\\'); at !== -1; at = field.indexOf('\\', plainFrom)) {
    parts.push(Buffer.from(field.slice(plainFrom, at)))
    const hex = /^x([0-9a-fA-F]{2})/.exec(field.slice(at + 1, at + 4))
    const meaning = MEANINGS[field[at + 1] ?? '']
    if (hex !== null) parts.push(Buffer.from(hex[1]!, 'hex'))
    else if (meaning !== undefined) parts.push(Buffer.from(meaning))
    else throw usage(`${what} has a backslash that begins none of \\t \\n \\r \\\\ \\xNN; write \\\\ for a backslash`)
    plainFrom = at + (hex === null ? 2 : 4)
  }
  parts.push(Buffer.from(field.slice(plainFrom)))
  return Buffer.concat(parts)
}
