import { Found } from '../bytes/cursor.js'
import type { Database } from '../queue/messaging-database.js'
import { together } from '../store/batch-part.js'
import { type CheckpointReport, makeCheckpointNow } from '../store/checkpoint.js'
import { copyBytes } from '../store/encoding.js'
import { isInternal } from '../store/internal-trees.js'
import { Keyspace } from '../store/keyspace.js'
import { commitWith, OperationList } from '../store/operation-list.js'
import type { Reader } from '../store/reader.js'
import type { Isolation } from '../store/transaction.js'
import type { TreeState } from '../store/tree-state.js'
import type { VerifyReport } from '../store/verify/verification.js'
import type { KeyRange } from '../tree/key-range.js'
import type { TreeOptions } from '../tree/tree-options.js'
import { LocalMail } from './local-mail.js'
import { LocalReads } from './local-reads.js'
import { LocalTransaction } from './local-transaction.js'
import type { MailOperation } from './mail.js'
import type {
  Row,
  Shard,
  ShardFigures,
  ShardOperation,
  ShardPoint,
  ShardTransaction,
  ShardWriteOptions,
} from './shard.js'
import { MARK_KEY, MARK_SPACE, type ShardMark } from './shard-mark.js'
import { addOperation } from './shard-operations.js'

type Bytes = Uint8Array

// Counting this many keys takes some 2 ms; where there are more, tables and memtables are asked, which takes none.
const MOST_COUNTED_KEYS = 4096

const ALL: KeyRange = { start: new Uint8Array(0), end: undefined }

const NO_MAIL: readonly MailOperation[] = []

/** A shard that is a store of its own on this thread. */
export class LocalShard extends LocalReads implements Shard {
  readonly db: Database<Bytes, Bytes>
  readonly mail: LocalMail
  private readonly handles = new Map<string, Keyspace<Bytes, Bytes>>()
  private readonly declared = new Map<string, TreeOptions>()

  /** Requires: a store opened with 'view' for keys and values. */
  constructor(db: Database<Bytes, Bytes>) {
    super()
    this.db = db
    this.mail = new LocalMail(db)
    this.handles.set('', db)
  }

  keyspace(space: string): Keyspace<Bytes, Bytes> {
    let handle = this.handles.get(space)
    if (handle === undefined) {
      const options = this.declared.get(space) ?? {}
      handle = isInternal(space)
        ? this.internalSpace(space)
        : this.db.keyspace<Bytes, Bytes>(space, { keyEncoding: 'view', valueEncoding: 'view', ...options })
      this.handles.set(space, handle)
    }
    return handle
  }

  /** A keyspace whose name users cannot give. */
  private internalSpace(space: string): Keyspace<Bytes, Bytes> {
    const { engine, keyEncoding, valueEncoding, family } = this.db
    return new Keyspace(engine, engine.tree(space, {}), keyEncoding, valueEncoding, family)
  }

  protected reader(space: string): Reader<Bytes, Bytes> {
    return this.keyspace(space)
  }

  declare(space: string, options: TreeOptions): void {
    if (this.handles.has(space)) {
      // The engine refuses options that differ from what is settled.
      this.db.keyspace<Bytes, Bytes>(space, options)
      return
    }
    this.declared.set(space, options)
    this.keyspace(space)
  }

  /** Those of users: what the store keeps for itself stays where it is. */
  spaces(): string[] {
    return this.db.engine
      .trees()
      .map((state) => state.name)
      .filter((name) => !isInternal(name))
  }

  drain(): void {
    this.db.engine.pipeline.drain(false)
  }

  snapshot(): ShardPoint {
    return new LocalPoint(this)
  }

  rowsSync(space: string, keys: readonly Bytes[]): (Row | undefined)[] {
    const { engine, state } = this.keyspace(space)
    const found = new Found()
    return keys.map((key) => {
      if (!engine.lookup(state, key, key.length, engine.visible, found)) return undefined
      return { key, value: copyBytes(found.bytes, found.start, found.end), expiresAt: found.expiresAt }
    })
  }

