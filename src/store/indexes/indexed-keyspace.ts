import { invalid } from '../../bytes/errors.js'
import type { RangeOptions } from '../bounds.js'
import { describe, resolveEncoding } from '../encoding.js'
import { internalKeyspace } from '../internal-keyspace.js'
import { Keyspace } from '../keyspace.js'
import { checkWellFormed } from '../name.js'
import { checkNames, checkRangeNames, PUT_NAMES, RANGE_NAMES, WRITE_NAMES } from '../option-names.js'
import { checkClearOptions } from '../options.js'
import { type TransactionOptions, transact } from '../transact.js'
import type { PutOptions, WriteOptions } from '../write-target.js'
import { backfill, dropOthers, type IndexState, type IndexStates } from './backfill.js'
import { type IndexFunction, IndexWriter, type TransactionScope, type WrittenIndex } from './index-writer.js'
import { SecondaryIndex } from './secondary-index.js'
import { type Tuple, tuples } from './tuple.js'

/** One index: a function of a value, or that with a version to be raised when the function changes what it returns. */
export type IndexDefinition<K, V, T extends Tuple = Tuple> =
  | IndexFunction<K, V, T>
  | { readonly tuples: IndexFunction<K, V, T>; readonly version?: number }

/** Indexes by their names. */
// biome-ignore lint/suspicious/noExplicitAny: the tuples of each index are its own, and are read off the definition
export type IndexDefinitions<K, V> = Readonly<Record<string, IndexDefinition<K, V, any>>>

/** The tuples of a definition. */
export type TuplesOf<D> = D extends (...args: never[]) => Iterable<infer T extends Tuple>
  ? T
  : D extends { readonly tuples: (...args: never[]) => Iterable<infer T extends Tuple> }
    ? T
    : Tuple

type Bytes = Uint8Array

/** Somebody else may be quicker a few times; that is no reason to trouble the caller. */
const WRITE_RETRIES = 100

/** The writes and the indexes of an indexed keyspace inside a transaction. */
export class IndexedTransaction<K, V, D extends IndexDefinitions<K, V>> {
  private readonly tx: TransactionScope
  private readonly writer: IndexWriter<K, V>
  private readonly indexOf: (name: string) => WrittenIndex<K, V>
  private readonly data: Keyspace<K, V>

  /** @internal */
  constructor(
    tx: TransactionScope,
    data: Keyspace<K, V>,
    writer: IndexWriter<K, V>,
    indexOf: (name: string) => WrittenIndex<K, V>,
  ) {
    this.tx = tx
    this.data = data
    this.writer = writer
    this.indexOf = indexOf
  }

  /** Sets a key, and what the indexes have of it. */
  async put(key: K, value: V, options: { ttl?: number } = {}): Promise<void> {
    checkNames(options, ['ttl'], 'put of a transaction')
    return this.writer.put(this.tx, key, value, options)
  }

  /** Removes a key, and what the indexes have of it. */
  del(key: K): Promise<void> {
    return this.writer.del(this.tx, key)
  }

  /** Removes every key of a range, and what the indexes have of them: these are looked at one by one. */
  async clear(range: RangeOptions<K> = {}): Promise<void> {
    checkRangeNames(range, RANGE_NAMES, 'clear of a transaction')
    const data = this.tx.keyspace(this.data)
    for await (const [key, value] of data.entries(range)) this.writer.removeEntries(this.tx, key, value)
    data.clearSync(range)
  }

  /** An index, with what this transaction has done to it. */
  index<N extends keyof D & string>(name: N): SecondaryIndex<K, TuplesOf<D[N]>> {
    const { entries } = this.indexOf(name)
    return new SecondaryIndex(this.tx.keyspace(entries), this.data.keyEncoding)
  }
}

/**
 * A keyspace with indexes: other orders of its keys, by what their values hold. Whatever is written through it changes data and indexes in
 * one commit. What is written to the keyspace past it, its indexes do not hear of.
 */
export class IndexedKeyspace<K, V, D extends IndexDefinitions<K, V>> {
  /** The keyspace itself, to read from. */
  readonly data: Keyspace<K, V>
  private readonly indexes: ReadonlyMap<string, WrittenIndex<K, V>>
  private readonly writer: IndexWriter<K, V>

  /** @internal Indexed keyspaces come from `indexed()`. */
  constructor(data: Keyspace<K, V>, indexes: readonly WrittenIndex<K, V>[]) {
    this.data = data
    this.indexes = new Map(indexes.map((index) => [index.name, index]))
    this.writer = new IndexWriter(data, indexes)
  }

  /**
   * An index by its name.
   *
   * @example
   * const words = await indexed(db, { byLength: (word: string) => [[word.length]] })
   * await words.put('a', 'stone')
   * await words.index('byLength').keys({ gte: [5] }).toArray() // ['a']
   */
  index<N extends keyof D & string>(name: N): SecondaryIndex<K, TuplesOf<D[N]>> {
    return new SecondaryIndex(this.written(name).entries, this.data.keyEncoding)
  }

  /** Sets a key, and what the indexes have of it. */
  async put(key: K, value: V, options: PutOptions = {}): Promise<void> {
    checkNames(options, PUT_NAMES, 'put')
    const { sync, ...rest } = options
    return this.write((tx) => tx.put(key, value, rest), { sync })
  }

