import type { Entry } from '../bytes/cursor.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import { Rounds } from '../table/rounds.js'
import type { KeyRange } from '../tree/key-range.js'
import { encodeKey, type RangeOptions } from './bounds.js'
import { describe, type Encoding, namingKey } from './encoding.js'
import type { Engine } from './engine.js'
import { SliceExpiries } from './slice-expiries.js'
import type { TreeState } from './tree-state.js'
import { type Overlay, View } from './view.js'
import { Walk } from './walk.js'

/** What `entries`, `keys` and `values` take. */
export interface ScanOptions<K> extends RangeOptions<K> {
  /** From the last key to the first (default false). */
  reverse?: boolean
  /** At most this many. */
  limit?: number
  /** Ends the scan when it aborts, with its reason. */
  signal?: AbortSignal
}

/** Hears how far a scan has read: what it did not find there counts as read too. */
export interface ScanObserver {
  /** The scan goes on from this key. */
  aimed(key: Uint8Array): void
  /** The scan has come to this entry. */
  reached(key: Uint8Array): void
  /** The scan has come to the end of its bounds. */
  ended(): void
}

/** What only the scans of a transaction have. */
export interface ScanExtras {
  readonly overlay?: Overlay | undefined
  readonly observer?: ScanObserver
  /** What ends the scan when it ends itself, instead of the store. */
  readonly owner?: Set<{ close(): void }>
}

/** What a scan is made of; its parts are checked already. */
export interface ScanPlan<K, T> extends ScanExtras {
  readonly state: TreeState
  readonly position: Position
  readonly range: KeyRange
  readonly reverse: boolean
  readonly limit: number
  readonly signal: AbortSignal | undefined
  readonly keyEncoding: Encoding<K>
  /** Makes of an entry what the scan yields. */
  read(entry: Entry): T
}

// The first slice of a `for await` is small, because many loops are left early; then they grow.
const FIRST_SLICE = 32
const LARGEST_SLICE = 1024
/** No entry, which any value could be. */
const END = Symbol('end')

/**
 * A walk over a range of keys, as the store was when the scan was made. Loop over it with `for` or `for await`, or take
 * slices with `nextMany`. Leaving a loop closes the scan; whoever takes slices closes it.
 *
 * @example
 * for (const [key, value] of db.entries({ prefix: 'user:' })) console.log(key, value)
 *
 * @example
 * const scan = db.keys({ gte: 'a' })
 * scan.seek('m')
 * const ten = await scan.nextMany(10)
 * scan.close()
 */
export class Scan<K, T> implements Iterable<T>, AsyncIterable<T> {
  private readonly engine: Engine
  private readonly plan: ScanPlan<K, T>
  private readonly view: View
  private readonly walk: Walk
  private readonly owner: Set<{ close(): void }>
  /** How many entries were taken of the walk, up to `most`; -1 where there is no limit. */
  private taken = 0
  private readonly most: number
  private ended = false
  private closed = false
  /** An entry is being read, perhaps by a program's own encoding; it stays true where that throws. */
  private reading = false
  /** What a `for await` has read ahead and not handed out; it still counts for the limit when a seek drops it. */
  private ahead: T[] = []
  private aheadAt = 0
  private aheadExpiries: SliceExpiries | undefined
  /** Of the slice that was read last; `undefined` where nothing in it expires. @internal */
  expiries: SliceExpiries | undefined
  /** Slices that were asked for and are not there yet: the next one waits for them. */
  private underWay: Promise<unknown> | undefined