  /** The mail, for callers in another thread. */
  mailOf(): LocalMail {
    return this.mail
  }

  async rows(space: string, keys: readonly Bytes[]): Promise<(Row | undefined)[]> {
    return this.rowsSync(space, keys)
  }

  write(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = NO_MAIL,
  ): Promise<void> {
    try {
      return this.commit(operations, options, mail, false)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  writeSync(
    operations: readonly ShardOperation[],
    options: ShardWriteOptions,
    mail: readonly MailOperation[] = NO_MAIL,
  ): void {
    void this.commit(operations, options, mail, true)
  }

  begin(isolation: Isolation): ShardTransaction {
    return new LocalTransaction(this.db.engine, (space) => this.keyspace(space), isolation)
  }

  /**
   * Where there are more than a few thousand keys they are estimated: entries of tables and memtables, less two for each deletion among
   * those of tables. What was overwritten and is not merged yet is counted twice.
   */
  figures(): ShardFigures {
    let keys = 0
    let bytes = 0
    for (const space of this.spaces()) {
      const { state } = this.keyspace(space)
      bytes += state.approximateBytes(ALL)
      keys += this.estimate(state) ?? this.keyspace(space).countSync()
    }
    return { keys, bytes }
  }

  /** About how many keys there are; `undefined` where they are quickly counted. */
  private estimate({ tree, active, sealed }: TreeState): number | undefined {
    let entries = 0
    let dead = 0
    for (const { entryCount, deletionCount } of tree?.version.metas().flat() ?? []) {
      entries += entryCount
      dead += deletionCount * 2
    }
    for (const { index } of active === undefined ? sealed : [active, ...sealed]) entries += index.entryCount
    return entries <= MOST_COUNTED_KEYS ? undefined : Math.max(0, entries - dead)
  }

  async checkpoint(directory: string): Promise<CheckpointReport> {
    const target = this.db.placeOutside(directory)
    return makeCheckpointNow(this.db.engine, target.fs, target.directory)
  }

  verify(): Promise<VerifyReport> {
    return this.db.verify()
  }

  async approximateSize(space: string, range: KeyRange): Promise<number> {
    return this.keyspace(space).state.approximateBytes(range)
  }

  flush(): Promise<void> {
    return this.db.flush()
  }

  compact(kind: 'minor' | 'major'): Promise<void> {
    return this.db.compact({ kind })
  }

  idle(): Promise<void> {
    return this.db.idle()
  }

  close(): Promise<void> {
    return this.db.close()
  }

  /** Whose shard it says it is. */
  readMark(): ShardMark | undefined {
    const bytes = this.keyspace(MARK_SPACE).getSync(MARK_KEY)
    return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes))
  }

  async writeMark(mark: ShardMark): Promise<void> {
    const value = new TextEncoder().encode(JSON.stringify(mark))
    await this.keyspace(MARK_SPACE).put(MARK_KEY, value, { sync: true })
  }

  /** Commits the operations as one record. */
  private commit(
    operations: readonly ShardOperation[],
    { sync }: ShardWriteOptions,
    mail: readonly MailOperation[],
    onThisThread: boolean,
  ): Promise<void> {
    const { pipeline } = this.db.engine
    const record = new OperationList()
    for (const operation of operations) addOperation(record, this.keyspace(operation.space).state, operation)
    if (mail.length === 0) return record.commit(pipeline, record.byteBound(), sync, onThisThread)
    return commitWith(pipeline, record, together(this.mail.parts(mail)), sync, onThisThread)
  }
}

/** A moment of a store. */
class LocalPoint extends LocalReads implements ShardPoint {
  private readonly shard: LocalShard
  private readonly point: ReturnType<Database<Bytes, Bytes>['snapshot']>

  constructor(shard: LocalShard) {
    super()
    this.shard = shard
    this.point = shard.db.snapshot()
  }

  protected reader(space: string): Reader<Bytes, Bytes> {
    return space === '' ? this.point : this.point.keyspace(this.shard.keyspace(space))
  }

  close(): void {
    this.point.close()
  }
}
