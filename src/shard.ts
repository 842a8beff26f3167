/**
 * Siltstone over shards: a store dealt out over several, and the placements on their own.
 *
 * @packageDocumentation
 */

export type { Balance, ShardBalance } from './shard/balance.js'
export { BoundedLoads } from './shard/bounded-loads.js'
export { Directory } from './shard/placement/directory.js'
export { Jump } from './shard/placement/jump.js'
export type {
  PlacedShard,
  Placement,
  PlacementName,
  PlacementState,
  ShardPlaceOptions,
} from './shard/placement/placement.js'
export { Range } from './shard/placement/range.js'
export { Rendezvous } from './shard/placement/rendezvous.js'
export { Ring, type RingOptions } from './shard/placement/ring.js'
export { SLOT_COUNT, Slots } from './shard/placement/slots.js'
export type { RebalancePlan } from './shard/rebalance-plan.js'
export type { RebalanceOptions, RebalanceProgress } from './shard/rebalancer.js'
export type { ShardedOptions, ShardingOptions, ShardSpec } from './shard/shard-options.js'
export type { ShardedBatch, ShardedBatchOperation } from './shard/sharded-batch.js'
export type { ShardedKeyspace } from './shard/sharded-keyspace.js'
export type { ShardedLog } from './shard/sharded-log.js'
export type { ShardedMessage } from './shard/sharded-message.js'
export type { ShardedQueue, ShardedSendOptions } from './shard/sharded-queue.js'
export type { ShardedReadOptions } from './shard/sharded-reader.js'
export type { ShardedScan } from './shard/sharded-scan.js'
export type { ShardedSnapshot } from './shard/sharded-snapshot.js'
export {
  destroySharded,
  openSharded,
  type ShardedCapabilities,
  type ShardedStats,
  ShardedStore,
} from './shard/sharded-store.js'
export type { ShardedSubscribeOptions, ShardedSubscription, ShardedTopic } from './shard/sharded-topic.js'
export type { ShardedTransaction } from './shard/sharded-transaction.js'
export type { ShardedWorker } from './shard/sharded-worker.js'
export type { ShardedWriteOptions } from './shard/sharded-write-target.js'
