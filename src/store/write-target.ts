import type { Encoding } from './encoding.js'
import type { Engine } from './engine.js'
import type { TreeState } from './tree-state.js'

/** What every write takes. */
export interface WriteOptions {
  /** Resolve only when the write is on disk and survives a loss of power (default: the store's `sync`). */
  sync?: boolean
}

/** What `put` takes. */
export interface PutOptions extends WriteOptions {
  /** Milliseconds after which the key is gone. */
  ttl?: number
}

/** What the keyspaces of one database share. */
export interface KeyspaceFamily {
  readonly sync: boolean
  /** The keyspace of that name or handle. */
  resolve(keyspace: unknown): WriteTarget<unknown, unknown>
}

/** A keyspace as a batch sees it: somewhere to write to. */
export interface WriteTarget<K, V> {
  /** @internal */
  readonly engine: Engine
  /** @internal */
  readonly state: TreeState
  /** @internal */
  readonly family: KeyspaceFamily
  /** @internal */
  readonly keyEncoding: Encoding<K>
  /** @internal */
  prepareKey(key: K): string | Uint8Array
  /** @internal */
  prepareValue(value: V): string | Uint8Array
  /** @internal */
  writeSyncOf(options: WriteOptions | undefined, where: string): boolean
  /** @internal */
  putSyncOf(options: PutOptions | undefined, where: string): boolean
}
