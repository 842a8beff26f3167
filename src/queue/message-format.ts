import { assert, invalid } from '../bytes/errors.js'
import { getU32, putU16, putU32, putVarint } from '../bytes/integers.js'
import { reasonOf } from '../bytes/reason.js'
import { finite, record, text, whole } from '../bytes/shape.js'
import { getText, putText, textByteBound } from '../bytes/text.js'
import { LATEST_EXPIRY } from '../bytes/units.js'
import { LONGEST_VALUE_BYTES } from '../log/operation.js'
import { describe, preparedByteBound, putPrepared } from '../store/encoding.js'
import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from './state-keys.js'
import { believed, EntryReader, parsedJson, senseless } from './stored-bytes.js'

/*
 * One message as it is stored, whether it stands in a queue, a topic or a log. Never to change within format version 1.
 *
 *   0       1          7           13
 *   +-------+----------+-----------+------------+-------+---------+---------+-----------+------+
 *   | flags | total    | sent at   | expires at | group | headers | history | signature | body |
 *   | u8    | u48      | u48, ms   | u48, ms    | text  | text    | text    | 32 bytes  | rest |
 *   +-------+----------+-----------+------------+-------+---------+---------+-----------+------+
 *                                   \_______ each only where its flag is set _________/
 *
 * A text is its length in bytes as a varint and its UTF-8. Headers and history are JSON.
 *
 *   flags   0x03 what the body is: 0 bytes, 1 text, 2 JSON
 *           0x04 group, 0x08 expires at, 0x10 headers, 0x20 signature, 0x40 history
 *   total   bytes of all messages that were ever appended to the same run of messages, this one included: with it the bytes
 *           that wait between two places are one subtraction, whatever lies between them. Its lower 48 bits; `fullTotal` tells
 *           the others
 *   history what happened to it in another queue: its first id, and why it died
 */

const BODY_BYTES = 0
const BODY_TEXT = 1
const BODY_JSON = 2
const BODY_KIND = 0x03
const HAS_GROUP = 0x04
const HAS_EXPIRY = 0x08
const HAS_HEADERS = 0x10
const HAS_SIGNATURE = 0x20
const HAS_HISTORY = 0x40

const TOTAL_OFFSET = 1
const SENT_AT_OFFSET = 7
const OPTIONAL_OFFSET = 13
export const SIGNATURE_BYTES = 32
const EXPIRY_BYTES = 6
/** What a message takes at most besides its texts and its body. */
const FIXED_BYTES = OPTIONAL_OFFSET + EXPIRY_BYTES + SIGNATURE_BYTES
/** A varint of what fits into a value. */
const LONGEST_LENGTH_BYTES = 4

/** A message can always be set aside or die, and what is written down of that stands beside it in one value. */
const LONGEST_MESSAGE_BYTES = LONGEST_VALUE_BYTES - 1024 * 1024

const TWO_32 = 2 ** 32
const TWO_48 = 2 ** 48

/** Why a message is where it is, when it died in another queue. */
export interface DeadLetter {
  /** The queue, or topic and subscription, that it died in. */
  readonly queue: string
  /** What `nack` was told, or why it was given up. */
  readonly reason: string
  /** How often it had been delivered. */
  readonly attempts: number
  /** When it died, in milliseconds since 1970. */
  readonly time: number
}

/** What a message brings along from where it was before. */
export interface History {
  readonly id: string
  readonly priority: number
  readonly deadLetter?: DeadLetter
}

/** A body as it is stored. */
export interface EncodedBody {
  readonly kind: number
  readonly bytes: Uint8Array | string
}

/** What a message is made of. */
export interface MessageParts {
  readonly sentAt: number
  /** 0 where it does not expire. */
  readonly expiresAt: number
  readonly group: string | undefined
  /** JSON. */
  readonly headers: string | undefined
  readonly history: History | undefined
  readonly signature: Uint8Array | undefined
  readonly body: EncodedBody
}

/** Bytes stay bytes, text stays text, and everything else becomes JSON. */
export function encodeBody(body: unknown): EncodedBody {
  if (typeof body === 'string') return { kind: BODY_TEXT, bytes: body }
  if (body instanceof Uint8Array) return { kind: BODY_BYTES, bytes: body }
  if (ArrayBuffer.isView(body)) {
    return { kind: BODY_BYTES, bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) }
  }
  return { kind: BODY_JSON, bytes: jsonOf(body, 'The body of a message') }
}

