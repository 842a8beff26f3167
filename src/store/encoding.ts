import type { Entry } from '../bytes/cursor.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import { describe, reasonOf } from '../bytes/reason.js'
import { getText, putText, textByteBound } from '../bytes/text.js'

export { describe }

/** A pair of functions of the user's own; for keys the bytes must order as the values should. */
export interface CustomEncoding<T> {
  /** What is stored for a value. */
  encode(value: T): Uint8Array | string
  /** The value of what was stored. */
  decode(bytes: Uint8Array): T
}

/** The encodings that come with the store. */
export type EncodingName = 'utf8' | 'buffer' | 'view' | 'json'

/** What `keyEncoding` and `valueEncoding` take. */
export type EncodingOption<T = unknown> = EncodingName | CustomEncoding<T>

/** Any encoding, or none. */
// biome-ignore lint/suspicious/noExplicitAny: functions of a user's own take and give what they like
export type AnyEncoding = EncodingOption<any> | undefined

/** What is read through an encoding. `Otherwise` stands where none was given. */
export type Decoded<E, Otherwise> = [E] extends [undefined]
  ? Otherwise
  : [EncodingName] extends [E]
    ? DecodedByFunctions<E>
    : DecodedByName<E, Otherwise>

/** Of an encoding by its name, what it is known to give. */
type DecodedByName<E, Otherwise> = E extends undefined
  ? Otherwise
  : E extends EncodingName
    ? NamedTypes[E]
    : DecodedByFunctions<E>

/** Of an option that could be anything, what its functions would give: that is what it was declared with. */
type DecodedByFunctions<E> = E extends { decode(bytes: Uint8Array): infer T } ? T : never

/** What the encodings that come with the store give. */
interface NamedTypes {
  /** Text. */
  utf8: string
  /** A copy of the bytes. */
  buffer: Buffer
  /** The same as a plain array of bytes. */
  view: Uint8Array
  /** What JSON.parse gives. */
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse has it; `open<string, User>` says more
  json: any
}

/** The options that decide what keys and values are. */
export interface EncodingOptions<KE, VE> {
  /** How keys become bytes. Bytes decide the order. */
  keyEncoding?: KE
  /** How values become bytes. */
  valueEncoding?: VE
}

/** What JSON does not give back as it was: dates become texts, functions and bigints nothing or an error. */
type NotInJson =
  | bigint
  | symbol
  | ((...args: never[]) => unknown)
  | { toJSON(...args: never[]): unknown }
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBufferView
  | ArrayBuffer
  | RegExp

/** A type with `never` wherever JSON gives something else back. */
type AsJson<T> = T extends NotInJson ? never : T extends object ? { [P in keyof T]: AsJson<T[P]> } : T

/** The names of encodings that a type may have. */
type NameOf<T> =
  | ([T] extends [string] ? 'utf8' : never)
  | ([T] extends [Uint8Array] ? 'buffer' | 'view' : never)
  | ([T] extends [AsJson<T>] ? 'json' : never)

/** The encoding that belongs to a type which was said; needed where it is not the one that holds anyway. */
export type EncodingFor<T, Otherwise, Name extends string> = unknown extends T
  ? { [P in Name]?: EncodingOption<T> }
  : [T, Otherwise] extends [Otherwise, T]
    ? { [P in Name]?: EncodingOption<T> }
    : { [P in Name]: NameOf<T> | CustomEncoding<T> }

/** The options of a call that was told the types of keys and values: which encodings are needed, and which may be. */
export type TypedOptions<Options, K, V, K0 = string, V0 = string> = Omit<Options, 'keyEncoding' | 'valueEncoding'> &
  EncodingFor<K, K0, 'keyEncoding'> &
  EncodingFor<V, V0, 'valueEncoding'>

/** The same as arguments: with nothing that is needed they may be left out. */
export type TypedArguments<Options, K, V, K0 = string, V0 = string> =
  Record<never, never> extends TypedOptions<Options, K, V, K0, V0>
    ? [options?: TypedOptions<Options, K, V, K0, V0>]
    : [options: TypedOptions<Options, K, V, K0, V0>]

/** What the store makes of an encoding: bytes or text on the way in, a value of the caller's own on the way out. */
export interface Encoding<T> {
  /** Requires: neither null nor undefined. */
  prepare(value: T): string | Uint8Array
  read(bytes: Uint8Array, start: number, end: number): T
  /** The same of the text of the bytes, where that is all it looks at: scans have texts cheaper than one by one. */
  readonly readText?: (text: string) => T
}

const utf8: Encoding<string> = {
  prepare: (value) => (typeof value === 'string' ? value : bytesOf(value, "'utf8'", 'a string')),
  read: getText,
  readText: (text) => text,
}

const buffer: Encoding<Buffer> = {
  prepare: (value) => (typeof value === 'string' ? value : bytesOf(value, "'buffer'", 'a Buffer')),
  read: (bytes, start, end) => {
    const copy = Buffer.allocUnsafeSlow(end - start)
    copy.set(bytes.subarray(start, end))
    return copy
  },
}

