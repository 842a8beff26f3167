import type { Clock } from '../bytes/clock.js'
import { type Handler, HandlerLoop } from '../queue/handler-loop.js'
import type { ConsumeOptions } from '../queue/worker.js'
import type { ShardedMessage } from './sharded-message.js'

/** Where a worker gets its messages. */
export interface WorkSource<M> {
  receive(options: { max: number; wait: number; signal: AbortSignal }): Promise<M[]>
  release(message: M): void
}

/** Feeds messages of all shards to a handler: acknowledges on return, gives back on throw, extends while it runs. */
export class ShardedWorker<M extends ShardedMessage> extends HandlerLoop<M> {
  private readonly source: WorkSource<M>
  protected readonly visibilityTimeoutMs: number

  /** @internal Workers come from `consume`. */
  constructor(
    source: WorkSource<M>,
    handler: Handler<M>,
    { concurrency = 1, prefetch = concurrency }: ConsumeOptions,
    clock: Clock,
    visibilityTimeoutMs: number,
  ) {
    super(handler, concurrency, prefetch, clock)
    this.source = source
    this.visibilityTimeoutMs = visibilityTimeoutMs
    this.start()
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
