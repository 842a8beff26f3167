import {
  KIND_DELETE,
  KIND_PUT,
  KIND_PUT_EXPIRING,
  KIND_RANGE_DELETE,
  operationBytes,
  putOperationHeader,
} from '../../src/log/operation.js'
import { Memtable } from '../../src/memtable/memtable.js'

const utf8 = new TextEncoder()
const EMPTY = new Uint8Array(0)

export type Text = string | Uint8Array

export function bytes(text: Text): Uint8Array {
  return typeof text === 'string' ? utf8.encode(text) : text
}

/** A segment of the commit log as the store would fill it: operations behind each other, and the memtables over them. */
export class SegmentWriter {
  readonly number: number
  readonly base: number
  private readonly arena: Uint8Array
  private readonly memtables = new Map<number, Memtable>()
  private end = 80

  constructor(number: number, base: number, capacity = 1 << 20) {
    this.number = number
    this.base = base
    this.arena = new Uint8Array(new SharedArrayBuffer(capacity))
  }

  /** Where the next operation stands. */
  get position(): number {
    return this.base + this.end
  }

  put(tree: number, key: Text, value: Text, newestPin = 0): number {
    return this.add(tree, KIND_PUT, key, value, 0, newestPin)
  }

  putExpiring(tree: number, key: Text, value: Text, expiresAt: number, newestPin = 0): number {
    return this.add(tree, KIND_PUT_EXPIRING, key, value, expiresAt, newestPin)
  }

  delete(tree: number, key: Text, newestPin = 0): number {
    return this.add(tree, KIND_DELETE, key, EMPTY, 0, newestPin)
  }

  /** `end` left out: to the end of all keys. */
  deleteRange(tree: number, start: Text, end?: Text): number {
    return this.add(tree, KIND_RANGE_DELETE, start, end ?? EMPTY, 0, 0)
  }

  images() {
    return [...this.memtables.values()].map((memtable) => memtable.image())
  }

  memtable(tree: number): Memtable {
    let memtable = this.memtables.get(tree)
    if (memtable === undefined) {
      memtable = new Memtable(tree, this.base, this.arena)
      this.memtables.set(tree, memtable)
    }
    return memtable
  }

  private add(tree: number, kind: number, key: Text, value: Text, expiresAt: number, newestPin: number): number {
    const keyBytes = bytes(key)
    const valueBytes = bytes(value)
    const offset = this.end
    const at = putOperationHeader(this.arena, offset, tree, kind, keyBytes.length, valueBytes.length, expiresAt)
    this.arena.set(keyBytes, at)
    this.arena.set(valueBytes, at + keyBytes.length)
    this.end = offset + operationBytes(kind, keyBytes.length, valueBytes.length)
    this.memtable(tree).add(offset, newestPin)
    return this.base + offset
  }
}
