import type { Keyspace } from '../../store/keyspace.js'
import type { OpenOptions } from '../../store/options.js'
import type { PullStream } from '../../store/pull-stream.js'
import type { WatchChange } from '../../store/watch/watch.js'
import { LazyStore } from '../lazy-store.js'

/** A keyspace as the driver needs it. */
type Bytes = Keyspace<string, Buffer>

/** What `siltstoneDriver` takes: a place, and for a directory the options of `open`, encodings apart. */
export interface SiltstoneDriverOptions extends Omit<OpenOptions<string, Buffer>, 'keyEncoding' | 'valueEncoding'> {
  /** The directory of a store, opened at first use and closed by `dispose`. */
  base?: string
  /** Instead of a directory: a keyspace or database with utf8 keys and buffers as values, which stays its owner's to close. */
  store?: Bytes
  /** In seconds, as the drivers of unstorage have it: for items that are set without one. */
  ttl?: number
}

/** In seconds, for this item. */
interface ItemOptions {
  /** How long it stays. */
  ttl?: number
}

/** One of several items that are set in one commit. */
interface SetItem {
  /** Where it goes. */
  key: string
  /** What it is set to. */
  value: string
  /** What holds for it alone. */
  options?: ItemOptions
}

/** A driver, in unstorage's own words. */
export interface SiltstoneDriver {
  /** 'siltstone'. */
  readonly name: string
  /** What it was made with. */
  readonly options: SiltstoneDriverOptions
  /** The store, once something has been read or written. */
  getInstance(): Promise<Bytes>
  /** Whether an item is there. */
  hasItem(key: string): Promise<boolean>
  /** An item as text; null where there is none. */
  getItem(key: string): Promise<string | null>
  /** An item as bytes; null where there is none. */
  getItemRaw(key: string): Promise<Buffer | null>
  /** Many items, in their order, all as of one moment. */
  getItems(items: { key: string }[]): Promise<{ key: string; value: string | null }[]>
  /** Sets an item to a text. */
  setItem(key: string, value: string, options?: ItemOptions): Promise<void>
  /** Sets an item to bytes, or to the JSON of anything else. */
  setItemRaw(key: string, value: unknown, options?: ItemOptions): Promise<void>
  /** Sets many items in one commit. */
  setItems(items: SetItem[]): Promise<void>
  /** Removes an item. */
  removeItem(key: string): Promise<void>
  /** The bytes of an item; null where there is none. */
  getMeta(key: string): Promise<{ size: number } | null>
  /** The keys below a base, in order. */
  getKeys(base: string): Promise<string[]>
  /** Removes everything below a base by one range deletion. */
  clear(base: string): Promise<void>
  /** Hears of items that are set or removed in this process; resolves with what ends that. */
  watch(callback: (event: 'update' | 'remove', key: string) => void): Promise<() => Promise<void>>
  /** Closes a store that the driver has opened. */
  dispose(): Promise<void>
}

/**
 * A driver for unstorage: items in a store of its own, or in a keyspace of one that is open.
 *
 * `setItems` is one commit and `clear` one range deletion. `watch` hears of every item that is set or removed in this process;
 * a `clear` removes many at once and is not heard of.
 *
 * @example
 * const storage = createStorage({ driver: siltstoneDriver({ base: './items' }) })
 * await storage.setItem('users:1', { name: 'ada' })
 * await storage.getItem('users:1') // { name: 'ada' }
 * await storage.dispose()
 */
export function siltstoneDriver(options: SiltstoneDriverOptions): SiltstoneDriver {
  const { instance, release } = placeOf(options)
  const watches = new Set<PullStream<WatchChange<string, Buffer>>>()
  const expiring = (own: ItemOptions | undefined): { ttl?: number } => {
    const seconds = own?.ttl ?? options.ttl
    return seconds === undefined || seconds === 0 ? {} : { ttl: Math.max(1, Math.ceil(seconds * 1000)) }
  }
  const set = async (key: string, value: Buffer, own: ItemOptions | undefined): Promise<void> => {
    await (await instance()).put(key, value, expiring(own))
  }
  return {
    name: 'siltstone',
    options,
    getInstance: instance,
    hasItem: async (key) => (await instance()).has(key),
    getItem: async (key) => (await (await instance()).get(key))?.toString() ?? null,
    getItemRaw: async (key) => (await (await instance()).get(key)) ?? null,
    async getItems(items) {
      const values = await (await instance()).getMany(items.map(({ key }) => key))
      return items.map(({ key }, i) => ({ key, value: values[i]?.toString() ?? null }))
    },
    setItem: (key, value, own) => set(key, Buffer.from(value), own),
    setItemRaw: (key, value, own) => set(key, bytesOf(value), own),
    async setItems(items) {
      const operations = items.map(
        ({ key, value, options: own }) => ({ type: 'put', key, value: Buffer.from(value), ...expiring(own) }) as const,
      )
      await (await instance()).batch(operations)
    },
    removeItem: async (key) => (await instance()).del(key),
    async getMeta(key) {
      const value = await (await instance()).get(key)
      return value === undefined ? null : { size: value.length }
    },
    getKeys: async (base) => (await instance()).keys(rangeOf(base)).toArray(),
    clear: async (base) => (await instance()).clear(rangeOf(base)),
    async watch(callback) {
      const changes = (await instance()).watch()
      watches.add(changes)
      const ended = tell(changes, callback)
      return async () => {
        watches.delete(changes)
        await changes.return?.()
        await ended
      }
    },
    async dispose() {
      for (const changes of watches) await changes.return?.()
      watches.clear()
      await release()
    },
  }
}

function placeOf({ base, store, ttl: _, ...options }: SiltstoneDriverOptions): {
  instance: () => Promise<Bytes>
  release: () => Promise<void>
} {
  if (store !== undefined) return { instance: async () => store, release: async () => {} }
  if (base === undefined) throw new TypeError('siltstoneDriver needs a directory as base, or an open store; name one')
  const lazy = new LazyStore<Buffer>(base, { ...options, valueEncoding: 'buffer' })
  return { instance: () => lazy.get(), release: () => lazy.close() }
}

async function tell(
  changes: AsyncIterable<WatchChange<string, Buffer>>,
  callback: (event: 'update' | 'remove', key: string) => void,
): Promise<void> {
  for await (const change of changes) {
    if (change.type === 'put') callback('update', change.key)
    if (change.type === 'del') callback('remove', change.key)
  }
}

function rangeOf(base: string | undefined): { prefix?: string } {
  return base === undefined || base === '' ? {} : { prefix: base }
}

/** Raw items are bytes; a string is taken for its bytes, as the file drivers of unstorage take it. */
function bytesOf(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new TypeError('A raw item has to be bytes or a string; turn it into one of them, or use setItem')
}
