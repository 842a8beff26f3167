import type { Encoding } from '../encoding.js'
import { checkNames, SCAN_NAMES } from '../option-names.js'
import type { Reader, ReadPoint } from '../reader.js'
import type { Scan } from '../scan.js'
import { decodeEntry, type IndexEntry } from './index-entry.js'
import { type Tuple, type TupleRange, tupleRange } from './tuple.js'

/** What the scans of an index take. */
export interface IndexScanOptions<T extends Tuple = Tuple> extends TupleRange<T> {
  /** From the last tuple to the first (default false). */
  reverse?: boolean
  /** At most this many. */
  limit?: number
  /** Ends the scan when it aborts, with its reason. */
  signal?: AbortSignal
  /** Read as of this snapshot. */
  snapshot?: ReadPoint
}

type Bytes = Uint8Array

/** The keys of a keyspace in another order: by what its values hold. Scanned like any range. */
export class SecondaryIndex<K, T extends Tuple = Tuple> {
  private readonly entriesOfAll: Reader<Bytes, Bytes>
  private readonly keyEncoding: Encoding<K>

  /** @internal Indexes come from `indexed()`. */
  constructor(entries: Reader<Bytes, Bytes>, keyEncoding: Encoding<K>) {
    this.entriesOfAll = entries
    this.keyEncoding = keyEncoding
  }

  /**
   * Tuples with the keys that they lead to, in the order of the tuples. `prefix: ['London']` are all that begin with it.
   *
   * @example
   * const people = await indexed(db.keyspace('people', { valueEncoding: 'json' }), {
   *   byCity: (person: { city: string; born: number }) => [[person.city, person.born]],
   * })
   * await people.put('ada', { city: 'London', born: 1815 })
   * await people.index('byCity').entries({ prefix: ['London'] }).toArray() // [[['London', 1815], 'ada']]
   */
  entries(options: IndexScanOptions<T> = {}): Scan<Bytes, [T, K]> {
    checkNames(options, SCAN_NAMES, 'entries')
    const { keyEncoding } = this
    return this.scan(options, (entry) => {
      const { tuple, primaryKey } = decodeEntry(entry)
      return [tuple as T, keyEncoding.read(primaryKey, 0, primaryKey.length)]
    })
  }

  /** The keys that tuples of the range lead to; one that several tuples lead to comes with each. */
  keys(options: IndexScanOptions<T> = {}): Scan<Bytes, K> {
    checkNames(options, SCAN_NAMES, 'keys')
    const { keyEncoding } = this
    return this.scan(options, (entry) => {
      const { primaryKey } = decodeEntry(entry)
      return keyEncoding.read(primaryKey, 0, primaryKey.length)
    })
  }

  /** How many entries a range holds. */
  async count(options: Omit<IndexScanOptions<T>, 'reverse' | 'limit' | 'signal'> = {}): Promise<number> {
    checkNames(options, SCAN_NAMES, 'count')
    return this.scan(options, () => undefined).count()
  }

  private scan<R>(options: IndexScanOptions<T>, read: (entry: IndexEntry) => R): Scan<Bytes, R> {
    const { reverse, limit, signal, snapshot } = options
    const { start, end } = tupleRange(options as TupleRange)
    const within = {
      gte: start,
      ...(end === undefined ? {} : { lt: end }),
      ...(reverse === undefined ? {} : { reverse }),
      ...(limit === undefined ? {} : { limit }),
      ...(signal === undefined ? {} : { signal }),
      ...(snapshot === undefined ? {} : { snapshot }),
    }
    return this.entriesOfAll.scan(within, (at) =>
      read({
        key: at.keyBytes.slice(at.keyStart, at.keyEnd),
        value: at.valueBytes.slice(at.valueStart, at.valueEnd),
      }),
    )
  }
}
