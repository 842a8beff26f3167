import type { MailRoutes } from './mail-routes.js'
import type { Placement } from './placement/placement.js'
import type { Shard } from './shard.js'

/** What the mail of a group needs of it. */
export interface MailGround {
  /** Where messages are sent to, as of the last rebalance that is complete. */
  placement(): Placement
  /** Shards that keys stand on. */
  names(): readonly string[]
  shard(name: string): Shard
  checkOpen(): void
  /** A shard that was kept for its messages has none any more. */
  onEmptied(name: string, shard: Shard): void
}

/** What hands messages out of several shards. */
export interface GroupSource {
  /** A shard has gone: what it was asked for is not waited for. */
  left(name: string): void
}

/** What a queue or a topic of a group needs of the mail that it belongs to. */
export interface PartGround {
  readonly routes: MailRoutes
  readonly ground: MailGround
  /** All shards that may hold messages. */
  shardNames(): string[]
  has(name: string): boolean
  shard(name: string): Shard
  /** A shard in turn, for messages that may go anywhere. */
  anyShard(): string
  isEmptying(name: string): boolean
  depthOf(queue: string, name: string): number | undefined
  /** Lets go of shards that were kept for messages that are gone by now. */
  sweep(): void
  register(source: GroupSource): void
  forget(source: GroupSource): void
}
