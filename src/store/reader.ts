import { type Entry, Found } from '../bytes/cursor.js'
import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { LONGEST_KEY_BYTES } from '../log/operation.js'
import { BlockNotResident } from '../table/block-not-resident.js'
import { Rounds } from '../table/rounds.js'
import type { KeyRange } from '../tree/key-range.js'
import { checkKeyLength, type RangeOptions, resolveRange } from './bounds.js'
import {
  describe,
  type Encoding,
  NotJson,
  namingKey,
  preparedByteBound,
  putPrepared,
  readKey,
  readValue,
} from './encoding.js'
import type { Engine } from './engine.js'
import { checkNames, checkReadNames, SCAN_NAMES } from './option-names.js'
import { Scan, type ScanExtras, type ScanOptions, scanLimit } from './scan.js'
import type { TreeState } from './tree-state.js'

/** Something that fixes the position of a read: what `db.snapshot()` returns. */
export interface ReadPoint {
  /** @internal */
  positionIn(engine: Engine): Position
}

/** What point reads take. */
export interface ReadOptions {
  /** Read as of this snapshot. */
  snapshot?: ReadPoint
}

// One lookup runs at a time, so all of them share the place for the key and for what was found.
const found = new Found()
// A text of 65,535 characters may take three bytes each before its length is known.
const keyBytes = new Uint8Array(LONGEST_KEY_BYTES * 3)

const NO_EXTRAS: ScanExtras = {}

/**
 * The reads of a keyspace, live or at a snapshot. The promise forms answer at once while the bytes are in memory or come from the page
 * cache, and go through the thread pool when the disk is slow; the `Sync` forms always answer on this thread.
 */
export abstract class Reader<K, V> {
  /** @internal */
  readonly engine: Engine
  /** @internal */
  readonly state: TreeState
  /** @internal */
  readonly keyEncoding: Encoding<K>
  /** @internal */
  readonly valueEncoding: Encoding<V>

  /** @internal */
  constructor(engine: Engine, state: TreeState, keyEncoding: Encoding<K>, valueEncoding: Encoding<V>) {
    this.engine = engine
    this.state = state
    this.keyEncoding = keyEncoding
    this.valueEncoding = valueEncoding
  }

  /** Where a read without a snapshot of its own reads. Throws where it cannot. @internal */
  protected abstract readPosition(): Position

  /**
   * The value of a key, `undefined` where there is none.
   *
   * @example
   * const value = await db.get('user:1')
   */
  get(key: K, options?: ReadOptions): Promise<V | undefined> {
    return this.answer(key, options, decodeFound)
  }

  /** The same on this thread, waiting for the disk if it must. */
  getSync(key: K, options?: ReadOptions): V | undefined {
    const position = this.positionOf(options)
    return this.find(keyBytes, this.putKey(key), position, found) ? this.readFound(key) : undefined
  }

  private readFound(key: K): V {
    try {
      return this.valueEncoding.read(found.bytes, found.start, found.end)
    } catch (error) {
      throw this.naming(error, key)
    }
  }

  private naming(error: unknown, key: K): unknown {
    // The error may as well be about the key.
    if (!(error instanceof NotJson)) return error
    return namingKey(error, 'value', this.state.name, this.keyEncoding.prepare(key))
  }

  /** Whether a key is there. */
  has(key: K, options?: ReadOptions): Promise<boolean> {
    return this.answer(key, options, isThere)
  }

  /** The same on this thread. */
  hasSync(key: K, options?: ReadOptions): boolean {
    return this.find(keyBytes, this.putKey(key), this.positionOf(options), found)
  }

  /**
   * The values of many keys, in their order, all as of one moment.
   *
   * @example
   * const [ada, bob] = await db.getMany(['user:ada', 'user:bob'])
   */
  getMany(keys: readonly K[], options?: ReadOptions): Promise<(V | undefined)[]> {
    return this.answerMany(keys, options, decodeFound)
  }

