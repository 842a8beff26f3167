import { existsSync } from 'node:fs'
import type { SiltstoneError } from '../../src/bytes/errors.js'
import type { Database } from '../../src/store/database.js'
import type { Keyspace } from '../../src/store/keyspace.js'
import type { OpenOptions } from '../../src/store/options.js'
import type { GlobalOptions } from './command.js'
import { Failure, usage } from './failure.js'

/** Keys and values as bytes: what they mean is the user's business. */
export type Store = Database<Buffer, Buffer>
export type Place = Keyspace<Buffer, Buffer>

export interface PlaceOptions extends GlobalOptions {
  readonly keyspace?: string
}

const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
const DEFAULT_PATH = './data'

/** Where the store is: --db, or KV_DB, or ./data. */
export function pathOf(options: GlobalOptions): string {
  return options.db ?? (process.env.KV_DB || DEFAULT_PATH)
}

let shared: Store | undefined

/** From here on every command uses this store, and leaves it open: what the shell runs on. */
export function share(store: Store | undefined): void {
  shared = store
}

export function sharedStore(): Store | undefined {
  return shared
}

/**
 * Opens a store to read. No lock is taken and not one byte is written, so it works beside any writer, and never makes a store.
 */
export async function reading<T>(
  options: PlaceOptions,
  use: (store: Store) => Promise<T>,
  face: Face = 'entries',
): Promise<T> {
  if (shared !== undefined) {
    await shared.refresh()
    return use(shared)
  }
  return within(await openStore(options, { readOnly: true }, face), use)
}

/** The same for a command about one keyspace. */
export function readingIn<T>(options: PlaceOptions, use: (place: Place, store: Store) => Promise<T>): Promise<T> {
  return reading(options, (store) => use(existingPlace(store, options.keyspace), store))
}

/** Opens a store to write; makes it only where that is what the command is for. */
export async function writing<T>(
  options: PlaceOptions,
  { create = false, ...opening }: { create?: boolean } & OpenOptions<Buffer, Buffer>,
  use: (store: Store) => Promise<T>,
  face: Face = 'entries',
): Promise<T> {
  if (options.readOnly) throw usage('--read-only was asked for, and this command writes; leave one of them out')
  if (shared !== undefined) return use(shared)
  return within(await openStore(options, { ...opening, createIfMissing: create }, face), use)
}

export function placeIn(store: Store, keyspace: string | undefined): Place {
  return keyspace === undefined ? store : store.keyspace<Buffer, Buffer>(keyspace, BYTES)
}

function existingPlace(store: Store, keyspace: string | undefined): Place {
  if (keyspace === undefined) return store
  const names = store.keyspaceNames()
  if (names.includes(keyspace)) return placeIn(store, keyspace)
  const there = names.length === 0 ? 'the store has only the default one' : `there are: ${names.join(', ')}`
  throw new Failure(`There is no keyspace '${keyspace}'; ${there}`)
}

/** Entries need less to be loaded than messages do. */
type Face = 'entries' | 'messages'
type Open = (path: string, options: OpenOptions<Buffer, Buffer>) => Promise<Store>

export async function openStore(
  options: GlobalOptions,
  opening: OpenOptions<Buffer, Buffer>,
  face: Face = 'entries',
): Promise<Store> {
  const path = pathOf(options)
  const open: Open = await (face === 'entries'
    ? import('../../src/store/database.js')
    : import('../../src/queue/messaging-database.js')
  ).then((module) => module.open)
  try {
    return await open(path, { ...opening, ...BYTES })
  } catch (error) {
    throw explained(error as SiltstoneError, path)
  }
}

/** The engine speaks to programs; whoever typed a command needs the command that helps. */
function explained(error: SiltstoneError, path: string): unknown {
  if (error.code === 'SILT_NOT_FOUND') {
    const hint = existsSync(path) ? 'that directory holds none' : 'nothing is there'
    return new Failure(`There is no store in ${path}: ${hint}; say where with --db, or make one with 'kv-cli put'`)
  }
  if (error.code === 'SILT_LOCKED') {
    const holder = error.pid === undefined ? 'another process' : `process ${error.pid}`
    return new Failure(
      `${path} is being written to by ${holder}; end that process to write, while everything that reads still works (get, scan, stats, 'kv-cli shell --read-only')`,
    )
  }
  if (error.code === 'SILT_FENCED') {
    return new Failure(
      `another process has taken ${path} over, because this one was stopped for too long or its LOCK was removed; look who writes there, then run the command again`,
    )
  }
  return error
}

async function within<T>(store: Store, use: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
