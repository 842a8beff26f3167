import { invalid, SiltstoneError } from '../bytes/errors.js'
import { keepAlive } from '../store/keep-alive.js'
import { Mover } from './mover.js'
import { Ownership } from './ownership.js'
import type { Layout, MovePlan, MoveProgress, OwnershipDirectory, ShardPlace } from './ownership-directory.js'
import { restorePlacement } from './placement/make-placement.js'
import type { Placement } from './placement/placement.js'
import { planOf, type RebalancePlan } from './rebalance-plan.js'
import type { Shard } from './shard.js'
import type { ShardGroup } from './shard-group.js'

/** How far a rebalance has come. */
export interface RebalanceProgress {
  /** The epoch of the directory while it lasts. */
  readonly epoch: number
  /** Keys that were looked at so far. */
  readonly keysScanned: number
  /** Keys that have changed their shard. */
  readonly keysMoved: number
  /** Bytes of their keys and values. */
  readonly bytesMoved: number
  /** Whether it is over. */
  readonly done: boolean
}

/** What every rebalance takes. */
export interface RebalanceOptions {
  /** Called after every step. Where it throws, the keys move all the same, and the call fails with what it threw when they have. */
  onProgress?: (progress: RebalanceProgress) => void
  /** Show what would move, and move nothing. */
  dryRun?: boolean
}

/** A change of the placement, and which shards come and go with it. */
export interface RebalanceRequest {
  change(placement: Placement): void
  readonly joining?: ShardPlace
  readonly leaving?: string
}

/** What it needs of the store around it. */
export interface RebalanceGround {
  readonly group: ShardGroup
  readonly directory: OwnershipDirectory
  readonly bytesPerSecond: number
  openJoining(place: ShardPlace, epoch: number): Promise<Shard>
  /** Makes every shard know of an epoch, so that an older directory is noticed. */
  markAll(epoch: number): Promise<void>
  destroy(place: ShardPlace): Promise<void>
}

/** Changes who owns what, one plan after the other, and goes on with a plan that a crash has interrupted. */
export class Rebalancer {
  private readonly ground: RebalanceGround
  private layoutInUse: Layout
  private last: Promise<unknown> = Promise.resolve()
  private running: Promise<RebalanceProgress> | undefined
  private readonly listeners = new Set<(progress: RebalanceProgress) => void>()
  private current: RebalanceProgress | undefined
  private failure: unknown
  private stopped = false
  private readonly departing = new Map<string, Shard>()
  private readonly retirements = new Set<Promise<void>>()
  /** Shards that are kept for their messages: when nobody reads their keys any more. */
  private readonly freed = new Map<string, Promise<void>>()

  constructor(ground: RebalanceGround, layout: Layout) {
    this.ground = ground
    this.layoutInUse = layout
  }

  get layout(): Layout {
    return this.layoutInUse
  }

  /** While keys move: how far it has come. */
  get progress(): RebalanceProgress | undefined {
    return this.current
  }

  /** Goes on, in the background, with the plan that is on disk. */
  resume(): void {
    const plan = this.ground.directory.plan()
    if (plan === undefined) return
    void this.queue(() => this.move(plan)).catch((error) => {
      this.failure = error
    })
  }

  /** Resolves when no key has to move any more; throws what stopped a move in the background. */
  async idle(): Promise<void> {
    await this.last.catch(() => {})
    this.ground.group.mail.sweep()
    // Whoever has just closed the last snapshot of a shard that goes has freed it: what follows begins within this turn.
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all(this.retirements)
    if (this.failure !== undefined) throw this.failure
  }

