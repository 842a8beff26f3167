import type { CheckpointReport } from '../store/checkpoint.js'
import type { Isolation } from '../store/transaction.js'
import type { VerifyReport } from '../store/verify/verification.js'
import type { KeyRange } from '../tree/key-range.js'
import type { TreeOptions } from '../tree/tree-options.js'
import type { MailOperation } from './mail.js'
import type {
  Row,
  Shard,
  ShardFigures,
  ShardOperation,
  ShardPoint,
  ShardQuery,
  ShardReads,
  ShardScan,
  ShardTransaction,
  ShardWriteOptions,
} from './shard.js'
import type { ShardMark } from './shard-mark.js'
import type { ThreadClient } from './thread-client.js'
import { ThreadMail, travellingMail } from './thread-mail.js'
import { SHARD_OBJECT } from './thread-protocol.js'

type Bytes = Uint8Array

/** Reads of an object in the shard's thread. */
abstract class ThreadReads implements ShardReads {
  protected readonly client: ThreadClient

  constructor(client: ThreadClient) {
    this.client = client
  }

  /** Which object is asked. */
  protected abstract readonly object: number

  get(space: string, key: Bytes): Promise<Bytes | undefined> {
    return this.client.call(this.object, 'get', [space, own(key)])
  }

  getSync(space: string, key: Bytes): Bytes | undefined {
    return this.client.callSync(this.object, 'getSync', [space, own(key)])
  }

  getMany(space: string, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return this.client.call(this.object, 'getMany', [space, keys.map(own)])
  }

  getManySync(space: string, keys: readonly Bytes[]): (Bytes | undefined)[] {
    return this.client.callSync(this.object, 'getManySync', [space, keys.map(own)])
  }

  hasMany(space: string, keys: readonly Bytes[]): Promise<boolean[]> {
    return this.client.call(this.object, 'hasMany', [space, keys.map(own)])
  }

  hasManySync(space: string, keys: readonly Bytes[]): boolean[] {
    return this.client.callSync(this.object, 'hasManySync', [space, keys.map(own)])
  }

  scan(space: string, query: ShardQuery): ShardScan {
    const { start, end } = query.range
    const range = { start: own(start), end: end === undefined ? undefined : own(end) }
    return new ThreadScan(this.client, this.client.make(this.object, 'scan', [space, { ...query, range }]))
  }
}

class ThreadScan implements ShardScan {
  private readonly client: ThreadClient
  private readonly object: number

  constructor(client: ThreadClient, object: number) {
    this.client = client
    this.object = object
  }

  seek(key: Bytes): void {
    this.client.tell(this.object, 'seek', [own(key)])
  }

  nextMany(count: number): Promise<Row[]> {
    return this.client.call(this.object, 'nextMany', [count])
  }

  nextManySync(count: number): Row[] {
    return this.client.callSync(this.object, 'nextManySync', [count])
  }

  close(): void {
    this.client.tell(this.object, 'close', [])
  }
}

class ThreadPoint extends ThreadReads implements ShardPoint {
  protected readonly object: number

  constructor(client: ThreadClient, object: number) {
    super(client)
    this.object = object
  }

  close(): void {
    this.client.tell(this.object, 'close', [])
  }
}

class ThreadTransaction extends ThreadPoint implements ShardTransaction {
  private open = true

  write(operation: ShardOperation): void {
    this.client.tell(this.object, 'write', [ownOperation(operation)])
  }

  commit(sync: boolean): Promise<boolean> {
    return this.client.call(this.object, 'commit', [sync])
  }

  commitSync(sync: boolean): boolean {
    return this.client.callSync(this.object, 'commitSync', [sync])
  }

  override close(): void {
    if (this.open) super.close()
    this.open = false
  }
}

/** A shard that is a store in a worker thread. Everything is carried out there in the order in which it was called here. */
export class ThreadShard extends ThreadReads implements Shard {
  protected readonly object = SHARD_OBJECT
  private openedMail: ThreadMail | undefined

  declare(space: string, options: TreeOptions): void {
    this.client.callSync(SHARD_OBJECT, 'declare', [space, options])
  }

  spaces(): string[] {
    return this.client.callSync(SHARD_OBJECT, 'spaces', [])
  }

  /** Whatever is called next finds it done. */
  drain(): void {
    this.client.tell(SHARD_OBJECT, 'drain', [])
  }

  snapshot(): ShardPoint {
    return new ThreadPoint(this.client, this.client.make(SHARD_OBJECT, 'snapshot', []))
  }

  rowsSync(space: string, keys: readonly Bytes[]): (Row | undefined)[] {
    return this.client.callSync(SHARD_OBJECT, 'rowsSync', [space, keys.map(own)])
  }

  rows(space: string, keys: readonly Bytes[]): Promise<(Row | undefined)[]> {
    return this.client.call(SHARD_OBJECT, 'rows', [space, keys.map(own)])
  }

  checkpoint(directory: string): Promise<CheckpointReport> {
    return this.client.call(SHARD_OBJECT, 'checkpoint', [directory])
  }

  verify(): Promise<VerifyReport> {
    return this.client.call(SHARD_OBJECT, 'verify', [])
  }

  get mail(): ThreadMail {
    this.openedMail ??= new ThreadMail(this.client, this.client.make(SHARD_OBJECT, 'mailOf', []))
    return this.openedMail
  }

  write(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = [],
  ): Promise<void> {
    const args = [operations.map(ownOperation), options, mail.map(travellingMail)]
    return this.client.call(SHARD_OBJECT, 'write', args)
  }

  writeSync(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = [],
  ): void {
    this.client.callSync(SHARD_OBJECT, 'writeSync', [operations.map(ownOperation), options, mail.map(travellingMail)])
  }

  begin(isolation: Isolation): ShardTransaction {
    return new ThreadTransaction(this.client, this.client.make(SHARD_OBJECT, 'begin', [isolation]))
  }

  figures(): ShardFigures {
    return this.client.callSync(SHARD_OBJECT, 'figures', [])
  }

  approximateSize(space: string, range: KeyRange): Promise<number> {
    return this.client.call(SHARD_OBJECT, 'approximateSize', [space, range])
  }

  flush(): Promise<void> {
    return this.client.call(SHARD_OBJECT, 'flush', [])
  }

  compact(kind: 'minor' | 'major'): Promise<void> {
    return this.client.call(SHARD_OBJECT, 'compact', [kind])
  }

  idle(): Promise<void> {
    return this.client.call(SHARD_OBJECT, 'idle', [])
  }

  close(): Promise<void> {
    return this.client.close()
  }

  readMark(): ShardMark | undefined {
    return this.client.callSync(SHARD_OBJECT, 'readMark', [])
  }

  writeMark(mark: ShardMark): Promise<void> {
    return this.client.call(SHARD_OBJECT, 'writeMark', [mark])
  }
}

/** Bytes that the call may hand over: the caller keeps its own, and a view into a pool would drag the pool along. */
function own(bytes: Bytes): Bytes {
  return new Uint8Array(bytes)
}

function ownOperation(operation: ShardOperation): ShardOperation {
  const key = own(operation.key)
  if (operation.type !== 'put') return { ...operation, key }
  const { value } = operation
  return { ...operation, key, value: typeof value === 'string' ? value : own(value) }
}
