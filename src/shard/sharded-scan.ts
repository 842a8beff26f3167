import type { Clock } from '../bytes/clock.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import { describe } from '../store/encoding.js'
import type { Row, ShardScan } from './shard.js'

// The first slice of a `for await` is small, because many loops are left early; then they grow.
const FIRST_SLICE = 32
const LARGEST_SLICE = 1024

/** What a scan does with what it finds. */
export interface ScanReading<K, T> {
  readonly signal: AbortSignal | undefined
  /** What says when an entry that was fetched ahead has expired. */
  readonly clock: Clock
  encodeKey(key: K): Uint8Array
  read(row: Row): T
}

/**
 * A walk over a range of keys of all shards, in key order, as the store was when the scan was made: `Scan` of a single store, with
 * the same rules. Leaving a loop closes it; whoever takes slices closes it.
 *
 * @example
 * for await (const [key, value] of store.entries({ prefix: 'user:' })) console.log(key, value)
 */
export class ShardedScan<K, T> implements Iterable<T>, AsyncIterable<T> {
  private readonly rows: ShardScan
  private readonly reading: ScanReading<K, T>
  private readonly checkStore: () => void
  private closed = false

  /** @internal Scans come from `entries`, `keys` and `values`. */
  constructor(rows: ShardScan, reading: ScanReading<K, T>, checkStore: () => void) {
    this.rows = rows
    this.reading = reading
    this.checkStore = checkStore
  }

  /** Moves to the first entry at or after the key in the scan's direction; out of the scan's bounds, to its end. */
  seek(key: K): void {
    this.checkOpen()
    this.rows.seek(this.reading.encodeKey(key))
  }

  /** The next `count` entries, fewer at the end. */
  async nextMany(count: number): Promise<T[]> {
    checkCount(count)
    this.checkOpen()
    const live: Row[] = []
    for (;;) {
      const asked = count - live.length
      const rows = await this.rows.nextMany(asked)
      this.checkOpen()
      for (const row of rows) if (!this.isPast(row)) live.push(row)
      // Fewer than were asked for are the last ones.
      if (live.length === count || rows.length < asked) return live.map(this.reading.read)
    }
  }

  /** The same on this thread. */
  nextManySync(count: number): T[] {
    checkCount(count)
    this.checkOpen()
    const live: Row[] = []
    for (;;) {
      const asked = count - live.length
      const rows = this.rows.nextManySync(asked)
      for (const row of rows) if (!this.isPast(row)) live.push(row)
      if (live.length === count || rows.length < asked) return live.map(this.reading.read)
    }
  }

  /** Shards are read in slices ahead of whoever takes the entries: an expired key is gone for running scans, too. */
  private isPast({ expiresAt }: Row): boolean {
    return expiresAt !== 0 && expiresAt <= this.reading.clock.now()
  }

  /** Everything that is left, and the end of the scan. */
  async toArray(): Promise<T[]> {
    try {
      return await this.nextMany(Number.POSITIVE_INFINITY)
    } finally {
      this.close()
    }
  }

  /** The same on this thread. */
  toArraySync(): T[] {
    try {
      return this.nextManySync(Number.POSITIVE_INFINITY)
    } finally {
      this.close()
    }
  }

  /** @internal */
  async count(): Promise<number> {
    try {
      let count = 0
      for (;;) {
        const slice = await this.nextMany(LARGEST_SLICE)
        count += slice.length
        if (slice.length < LARGEST_SLICE) return count
      }
    } finally {
      this.close()
    }
  }

  /** @internal */
  countSync(): number {
    try {
      let count = 0
      for (;;) {
        const slice = this.nextManySync(LARGEST_SLICE)
        count += slice.length
        if (slice.length < LARGEST_SLICE) return count
      }
    } finally {
      this.close()
    }
  }

  /** Ends the scan; twice is once. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.rows.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.closed) return
    try {
      for (let size = FIRST_SLICE; ; size = Math.min(size * 2, LARGEST_SLICE)) {
        this.checkOpen()
        const rows = this.rows.nextManySync(size)
        for (const row of rows) {
          this.checkOpen()
          if (!this.isPast(row)) yield this.reading.read(row)
        }
        if (rows.length < size) return
      }
    } finally {
      this.close()
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    if (this.closed) return
    try {
      for (let size = FIRST_SLICE; ; size = Math.min(size * 2, LARGEST_SLICE)) {
        this.checkOpen()
        const rows = await this.rows.nextMany(size)
        for (const row of rows) {
          this.checkOpen()
          if (!this.isPast(row)) yield this.reading.read(row)
        }
        if (rows.length < size) return
      }
    } finally {
      this.close()
    }
  }

  private checkOpen(): void {
    this.checkStore()
    this.reading.signal?.throwIfAborted()
    if (this.closed) throw new SiltstoneError('SILT_NOT_OPEN', 'The scan is closed; make a new one')
  }
}

function checkCount(count: number): void {
  if (count === Number.POSITIVE_INFINITY || (Number.isInteger(count) && count >= 0)) return
  throw invalid(`The number of entries must be a whole number, not ${describe(count)}`)
}
