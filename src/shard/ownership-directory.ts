import { corruption, invalid, SiltstoneError } from '../bytes/errors.js'
import type { Shape } from '../bytes/shape.js'
import type { FileSystem } from '../fs/file-system.js'
import { type CheckpointReport, makeCheckpointNow } from '../store/checkpoint.js'
import { type Database, open } from '../store/database.js'
import type { VerifyReport } from '../store/verify/verification.js'
import { layoutShape, mailShape, markShape, planShape, progressShape } from './ownership-shapes.js'
import type { PlacementState } from './placement/placement.js'
import type { ShardMark } from './shard-mark.js'
import type { ShardingOptions } from './shard-options.js'

/*
 * Who owns what, on disk: a small store of its own beside the shards, in the folder `.ownership`. It gives what a directory needs and a
 * file does not: several records change as one, every change is synced, a crash at any moment leaves the one before or the one after,
 * and its lock keeps a second process out of all shards. Each record is a key with a value in JSON; fields are added, never to change
 * their meaning within format 1.
 *
 *   key        value
 *   layout     { format, store, epoch, made, placement, shards, retired, emptying? }
 *              the shards and the placement that count. `store` is the id that every shard has in its mark, `epoch` goes up when a
 *              plan is begun and when it is complete. `retired` are to be destroyed, `emptying` when their queues are empty
 *   plan       { epoch, target, joining, leaving }
 *              present while keys move: the placement that they move to, and who comes and goes
 *   progress   { frontier, unclean, keysScanned, keysMoved, bytesMoved }
 *              present while keys move: everything before `frontier` has moved; in `unclean` the last step may have left copies
 *   mail       { former, topics, logs }
 *              former placements that queues still follow, and by queue the shards that have run empty since; the placement of each
 *              topic and the shard of each log
 *   rules:…    of queue:NAME its rules, of topic:NAME { retention }, of subscription:TOPIC/NAME the rules that were given
 *              what a queue, a topic or a subscription was given: it holds on every shard, also on one that joins later
 *   mark       { store, name, epoch }
 *              in a store that is itself a shard: of which one
 *
 *   placement  { kind, seed, shards: [{ name, weight }], details }
 *              `details`: points on the ring, the table of slots, split points, assignments
 *   shard      { name, path?, nested? }
 *              without a path it is in a folder of its name beside `.ownership`
 *   range      { space, from, to }
 *              keys of a keyspace in base64; `to` is null where it goes to the end. A frontier is { space, upTo }
 */
export const OWNERSHIP_FOLDER = '.ownership'

/** Where a shard is. */
export interface ShardPlace {
  readonly name: string
  /** Given by the user; otherwise it is in a folder of its name beside the directory. */
  readonly path?: string
  /** How it is dealt out when it is made, where it is itself a sharded store. */
  readonly nested?: ShardingOptions
}

export interface Layout {
  readonly format: 1
  readonly store: string
  /** Goes up with every plan that is begun and every one that is completed. */
  readonly epoch: number
  /** Whether all shards were made; before that, missing ones may be. */
  readonly made: boolean
  readonly placement: PlacementState
  readonly shards: readonly ShardPlace[]
  /** Shards that have left and are to be destroyed. */
  readonly retired: readonly ShardPlace[]
  /** Shards that have left and stay until the messages in their queues are gone. */
  readonly emptying?: readonly ShardPlace[]
}

/** Where messages stand (`mail-routes.ts`). */
export interface MailRecord {
  /** Oldest first: what messages followed before the placement that counts, and by queue the shards that have run empty since. */
  readonly former: readonly {
    readonly placement: PlacementState
    readonly drained: Readonly<Record<string, readonly string[]>>
  }[]
  readonly topics: Readonly<Record<string, PlacementState>>
  readonly logs: Readonly<Record<string, string>>
}

const NO_MAIL: MailRecord = { former: [], topics: {}, logs: {} }

/** A move that was begun. */
export interface MovePlan {
  readonly epoch: number
  readonly target: PlacementState
  readonly joining: readonly ShardPlace[]
  readonly leaving: readonly string[]
}

/** Keys of one keyspace, in base64; no `to`: to its end. */
export interface WrittenRange {
  readonly space: string
  readonly from: string
  readonly to: string | null
}

export interface MoveProgress {
  /** Everything before this place has moved. */
  readonly frontier: { readonly space: string; readonly upTo: string | null } | null
  /** Where the step under way, or the last one, may have left copies with shards that do not own them. */
  readonly unclean: WrittenRange | null
  readonly keysScanned: number
  readonly keysMoved: number
  readonly bytesMoved: number
}

const NEWEST_FORMAT = 1

/** The directory of ownership, open. */
export class OwnershipDirectory {
  private readonly db: Database<string, unknown>

  private readonly fs: FileSystem
  private readonly path: string

