import type { Clock } from '../bytes/clock.js'
import { invalid } from '../bytes/errors.js'
import { describe } from '../store/encoding.js'
import { notOpen } from '../store/reader.js'
import type { Codec } from './codec.js'
import type { ShardPoint, ShardReads } from './shard.js'
import type { ShardGroup } from './shard-group.js'
import { ShardedReader, type ShardedReadPoint } from './sharded-reader.js'

/** One moment of all shards; a snapshot and its views of other keyspaces share it. */
class Moment implements ShardedReadPoint {
  readonly group: ShardGroup
  private readonly point: ShardPoint
  private open = true

  constructor(group: ShardGroup) {
    this.group = group
    this.point = group.snapshot()
  }

  readsFor(group: object): ShardReads {
    if (group !== this.group) throw invalid('The snapshot belongs to another store')
    if (!this.open) throw notOpen('snapshot')
    return this.point
  }

  close(): void {
    this.open = false
    this.point.close()
  }
}

/**
 * A keyspace of all shards as it was when the snapshot was made: everything that was issued before is in it, nothing after, whatever
 * is written or moved to other shards meanwhile.
 *
 * @example
 * using snapshot = store.snapshot()
 * await store.put('a', '2')
 * await snapshot.get('a') // what it was before
 */
export class ShardedSnapshot<K = string, V = string> extends ShardedReader<K, V> implements ShardedReadPoint {
  private readonly moment: Moment

  /** @internal Snapshots come from `store.snapshot()`. */
  constructor(
    group: ShardGroup,
    space: string,
    keyCodec: Codec<K>,
    valueCodec: Codec<V>,
    protected readonly clock: Clock,
    moment = new Moment(group),
  ) {
    super(space, keyCodec, valueCodec)
    this.moment = moment
  }

  /** Another keyspace at the same moment. */
  keyspace<K2, V2>(keyspace: ShardedReader<K2, V2> & { readonly group: ShardGroup }): ShardedSnapshot<K2, V2> {
    if (keyspace?.group === undefined) {
      throw invalid(`A snapshot takes what store.keyspace() returned, not ${describe(keyspace)}`)
    }
    this.moment.readsFor(keyspace.group)
    const { group, space, keyCodec, valueCodec } = keyspace
    return new ShardedSnapshot(group, space, keyCodec, valueCodec, this.clock, this.moment)
  }

  /** Lets go of what only this snapshot still sees; twice is once. Views of other keyspaces end with it. */
  close(): void {
    this.moment.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  readsFor(group: object): ShardReads {
    return this.moment.readsFor(group)
  }

  protected get home(): object {
    return this.moment.group
  }

  protected reads(): ShardReads {
    return this.moment.readsFor(this.moment.group)
  }

  protected checkOpen(): void {
    this.moment.group.checkOpen()
  }
}
