import { invalid } from '../bytes/errors.js'
import type { Isolation } from '../store/transaction.js'
import { crossShard } from './cross-shard.js'
import type { Ownership } from './ownership.js'
import type { Shard, ShardOperation, ShardQuery, ShardReads, ShardScan, ShardTransaction } from './shard.js'

type Bytes = Uint8Array

/** What a transaction needs of the group that it runs on. */
export interface TransactionGround {
  ownership(): Ownership
  shard(name: string): Shard
  /** The commit of these operations is being issued. */
  note(operations: readonly ShardOperation[]): void
}

/**
 * One attempt of a transaction. The first key it touches decides on which shard it runs; another shard's key is refused. Should
 * keys that it has touched move away meanwhile, the attempt is lost like after any conflict.
 */
export class GroupTransaction implements ShardTransaction {
  private readonly ground: TransactionGround
  private readonly isolation: Isolation
  private bound: { readonly name: string; readonly transaction: ShardTransaction } | undefined
  private readonly touched: { readonly space: string; readonly key: Bytes }[] = []
  private readonly written: ShardOperation[] = []

  constructor(ground: TransactionGround, isolation: Isolation) {
    this.ground = ground
    this.isolation = isolation
  }

  get(space: string, key: Bytes): Promise<Bytes | undefined> {
    return this.at(space, key).get(space, key)
  }

  getSync(space: string, key: Bytes): Bytes | undefined {
    return this.at(space, key).getSync(space, key)
  }

  getMany(space: string, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return keys.length === 0 ? Promise.resolve([]) : this.atAll(space, keys).getMany(space, keys)
  }

  getManySync(space: string, keys: readonly Bytes[]): (Bytes | undefined)[] {
    return keys.length === 0 ? [] : this.atAll(space, keys).getManySync(space, keys)
  }

  hasMany(space: string, keys: readonly Bytes[]): Promise<boolean[]> {
    return keys.length === 0 ? Promise.resolve([]) : this.atAll(space, keys).hasMany(space, keys)
  }

  hasManySync(space: string, keys: readonly Bytes[]): boolean[] {
    return keys.length === 0 ? [] : this.atAll(space, keys).hasManySync(space, keys)
  }

  scan(space: string, query: ShardQuery): ShardScan {
    return this.atRange(space, query.range, 'A scan in a transaction').scan(space, query)
  }

  write(operation: ShardOperation): void {
    const { space, key } = operation
    const transaction =
      operation.type === 'clear'
        ? this.atRange(space, { start: key, end: operation.end }, 'A clear in a transaction')
        : this.at(space, key)
    transaction.write(operation)
    this.written.push(operation)
  }

  /** Ownership and conflicts are judged in the turn in which the commit is issued, so nothing can come in between. */
  commit(sync: boolean): Promise<boolean> {
    if (this.bound === undefined) return Promise.resolve(true)
    if (!this.isStillThere()) return Promise.resolve(false)
    this.ground.note(this.written)
    return this.bound.transaction.commit(sync)
  }

  commitSync(sync: boolean): boolean {
    if (this.bound === undefined) return true
    if (!this.isStillThere()) return false
    this.ground.note(this.written)
    return this.bound.transaction.commitSync(sync)
  }

  close(): void {
    this.bound?.transaction.close()
  }

  private isStillThere(): boolean {
    const ownership = this.ground.ownership()
    return this.touched.every(({ space, key }) => ownership.ownerOf(space, key) === this.bound!.name)
  }

  private at(space: string, key: Bytes): ShardTransaction {
    this.touched.push({ space, key })
    return this.on(this.ground.ownership().ownerOf(space, key), 'The transaction')
  }

  private atAll(space: string, keys: readonly Bytes[]): ShardReads {
    for (const key of keys) this.at(space, key)
    return this.bound!.transaction
  }

  private atRange(space: string, range: ShardQuery['range'], what: string): ShardTransaction {
    const owner = this.ground.ownership().ownerOfRange(space, range)
    if (owner === undefined) {
      throw crossShard(`${what} over keys without a common tag`, ['of all keys'])
    }
    this.touched.push({ space, key: range.start })
    return this.on(owner, what)
  }

  private on(name: string, what: string): ShardTransaction {
    this.bound ??= { name, transaction: this.ground.shard(name).begin(this.isolation) }
    if (this.bound.name !== name) throw crossShard(what, [this.bound.name, name])
    return this.bound.transaction
  }
}

export function checkIsolation(isolation: unknown): asserts isolation is Isolation {
  if (isolation === 'serializable' || isolation === 'snapshot') return
  throw invalid(`Option isolation must be 'serializable' or 'snapshot', not ${String(isolation)}`)
}
