/** Who takes part: Siltstone, and whatever else is installed. */
export interface Contender {
  readonly name: string
  /** Undefined where its package is not there. */
  load(): Promise<Opener | undefined>
}

/** Opens a store in a new directory; durable: every write survives a loss of power. */
export type Opener = (directory: string, durable: boolean) => Promise<Ground>

/** A store as the workloads drive it, each operation by the quickest call that the store has for it. */
export interface Ground {
  putMany(entries: readonly (readonly [string, string])[]): Promise<unknown> | undefined
  put(key: string, value: string): Promise<unknown> | undefined
  del(key: string): Promise<unknown> | undefined
  get(key: string): Promise<string | undefined> | string | undefined
  /** Reads up to so many entries from a key on. Returns how many there were. */
  seek(key: string, limit: number): Promise<number> | number
  /** Reads everything. Returns how many entries there were. */
  scan(reverse: boolean): Promise<number> | number
  close(): Promise<void>
}
