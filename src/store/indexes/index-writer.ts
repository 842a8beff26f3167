import { invalid } from '../../bytes/errors.js'
import { encodeKey } from '../bounds.js'
import { describe } from '../encoding.js'
import type { Keyspace } from '../keyspace.js'
import type { Transaction } from '../transaction.js'
import { encodeEntry, type IndexEntry } from './index-entry.js'
import type { Tuple } from './tuple.js'

/** What an index makes of a value: the tuples under which its key is to be found, none where it is not to be. */
export type IndexFunction<K, V, T extends Tuple = Tuple> = (value: V, key: K) => Iterable<T>

type Bytes = Uint8Array

/** A transaction of any keyspace of the store. */
export interface TransactionScope {
  /** The transaction of a keyspace. */
  keyspace<K, V>(keyspace: Keyspace<K, V>): Transaction<K, V>
}

/** One index as those who write see it: a function, and the keyspace that its entries are in. */
export interface WrittenIndex<K, V> {
  readonly name: string
  readonly tuplesOf: IndexFunction<K, V>
  readonly entries: Keyspace<Bytes, Bytes>
}

/** The entries of one key in one index, by their bytes as text: a tuple that comes twice is one entry. */
export function entriesOf<K, V>(
  index: WrittenIndex<K, V>,
  data: Keyspace<K, V>,
  key: K,
  value: V,
): Map<string, IndexEntry> {
  const primaryKey = encodeKey(data.keyEncoding, key)
  const entries = new Map<string, IndexEntry>()
  for (const tuple of tuplesOf(index, value, key)) {
    const entry = encodeEntry(tuple, primaryKey)
    entries.set(Buffer.from(entry.key).toString('latin1'), entry)
  }
  return entries
}

function tuplesOf<K, V>(index: WrittenIndex<K, V>, value: V, key: K): Iterable<Tuple> {
  const made: unknown = index.tuplesOf(value, key)
  if (typeof made === 'object' && made !== null && Symbol.iterator in made) return made as Iterable<Tuple>
  throw invalid(`The function of index '${index.name}' must return an array of tuples, not ${describe(made)}`)
}

/**
 * Changes keys of a keyspace and their entries in one transaction. What stands in an index was made of the value that is replaced, so that
 * value is read first.
 */
export class IndexWriter<K, V> {
  private readonly data: Keyspace<K, V>
  private readonly indexes: readonly WrittenIndex<K, V>[]

  constructor(data: Keyspace<K, V>, indexes: readonly WrittenIndex<K, V>[]) {
    this.data = data
    this.indexes = indexes
  }

  async put(tx: TransactionScope, key: K, value: V, options: { ttl?: number }): Promise<void> {
    const data = tx.keyspace(this.data)
    const old = await data.get(key)
    for (const index of this.indexes) {
      const entries = tx.keyspace(index.entries)
      const after = entriesOf(index, this.data, key, value)
      if (old !== undefined) {
        for (const [name, entry] of entriesOf(index, this.data, key, old))
          if (!after.has(name)) entries.delSync(entry.key)
      }
      // Written again though it may be there: it expires with the value.
      for (const entry of after.values()) entries.putSync(entry.key, entry.value, options)
    }
    data.putSync(key, value, options)
  }

  async del(tx: TransactionScope, key: K): Promise<void> {
    const data = tx.keyspace(this.data)
    const old = await data.get(key)
    if (old !== undefined) this.removeEntries(tx, key, old)
    data.delSync(key)
  }

  removeEntries(tx: TransactionScope, key: K, value: V): void {
    for (const index of this.indexes) {
      const entries = tx.keyspace(index.entries)
      for (const entry of entriesOf(index, this.data, key, value).values()) entries.delSync(entry.key)
    }
  }
}
