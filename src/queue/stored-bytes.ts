import { corruption, SiltstoneError } from '../bytes/errors.js'
import { VarintReader } from '../bytes/integers.js'
import { getText } from '../bytes/text.js'

/** What is wrong with an entry that the messages of a store are made of; `what` says which. */
export function senseless(what: string, offset: number, problem: string, cause?: unknown): SiltstoneError {
  return corruption(what, offset, problem, cause)
}

/** JSON out of such an entry. */
export function parsedJson<T>(text: string, what: string, offset: number): T {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw senseless(what, offset, 'it holds JSON that cannot be read', error)
  }
}

/** Runs what throws a plain `Error` where an entry makes no sense. */
export function believed<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SiltstoneError) throw error
    throw senseless(what, 0, error instanceof Error ? error.message : String(error), error)
  }
}

const NOTHING = new Uint8Array(0)
const varint = new VarintReader()

/**
 * Reads an entry from front to back and holds every length to what is there. One instance is used for one entry after the other.
 */
export class EntryReader {
  at = 0
  private bytes: Uint8Array = NOTHING
  private readonly what: string

  constructor(what: string) {
    this.what = what
  }

  /** Begins with another entry, of which the part before `start` has fixed places. */
  begin(bytes: Uint8Array, start: number): void {
    this.bytes = bytes
    this.at = start
    if (start > bytes.length) throw this.tooShort()
  }

  /** A varint. */
  number(): number {
    const { at } = this
    const value = varint.read(this.bytes, at)
    this.at = varint.end
    if (this.at > this.bytes.length) throw this.tooShort()
    if (!Number.isSafeInteger(value)) throw senseless(this.what, at, 'it holds an impossible number')
    return value
  }

  /** Passes so many bytes over and says where they begin. */
  skip(length: number): number {
    const start = this.at
    if (length > this.bytes.length - start) throw this.tooShort()
    this.at = start + length
    return start
  }

  /** A text behind its length. */
  text(): string {
    const length = this.number()
    const start = this.skip(length)
    return getText(this.bytes, start, start + length)
  }

  private tooShort(): SiltstoneError {
    return senseless(this.what, this.bytes.length, 'it ends in the middle')
  }
}