/** JSON, or the user's mistake that there is none. */
export function jsonOf(value: unknown, what: string): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw invalid(`${what} must be bytes, text or what JSON holds: ${reasonOf(error)}`)
  }
  if (text === undefined) throw invalid(`${what} must be bytes, text or what JSON holds, not ${describe(value)}`)
  return text
}

// One message is encoded at a time.
let scratch = new Uint8Array(64 * 1024)
// What is larger is not kept in memory until the next one.
const LARGEST_SCRATCH = 1024 * 1024

function room(bytes: number): Uint8Array {
  if (bytes > LARGEST_SCRATCH) return new Uint8Array(bytes)
  if (scratch.length < bytes) scratch = new Uint8Array(bytes * 2)
  return scratch
}

function sizedTextBound(text: string | undefined): number {
  return text === undefined ? 0 : LONGEST_LENGTH_BYTES + textByteBound(text)
}

/** A message in bytes of its own. Its total is set when it is appended. */
export function encodeMessage(parts: MessageParts): Uint8Array {
  const { sentAt, expiresAt, group, headers, history, signature, body } = parts
  const historyText = history === undefined ? undefined : JSON.stringify(history)
  const bodyBound = preparedByteBound(body.bytes)
  const textsBound = sizedTextBound(group) + sizedTextBound(headers) + sizedTextBound(historyText)
  const bound = FIXED_BYTES + textsBound + bodyBound
  if (bound > (history === undefined ? LONGEST_MESSAGE_BYTES : LONGEST_VALUE_BYTES)) throw longMessage(bound)
  const bytes = room(bound)
  let flags = body.kind
  let at = OPTIONAL_OFFSET
  putU48(bytes, SENT_AT_OFFSET, Math.min(sentAt, LATEST_EXPIRY))
  if (expiresAt > 0) {
    flags |= HAS_EXPIRY
    putU48(bytes, at, Math.min(expiresAt, LATEST_EXPIRY))
    at += EXPIRY_BYTES
  }
  if (group !== undefined) {
    flags |= HAS_GROUP
    at = putSizedText(bytes, at, group)
  }
  if (headers !== undefined) {
    flags |= HAS_HEADERS
    at = putSizedText(bytes, at, headers)
  }
  if (historyText !== undefined) {
    flags |= HAS_HISTORY
    at = putSizedText(bytes, at, historyText)
  }
  if (signature !== undefined) {
    flags |= HAS_SIGNATURE
    bytes.set(signature, at)
    at += SIGNATURE_BYTES
  }
  bytes[0] = flags
  at = putPrepared(bytes, at, body.bytes)
  assert(at <= bound, 'a message takes no more room than was made for it')
  return bytes.slice(0, at)
}

function longMessage(bytes: number): Error {
  return invalid(
    `A message has at most 255 MiB, its headers included; this one takes ${bytes} bytes. Put what is large under a key and send that, or send it in parts`,
  )
}

/** Says how many bytes the run has with this message. */
export function putTotal(message: Uint8Array, total: number): void {
  putU48(message, TOTAL_OFFSET, total)
}

/** The total whose lower bits a message says, where one is known that lies less than 2^47 bytes, 140 TB, from it. */
export function fullTotal(total: number, near: number): number {
  const difference = (total - (near % TWO_48) + TWO_48 * 1.5) % TWO_48
  return near + difference - TWO_48 / 2
}

/** When a message was sent. */
export function sentAtOf(message: Uint8Array): number {
  return getU48(message, SENT_AT_OFFSET)
}

/** Says when it was sent. */
export function putSentAt(message: Uint8Array, sentAt: number): void {
  putU48(message, SENT_AT_OFFSET, sentAt)
}

const MESSAGE = 'A stored message'
const reader = new EntryReader(MESSAGE)
const FIRST_UNKNOWN_FLAG = 0x80
const headersShape = record({})
const historyShape = record(
  { id: text, priority: whole(LOWEST_PRIORITY, HIGHEST_PRIORITY) },
  { deadLetter: record({ queue: text, reason: text, attempts: whole(), time: finite }) },
)

function historyOf(json: string): History {
  const history = parsedJson<History>(json, MESSAGE, 0)
  return believed(MESSAGE, () => {
    historyShape(history, 'the history')
    return history
  })
}

