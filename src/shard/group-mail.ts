import { SiltstoneError } from '../bytes/errors.js'
import type { QueueOptions } from '../queue/rules.js'
import type { TopicOptions } from '../queue/topic.js'
import type { GroupReceipt } from './group-deliveries.js'
import { GroupQueue } from './group-queue.js'
import { GroupTopic } from './group-topic.js'
import type { LogPart, MailOperation, QueuePart, RunFigures, ShardMail, TopicPart } from './mail.js'
import type { GroupSource, MailGround, PartGround } from './mail-ground.js'
import type { MailRoutes } from './mail-routes.js'
import type { Shard } from './shard.js'
import { staleReceipt } from './stale-receipt.js'

/** The queues, topics and logs of a group of shards. */
export class GroupMail implements ShardMail, PartGround {
  readonly routes: MailRoutes
  readonly ground: MailGround
  /** Shards without keys, that are there until their messages are gone. */
  private readonly emptying = new Map<string, Shard>()
  private readonly queues = new Map<string, GroupQueue>()
  private readonly topics = new Map<string, GroupTopic>()
  private readonly sources = new Set<GroupSource>()
  private turn = 0

  constructor(routes: MailRoutes, ground: MailGround) {
    this.routes = routes
    this.ground = ground
  }

  queue(name: string, options: QueueOptions): QueuePart {
    this.ground.checkOpen()
    let queue = this.queues.get(name)
    if (queue === undefined) this.queues.set(name, (queue = new GroupQueue(this, name)))
    queue.configure(options)
    return queue
  }

  topic(name: string, options: TopicOptions): TopicPart {
    this.ground.checkOpen()
    let topic = this.topics.get(name)
    if (topic === undefined) this.topics.set(name, (topic = new GroupTopic(this, name)))
    topic.configure(options)
    return topic
  }

  log(name: string): LogPart {
    this.ground.checkOpen()
    return this.shard(this.routes.ofLog(name, this.ground.placement())).mail.log(name)
  }

  names(): { queues: string[]; topics: string[]; logs: string[] } {
    this.ground.checkOpen()
    const queues = new Set(this.shardNames().flatMap((name) => this.shard(name).mail.names().queues))
    return {
      queues: [...queues].sort(),
      topics: this.routes.topicNames().sort(),
      logs: this.routes.logNames().sort(),
    }
  }

  /** All shards that may hold messages. */
  shardNames(): string[] {
    return [...new Set([...this.ground.names(), ...this.emptying.keys()])]
  }

  has(name: string): boolean {
    return this.emptying.has(name) || this.ground.names().includes(name)
  }

  shard(name: string): Shard {
    return this.emptying.get(name) ?? this.ground.shard(name)
  }

  /** A shard in turn, for messages that may go anywhere. */
  anyShard(): string {
    const { shards } = this.ground.placement()
    return shards[this.turn++ % shards.length]!.name
  }

  /** What shard an operation of a batch belongs to, and what that one is told; no shard: any. */
  place(operation: MailOperation): { shard: string | undefined; operation: MailOperation } {
    if (operation.type === 'ack') {
      const { shard, receipt } = operation.receipt as GroupReceipt
      if (!this.has(shard)) throw staleReceipt()
      return { shard, operation: { type: 'ack', receipt } }
    }
    if (operation.type === 'publish') {
      const topic = this.topic(operation.topic, {}) as GroupTopic
      return { shard: topic.shardOf(operation.message.key), operation }
    }
    const queue = this.queue(operation.queue, {}) as GroupQueue
    return { shard: queue.shardOf(operation.message), operation }
  }

  // Shards come and go.

  register(source: GroupSource): void {
    this.sources.add(source)
  }

  forget(source: GroupSource): void {
    this.sources.delete(source)
  }

  /** A shard has joined: whoever waits, waits for it as well. */
  joined(name: string): void {
    for (const queue of this.queues.values()) queue.joined(name)
  }

  /** Whether a shard holds messages. What has settled there and holds nothing settles anew at its next use. */
  holds(name: string): boolean {
    const shard = this.shard(name)
    shard.drain()
    const { queues } = shard.mail.names()
    if (queues.some((queue) => shard.mail.queue(queue, {}).stats().depth > 0)) return true
    if (this.keptOn(name).length > 0) return true
    this.routes.unsettle(this.routes.settledOn(name))
    return false
  }

  /** A shard has no keys any more, and stays for its messages. */
  keep(name: string, shard: Shard): void {
    this.emptying.set(name, shard)
  }

  /** Lets go of shards that were kept for messages that are gone by now. */
  sweep(): void {
    for (const [name, shard] of [...this.emptying]) {
      if (this.holds(name)) continue
      for (const source of this.sources) source.left(name)
      this.emptying.delete(name)
      this.ground.onEmptied(name, shard)
    }
    if (!this.routes.isSettled) {
      const { queues } = this.names()
      this.routes.forget(queues, (queue, name) => this.depthOf(queue, name))
    }
  }

  /** What a shard that has gone was asked for is not waited for. */
  left(name: string): void {
    for (const source of this.sources) source.left(name)
  }

  isEmptying(name: string): boolean {
    return this.emptying.has(name)
  }

  depthOf(queue: string, name: string): number | undefined {
    if (!this.has(name)) return undefined
    const shard = this.shard(name)
    // Whether an acknowledgement is taken is known only then.
    shard.drain()
    return shard.mail.queue(queue, {}).stats().depth
  }

  private keptOn(name: string): string[] {
    const { topics, logs } = this.routes.settledOn(name)
    const isKept = ({ first, next }: RunFigures): boolean => first < next
    return [
      ...topics.filter((topic) => isKept(this.topic(topic, {}).stats())).map((topic) => `topic '${topic}'`),
      // The offsets of a log are counted on, whether something is kept or not.
      ...logs.filter((log) => this.log(log).stats().next > 0).map((log) => `log '${log}'`),
    ]
  }

  /** Refuses to let a shard go that has what cannot go with it. */
  checkLeaving(leaving: string): void {
    if (!this.has(leaving)) return
    const kept = this.keptOn(leaving)
    if (kept.length > 0) {
      throw new SiltstoneError(
        'SILT_NOT_SUPPORTED',
        `Shard '${leaving}' holds ${kept.join(', ')}, and topics and logs stay where they were made; nothing was moved. A topic lets go when nothing of it is kept (retention), a log never: read it, and write its entries into one of another name`,
      )
    }
  }

  async closeEmptying(): Promise<void> {
    await Promise.all([...this.emptying.values()].map((shard) => shard.close()))
  }
}
