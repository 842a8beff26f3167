import type { Cursor } from '../../src/bytes/cursor.js'
import { Found } from '../../src/bytes/cursor.js'
import { KIND_DELETE } from '../../src/log/operation.js'
import { Memtable } from '../../src/memtable/memtable.js'
import { Arena, key, text } from './arena.js'

/** One version of a key. Keys are latin1 text, which orders like the bytes it stands for. */
export interface Version {
  readonly key: string
  readonly position: number
  readonly value: string
  readonly deleted: boolean
}

/**
 * A memtable, and beside it the simplest thing that answers the same questions: every version there ever was, and which of
 * them had to be kept.
 */
export class Modelled {
  readonly arena: Arena
  readonly memtable: Memtable
  /** What readers hold, as the store would. */
  readonly pins: number[] = []
  readonly #all = new Map<string, Version[]>()
  readonly #kept = new Map<string, Version[]>()
  #keys: string[] | undefined

  constructor(capacityBytes = 1 << 20) {
    this.arena = new Arena(capacityBytes)
    this.memtable = new Memtable(1, this.arena.base, this.arena.bytes)
  }

  put(name: string, value = String(this.arena.end)): void {
    this.#add(this.arena.put(key(name), key(value)), { key: name, position: 0, value, deleted: false })
  }

  delete(name: string): void {
    this.#add(this.arena.delete(key(name)), { key: name, position: 0, value: '', deleted: true })
  }

  /** Pins the state as it is now. */
  pin(): number {
    this.pins.push(this.arena.position)
    return this.arena.position
  }

  unpin(position: number): void {
    this.pins.splice(this.pins.indexOf(position), 1)
  }

  #add(offset: number, version: Version): void {
    const newestPin = Math.max(0, ...this.pins)
    this.memtable.add(offset, newestPin)
    const added = { ...version, position: this.arena.base + offset }
    const all = this.#all.get(version.key)
    const kept = this.#kept.get(version.key)
    if (all === undefined || kept === undefined) {
      this.#all.set(version.key, [added])
      this.#kept.set(version.key, [added])
      this.#keys = undefined
      return
    }
    all.unshift(added)
    if (newestPin > kept[0]!.position) kept.unshift(added)
    else kept[0] = added
  }

  get keys(): readonly string[] {
    // Text of code units below 256 sorts as its bytes do.
    return (this.#keys ??= [...this.#all.keys()].sort())
  }

  /** What a reader at `limit` sees of a key. */
  versionAt(name: string, limit: number): Version | undefined {
    return this.#all.get(name)?.find(({ position }) => position < limit)
  }

  /** Everything that a reader at `limit` sees, in order. */
  stateAt(limit: number): Version[] {
    return this.keys.map((name) => this.versionAt(name, limit)).filter((version) => version !== undefined)
  }

  /** Every version that has to be there still, newest first within a key. */
  get keptVersions(): Version[] {
    return this.keys.flatMap((name) => this.#kept.get(name)!)
  }

  get deletionCount(): number {
    return this.keptVersions.filter(({ deleted }) => deleted).length
  }
}

/** What a lookup answers. */
export function lookup(memtable: Memtable, name: string, limit: number): Version | undefined {
  const found = new Found()
  const bytes = key(name)
  // Among other bytes, because that is how a key stands in a reader's scratch memory.
  const among = Uint8Array.of(7, 7, ...bytes, 7)
  if (!memtable.lookup(among, 2, 2 + bytes.length, limit, found)) return undefined
  const value = text(found.bytes.subarray(found.start, found.end))
  return { key: name, position: found.position, value, deleted: found.kind === KIND_DELETE }
}

/** What a cursor stands on. */
export function shown(cursor: Cursor): Version | undefined {
  if (!cursor.valid) return undefined
  return {
    key: text(cursor.keyBytes.subarray(cursor.keyStart, cursor.keyEnd)),
    position: cursor.position,
    value: text(cursor.valueBytes.subarray(cursor.valueStart, cursor.valueEnd)),
    deleted: cursor.kind === KIND_DELETE,
  }
}

export function forward(cursor: Cursor): Version[] {
  const versions: Version[] = []
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) versions.push(shown(cursor)!)
  return versions
}

export function backward(cursor: Cursor): Version[] {
  const versions: Version[] = []
  for (cursor.seekToLast(); cursor.valid; cursor.prev()) versions.push(shown(cursor)!)
  return versions
}