  async rebalance(request: RebalanceRequest, options: RebalanceOptions): Promise<RebalancePlan> {
    const { group } = this.ground
    group.checkOpen()
    const interrupted = this.ground.directory.plan()
    // Asked for again what is under way, or was interrupted: then it is that which the caller waits for.
    if (interrupted !== undefined && this.isThat(request, interrupted) && !options.dryRun) {
      return this.listened(options, () => this.finish(interrupted))
    }
    if (options.dryRun) {
      const target = this.targetOf(request)
      return planOf(group, this.settledPlacement(), target, this.layoutInUse.epoch + 1)
    }
    // Mistakes are refused before anything waits.
    if (interrupted === undefined) this.targetOf(request)
    return this.listened(options, () =>
      this.queue(async () => {
        const unfinished = this.ground.directory.plan()
        if (unfinished !== undefined) await this.move(unfinished)
        const target = this.targetOf(request)
        const plan: MovePlan = {
          epoch: this.layoutInUse.epoch + 1,
          target: target.state(),
          joining: request.joining === undefined ? [] : [request.joining],
          leaving: request.leaving === undefined ? [] : [request.leaving],
        }
        const shown = await planOf(group, group.ownership.placement, target, plan.epoch)
        await this.ground.directory.begin(plan)
        for (const place of plan.joining) group.join(place.name, await this.openedJoining(place, plan.epoch))
        await this.ground.markAll(plan.epoch)
        group.own(new Ownership(group.ownership.placement, target))
        const { keysMoved, bytesMoved } = await this.move(plan)
        return { ...shown, keysMoved, bytesMoved }
      }),
    )
  }

  private async openedJoining(place: ShardPlace, epoch: number): Promise<Shard> {
    try {
      return await this.ground.openJoining(place, epoch)
    } catch (error) {
      // Nothing has moved: the plan is taken back.
      this.ground.directory.completeSync(this.layoutInUse, undefined)
      throw error
    }
  }

  /** Stops at the end of the step under way; what is on disk is enough to go on. */
  async stop(): Promise<void> {
    this.stopped = true
    await this.last.catch(() => {})
    await Promise.all([...this.departing.values()].map((shard) => shard.close()))
    await Promise.all(this.retirements)
  }

  private settledPlacement(): Placement {
    const { placement, target } = this.ground.group.ownership
    return target ?? placement
  }

  private targetOf(request: RebalanceRequest): Placement {
    const target = this.settledPlacement().copy()
    request.change(target)
    if (request.leaving !== undefined && target.shards.length > 0) this.ground.group.mail.checkLeaving(request.leaving)
    if (target.shards.length === 0) {
      throw invalid(`'${request.leaving}' is the last shard, and keys have to stand somewhere; nothing was moved`)
    }
    return target
  }

  private isThat({ joining, leaving }: RebalanceRequest, plan: MovePlan): boolean {
    if (joining !== undefined) return plan.joining.some(({ name }) => name === joining.name)
    return leaving !== undefined && plan.leaving.includes(leaving)
  }

  private async finish(plan: MovePlan): Promise<RebalancePlan> {
    const { group } = this.ground
    const moved = this.running ?? this.queue(() => this.move(plan))
    // Somebody else may be waiting for it as well, and hears of a failure first.
    moved.catch(() => {})
    const shown = await planOf(group, group.ownership.placement, restorePlacement(plan.target), plan.epoch)
    const { keysMoved, bytesMoved } = await moved
    return { ...shown, keysMoved, bytesMoved }
  }

  private async listened<T>(options: RebalanceOptions, run: () => Promise<T>): Promise<T> {
    const { onProgress } = options
    if (onProgress === undefined) return keepAlive(run())
    // What it throws is for whoever gave it: others wait for the same keys to move.
    let failure: { readonly thrown: unknown } | undefined
    const listener = (progress: RebalanceProgress): void => {
      try {
        onProgress(progress)
      } catch (thrown) {
        failure ??= { thrown }
        this.listeners.delete(listener)
      }
    }
    this.listeners.add(listener)
    try {
      const result = await keepAlive(run())
      if (failure !== undefined) throw failure.thrown
      return result
    } finally {
      this.listeners.delete(listener)
    }
  }

  private queue<T>(run: () => Promise<T>): Promise<T> {
    const next = this.last.catch(() => {}).then(run)
    this.last = next
    return next
  }

  private move(plan: MovePlan): Promise<RebalanceProgress> {
    const running = this.moveAll(plan).finally(() => {
      this.running = undefined
      this.current = undefined
    })
    this.running = running
    return running
  }