const view: Encoding<Uint8Array> = {
  prepare: (value) => (typeof value === 'string' ? value : bytesOf(value, "'view'", 'a Uint8Array')),
  read: copyBytes,
}

const json: Encoding<unknown> = {
  prepare: (value) => {
    const text = stringify(value)
    if (text === undefined) throw invalid(`Encoding 'json' has no text for ${describe(value)}`)
    return text
  },
  read: (bytes, start, end) => parse(getText(bytes, start, end)),
  readText: parse,
}

/** Bytes that encoding 'json' has not written; whoever knows of which key says so (`namingKey`). */
export class NotJson extends SiltstoneError {
  /** What JSON.parse said. */
  readonly reason: string

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('SILT_CORRUPTION', `What was read is no JSON: ${reason}`, { cause })
    this.reason = reason
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NotJson(error)
  }
}

/** The error of a value, or of the key itself, that could not be read: with its key and keyspace. Others stay what they are. */
export function namingKey(error: unknown, what: 'key' | 'value', keyspace: string, key: Uint8Array | string): unknown {
  if (!(error instanceof NotJson)) return error
  const place = keyspace === '' ? 'the default keyspace' : `keyspace '${keyspace}'`
  const subject = what === 'key' ? `Key ${shown(key)}` : `The value of key ${shown(key)}`
  return new SiltstoneError(
    'SILT_CORRUPTION',
    `${subject} in ${place} is no JSON: ${error.reason}. Read it with the encoding that it was written with: keyspace.as({ ${what}Encoding: 'buffer' })`,
    { cause: error.cause },
  )
}

const MOST_SHOWN = 100

/** A key as a text, or as hex where it is none. */
function shown(key: Uint8Array | string): string {
  const text = typeof key === 'string' ? key : Buffer.from(key).toString()
  const isText = typeof key === 'string' || Buffer.compare(Buffer.from(text), key) === 0
  const whole = isText ? text : Buffer.from(key as Uint8Array).toString('hex')
  const part = whole.length > MOST_SHOWN ? `${whole.slice(0, MOST_SHOWN)}…` : whole
  return isText ? `'${part}'` : `0x${part}`
}

const named: Record<EncodingName, Encoding<never>> = { utf8, buffer, view, json } as never

/** The key of an entry that a scan has come to. */
export function readKey<K>({ read, readText }: Encoding<K>, entry: Entry): K {
  return readText === undefined ? read(entry.keyBytes, entry.keyStart, entry.keyEnd) : readText(entry.keyText())
}

/** The value of an entry that a scan has come to. */
export function readValue<V>({ read, readText }: Encoding<V>, entry: Entry): V {
  return readText === undefined ? read(entry.valueBytes, entry.valueStart, entry.valueEnd) : readText(entry.valueText())
}

/** Refuses circles and big integers as the mistake of the caller that they are. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (error) {
    const problem = `Encoding 'json' has no text for ${describe(value)}: ${reasonOf(error)}`
    throw new SiltstoneError('SILT_INVALID_ARGUMENT', problem, { cause: error })
  }
}

/** The bytes in an array of their own. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}

function bytesOf(value: unknown, encoding: string, expected: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  throw invalid(`Encoding ${encoding} takes ${expected}, not ${describe(value)}`)
}

/** Turns the option into an encoding; `option` is its name, for the error. */
export function resolveEncoding<T>(encoding: EncodingOption<T>, option: string): Encoding<T> {
  if (typeof encoding === 'string') {
    if (Object.hasOwn(named, encoding)) return named[encoding] as Encoding<T>
    throw invalid(`${option} '${encoding}' is not known; take 'utf8', 'buffer', 'view', 'json' or { encode, decode }`)
  }
  if (typeof encoding?.encode !== 'function' || typeof encoding.decode !== 'function') {
    throw invalid(`${option} must be 'utf8', 'buffer', 'view', 'json' or { encode, decode }, not ${describe(encoding)}`)
  }
  return {
    prepare: (value) => {
      const encoded = encoding.encode(value)
      return typeof encoded === 'string' ? encoded : bytesOf(encoded, `of ${option}`, 'bytes or a string from encode()')
    },
    read: (bytes, start, end) => encoding.decode(copyBytes(bytes, start, end)),
  }
}

/** Room that `putPrepared` may need. */
export function preparedByteBound(prepared: string | Uint8Array): number {
  return typeof prepared === 'string' ? textByteBound(prepared) : prepared.length
}

/** Writes a prepared value and returns the offset behind it. */
export function putPrepared(bytes: Uint8Array, offset: number, prepared: string | Uint8Array): number {
  if (typeof prepared === 'string') return putText(bytes, offset, prepared)
  bytes.set(prepared, offset)
  return offset + prepared.length
}