  /** Removes a key, and what the indexes have of it. */
  async del(key: K, options: WriteOptions = {}): Promise<void> {
    checkNames(options, WRITE_NAMES, 'del')
    return this.write((tx) => tx.del(key), options)
  }

  /** Removes every key of a range, and what the indexes have of them, in one commit. */
  async clear(options: RangeOptions<K> & WriteOptions = {}): Promise<void> {
    checkClearOptions(options)
    const { sync, ...range } = options
    return this.write((tx) => tx.clear(range as RangeOptions<K>), { sync })
  }

  /**
   * The same inside a transaction, together with whatever else that does.
   *
   * @example
   * const words = await indexed(db, { byLength: (word: string) => [[word.length]] })
   * await db.transaction(async (tx) => {
   *   const [longest] = await words.within(tx).index('byLength').keys({ reverse: true, limit: 1 }).toArray()
   *   if (longest !== undefined) await words.within(tx).del(longest)
   * })
   */
  within(tx: TransactionScope): IndexedTransaction<K, V, D> {
    if (typeof tx?.keyspace !== 'function') throw invalid(`within takes a transaction, not ${describe(tx)}`)
    return new IndexedTransaction(tx, this.data, this.writer, (name) => this.written(name))
  }

  private write(
    run: (tx: IndexedTransaction<K, V, D>) => Promise<void>,
    { sync }: { sync?: boolean | undefined },
  ): Promise<void> {
    // Serializable, because of `clear`: it removes what it has read, whatever came into the range meanwhile.
    const options: TransactionOptions = { retries: WRITE_RETRIES, ...(sync === undefined ? {} : { sync }) }
    return transact(this.data, (tx) => run(this.within(tx)), options)
  }

  private written(name: string): WrittenIndex<K, V> {
    const index = this.indexes.get(name)
    if (index === undefined) {
      const wanted = typeof name === 'string' ? `'${name}'` : describe(name)
      throw invalid(`There is no index ${wanted} here; declared are '${[...this.indexes.keys()].join("', '")}'`)
    }
    return index
  }
}

/**
 * Declares the indexes of a keyspace. Of each the function says under which tuples a value's key is to be found: none, one or many.
 *
 * One that is new, or that has another `version` than before, is filled from the keys that are there before this resolves; interrupted, it
 * goes on with the next opening. One that is not declared any more is removed. So declare the same indexes wherever the keyspace is
 * written.
 *
 * @example
 * const people = await indexed(db.keyspace('people', { valueEncoding: 'json' }), {
 *   byCity: (person: { city: string; born: number; tags: string[] }) => [[person.city, person.born]],
 *   byTag: { version: 2, tuples: (person: { tags: string[] }) => person.tags.map((tag): [string] => [tag]) },
 * })
 * await people.put('ada', { city: 'London', born: 1815, tags: ['mathematics', 'engines'] })
 * await people.index('byTag').keys({ prefix: ['engines'] }).toArray() // ['ada']
 */
export async function indexed<K, V, D extends IndexDefinitions<K, NoInfer<V>>>(
  keyspace: Keyspace<K, V>,
  definitions: D,
): Promise<IndexedKeyspace<K, V, D>> {
  if (!(keyspace instanceof Keyspace)) {
    throw invalid(`indexed takes what db.keyspace() returned, not ${describe(keyspace)}`)
  }
  if (typeof definitions !== 'object' || definitions === null) {
    throw invalid(`indexed takes an object of indexes by their names, not ${describe(definitions)}`)
  }
  const entriesFor = (name: string): Keyspace<Bytes, Bytes> =>
    internalKeyspace(keyspace, `index:${JSON.stringify([keyspace.name, name])}`, VIEW, VIEW)
  const states: IndexStates = internalKeyspace(
    keyspace,
    'indexes',
    resolveEncoding<readonly [string, string]>(tuples as never, 'keyEncoding'),
    resolveEncoding<IndexState>('json', 'valueEncoding'),
  )
  const declared = Object.entries(definitions).map(([name, definition]) => checked<K, V>(name, definition))
  await dropOthers(states, keyspace.name, new Set(declared.map(({ name }) => name)), entriesFor)
  const indexes = declared.map(({ name, tuplesOf }) => ({ name, tuplesOf, entries: entriesFor(name) }))
  for (const [i, index] of indexes.entries()) {
    await backfill({ data: keyspace, index, states, version: declared[i]!.version })
  }
  return new IndexedKeyspace<K, V, D>(keyspace, indexes)
}

const VIEW = resolveEncoding<Bytes>('view', 'keyEncoding')

function checked<K, V>(
  name: string,
  definition: unknown,
): { name: string; tuplesOf: IndexFunction<K, V>; version: number } {
  if (typeof definition === 'object' && definition !== null) {
    checkNames(definition, ['tuples', 'version'], `index '${name}'`)
  }
  const { tuples: tuplesOf, version = 1 } =
    typeof definition === 'function'
      ? { tuples: definition as IndexFunction<K, V> }
      : ((definition ?? {}) as { tuples?: IndexFunction<K, V>; version?: number })
  checkWellFormed(name, 'The name of an index')
  if (typeof tuplesOf !== 'function') {
    throw invalid(
      `Index '${name}' must be a function that returns tuples, or { tuples, version }, not ${describe(definition)}`,
    )
  }
  if (!Number.isSafeInteger(version) || version < 1) {
    throw invalid(`The version of index '${name}' must be a whole number from 1 on, not ${describe(version)}`)
  }
  return { name, tuplesOf, version }
}