  /** @internal Scans come from `entries`, `keys` and `values`. */
  constructor(engine: Engine, plan: ScanPlan<K, T>) {
    this.engine = engine
    this.plan = plan
    // Counting down from Infinity would make a number on the heap for every entry.
    this.most = plan.limit === Number.POSITIVE_INFINITY ? -1 : plan.limit
    this.view = new View(engine, plan.state, plan.position)
    this.walk = new Walk(
      () => this.view.sources(plan.range, plan.overlay),
      plan.range,
      plan.reverse,
      (range, hiddenInMemory) => engine.crawls.met(plan.state, range, hiddenInMemory),
    )
    engine.cache.blocking = false
    try {
      this.walk.start()
    } catch (error) {
      // Tables that are not open yet, on a slow disk: the first step opens them, in whatever way it reads.
      if (!(error instanceof BlockNotResident)) {
        // A table could not be opened. What nobody can close must not hold on to anything.
        this.view.release()
        throw error
      }
    } finally {
      engine.cache.blocking = true
    }
    if (this.most >= 0) this.expect(this.most)
    this.owner = plan.owner ?? engine.scans
    this.owner.add(this)
  }

  /** Moves to the first entry at or after the key in the scan's direction; out of the scan's bounds, to its end. */
  seek(key: K): void {
    this.checkOpen()
    const bytes = encodeKey(this.plan.keyEncoding, key, 'A key to seek')
    this.walk.aim(bytes)
    this.plan.observer?.aimed(bytes)
    this.ended = false
    this.taken -= this.ahead.length - this.aheadAt
    this.ahead = []
    this.aheadAt = 0
    this.aheadExpiries = undefined
  }

  /** The next `count` entries, fewer at the end. Never blocks on a slow disk. */
  nextMany(count: number): Promise<T[]> {
    return this.nextUntil(count, never)
  }

  /** The next `count` entries, fewer at the end or once they are enough. @internal */
  nextUntil(count: number, isEnough: () => boolean): Promise<T[]> {
    const fill = (): Promise<T[]> => this.fill(count, isEnough)
    const slice = this.underWay === undefined ? fill() : this.underWay.then(fill)
    const settled: Promise<void> = slice.then(nothing, nothing).then(() => {
      if (this.underWay === settled) this.underWay = undefined
    })
    this.underWay = settled
    return slice
  }

  private async fill(count: number, isEnough: () => boolean): Promise<T[]> {
    checkCount(count)
    this.checkOpen()
    this.expect(count)
    this.expiries = undefined
    const slice = this.takeAhead(count)
    const { engine } = this
    const rounds = new Rounds()
    for (;;) {
      this.checkOpen()
      const before = slice.length
      const missing = this.take(slice, count, rounds.isLast, isEnough)
      if (slice.length > before) rounds.reset()
      if (missing !== undefined) {
        await rounds.load(missing)
        continue
      }
      // Behind a full slice too: whoever takes one after the other never leaves the microtasks otherwise.
      if (engine.turn.isDue()) await engine.turn.next()
      if (slice.length === count || this.ended || isEnough()) return slice
    }
  }

