import type { Durability, Sample } from '../sample.js'

/**
 * A store as the benchmark drives it: each operation by the best call that the store has for it; those it has no call for are
 * absent. Keys and values are text, because that is what every peer has a direct way for.
 */
export interface Store {
  batch(operations: readonly Operation[]): Promise<unknown> | undefined
  put?(key: string, value: string): Promise<unknown>
  putSync?(key: string, value: string): void
  del?(key: string): Promise<unknown>
  delSync?(key: string): void
  get?(key: string): Promise<string | undefined>
  getSync?(key: string): string | undefined
  getMany?(keys: string[]): Promise<(string | undefined)[]> | (string | undefined)[]
  /** Visits everything, key and value, and returns the number of entries. */
  scan?(reverse: boolean): Promise<number>
  scanSync?(reverse: boolean): number
  /** Reads up to `count` entries from a key on and returns their number. */
  seek?(key: string, count: number): Promise<number>
  seekSync?(key: string, count: number): number
  /** Merges everything there is. */
  compact?(): Promise<void>
  /** Resolves when background work is done. */
  settle?(): Promise<void>
  close(): Promise<void>
}

export interface PutOperation {
  readonly type: 'put'
  readonly key: string
  readonly value: string
}

export interface DelOperation {
  readonly type: 'del'
  readonly key: string
}

export type Operation = PutOperation | DelOperation

/** What is printed of a peer, and kept beside its numbers. */
export interface PeerDescription {
  readonly version: string
  readonly settings: readonly string[]
}

/** Who takes part in the benchmark. */
export type Peer = LibraryPeer | ProgramPeer

interface AnyPeer {
  readonly name: string
  /** Throws, with a reason for people, where the peer cannot run on this machine. */
  describe(): Promise<PeerDescription>
}

/** A store that runs in the process which drives it. */
export interface LibraryPeer extends AnyPeer {
  /** Opens the store in a directory, or makes it there. */
  open(directory: string, durability: Durability): Promise<Store>
}

/** A program that drives its store by itself and reports. */
export interface ProgramPeer extends AnyPeer {
  /** Those that it can run something of. */
  readonly scenarios: readonly string[]
  /** Runs what it can of a scenario. */
  run(errand: ProgramErrand): AsyncIterable<Sample>
}

export interface ProgramErrand {
  readonly scenario: string
  readonly durability: Durability
  readonly directory: string
  readonly keys: number
  /** Operations of a workload that does not fill the store. */
  readonly operations: number
  readonly seconds: number
  readonly reportsMemory: boolean
  isWanted(workload: string): boolean
  starts(workload: string): void
}

/** What every peer gets, as far as it can be told. */
export const CACHE_BYTES = 64 * 1024 * 1024
export const WRITE_BUFFER_BYTES = 32 * 1024 * 1024
