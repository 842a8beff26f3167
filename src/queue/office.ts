import type { Clock } from '../bytes/clock.js'
import type { Engine } from '../store/engine.js'
import type { TreeState } from '../store/tree-state.js'
import type { Change } from './change.js'
import type { TableSweeper } from './table-sweeper.js'
import type { TreeReader } from './tree-reader.js'

/** What has a name of its own in the registry. */
export type OwnerKind = 'queue' | 'subscription' | 'log' | 'topic'

/** What queues, topics and logs of one store share. */
export interface Office {
  readonly engine: Engine
  readonly clock: Clock
  /** The tree in which they keep what they have to remember. */
  readonly state: TreeState
  readonly reader: TreeReader
  /** The store's default durability. */
  readonly sync: boolean
  readonly isWritable: boolean
  readonly sweeper: TableSweeper
  /** Writes down which number is whose. */
  recordName(change: Change, kind: OwnerKind, name: string, number: number): void
}
