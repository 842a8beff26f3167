import type { CompressionName } from '../bytes/compression.js'
import { endsWriting, SiltstoneError } from '../bytes/errors.js'
import type { EpochMs, FileNumber } from '../bytes/units.js'
import { Backoff } from './backoff.js'
import type { CompactionPolicy, DropPick, MergePick, Pick, Situation } from './compaction-policy.js'
import { fifo } from './fifo.js'
import { parseStoreFile } from './file-names.js'
import type { Grove } from './grove.js'
import type { CompactionJob, JobResult } from './job.js'
import { hull, type KeyRange, rangesOverlap } from './key-range.js'
import { compressionOf, expiredShareAt, olderThan, overlappingOf } from './level-shape.js'
import { leveled } from './leveled.js'
import { pickMajor } from './major.js'
import { pickMinorByHand } from './minor.js'
import { LAST_LEVEL } from './table-meta.js'
import { tiered } from './tiered.js'
import type { Tree } from './tree.js'
import type { CompactionStyle } from './tree-options.js'
import { EXPIRED_SHARE, QUIET_AFTER_MS } from './tuning.js'

const POLICIES: Record<CompactionStyle, CompactionPolicy> = { leveled, tiered, fifo }

/** For trees that do not say otherwise. */
export interface TreeDefaults {
  readonly compression: CompressionName
  readonly compaction: CompactionStyle
}

/** A compaction that somebody asked for and waits for. */
interface Request {
  readonly tree: Tree
  readonly range: KeyRange
  readonly kind: 'minor' | 'major'
  resolve(): void
  reject(error: unknown): void
}

/**
 * Decides after every change which compaction comes next, and brings it about: one at a time over all trees, because one
 * thread runs them, and because a step decided on is out of date once another one has changed the tree.
 */
export class CompactionScheduler {
  private readonly grove: Grove
  private readonly defaults: TreeDefaults
  private readonly requests: Request[] = []
  private readonly damaged = new Set<FileNumber>()
  private readonly backoff: Backoff
  /** The tree that is being worked on, and the job, if it takes one. */
  private busy: { readonly tree: Tree; readonly request: Request | undefined; jobId?: number } | undefined
  private quiet = false
  private cancelQuiet: (() => void) | undefined
  private cancelExpiry: (() => void) | undefined
  private stopped: unknown

  constructor(grove: Grove, defaults: TreeDefaults) {
    this.grove = grove
    this.defaults = defaults
    this.backoff = new Backoff(grove.clock, () => this.schedule())
  }

  /** Nothing is under way, and nothing is due but what waits for its next attempt. */
  get isIdle(): boolean {
    return this.busy === undefined
  }

  get isStuck(): boolean {
    return this.backoff.isWaiting
  }

  styleOf(tree: Tree): CompactionStyle {
    return tree.options.compaction ?? this.defaults.compaction
  }

  policyOf(tree: Tree): CompactionPolicy {
    return POLICIES[this.styleOf(tree)]
  }

  /** Starts the most urgent step, if one is due and nothing else is under way. */
  schedule(): void {
    if (this.busy !== undefined || this.backoff.isWaiting || this.stopped !== undefined) return
    if (this.startRequest()) return
    let best: Pick | undefined
    let bestTree: Tree | undefined
    const drops: DropPick[] = []
    const now = this.grove.clock.now()
    const pins = this.grove.pins()
    for (const tree of this.grove.trees.values()) {
      if (!tree.hasTables) continue
      const pick = this.policyOf(tree).pick(this.situationOf(tree, now, pins))
      if (pick?.action === 'drop') drops.push(pick)
      if (pick === undefined || pick.urgency <= (best?.urgency ?? 0)) continue
      best = pick
      bestTree = tree
    }
    if (best === undefined || bestTree === undefined) this.awaitExpiry()
    else this.start(bestTree, best.action === 'drop' ? allOf(drops) : best, undefined)
  }

  /** Compacts a range of a tree, whether it is due or not. */
  request(tree: Tree, range: KeyRange, kind: 'minor' | 'major'): Promise<void> {
    if (this.stopped !== undefined) return Promise.reject(this.stopped)
    return new Promise((resolve, reject) => {
      this.requests.push({ tree, range, kind, resolve, reject })
      this.schedule()
    })
  }

  /** Something was written: what only saves space waits until that is over. */
  postponeQuiet(): void {
    if (this.stopped !== undefined) return
    this.quiet = false
    this.cancelQuiet?.()
    this.cancelQuiet = this.grove.clock.after(QUIET_AFTER_MS, () => this.becomeQuiet())
  }

  /** Does now what would be done once nothing had been written for a while, and what waits for its next attempt. */
  becomeQuiet(): void {
    this.cancelQuiet?.()
    this.cancelQuiet = undefined
    this.quiet = true
    if (this.backoff.isWaiting) this.backoff.now()
    else this.schedule()
  }

  /** Stops what is under way and starts nothing more. */
  stop(reason: unknown): void {
    this.stopped ??= reason
    this.backoff.stop()
    this.cancelQuiet?.()
    this.cancelExpiry?.()
    if (this.busy?.jobId !== undefined) this.grove.jobs.abort(this.busy.jobId)
    this.busy?.request?.reject(this.stopped)
    for (const request of this.requests.splice(0)) request.reject(this.stopped)
  }

