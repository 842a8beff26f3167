import {
  KIND_DELETE,
  KIND_PUT,
  KIND_RANGE_DELETE,
  operationBytes,
  putOperationHeader,
} from '../../src/log/operation.js'

/** The memory of a log segment as far as a memtable cares: operations one behind the other. */
export class Arena {
  readonly base: number
  readonly bytes: Uint8Array
  end = 80

  constructor(capacity = 1 << 20, base = 1_000_000) {
    this.base = base
    this.bytes = new Uint8Array(new SharedArrayBuffer(capacity))
  }

  /** The position of the next operation. */
  get position(): number {
    return this.base + this.end
  }

  /** Each returns the offset of the operation it wrote. */
  put(key: Uint8Array, value: Uint8Array): number {
    return this.#write(KIND_PUT, key, value)
  }

  delete(key: Uint8Array): number {
    return this.#write(KIND_DELETE, key, NOTHING)
  }

  /** Without an end: everything from `start` on. */
  deleteRange(start: Uint8Array, end: Uint8Array = NOTHING): number {
    return this.#write(KIND_RANGE_DELETE, start, end)
  }

  #write(kind: number, key: Uint8Array, value: Uint8Array): number {
    const offset = this.end
    const keyStart = putOperationHeader(this.bytes, offset, 1, kind, key.length, value.length, 0)
    this.bytes.set(key, keyStart)
    this.bytes.set(value, keyStart + key.length)
    this.end = offset + operationBytes(kind, key.length, value.length)
    return offset
  }
}

const NOTHING = new Uint8Array(0)

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

export function key(string: string): Uint8Array {
  return new Uint8Array(Buffer.from(string, 'latin1'))
}