/** A stored message, taken apart but not decoded. */
export class StoredMessage {
  readonly bytes: Uint8Array
  readonly total: number
  readonly sentAt: number
  /** 0 where it does not expire. */
  readonly expiresAt: number
  readonly group: string | undefined
  readonly history: History | undefined
  readonly signature: Uint8Array | undefined
  private readonly headersStart: number
  private readonly headersEnd: number
  private readonly bodyStart: number

  /** Takes the bytes over. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    const flags = bytes[0]!
    reader.begin(bytes, OPTIONAL_OFFSET)
    if (flags >= FIRST_UNKNOWN_FLAG || (flags & BODY_KIND) > BODY_JSON) {
      throw senseless(MESSAGE, 0, 'it is of no known kind')
    }
    this.total = getU48(bytes, TOTAL_OFFSET)
    this.sentAt = getU48(bytes, SENT_AT_OFFSET)
    this.expiresAt = flags & HAS_EXPIRY ? getU48(bytes, reader.skip(6)) : 0
    this.group = flags & HAS_GROUP ? reader.text() : undefined
    this.headersStart = reader.at
    if (flags & HAS_HEADERS) this.headersStart = reader.skip(reader.number())
    this.headersEnd = reader.at
    this.history = flags & HAS_HISTORY ? historyOf(reader.text()) : undefined
    if (flags & HAS_SIGNATURE) {
      const start = reader.skip(SIGNATURE_BYTES)
      this.signature = bytes.subarray(start, start + SIGNATURE_BYTES)
    } else this.signature = undefined
    this.bodyStart = reader.at
  }

  get size(): number {
    return this.bytes.length
  }

  get bodyBytes(): number {
    return this.bytes.length - this.bodyStart
  }

  /** The body as it was sent, in memory of the caller's own. */
  body(): unknown {
    const { bytes, bodyStart } = this
    const kind = bytes[0]! & BODY_KIND
    if (kind === BODY_BYTES) return Buffer.from(bytes.slice(bodyStart).buffer)
    const text = getText(bytes, bodyStart, bytes.length)
    return kind === BODY_TEXT ? text : parsedJson(text, MESSAGE, bodyStart)
  }

  headers(): Record<string, unknown> {
    const { bytes, headersStart, headersEnd } = this
    if (headersStart === headersEnd) return {}
    const headers = parsedJson<Record<string, unknown>>(getText(bytes, headersStart, headersEnd), MESSAGE, headersStart)
    return believed(MESSAGE, () => {
      headersShape(headers, 'the headers')
      return headers
    })
  }

  /** What a signature is made over: what the body is, the headers and the body, none of which can pass for another. */
  signed(): Uint8Array[] {
    const { bytes, headersStart, headersEnd, bodyStart } = this
    const head = new Uint8Array(5)
    head[0] = bytes[0]! & BODY_KIND
    putU32(head, 1, headersEnd - headersStart)
    return [head, bytes.subarray(headersStart, headersEnd), bytes.subarray(bodyStart)]
  }

  /** The parts, to be sent on as another message; the signature stays good, for it is over body and headers. */
  parts(): MessageParts {
    const { bytes, sentAt, expiresAt, group, history, signature, headersStart, headersEnd, bodyStart } = this
    const headers = headersStart === headersEnd ? undefined : getText(bytes, headersStart, headersEnd)
    const body = { kind: bytes[0]! & BODY_KIND, bytes: bytes.subarray(bodyStart) }
    return { sentAt, expiresAt, group, headers, history, signature, body }
  }
}

function putSizedText(bytes: Uint8Array, offset: number, text: string): number {
  // Most texts are short, and then their length takes one byte.
  const start = offset + 1
  const end = putText(bytes, start, text)
  const length = end - start
  if (length < 128) {
    bytes[offset] = length
    return end
  }
  return putText(bytes, putVarint(bytes, offset, length), text)
}

function putU48(bytes: Uint8Array, offset: number, value: number): void {
  putU32(bytes, offset, value >>> 0)
  putU16(bytes, offset + 4, Math.floor(value / TWO_32) % 65536)
}

function getU48(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset) + (bytes[offset + 4]! | (bytes[offset + 5]! << 8)) * TWO_32
}
