import { Found } from '../bytes/cursor.js'
import { copyBytes, resolveEncoding } from '../store/encoding.js'
import type { Engine } from '../store/engine.js'
import { Scan } from '../store/scan.js'
import type { TreeState } from '../store/tree-state.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import type { KeyRange } from '../tree/key-range.js'

const found = new Found()
const bytes = resolveEncoding<Uint8Array>('view', 'keyEncoding')

// Most who walk want the first few.
const FIRST_STEP = 8
const LARGEST_STEP = 256

/** An entry in bytes of its own. */
export interface RawEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Reads one of the engine's trees as it is now, in bytes. */
export class TreeReader {
  readonly state: TreeState
  private readonly engine: Engine

  constructor(engine: Engine, state: TreeState) {
    this.engine = engine
    this.state = state
  }

  /** A value, waiting for the disk if it must. */
  get(key: Uint8Array): Uint8Array | undefined {
    const { engine, state } = this
    if (!engine.lookup(state, key, key.length, engine.visible, found)) return undefined
    return copyBytes(found.bytes, found.start, found.end)
  }

  /** A value where that takes no wait; `null` where the disk would have to be asked. */
  getResident(key: Uint8Array): Uint8Array | undefined | null {
    const { cache } = this.engine
    cache.blocking = false
    try {
      return this.get(key)
    } catch (error) {
      if (error instanceof BlockNotResident) return null
      throw error
    } finally {
      cache.blocking = true
    }
  }

  has(key: Uint8Array): boolean {
    const { engine, state } = this
    return engine.lookup(state, key, key.length, engine.visible, found)
  }

  /** The entries of a range in their order. Without ever blocking until there are `limit`, or `maxBytes` of values. */
  async slice(range: KeyRange, limit: number, maxBytes = Number.POSITIVE_INFINITY): Promise<RawEntry[]> {
    let size = 0
    const scan = this.scan(range, false, (entry) => {
      size += entry.value.length
      return entry
    })
    try {
      return await scan.nextUntil(limit, () => size >= maxBytes)
    } finally {
      scan.close()
    }
  }

  /** All entries of a range, on this thread. */
  all(range: KeyRange): RawEntry[] {
    return this.scan(range, false, (entry) => entry).toArraySync()
  }

  /** The entries of a range one after the other, on this thread, no further than is asked for: a range may be longer than memory. */
  *each(range: KeyRange): Generator<RawEntry, void, undefined> {
    const scan = this.scan(range, false, (entry) => entry)
    try {
      for (let size = FIRST_STEP; ; size = LARGEST_STEP) {
        const entries = scan.nextManySync(size)
        yield* entries
        if (entries.length < size) return
      }
    } finally {
      scan.close()
    }
  }

  /** The last entry of a range, on this thread. */
  last(range: KeyRange): RawEntry | undefined {
    return this.edge(range, true)
  }

  /** The first entry of a range, on this thread. */
  first(range: KeyRange): RawEntry | undefined {
    return this.edge(range, false)
  }

  private edge(range: KeyRange, reverse: boolean): RawEntry | undefined {
    const scan = this.scan(range, reverse, (entry) => entry)
    try {
      return scan.nextManySync(1)[0]
    } finally {
      scan.close()
    }
  }

  private scan<T>(range: KeyRange, reverse: boolean, make: (entry: RawEntry) => T): Scan<Uint8Array, T> {
    return new Scan(this.engine, {
      state: this.state,
      position: this.engine.visible,
      range,
      reverse,
      limit: Number.POSITIVE_INFINITY,
      signal: undefined,
      keyEncoding: bytes,
      read: (at) =>
        make({
          key: copyBytes(at.keyBytes, at.keyStart, at.keyEnd),
          value: copyBytes(at.valueBytes, at.valueStart, at.valueEnd),
        }),
    })
  }
}