  private constructor(fs: FileSystem, path: string, db: Database<string, unknown>) {
    this.fs = fs
    this.path = path
    this.db = db
  }

  static async open(fs: FileSystem, path: string, create: boolean): Promise<OwnershipDirectory> {
    const db = await open<string, unknown>(`${path}/${OWNERSHIP_FOLDER}`, {
      fs,
      createIfMissing: create,
      valueEncoding: 'json',
      sync: true,
      // A few records; a thread for their compaction would be wasted.
      executor: 'inline',
      writeBufferBytes: 256 * 1024,
      cacheBytes: 256 * 1024,
      compression: 'none',
      recovery: 'strict',
    })
    return new OwnershipDirectory(fs, `${path}/${OWNERSHIP_FOLDER}`, db)
  }

  layout(): Layout | undefined {
    return this.read<Layout>('layout', layoutShape)
  }

  plan(): MovePlan | undefined {
    return this.read<MovePlan>('plan', planShape)
  }

  progress(): MoveProgress | undefined {
    return this.read<MoveProgress>('progress', progressShape)
  }

  mail(): MailRecord {
    return this.read<MailRecord>('mail', mailShape) ?? NO_MAIL
  }

  /** Before anything is sent that relies on it. */
  putMailSync(mail: MailRecord): void {
    this.db.putSync('mail', mail)
  }

  /** What a queue, a topic or a subscription was given. */
  rulesOf(owner: string): object | undefined {
    return this.db.getSync(`rules:${owner}`) as object | undefined
  }

  /** Before a shard hears of them. */
  putRulesSync(owner: string, rules: object): void {
    this.db.putSync(`rules:${owner}`, rules)
  }

  deleteRulesSync(owner: string): void {
    this.db.delSync(`rules:${owner}`)
  }

  mark(): ShardMark | undefined {
    return this.read<ShardMark>('mark', markShape)
  }

  async putMark(mark: ShardMark): Promise<void> {
    await this.db.put('mark', mark)
  }

  async putLayout(layout: Layout): Promise<void> {
    await this.db.put('layout', layout)
  }

  async begin(plan: MovePlan): Promise<void> {
    if (this.plan() !== undefined) throw invalid('A move is under way already')
    await this.db.put('plan', plan)
  }

  async putProgress(progress: MoveProgress): Promise<void> {
    await this.db.put('progress', progress)
  }

  /** The same before it returns: from here on, the other side owns what has moved. */
  putProgressSync(progress: MoveProgress): void {
    this.db.putSync('progress', progress)
  }

  /** The move is over: its target is the layout. */
  completeSync(layout: Layout, mail: MailRecord | undefined): void {
    this.db.batchSync([
      { type: 'put', key: 'layout', value: layout },
      ...(mail === undefined ? [] : [{ type: 'put' as const, key: 'mail', value: mail }]),
      { type: 'del', key: 'plan' },
      { type: 'del', key: 'progress' },
    ])
  }

  /** A record, if it is there, held to what it has to be. */
  private read<T>(key: string, shape: Shape): T | undefined {
    let value: unknown
    try {
      value = this.db.getSync(key)
      if (value === undefined) return undefined
      if (key !== 'layout' || !isNewer(value)) shape(value, `the record '${key}'`)
    } catch (error) {
      if (error instanceof SiltstoneError && error.code !== 'SILT_INVALID_ARGUMENT') throw error
      const problem = error instanceof Error ? error.message : String(error)
      throw corruption(this.path, 0, `its record '${key}' makes no sense: ${problem}`, error)
    }
    if (key === 'layout' && isNewer(value)) {
      throw new SiltstoneError('SILT_FORMAT', 'This sharded store was made by a newer version of Siltstone')
    }
    return value as T
  }

  verify(): Promise<VerifyReport> {
    return this.db.verify()
  }

  /** The directory of a copy, in which every shard stands in a folder of its name. */
  async checkpoint(target: string): Promise<CheckpointReport> {
    const place = this.db.placeOutside(`${target}/${OWNERSHIP_FOLDER}`)
    const report = await makeCheckpointNow(this.db.engine, place.fs, place.directory)
    const copy = await OwnershipDirectory.open(this.fs, target, false)
    const here = (places: readonly ShardPlace[]): ShardPlace[] => places.map(({ path: _, ...place }) => place)
    const layout = copy.layout()!
    const { shards, retired, emptying = [] } = layout
    await copy.putLayout({ ...layout, shards: here(shards), retired: here(retired), emptying: here(emptying) })
    const plan = copy.plan()
    if (plan !== undefined) await copy.db.put('plan', { ...plan, joining: here(plan.joining) })
    await copy.close()
    return report
  }

  close(): Promise<void> {
    return this.db.close()
  }
}

function isNewer(layout: unknown): boolean {
  const format = (layout as { format?: unknown } | null)?.format
  return Number.isSafeInteger(format) && (format as number) > NEWEST_FORMAT
}