  /** The same on this thread. */
  nextManySync(count: number): T[] {
    checkCount(count)
    this.checkOpen()
    this.expect(count)
    const slice = this.takeAhead(count)
    while (slice.length < count && !this.ended) this.take(slice, count, true, never)
    return slice
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

  /** Counts what is left without decoding it, and ends the scan. @internal */
  async count(): Promise<number> {
    const { engine, walk } = this
    let count = 0
    const rounds = new Rounds()
    walk.now = 0
    try {
      while (this.taken !== this.most) {
        this.checkOpen()
        const missing = this.step(rounds.isLast)
        if (missing !== undefined) {
          await rounds.load(missing)
          walk.now = 0
          continue
        }
        rounds.reset()
        if (walk.current === undefined) break
        count++
        this.taken++
        if (count % LARGEST_SLICE !== 0) continue
        if (engine.turn.isDue()) await engine.turn.next()
        walk.now = 0
      }
      if (engine.turn.isDue()) await engine.turn.next()
      return count
    } finally {
      this.close()
    }
  }

  /** The same on this thread. @internal */
  countSync(): number {
    let count = 0
    this.walk.now = 0
    try {
      this.checkOpen()
      for (; this.taken !== this.most; this.taken++, count++) {
        this.advance()
        if (this.walk.current === undefined) break
      }
      return count
    } finally {
      this.close()
    }
  }

  /** Ends the scan; twice is once. */
  close(): void {
    if (this.closed) return
    this.closed = true
    if (!this.reading) this.walk.close()
    this.view.release()
    this.owner.delete(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  [Symbol.iterator](): IterableIterator<T> {
    return new StepIterator(this)
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return new SliceIterator(this)
  }

  /** Whether the next entry was read ahead. @internal */
  get hasAhead(): boolean {
    if (this.aheadExpiries !== undefined) this.dropExpired(this.aheadExpiries)
    return this.aheadAt < this.ahead.length
  }

  /** The next entry. Requires: it was read ahead. @internal */
  nextAhead(): T {
    return this.ahead[this.aheadAt++]!
  }

  /** One entry on this thread, for whoever loops; END behind the last one. @internal */
  nextOne(): T | typeof END {
    this.checkOpen()
    if (this.hasAhead) return this.nextAhead()
    if (this.taken === this.most) return END
    this.walk.now = 0
    this.advance()
    const { current } = this.walk
    if (current === undefined) return END
    this.taken++
    return this.read(current)
  }

  /** Reads up to `count` entries that are handed out one by one; says how many there were. Requires: all that were are. @internal */
  async readAhead(count: number): Promise<number> {
    this.ahead = await this.nextMany(count)
    this.aheadAt = 0
    this.aheadExpiries = this.expiries
    return this.ahead.length
  }

  /** What has expired since it was read ahead is not handed out, and does not count for the limit. */
  private dropExpired(expiries: SliceExpiries): void {
    while (this.aheadAt < this.ahead.length && expiries.isPast(this.aheadAt)) {
      this.aheadAt++
      this.taken--
      this.ended = false
    }
  }

  /** So many entries are about to be taken, unless the scan's own limit is less. */
  private expect(count: number): void {
    this.walk.expected = this.most < 0 ? count : Math.min(count, this.most - this.taken)
  }

  private takeAhead(count: number): T[] {
    const slice: T[] = []
    while (slice.length < count && this.hasAhead) slice.push(this.nextAhead())
    return slice
  }

  /** Adds up to `count` entries to a slice, or says which block is missing. */
  private take(slice: T[], count: number, blocking: boolean, isEnough: () => boolean): BlockNotResident | undefined {
    const { walk } = this
    const until = Math.min(count, slice.length + LARGEST_SLICE)
    walk.now = 0
    while (slice.length < until) {
      if (this.taken === this.most) {
        this.ended = true
        return undefined
      }
      const isCertain = walk.certain > 0
      if (isCertain) {
        this.advance()
      } else {
        const missing = this.step(blocking)
        if (missing !== undefined) return missing
      }
      if (walk.current === undefined) {
        this.ended = true
        return undefined
      }
      this.taken++
      // What comes for certain does not expire.
      if (!isCertain && walk.current.expiresAt !== 0) this.noteExpiry(slice.length, walk.current.expiresAt)
      slice.push(this.read(walk.current))
      if (isEnough()) return undefined
    }
    return undefined
  }

  private noteExpiry(place: number, expiresAt: number): void {
    this.expiries ??= new SliceExpiries(this.engine.clock)
    this.expiries.note(place, expiresAt)
  }

  private read(current: Entry): T {
    this.reading = true
    try {
      const read = this.plan.read(current)
      this.reading = false
      return read
    } catch (error) {
      throw this.naming(error, current)
    }
  }

  private naming(error: unknown, { keyBytes, keyStart, keyEnd }: Entry): unknown {
    const { keyEncoding, state } = this.plan
    const key = keyBytes.slice(keyStart, keyEnd)
    try {
      keyEncoding.read(key, 0, key.length)
    } catch {
      return namingKey(error, 'key', state.name, key)
    }
    return namingKey(error, 'value', state.name, key)
  }

  private advance(): void {
    const { walk } = this
    const { observer } = this.plan
    walk.advance()
    if (observer === undefined) return
    const { current } = walk
    if (current === undefined) observer.ended()
    else observer.reached(current.keyBytes.slice(current.keyStart, current.keyEnd))
  }

  private step(blocking: boolean): BlockNotResident | undefined {
    const { cache } = this.engine
    if (blocking) {
      this.advance()
      return undefined
    }
    cache.blocking = false
    try {
      this.advance()
      return undefined
    } catch (error) {
      if (error instanceof BlockNotResident) return error
      throw error
    } finally {
      cache.blocking = true
    }
  }

  /** @internal */
  checkOpen(): void {
    this.engine.checkOpen()
    this.plan.signal?.throwIfAborted()
    if (this.closed) throw new SiltstoneError('SILT_NOT_OPEN', 'The scan is closed; make a new one')
  }
}

/** Walks a scan for `for`. A generator would do the same and take 20 ns more for an entry. */
class StepIterator<K, T> implements IterableIterator<T> {
  private readonly scan: Scan<K, T>
  private done = false

  constructor(scan: Scan<K, T>) {
    this.scan = scan
  }

  next(): IteratorResult<T> {
    if (this.done) return { value: undefined, done: true }
    let value: T | typeof END
    try {
      value = this.scan.nextOne()
    } catch (error) {
      this.return()
      throw error
    }
    return value === END ? this.return() : { value, done: false }
  }

  return(): IteratorResult<T> {
    this.done = true
    this.scan.close()
    return { value: undefined, done: true }
  }

  [Symbol.iterator](): this {
    return this
  }
}

/** Walks a scan for `for await`: slices are fetched ahead, so that most steps only resolve what is there. */
class SliceIterator<K, T> implements AsyncIterator<T> {
  private readonly scan: Scan<K, T>
  private size = FIRST_SLICE
  private done = false
  /** Who asks for the next entry before the one before it is there waits for that. */
  private refilling: Promise<void> | undefined

  constructor(scan: Scan<K, T>) {
    this.scan = scan
  }

  next(): Promise<IteratorResult<T>> {
    const { scan } = this
    if (this.done) return this.return()
    if (this.refilling !== undefined) return this.refilling.then(() => this.next())
    if (!scan.hasAhead) {
      const result = this.refill()
      this.refilling = result.then(nothing, nothing).then(() => {
        this.refilling = undefined
      })
      return result
    }
    try {
      // An end that was put to the scan, by whomever, counts for what was read ahead as well.
      scan.checkOpen()
    } catch (error) {
      return this.fail(error)
    }
    return Promise.resolve({ value: scan.nextAhead(), done: false })
  }

  async return(): Promise<IteratorResult<T>> {
    this.done = true
    this.scan.close()
    return { value: undefined, done: true }
  }

  private async refill(): Promise<IteratorResult<T>> {
    const { scan } = this
    try {
      // What has expired on the way here is not handed out, and is no end.
      while ((await scan.readAhead(this.size)) > 0 && !scan.hasAhead);
    } catch (error) {
      return this.fail(error)
    }
    this.size = Math.min(this.size * 2, LARGEST_SLICE)
    return scan.hasAhead ? { value: scan.nextAhead(), done: false } : this.return()
  }

  private async fail(error: unknown): Promise<never> {
    this.done = true
    this.scan.close()
    throw error
  }
}

function nothing(): void {}

function never(): boolean {
  return false
}

function checkCount(count: number): void {
  if (count === Number.POSITIVE_INFINITY || (Number.isInteger(count) && count >= 0)) return
  throw invalid(`The number of entries must be a whole number, not ${describe(count)}`)
}

/** Checks the options that bounds leave over. */
export function scanLimit(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && limit >= 0)) return limit
  throw invalid(`Option limit must be a whole number of entries, not ${describe(limit)}`)
}
