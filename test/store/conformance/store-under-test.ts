import type { FileSystem } from '../../../src/fs/file-system.js'
import type { Database, OpenOptions } from '../../../src/index.js'

/**
 * What the conformance suite asks of a store. Handles of a sharded store are classes of their own with the same methods, which the
 * compiler cannot call through a union, so the suite sees all stores as single ones.
 */
export type StoreUnderTest<K = string, V = string> = Database<K, V>

/** How to open one. `fs` keeps what was written between openings. */
export interface StoreFactory {
  readonly name: string
  /** False: the store goes by the machine's clock, so that nothing expires when a test wants it to. */
  readonly hasClock?: boolean
  open(fs: FileSystem, options?: OpenOptions): Promise<unknown>
}
