import { Found } from '../bytes/cursor.js'
import { invalid } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { LONGEST_PAYLOAD_BYTES } from '../log/record.js'
import type { Change, Commit } from './changes/change.js'
import { ChangeFeed } from './changes/change-feed.js'
import type { Database } from './database.js'
import { describe } from './encoding.js'
import type { Engine } from './engine.js'
import { internalName } from './internal-trees.js'
import { OperationList } from './operation-list.js'
import { checked, flag, handler, signal } from './options.js'
import { PullStream } from './pull-stream.js'
import type { TreeState } from './tree-state.js'

/** What `replicate` takes. */
export interface ReplicateOptions {
  /** Wait for commits that are still to come (default true), or return when the replica has the last one there is. */
  follow?: boolean
  /** Whether what the replica has taken survives a loss of power at once (default: what the replica was opened with). */
  sync?: boolean
  /** Called whenever the replica has got further. */
  onProgress?: (progress: ReplicationProgress) => void
  /** Ends the loop when it aborts, with its reason. */
  signal?: AbortSignal
}

const checks = { follow: flag, sync: flag, onProgress: handler, signal }

/** How far a replica has got. */
export interface ReplicationProgress {
  /** Of the source: everything before it is in the replica. */
  readonly position: Position
  /** Of the source's log: what is still to come. */
  readonly behindBytes: number
}

/** A commit of the feed, as bytes. */
type RawCommit = Commit<Uint8Array, Uint8Array>

/** Where a replica keeps how far it has got, by the number of its source. */
const POSITIONS = internalName('replica')

/**
 * Makes one store the same as another and keeps it so: applies to the replica every commit of the source, in order, and returns how far it
 * got. What it finds piled up it applies together, so who reads the replica sees the source as it was at one moment or another, and never
 * part of a commit.
 *
 * How far it got is written in the same commit as what it got, so it goes on from there whatever was interrupted, with the replica as with
 * the source. It begins with a replica that is a checkpoint of the source or a restored backup, or with an empty one if the source has kept
 * its log from the first commit on. `SILT_GONE` where the source has not kept what comes next (see `logRetention`), or has lost
 * with the power what the replica had seen of it already: make a new replica of a checkpoint.
 *
 * The replica is the source's in all that is stored: keys, values, expiries, indexes, queues, topics. Write nothing else to it for as long
 * as it is one.
 *
 * @example
 * await db.checkpoint('./replica')
 * const replica = await open('./replica')
 * await db.put('a', '1')
 * await replicate(db, replica, { follow: false })
 * await replica.get('a') // '1'
 * await replica.close()
 */
export async function replicate<K, V, K2, V2>(
  source: Database<K, V>,
  replica: Database<K2, V2>,
  options: ReplicateOptions = {},
): Promise<ReplicationProgress> {
  checked(options, checks, 'replicate')
  for (const store of [source, replica]) {
    if (store?.engine === undefined) throw invalid(`replicate takes two open stores, not ${describe(store)}`)
  }
  const { follow = true, sync = replica.family.sync, onProgress } = options
  if (source.engine === replica.engine) throw invalid('A store cannot be a replica of itself')
  const apprentice = new Apprentice(source.engine, replica.engine, sync)
  const feed = new ChangeFeed(source.engine, apprentice.position, 'raw')
  const stream = new PullStream(source.engine, feed, { follow, signal: options.signal })
  let pile: RawCommit[] = []
  for await (const commit of stream as PullStream<RawCommit>) {
    pile.push(commit)
    if (feed.hasOneReady) continue
    await apprentice.take(pile)
    pile = []
    onProgress?.(apprentice.progress)
  }
  return apprentice.progress
}

/** A replica that is being taught. */
class Apprentice {
  /** Of the source: what comes next is behind it. */
  position: Position
  private readonly source: Engine
  private readonly engine: Engine
  private readonly sync: boolean
  private readonly positions: TreeState
  private readonly sourceKey: Uint8Array

  constructor(source: Engine, engine: Engine, sync: boolean) {
    engine.checkWritable()
    this.source = source
    this.engine = engine
    this.sync = sync
    this.positions = engine.tree(POSITIONS, {})
    this.sourceKey = Buffer.from(String(source.forest.storeId), 'latin1')
    this.position = this.noted() ?? this.original()
  }

  get progress(): ReplicationProgress {
    const { position } = this
    return { position, behindBytes: Math.max(0, this.source.visible - position) }
  }

  /** What the replica has written down itself. */
  private noted(): Position | undefined {
    const { engine, sourceKey } = this
    const found = new Found()
    if (!engine.lookup(this.positions, sourceKey, sourceKey.length, engine.visible, found)) return undefined
    const text = Buffer.from(found.bytes.subarray(found.start, found.end)).toString('latin1')
    return (JSON.parse(text) as { position: Position }).position
  }

  /** Where the replica began. */
  private original(): Position {
    const { origin } = this.engine.forest
    if (origin?.storeId === this.source.forest.storeId) return origin.position
    if (this.engine.trees().length === 0) return 0
    throw invalid(
      `The store in ${this.engine.directory} is no copy of the one in ${this.source.directory}; begin with an empty store, or with a checkpoint of the source`,
    )
  }

  /** Applies commits as one. */
  async take(commits: readonly RawCommit[]): Promise<void> {
    const { engine, positions, sourceKey } = this
    const { position } = commits.at(-1)!
    const note = Buffer.from(JSON.stringify({ position }), 'latin1')
    const states = commits.map(({ operations }) => operations.map(({ keyspace }) => this.treeFor(keyspace)))
    const record = new OperationList()
    for (const [i, { operations }] of commits.entries()) {
      for (const [j, operation] of operations.entries()) add(record, states[i]![j]!, operation)
    }
    record.put(positions, sourceKey, note)
    // As long as the longest commit of the source, and a little more.
    await record.commit(engine.pipeline, record.byteBound(LONGEST_PAYLOAD_BYTES), this.sync, false)
    this.position = position
  }

  /** A new keyspace is compacted and compressed as at the source. */
  private treeFor(name: string): TreeState {
    return this.engine.tree(name, this.source.findTree(name)?.options ?? {})
  }
}

function add(record: OperationList, state: TreeState, operation: Change<Uint8Array, Uint8Array>): void {
  if (operation.type === 'put') record.put(state, operation.key, operation.value, operation.expiresAt)
  else if (operation.type === 'del') record.del(state, operation.key)
  else record.clear(state, operation.range)
}
