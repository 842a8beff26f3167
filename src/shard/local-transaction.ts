import type { Engine } from '../store/engine.js'
import type { Keyspace } from '../store/keyspace.js'
import type { Reader } from '../store/reader.js'
import { type Isolation, Transaction, TransactionState } from '../store/transaction.js'
import { LocalReads } from './local-reads.js'
import type { ShardOperation, ShardTransaction } from './shard.js'
import { byteBoundOf, putOperation } from './shard-operations.js'

type Bytes = Uint8Array

/** One attempt of a transaction on one store. */
export class LocalTransaction extends LocalReads implements ShardTransaction {
  private readonly keyspaceOf: (space: string) => Keyspace<Bytes, Bytes>
  private readonly shared: TransactionState
  private readonly readers = new Map<string, Transaction<Bytes, Bytes>>()

  constructor(engine: Engine, keyspaceOf: (space: string) => Keyspace<Bytes, Bytes>, isolation: Isolation) {
    super()
    this.keyspaceOf = keyspaceOf
    engine.checkWritable()
    this.shared = new TransactionState(engine, isolation)
  }

  protected reader(space: string): Reader<Bytes, Bytes> {
    let reader = this.readers.get(space)
    if (reader === undefined) {
      reader = new Transaction(this.keyspaceOf(space), this.shared)
      this.readers.set(space, reader)
    }
    return reader
  }

  write(operation: ShardOperation): void {
    this.shared.checkOpen()
    const { state } = this.keyspaceOf(operation.space)
    this.shared.writes.add(state, byteBoundOf(operation), (bytes, offset) =>
      putOperation(bytes, offset, state, operation),
    )
  }

  async commit(sync: boolean): Promise<boolean> {
    this.shared.checkOpen()
    return this.shared.commitUnlessConflict(sync)
  }

  commitSync(sync: boolean): boolean {
    this.shared.checkOpen()
    if (this.shared.hasConflict()) return false
    void this.shared.commit(sync, true)
    return true
  }

  close(): void {
    this.shared.close()
  }
}
