import type { CheckpointReport } from '../store/checkpoint.js'
import type { Isolation } from '../store/transaction.js'
import type { VerifyReport } from '../store/verify/verification.js'
import type { KeyRange } from '../tree/key-range.js'
import type { TreeOptions } from '../tree/tree-options.js'
import type { MailOperation, ShardMail } from './mail.js'

/*
 * A shard as the sharded store sees it: bytes in, bytes out. A store of its own is one (`local-shard.ts`), and so is a group of
 * shards (`shard-group.ts`), which is how sharded stores nest.
 */

/** An entry as it is moved: with the moment at which it expires, 0 where it does not. */
export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly expiresAt: number
}

/** One operation of a commit. `clear` takes the keys from `key` up to `end`. Spaces are keyspaces by name, '' the default one. */
export type ShardOperation =
  | {
      readonly type: 'put'
      readonly space: string
      readonly key: Uint8Array
      readonly value: string | Uint8Array
      readonly expiresAt: number
    }
  | { readonly type: 'del'; readonly space: string; readonly key: Uint8Array }
  | { readonly type: 'clear'; readonly space: string; readonly key: Uint8Array; readonly end: Uint8Array | undefined }

export interface ShardWriteOptions {
  readonly sync: boolean
  /** Whether parts on several shards are refused; a shard of its own is always atomic. */
  readonly atomic: boolean
}

/** What to walk over. */
export interface ShardQuery {
  readonly range: KeyRange
  readonly reverse: boolean
  readonly limit: number
  /** Rows have empty values where only keys are asked for. */
  readonly keysOnly: boolean
}

/** A walk over rows in key order, as of when it was made. */
export interface ShardScan {
  seek(key: Uint8Array): void
  nextMany(count: number): Promise<Row[]>
  nextManySync(count: number): Row[]
  close(): void
}

/** Reads, live or at a fixed point. */
export interface ShardReads {
  get(space: string, key: Uint8Array): Promise<Uint8Array | undefined>
  getSync(space: string, key: Uint8Array): Uint8Array | undefined
  getMany(space: string, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  getManySync(space: string, keys: readonly Uint8Array[]): (Uint8Array | undefined)[]
  hasMany(space: string, keys: readonly Uint8Array[]): Promise<boolean[]>
  hasManySync(space: string, keys: readonly Uint8Array[]): boolean[]
  scan(space: string, query: ShardQuery): ShardScan
}

/** A fixed point of a shard. */
export interface ShardPoint extends ShardReads {
  /** Twice is once. */
  close(): void
}

/** Reads and writes that take effect as one, on one shard. */
export interface ShardTransaction extends ShardReads {
  write(operation: ShardOperation): void
  /** Whether it was committed; if not, somebody else came in between and nothing was written. */
  commit(sync: boolean): Promise<boolean>
  commitSync(sync: boolean): boolean
  /** Twice is once. */
  close(): void
}

/** Figures of one shard. */
export interface ShardFigures {
  readonly keys: number
  readonly bytes: number
}

export interface Shard extends ShardReads {
  /** Its queues, topics and logs. */
  readonly mail: ShardMail
  /** Settles a keyspace's options before its first write. */
  declare(space: string, options: TreeOptions): void
  /** Keyspaces that were written to. */
  spaces(): string[]
  /** Makes everything that was issued visible, before it returns. */
  drain(): void
  snapshot(): ShardPoint
  /** What stands under keys, with the moments at which it expires. */
  rowsSync(space: string, keys: readonly Uint8Array[]): (Row | undefined)[]
  rows(space: string, keys: readonly Uint8Array[]): Promise<(Row | undefined)[]>
  /** `mail`: messages that are sent and acknowledged in the same commit. */
  write(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail?: readonly MailOperation[],
  ): Promise<void>
  writeSync(operations: readonly ShardOperation[], options: ShardWriteOptions, mail?: readonly MailOperation[]): void
  begin(isolation: Isolation): ShardTransaction
  figures(): ShardFigures
  /** A copy of what it is at the moment of the call. */
  checkpoint(directory: string): Promise<CheckpointReport>
  verify(): Promise<VerifyReport>
  approximateSize(space: string, range: KeyRange): Promise<number>
  flush(): Promise<void>
  compact(kind: 'minor' | 'major'): Promise<void>
  idle(): Promise<void>
  close(): Promise<void>
}
