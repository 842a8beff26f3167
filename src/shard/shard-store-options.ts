import type { OpenOptions } from '../store/options.js'

/** What a shard's own store is opened with. */
export type ShardStoreOptions = Omit<OpenOptions<Uint8Array, Uint8Array>, 'keyEncoding' | 'valueEncoding' | 'fs'>
