import type { Clock } from '../bytes/clock.js'
import { type Handler, HandlerLoop, type LoopSettings, type StopOptions } from '../queue/handler-loop.js'
import type { ShardedMessage } from './sharded-message.js'

/** Where a worker gets its messages. */
export interface WorkSource<M> {
  receive(options: { max: number; wait: number; signal: AbortSignal }): Promise<M[]>
  release(message: M): void
}

/** What works on a store, until it is stopped. */
export interface StoppableWorker {
  stop(options?: StopOptions): Promise<void>
}

/** What a worker needs of its store, which stops its workers before it closes. */
export interface WorkHome {
  readonly clock: Clock
  readonly workers: Set<StoppableWorker>
}

/** Feeds messages of all shards to a handler: acknowledges on return, gives back on throw, extends while it runs. */
export class ShardedWorker<M extends ShardedMessage> extends HandlerLoop<M> {
  private readonly source: WorkSource<M>
  private readonly workers: Set<StoppableWorker>
  protected readonly visibilityTimeoutMs: number

  /** @internal Workers come from `consume`. */
  constructor(
    source: WorkSource<M>,
    handler: Handler<M>,
    settings: LoopSettings,
    { clock, workers }: WorkHome,
    visibilityTimeoutMs: number,
  ) {
    super(handler, settings, clock)
    this.source = source
    this.workers = workers
    workers.add(this)
    this.visibilityTimeoutMs = visibilityTimeoutMs
    this.start()
  }

  protected override async end(): Promise<void> {
    await super.end()
    this.workers.delete(this)
  }

  protected receive(max: number, signal: AbortSignal): Promise<readonly M[]> {
    return this.source.receive({ max, wait: Number.POSITIVE_INFINITY, signal })
  }

  /** The shard counts their time from when it handed them out. */
  protected hold(): void {}

  /** Only its shard knows, and says so when it is settled. */
  protected isLost(): boolean {
    return false
  }

  protected acknowledge(message: M): Promise<void> {
    return message.ack()
  }

  protected giveBack(message: M, reason: string): Promise<void> {
    return message.nack({ reason }).catch(() => {})
  }

  protected release(message: M): void {
    this.source.release(message)
  }

  protected extend(message: M): void {
    message.extend(this.visibilityTimeoutMs).catch(() => {})
  }
}
