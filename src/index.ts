/**
 * Siltstone: an ordered key-value storage engine for Node, an LSM tree without native code.
 *
 * @packageDocumentation
 */

export type { Clock } from './bytes/clock.js'
export type { CompressionName } from './bytes/compression.js'
export type {
  DiagnosticMessages,
  ErrorMessage,
  JobMessage,
  RecoveryMessage,
  StallMessage,
  WorkerMessage,
} from './bytes/diagnostics.js'
export { SiltstoneError, type SiltstoneErrorCode, type SiltstoneErrorDetails } from './bytes/errors.js'
export type { LatencyStats } from './bytes/latency.js'
export type { FileHandle, FileLock, FileStatus, FileSystem, OpenMode } from './fs/file-system.js'
export { MemoryFileSystem } from './fs/memory-file-system.js'
export type { LogLoss } from './log/recovery.js'
export type { DurableLog, LogEntry, LogStats, ReadLogOptions } from './queue/durable-log.js'
export type { Handler, HandlerContext, StopOptions } from './queue/handler-loop.js'
export type { SendResult } from './queue/intake.js'
export type { NackOptions } from './queue/mailbox.js'
export { Message } from './queue/message.js'
export type { DeadLetter } from './queue/message-format.js'
export { Database, open } from './queue/messaging-database.js'
export {
  type PeekedMessage,
  Queue,
  type QueueStats,
  type ReceiveOptions,
  type SendItem,
  type SendOptions,
} from './queue/queue.js'
export type { Repetition, When } from './queue/repetition.js'
export type { Backoff, Ordering, Overflow, QueueOptions, QueueRules, RateLimit, Rules } from './queue/rules.js'
export { type From, Subscription, TopicMessage } from './queue/subscription.js'
export { type PublishOptions, type Retention, type SubscribeOptions, Topic, type TopicOptions } from './queue/topic.js'
export type { ConsumeOptions, Worker } from './queue/worker.js'
export {
  type BackupInfo,
  type BackupOptions,
  type BackupPlace,
  type BackupReport,
  backup,
  listBackups,
  pruneBackups,
  restoreBackup,
  verifyBackup,
} from './store/backup.js'
export type { Batch, BatchOperation, BatchPutOptions, Expiry, KeyspaceReference } from './store/batch.js'
export type { Acknowledgeable, MessageOptions, MessageTarget } from './store/batch-part.js'
export type { RangeOptions } from './store/bounds.js'
export type { Change, ClearChange, Commit, DeleteChange, PutChange } from './store/changes/change.js'
export type { ChangesOptions } from './store/changes/change-feed.js'
export type { CheckpointReport } from './store/checkpoint.js'
export type { CloseOptions } from './store/close-options.js'
export type { CompactOptions } from './store/database.js'
export { destroy } from './store/destroy.js'
export type {
  AnyEncoding,
  CustomEncoding,
  Decoded,
  EncodingName,
  EncodingOption,
  EncodingOptions,
} from './store/encoding.js'
export type { FollowOptions } from './store/follow.js'
export type { IndexFunction, TransactionScope } from './store/indexes/index-writer.js'
export {
  type IndexDefinition,
  type IndexDefinitions,
  IndexedKeyspace,
  IndexedTransaction,
  indexed,
  type TuplesOf,
} from './store/indexes/indexed-keyspace.js'
export { type IndexScanOptions, SecondaryIndex } from './store/indexes/secondary-index.js'
export { type Beginning, type Tuple, type TupleRange, type TupleValue, tuples } from './store/indexes/tuple.js'
export { Keyspace, type PutOptions } from './store/keyspace.js'
export type { MetricsOptions } from './store/metrics.js'
export type { KeyspaceOptions, OpenOptions } from './store/options.js'
export type { PullStream } from './store/pull-stream.js'
export type { Reader, ReadOptions, ReadPoint } from './store/reader.js'
export type { RecoveryReport } from './store/recover.js'
export type { KeptFile, LostFile, RepairReport } from './store/repair/ledger.js'
export { type RepairOptions, repair } from './store/repair.js'
export { type ReplicateOptions, type ReplicationProgress, replicate } from './store/replicate.js'
export type { LogRetention } from './store/retained-log.js'
export type { Scan, ScanOptions } from './store/scan.js'
export type { Snapshot } from './store/snapshot.js'
export type { StoreStats } from './store/stats.js'
export type { TransactionOptions } from './store/transact.js'
export type { Isolation, Transaction } from './store/transaction.js'
export type { VerifyReport } from './store/verify/verification.js'
export type { WatchChange, WatchOptions, WatchTarget } from './store/watch/watch.js'
export type { WriteOptions } from './store/write-target.js'
export type { CompactionStyle } from './tree/tree-options.js'
