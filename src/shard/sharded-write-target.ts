import type { Clock } from '../bytes/clock.js'
import type { WriteOptions } from '../store/write-target.js'
import type { MailOperation } from './mail.js'
import type { ShardOperation } from './shard.js'
import type { ShardGroup } from './shard-group.js'

/** What a batch takes. */
export interface ShardedWriteOptions extends WriteOptions {
  /** False: a batch may span shards, and is then atomic on each of them alone (default true: `SILT_CROSS_SHARD`). */
  atomic?: boolean
}

/** What the keyspaces of one sharded store share. */
export interface ShardedFamily {
  readonly sync: boolean
  readonly clock: Clock
  /** The keyspace of that name or handle. */
  resolve(keyspace: unknown): ShardedWriteTarget<unknown, unknown>
}

/** A keyspace as a batch sees it: somewhere to write to. */
export interface ShardedWriteTarget<K, V> {
  /** @internal */
  readonly group: ShardGroup
  /** @internal */
  readonly family: ShardedFamily
  /** @internal */
  putOperation(key: K, value: V, ttl?: number): ShardOperation & { type: 'put' }
  /** @internal */
  deleteOperation(key: K): ShardOperation & { type: 'del' }
  /** @internal */
  commit(
    operations: readonly ShardOperation[],
    options: ShardedWriteOptions | undefined,
    mail?: readonly MailOperation[],
  ): Promise<void>
  /** @internal */
  commitSync(
    operations: readonly ShardOperation[],
    options: ShardedWriteOptions | undefined,
    mail?: readonly MailOperation[],
  ): void
}