  private async moveAll(plan: MovePlan): Promise<RebalanceProgress> {
    const { group, directory } = this.ground
    this.failure = undefined
    const report = (progress: MoveProgress, done: boolean): RebalanceProgress => {
      const { keysScanned, keysMoved, bytesMoved } = progress
      this.current = { epoch: plan.epoch, keysScanned, keysMoved, bytesMoved, done }
      for (const listener of this.listeners) listener(this.current)
      return this.current
    }
    const mover = new Mover(group, directory, plan.leaving, directory.progress(), {
      bytesPerSecond: this.ground.bytesPerSecond,
      onStep: (progress) => report(progress, false),
    })
    const progress = await mover.run(
      () => this.stopped,
      () => this.complete(plan),
    )
    if (progress === undefined) {
      throw new SiltstoneError('SILT_NOT_OPEN', 'The store was closed while keys moved; opened again, it goes on')
    }
    for (const place of this.layoutInUse.retired) {
      this.watch(this.retire(place))
    }
    await this.ground.markAll(this.layoutInUse.epoch)
    return report(progress, true)
  }

  /** In one turn: the target is the placement, on disk and in memory. */
  private complete(plan: MovePlan): void {
    const { group, directory } = this.ground
    const places = [...this.layoutInUse.shards, ...plan.joining]
    const { mail } = group
    const gone = places.filter(({ name }) => plan.leaving.includes(name))
    const emptying = gone.filter(({ name }) => mail.holds(name))
    const layout: Layout = {
      ...this.layoutInUse,
      epoch: plan.epoch + 1,
      placement: plan.target,
      shards: places.filter(({ name }) => !plan.leaving.includes(name)),
      retired: gone.filter((place) => !emptying.includes(place)),
      emptying: [...(this.layoutInUse.emptying ?? []), ...emptying],
    }
    const record =
      mail.routes.isSettled && mail.names().queues.length === 0
        ? undefined
        : mail.routes.after(group.ownership.placement.state())
    directory.completeSync(layout, record)
    if (record !== undefined) mail.routes.adopt(record)
    this.layoutInUse = layout
    group.own(new Ownership(group.ownership.target!))
    for (const { name } of layout.retired) this.departing.set(name, group.shard(name))
    for (const { name } of emptying) {
      mail.keep(name, group.shard(name))
      this.freed.set(name, group.leave(name))
    }
  }

  private watch(retirement: Promise<void>): void {
    this.retirements.add(retirement)
    void retirement.finally(() => this.retirements.delete(retirement)).catch(() => {})
  }

  /** A shard that was kept for its messages has none any more: it goes as well. */
  dropEmptied(name: string, shard: Shard): void {
    this.departing.set(name, shard)
    const place = this.layoutInUse.emptying!.find((each) => each.name === name)!
    const drop = async (): Promise<void> => {
      await this.freed.get(name)
      if (this.stopped) return
      this.departing.delete(name)
      await shard.close()
      await this.ground.destroy(place)
      const { layoutInUse } = this
      const emptying = layoutInUse.emptying!.filter((each) => each.name !== name)
      this.layoutInUse = { ...layoutInUse, emptying }
      await this.ground.directory.putLayout(this.layoutInUse)
    }
    this.watch(drop())
  }

  /** A shard that owns nothing any more is destroyed as soon as no snapshot and no scan reads from it. */
  private async retire(place: ShardPlace): Promise<void> {
    const { group, directory } = this.ground
    const shard = this.departing.get(place.name)!
    group.mail.left(place.name)
    const free = group.leave(place.name)
    let isFree = false
    void free.then(() => {
      isFree = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    const finish = async (): Promise<void> => {
      if (this.stopped) return
      this.departing.delete(place.name)
      await shard.close()
      await this.ground.destroy(place)
      const { layoutInUse } = this
      this.layoutInUse = { ...layoutInUse, retired: layoutInUse.retired.filter(({ name }) => name !== place.name) }
      await directory.putLayout(this.layoutInUse)
    }
    if (isFree) await finish()
    // Whoever still reads from it must not hold up who removed it; whoever waits for `idle` afterwards waits for its end.
    else void free.then(() => this.watch(finish()))
  }
}