  situationOf(tree: Tree, now = this.grove.clock.now(), pins = this.grove.pins()): Situation {
    return {
      shape: tree.version.metas(),
      now,
      pins,
      hinted: tree.hinted,
      damaged: this.damaged,
      quiet: this.quiet,
      compression: this.compressionFor(tree),
      fifo: tree.options.fifo,
      trimmedBefore: tree.trimmedBefore,
    }
  }

  private compressionFor(tree: Tree): CompressionName {
    return tree.options.compression ?? this.defaults.compression
  }

  private startRequest(): boolean {
    for (let request = this.requests.shift(); request !== undefined; request = this.requests.shift()) {
      const { tree, range, kind } = request
      const situation = this.situationOf(tree)
      const pick =
        kind === 'major'
          ? pickMajor(situation, range)
          : pickMinorByHand(situation.shape[0]!, (table) => rangesOverlap(table, range))
      if (pick !== undefined) {
        this.start(tree, pick, request)
        return true
      }
      request.resolve()
    }
    return false
  }

  private start(tree: Tree, pick: Pick, request: Request | undefined): void {
    this.busy = { tree, request }
    if (pick.action === 'merge') {
      this.merge(tree, pick)
      return
    }
    const edit =
      pick.action === 'drop'
        ? { drop: pick.tables.map((table) => table.number) }
        : { move: pick.tables.map(({ number }) => ({ number, level: pick.level })) }
    this.grove.commit(
      edit,
      () => this.finished(),
      (error) => this.failed(error),
    )
  }

  private merge(tree: Tree, pick: MergePick): void {
    const inputs = pick.runs.flat()
    this.grove.coverFiles()
    this.busy!.jobId = this.grove.jobs.run(
      `${tree.name}: ${inputs.length} tables to level ${pick.level} (${pick.reason})`,
      (id) => this.jobFor(id, tree, pick),
      ({ added }: JobResult) => {
        if (this.stopped !== undefined) {
          this.grove.removeRefused(added, this.stopped)
          this.busy = undefined
          return
        }
        this.grove.commit(
          { add: added, drop: inputs.map((table) => table.number) },
          () => this.finished(),
          (error) => {
            this.grove.removeRefused(added, error)
            this.failed(error)
          },
        )
      },
      (error) => {
        this.markDamaged(error, pick)
        this.failed(error)
      },
    )
  }

  private jobFor(id: number, tree: Tree, { runs, level, tableBytes }: MergePick): CompactionJob {
    const shape = tree.version.metas()
    const inputs = runs.flat()
    const range = hull(inputs)
    const uppermost = Math.min(...inputs.map((table) => table.level))
    return {
      kind: 'compaction',
      id,
      tree: tree.id,
      lineage: tree.lineage(this.grove.manifest.state.logFrom),
      runs,
      trimmedBefore: tree.trimmedBefore,
      level,
      compression: compressionOf(shape, level, this.compressionFor(tree)),
      older: olderThan(shape, uppermost, inputs),
      tableBytes,
      grandparents: level === 0 || level === LAST_LEVEL ? [] : overlappingOf(shape, level + 1, range),
      now: this.grove.clock.now(),
      pins: this.grove.pins(),
    }
  }

  private finished(): void {
    const request = this.busy?.request
    this.busy = undefined
    this.backoff.succeeded()
    request?.resolve()
    this.schedule()
  }

  private failed(failure: unknown): void {
    const request = this.busy?.request
    this.busy = undefined
    if (this.stopped !== undefined) return
    const error = this.grove.manifest.explain(failure)
    this.grove.jobs.lastError = error as Error
    request?.reject(error)
    if (endsWriting(error)) this.stop(error)
    else if (isCorruption(error)) this.schedule()
    else this.backoff.failed()
  }

  /** What is damaged stays damaged: no pick reads it again. Reads of what is sound in it go on, and so does everything else. */
  private markDamaged(error: unknown, pick: MergePick): void {
    if (!isCorruption(error)) return
    const name = error.file?.split('/').at(-1) ?? ''
    const number = parseStoreFile(name)?.number
    const inputs = pick.runs.flat().map((table) => table.number)
    if (number !== undefined && inputs.includes(number)) this.damaged.add(number)
    else for (const input of inputs) this.damaged.add(input)
  }

  /** Expiry makes work though nothing happens: looks again when the next table has expired far enough. */
  private awaitExpiry(): void {
    this.cancelExpiry?.()
    this.cancelExpiry = undefined
    const now = this.grove.clock.now()
    let next: EpochMs = Number.POSITIVE_INFINITY
    for (const tree of this.grove.trees.values()) {
      for (const level of tree.version.metas()) {
        for (const table of level) {
          const due = expiredShareAt(table, EXPIRED_SHARE)
          if (due !== undefined && due > now) next = Math.min(next, due)
        }
      }
    }
    if (next === Number.POSITIVE_INFINITY) return
    this.cancelExpiry = this.grove.clock.after(next - now + 1, () => this.schedule())
  }
}

/**
 * What can be forgotten in all trees, as one step: an edit each, and a look at every tree between two, took 17 ms a queue where ten
 * thousand of them had run empty.
 */
function allOf(drops: readonly DropPick[]): DropPick {
  return { ...drops[0]!, tables: drops.flatMap(({ tables }) => tables) }
}

function isCorruption(error: unknown): error is SiltstoneError {
  return error instanceof SiltstoneError && error.code === 'SILT_CORRUPTION'
}
