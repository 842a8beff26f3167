/**
 * A store as the benchmark drives it: each operation by the best call that the store has for it. Keys and values are text,
 * because that is what every peer has a direct way for.
 */
export interface Peer {
  /** Name, version and the settings it runs with. */
  readonly title: string
  batch(operations: readonly PutOperation[]): Promise<void>
  put(key: string, value: string): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Absent where the store has no synchronous form. */
  putSync?(key: string, value: string): void
  getSync?(key: string): string | undefined
  getMany(keys: string[]): Promise<(string | undefined)[]>
  /** Visits everything by the quickest way and returns the number of entries. */
  scanAll(): Promise<number>
  /** Reads `count` entries from a key on. */
  seek(key: string, count: number): Promise<number>
  /** Resolves when background work is done. */
  settle(): Promise<void>
  close(): Promise<void>
}

export interface PutOperation {
  readonly type: 'put'
  readonly key: string
  readonly value: string
}

/** Opens a peer in an empty directory, or says why it cannot run here. */
export type PeerOpener = (directory: string) => Promise<Peer>

/** What every peer gets. */
export const CACHE_BYTES = 64 * 1024 * 1024
export const WRITE_BUFFER_BYTES = 32 * 1024 * 1024
