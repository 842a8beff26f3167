import { EventEmitter } from 'node:events'
import type { BatchOperation } from '../../store/batch.js'
import type { Keyspace } from '../../store/keyspace.js'
import type { OpenOptions } from '../../store/options.js'
import { LazyStore } from '../lazy-store.js'

/** What `KeyvSiltstone` takes beside the place: the options of `open`, encodings apart, as Keyv brings its own. */
export type KeyvSiltstoneOptions = Omit<OpenOptions<string, string>, 'keyEncoding' | 'valueEncoding'>

/** One of several values that are set in one commit. */
export interface KeyvSiltstoneItem {
  /** With its namespace. */
  readonly key: string
  /** As Keyv has serialized it. */
  readonly value: unknown
  /** In milliseconds. */
  readonly ttl?: number | undefined
}

/**
 * The storage of a Keyv, 5 or 6, in a store of its own or in a keyspace of one that is open.
 *
 * Keyv 5 writes the namespace before the key and says here which one it is, so each Keyv 5 with a namespace needs a `KeyvSiltstone` of
 * its own; they cost nothing when they stand on one open store. Keyv 6 keeps namespaces apart by itself.
 *
 * @example
 * const cache = new Keyv({ store: new KeyvSiltstone('./cache') })
 * await cache.set('session:1', { user: 'ada' }, 60_000)
 * await cache.get('session:1') // { user: 'ada' }
 * await cache.disconnect()
 */
export class KeyvSiltstone extends EventEmitter {
  /** Keyv 5 gives an iterator only to dialects on a list of its own; SQLite is the one there that is a file in this process, too. */
  readonly opts: { dialect: string; url: string }
  /** Set by Keyv 5. Only declared: Keyv 6 takes the mere presence of a field for a storage that writes namespaces itself. */
  declare namespace?: string | undefined
  private readonly store: () => Promise<Keyspace<string, string>>
  private readonly closeStore: () => Promise<void>

  /**
   * A directory, which is opened at first use and closed by `disconnect`; or a keyspace or database with utf8 keys and values, which
   * stays its owner's to close.
   */
  constructor(place: string | Keyspace<string, string>, options: KeyvSiltstoneOptions = {}) {
    super()
    const isPath = typeof place === 'string'
    this.opts = { dialect: 'sqlite', url: `siltstone://${isPath ? place : place.name}` }
    if (isPath) {
      const lazy = new LazyStore<string>(place, options)
      this.store = () => lazy.get()
      this.closeStore = () => lazy.close()
    } else {
      this.store = async () => place
      this.closeStore = async () => {}
    }
  }

  /** The value of a key, as Keyv has serialized it. */
  // biome-ignore lint/suspicious/noExplicitAny: Keyv's own interface; what it serialized is a string here
  async get(key: string): Promise<any> {
    return (await this.store()).get(key)
  }

  /** The values of many keys, in their order, all as of one moment. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async getMany(keys: string[]): Promise<any[]> {
    return (await this.store()).getMany(keys)
  }

  /** Sets a key, for so many milliseconds where `ttl` says so. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    await (await this.store()).put(key, value as string, expiring(ttl))
    return true
  }

  /** All of them in one commit. */
  async setMany(items: KeyvSiltstoneItem[]): Promise<void> {
    const store = await this.store()
    await store.batch(
      items.map(({ key, value, ttl }) => ({ type: 'put', key, value: value as string, ...expiring(ttl) }) as const),
    )
  }

  /** Whether it was there. */
  delete(key: string): Promise<boolean> {
    return this.deleteMany([key])
  }

  /** Whether any of them was there; all go in one commit. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const store = await this.store()
    const present = await store.hasMany(keys)
    const operations: BatchOperation<string, string>[] = keys
      .filter((_, i) => present[i])
      .map((key) => ({ type: 'del', key }))
    if (operations.length > 0) await store.batch(operations)
    return operations.length > 0
  }

  /** Whether a key is there. */
  async has(key: string): Promise<boolean> {
    return (await this.store()).has(key)
  }

  /** Which of many keys are there, in their order. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.store()).hasMany(keys)
  }

  /** One range deletion, however many there are. */
  async clear(): Promise<void> {
    await (await this.store()).clear(rangeOf(this.namespace))
  }

  /** In the order of the keys, as they were when the loop began. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async *iterator(namespace?: string): AsyncGenerator<any, void> {
    yield* (await this.store()).entries(rangeOf(namespace))
  }

  /** Closes a store that this opened; the next operation would open it again. */
  async disconnect(): Promise<void> {
    await this.closeStore()
  }
}

/** Keyv 5 writes `namespace:key`, Keyv 6 `namespace::key`. */
function rangeOf(namespace: string | undefined): { prefix?: string } {
  return namespace === undefined || namespace === '' ? {} : { prefix: `${namespace}:` }
}

/** To Keyv, a `ttl` of nothing or 0 is for ever; fractions come from dividing. */
function expiring(ttl: number | undefined): { ttl?: number } {
  return ttl === undefined || ttl === null || ttl === 0 ? {} : { ttl: Math.max(1, Math.ceil(ttl)) }
}