  /** The same on this thread. */
  getManySync(keys: readonly K[], options?: ReadOptions): (V | undefined)[] {
    checkKeys(keys)
    const position = this.positionOf(options)
    const values = new Array<V | undefined>(keys.length)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!
      values[i] = this.find(keyBytes, this.putKey(key), position, found) ? this.readFound(key) : undefined
    }
    return values
  }

  /** Which of many keys are there, in their order, all as of one moment; no value is read. */
  hasMany(keys: readonly K[], options?: ReadOptions): Promise<boolean[]> {
    return this.answerMany(keys, options, isThere)
  }

  /** The same on this thread. */
  hasManySync(keys: readonly K[], options?: ReadOptions): boolean[] {
    checkKeys(keys)
    const position = this.positionOf(options)
    return keys.map((key) => this.find(keyBytes, this.putKey(key), position, found))
  }

  /**
   * Walks over keys and values in key order.
   *
   * @example
   * for await (const [key, value] of db.entries({ gte: 'a', lt: 'b', reverse: true, limit: 10 })) console.log(key, value)
   */
  entries(options: ScanOptions<K> & ReadOptions = {}): Scan<K, [K, V]> {
    checkNames(options, SCAN_NAMES, 'entries')
    const { keyEncoding, valueEncoding } = this
    return this.scan(options, (at) => [readKey(keyEncoding, at), readValue(valueEncoding, at)])
  }

  /** Walks over keys. */
  keys(options: ScanOptions<K> & ReadOptions = {}): Scan<K, K> {
    checkNames(options, SCAN_NAMES, 'keys')
    const { keyEncoding } = this
    return this.scan(options, (at) => readKey(keyEncoding, at))
  }

  /** Walks over values, in the order of their keys. */
  values(options: ScanOptions<K> & ReadOptions = {}): Scan<K, V> {
    checkNames(options, SCAN_NAMES, 'values')
    const { valueEncoding } = this
    return this.scan(options, (at) => readValue(valueEncoding, at))
  }

  /** How many keys a range holds; every one of them is visited. */
  async count(options: RangeOptions<K> & ReadOptions = {}): Promise<number> {
    checkNames(options, SCAN_NAMES, 'count')
    return this.scan(options, () => undefined).count()
  }

  /** The same on this thread. */
  countSync(options: RangeOptions<K> & ReadOptions = {}): number {
    checkNames(options, SCAN_NAMES, 'count')
    return this.scan(options, () => undefined).countSync()
  }

  /** A walk that makes of each entry what `read` makes of it. @internal */
  scan<T>(options: ScanOptions<K> & ReadOptions, read: (entry: Entry) => T): Scan<K, T> {
    const { state, keyEncoding } = this
    const range = resolveRange(keyEncoding, options)
    const { signal, snapshot, reverse = false } = options
    this.engine.checkOpen()
    if (typeof reverse !== 'boolean') throw invalid(`Option reverse must be true or false, not ${describe(reverse)}`)
    if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
      throw invalid(`Option signal must be an AbortSignal, not ${describe(signal)}`)
    }
    return new Scan(this.engine, {
      ...(snapshot === undefined ? this.scanExtras(range, reverse) : NO_EXTRAS),
      state,
      position: this.positionAt(snapshot),
      range,
      reverse,
      limit: scanLimit(options.limit),
      signal,
      keyEncoding,
      read,
    })
  }

  /** Finds what a reader at the position sees of a key, which stands at the beginning of `key`. @internal */
  protected find(key: Uint8Array, keyEnd: number, position: Position, result: Found): boolean {
    return this.engine.lookup(this.state, key, keyEnd, position, result)
  }

  /** What a scan sees besides the tree, and who hears of what it read. @internal */
  protected scanExtras(_range: KeyRange, _reverse: boolean): ScanExtras {
    return NO_EXTRAS
  }

  private positionOf(options: ReadOptions | undefined): Position {
    this.engine.checkOpen()
    if (options === undefined) return this.readPosition()
    checkReadNames(options)
    return this.positionAt(options.snapshot)
  }

  private positionAt(snapshot: ReadPoint | undefined): Position {
    if (snapshot === undefined) return this.readPosition()
    if (typeof snapshot?.positionIn !== 'function') {
      throw invalid(`Option snapshot must be what db.snapshot() returned, not ${describe(snapshot)}`)
    }
    return snapshot.positionIn(this.engine)
  }

  /** Puts the key where lookups read it and returns its length. */
  private putKey(key: K): number {
    if (key === undefined || key === null) throw invalid(`A key cannot be ${key}`)
    const prepared = this.keyEncoding.prepare(key)
    if (preparedByteBound(prepared) > keyBytes.length) checkKeyLength(preparedByteBound(prepared))
    const length = putPrepared(keyBytes, 0, prepared)
    checkKeyLength(length)
    return length
  }

  /** A lookup in promise form: on this thread as long as that is quick. */
  private answer<T>(
    key: K,
    options: ReadOptions | undefined,
    make: (hit: boolean, encoding: Encoding<V>) => T,
  ): Promise<T> {
    const { engine, valueEncoding } = this
    const { cache } = engine
    let position: Position = 0
    try {
      position = this.positionOf(options)
      const keyEnd = this.putKey(key)
      cache.blocking = false
      const result = make(this.find(keyBytes, keyEnd, position, found), valueEncoding)
      return engine.turn.isDue() ? engine.turn.next().then(() => result) : Promise.resolve(result)
    } catch (error) {
      if (error instanceof BlockNotResident) return this.answerLater(key, position, make, error)
      return Promise.reject(this.naming(error, key))
    } finally {
      cache.blocking = true
    }
  }

  /** As of the moment of the call, like a lookup that was quick, whatever is written while the block is on its way. */
  private async answerLater<T>(
    key: K,
    position: Position,
    make: (hit: boolean, encoding: Encoding<V>) => T,
    missing: BlockNotResident,
  ): Promise<T> {
    const { engine, valueEncoding } = this
    const { cache } = engine
    const copy = keyBytes.slice(0, this.putKey(key))
    engine.pins.add(position)
    engine.slowReadBegins()
    try {
      for (const rounds = new Rounds(); ; ) {
        await rounds.load(missing)
        cache.blocking = rounds.isLast
        try {
          return make(this.find(copy, copy.length, position, found), valueEncoding)
        } catch (error) {
          if (!(error instanceof BlockNotResident)) throw namingKey(error, 'value', this.state.name, copy)
          missing = error
        } finally {
          cache.blocking = true
        }
      }
    } finally {
      engine.slowReadEnds()
      engine.pins.remove(position)
    }
  }

  /** Lookups in promise form, all at one moment. */
  private async answerMany<T>(
    keys: readonly K[],
    options: ReadOptions | undefined,
    make: (hit: boolean, encoding: Encoding<V>) => T,
  ): Promise<T[]> {
    checkKeys(keys)
    const { engine } = this
    const position = this.positionOf(options)
    const answers: T[] = []
    let pinned = false
    const rounds = new Rounds()
    try {
      for (;;) {
        const before = answers.length
        const missing = this.takeMany(keys, position, answers, make, rounds.isLast)
        if (answers.length > before) rounds.reset()
        if (missing === undefined) {
          if (engine.turn.isDue()) await engine.turn.next()
          return answers
        }
        // What follows happens in later turns: the moment must be held.
        if (!pinned) {
          pinned = true
          engine.pins.add(position)
          engine.slowReadBegins()
        }
        await rounds.load(missing)
      }
    } finally {
      if (pinned) {
        engine.slowReadEnds()
        engine.pins.remove(position)
      }
    }
  }

  private takeMany<T>(
    keys: readonly K[],
    position: Position,
    answers: T[],
    make: (hit: boolean, encoding: Encoding<V>) => T,
    blocking: boolean,
  ): BlockNotResident | undefined {
    const { engine, valueEncoding } = this
    const { cache } = engine
    cache.blocking = blocking
    try {
      while (answers.length < keys.length) {
        const hit = this.find(keyBytes, this.putKey(keys[answers.length]!), position, found)
        answers.push(make(hit, valueEncoding))
      }
      return undefined
    } catch (error) {
      if (error instanceof BlockNotResident) return error
      throw this.naming(error, keys[answers.length]!)
    } finally {
      cache.blocking = true
    }
  }
}

function decodeFound<V>(hit: boolean, encoding: Encoding<V>): V | undefined {
  return hit ? encoding.read(found.bytes, found.start, found.end) : undefined
}

function isThere(hit: boolean): boolean {
  return hit
}

function checkKeys(keys: unknown): void {
  if (!Array.isArray(keys)) throw invalid(`getMany takes an array of keys, not ${describe(keys)}`)
}

/** A snapshot or another read point that is not usable any more. */
export function notOpen(what: string): SiltstoneError {
  return new SiltstoneError('SILT_NOT_OPEN', `The ${what} is closed; make a new one`)
}
