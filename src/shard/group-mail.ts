import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { PeekedMessage, QueueStats, SendItem } from '../queue/queue.js'
import type { QueueOptions, Rules } from '../queue/rules.js'
import type { PublishOptions, SubscribeOptions, TopicOptions } from '../queue/topic.js'
import type { WriteOptions } from '../store/write-target.js'
import { crossShard } from './cross-shard.js'
import { GroupWait, nextCall } from './group-wait.js'
import { findTag } from './hash-tag.js'
import type {
  Deliveries,
  HandedMessage,
  LogPart,
  MailOperation,
  QueuePart,
  Receipt,
  RunFigures,
  SentMessage,
  ShardMail,
  SubscriptionPart,
  TopicPart,
  Waiting,
} from './mail.js'
import type { MailRoutes } from './mail-routes.js'
import type { Placement } from './placement/placement.js'
import type { Shard } from './shard.js'

const encoder = new TextEncoder()

/** A receipt of a group: whose it is, and what that one calls it. */
interface GroupReceipt {
  readonly shard: string
  readonly receipt: Receipt
}

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

/** The queues, topics and logs of a group of shards. */
export class GroupMail implements ShardMail {
  readonly routes: MailRoutes
  readonly ground: MailGround
  /** Shards without keys, that are there until their messages are gone. */
  private readonly emptying = new Map<string, Shard>()
  private readonly queues = new Map<string, GroupQueue>()
  private readonly sources = new Set<GroupDeliveries<Deliveries>>()
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
    return new GroupTopic(this, name, options)
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
      return { shard, operation: { type: 'ack', receipt } }
    }
    if (operation.type === 'publish') {
      const placement = this.routes.ofTopic(operation.topic, this.ground.placement())
      return { shard: topicShard(placement, operation.topic, operation.message.key), operation }
    }
    const queue = this.queue(operation.queue, {}) as GroupQueue
    return { shard: queue.shardOf(operation.message), operation }
  }

  // Shards come and go.

  register(source: GroupDeliveries<Deliveries>): void {
    this.sources.add(source)
  }

  forget(source: GroupDeliveries<Deliveries>): void {
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

/** What stands on several shards and hands messages out. */
abstract class GroupDeliveries<P extends Deliveries> implements Deliveries {
  protected readonly mail: GroupMail
  private readonly parts = new Map<string, P>()
  private readonly waits = new Map<number, GroupWait>()
  private first = 0

  constructor(mail: GroupMail) {
    this.mail = mail
    mail.register(this)
  }

  protected abstract make(shard: Shard): P
  /** The shards that may have something. */
  protected abstract shardNames(): readonly string[]

  protected part(name: string): P {
    let part = this.parts.get(name)
    if (part === undefined) this.parts.set(name, (part = this.make(this.mail.shard(name))))
    return part
  }

  protected all(): P[] {
    this.mail.ground.checkOpen()
    return this.shardNames().map((name) => this.part(name))
  }

  joined(name: string): void {
    for (const wait of this.waits.values()) wait.ask(name, this.part(name))
  }

  left(name: string): void {
    for (const wait of this.waits.values()) wait.leave(name)
    this.parts.delete(name)
  }

  /** What is there is taken from one shard after the other, each time beginning with the next; then all are waited for. */
  async receive(waiting: Waiting): Promise<HandedMessage[]> {
    this.mail.ground.checkOpen()
    const names = this.shardNames()
    const messages: HandedMessage[] = []
    const { call, max, waitMs } = waiting
    const wait = new GroupWait(waiting)
    this.waits.set(call, wait)
    try {
      const start = this.first++
      for (let i = 0; i < names.length && messages.length < max && !wait.isCancelled; i++) {
        const name = names[(start + i) % names.length]!
        const part = this.part(name)
        const found = await part.receive({ call: nextCall(), max: max - messages.length, waitMs: 0 })
        messages.push(...found.map((message) => fromShard(name, message)))
      }
      if (messages.length > 0 || waitMs === 0 || wait.isCancelled) return messages
      wait.begin()
      for (const name of this.shardNames()) wait.ask(name, this.part(name))
      const arrivals = await wait.result()
      return arrivals.map(({ shard, message }) => fromShard(shard, message))
    } finally {
      this.waits.delete(call)
    }
  }

  cancel(call: number): void {
    this.waits.get(call)?.cancel()
  }

  async ack(receipts: readonly Receipt[], options: WriteOptions & { atomic?: boolean }): Promise<void> {
    const parts = new Map<string, Receipt[]>()
    for (const each of receipts as readonly GroupReceipt[]) addTo(parts, each.shard, each.receipt)
    if (parts.size > 1 && options.atomic !== false) {
      throw crossShard('Acknowledging these messages in one commit', [...parts.keys()], 'acknowledged', ATOMIC)
    }
    await Promise.all([...parts].map(([name, part]) => this.part(name).ack(part, options)))
    if ([...parts.keys()].some((name) => this.mail.isEmptying(name))) this.mail.sweep()
  }

  nack(receipt: Receipt, options: NackOptions): Promise<void> {
    const { shard, receipt: inner } = receipt as GroupReceipt
    return this.part(shard).nack(inner, options)
  }

  extend(receipt: Receipt, ms: number): Promise<void> {
    const { shard, receipt: inner } = receipt as GroupReceipt
    return this.part(shard).extend(inner, ms)
  }

  release(receipts: readonly Receipt[]): void {
    for (const { shard, receipt } of receipts as readonly GroupReceipt[]) this.part(shard).release([receipt])
  }
}

const ATOMIC = 'say { atomic: false }'

class GroupQueue extends GroupDeliveries<QueuePart> implements QueuePart {
  private readonly name: string
  /** What handles were made with; a shard that joins is told. */
  private options: QueueOptions = {}
  private isPaused = false

  constructor(mail: GroupMail, name: string) {
    super(mail)
    this.name = name
  }

  protected make(shard: Shard): QueuePart {
    const part = shard.mail.queue(this.name, this.options)
    if (this.isPaused) part.pause()
    return part
  }

  protected shardNames(): readonly string[] {
    return this.mail.shardNames()
  }

  /** Rules that are given change those of every shard's part. */
  configure(options: QueueOptions): void {
    if (Object.keys(options).length === 0) return
    const { ordering } = options
    if (ordering !== undefined && ordering !== this.rules().ordering && this.stats().depth > 0) {
      throw invalid(`The ordering of queue '${this.name}' can be changed only while it is empty`)
    }
    this.options = { ...this.options, ...options }
    for (const name of this.shardNames()) this.mail.shard(name).mail.queue(this.name, options)
  }

  rules(): Rules {
    return this.part(this.home()).rules()
  }

  /** The shard of a message; `undefined`: any. */
  shardOf({ group, dedupId }: { group?: string; dedupId?: string }): string | undefined {
    const isWhole = this.rules().ordering === 'strict' || hasTag(this.name)
    const deciding = isWhole ? this.name : (group ?? dedupId)
    return deciding === undefined ? undefined : this.route(deciding)
  }

  async sendMany(
    items: readonly SendItem<unknown>[],
    options: WriteOptions & { timeout?: number; atomic?: boolean },
  ): Promise<SentMessage[]> {
    this.mail.ground.checkOpen()
    const parts = new Map<string, { items: SendItem<unknown>[]; places: number[] }>()
    const names = items.map((item) => this.shardOf(item))
    // What may go anywhere goes along with the rest.
    const anywhere = names.find((name) => name !== undefined) ?? this.mail.anyShard()
    for (const [place, item] of items.entries()) {
      const name = names[place] ?? anywhere
      let part = parts.get(name)
      if (part === undefined) parts.set(name, (part = { items: [], places: [] }))
      part.items.push(item)
      part.places.push(place)
    }
    const { atomic = true, ...rest } = options
    if (atomic && parts.size > 1) throw crossShard('sendMany', [...parts.keys()], 'sent', ATOMIC)
    const results = new Array<SentMessage>(items.length)
    await Promise.all(
      [...parts].map(async ([name, part]) => {
        const sent = await this.part(name).sendMany(part.items, rest)
        for (const [i, place] of part.places.entries()) results[place] = { ...sent[i]!, id: `${name}/${sent[i]!.id}` }
      }),
    )
    return results
  }

  stats(): QueueStats {
    const sum: Record<string, number> = {}
    for (const part of this.all()) {
      for (const [field, value] of Object.entries(part.stats())) {
        sum[field] = field === 'oldestAge' ? Math.max(sum[field] ?? 0, value) : (sum[field] ?? 0) + value
      }
    }
    return sum as unknown as QueueStats
  }

  async peek(max: number): Promise<PeekedMessage<unknown>[]> {
    const names = this.shardNames()
    this.mail.ground.checkOpen()
    const found = await Promise.all(
      names.map(async (name) =>
        (await this.part(name).peek(max)).map((message) => ({ ...message, id: `${name}/${message.id}` })),
      ),
    )
    return found
      .flat()
      .sort((a, b) => b.priority - a.priority || a.sentAt - b.sentAt)
      .slice(0, max)
  }

  async purge(options: WriteOptions): Promise<number> {
    const counts = await Promise.all(this.all().map((part) => part.purge(options)))
    this.mail.sweep()
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async redrive(max: number): Promise<number> {
    let count = 0
    for (const part of this.all()) if (count < max) count += await part.redrive(max - count)
    return count
  }

  pause(): void {
    this.isPaused = true
    for (const part of this.all()) part.pause()
  }

  resume(): void {
    this.isPaused = false
    for (const part of this.all()) part.resume()
  }

  private home(): string {
    return this.mail.ground.placement().locate(this.name)
  }

  private route(deciding: string): string {
    const { mail, name } = this
    const current = mail.ground.placement()
    return mail.routes.ofQueue(name, encoder.encode(deciding), current, (shard) => mail.depthOf(name, shard))
  }
}

class GroupTopic implements TopicPart {
  private readonly mail: GroupMail
  private readonly name: string
  private readonly options: TopicOptions
  private readonly parts = new Map<string, TopicPart>()

  constructor(mail: GroupMail, name: string, options: TopicOptions) {
    this.mail = mail
    this.name = name
    this.options = options
    for (const part of this.names()) this.part(part)
  }

  async publishMany(
    items: readonly ({ body: unknown } & Omit<PublishOptions, 'sync'>)[],
    options: WriteOptions & { atomic?: boolean },
  ): Promise<{ id: string; offset: number }[]> {
    this.mail.ground.checkOpen()
    const { atomic = true, ...rest } = options
    const placement = this.placement()
    const parts = new Map<string, number[]>()
    for (const [place, { key }] of items.entries()) addTo(parts, topicShard(placement, this.name, key), place)
    if (atomic && parts.size > 1) throw crossShard('publishMany', [...parts.keys()], 'published', ATOMIC)
    const results = new Array<{ id: string; offset: number }>(items.length)
    await Promise.all(
      [...parts].map(async ([name, places]) => {
        const published = await this.part(name).publishMany(
          places.map((place) => items[place]!),
          rest,
        )
        for (const [i, place] of places.entries()) results[place] = published[i]!
      }),
    )
    return results.map(({ id, offset }, place) => ({
      id: `${topicShard(placement, this.name, items[place]!.key)}/${id}`,
      offset,
    }))
  }

  subscribe(name: string, options: SubscribeOptions<unknown>): SubscriptionPart {
    this.mail.ground.checkOpen()
    return new GroupSubscription(
      this.mail,
      () => this.names().filter((each) => this.mail.has(each)),
      (shard, isLater) =>
        // What a shard has that joined later is all new.
        shard.mail.topic(this.name, {}).subscribe(name, isLater ? { ...options, from: 'earliest' } : options),
    )
  }

  subscriptionNames(): string[] {
    return [...new Set(this.names().flatMap((name) => this.part(name).subscriptionNames()))].sort()
  }

  async unsubscribe(name: string, options: WriteOptions): Promise<boolean> {
    const gone = await Promise.all(this.names().map((each) => this.part(each).unsubscribe(name, options)))
    return gone.includes(true)
  }

  stats(): RunFigures {
    this.mail.ground.checkOpen()
    const each = this.names().map((name) => this.part(name).stats())
    const sum = (field: keyof RunFigures): number => each.reduce((total, figures) => total + figures[field], 0)
    return { first: sum('first'), next: sum('next'), bytes: sum('bytes') }
  }

  private placement(): Placement {
    return this.mail.routes.ofTopic(this.name, this.mail.ground.placement())
  }

  private names(): string[] {
    return this.placement().shards.map(({ name }) => name)
  }

  private part(name: string): TopicPart {
    let part = this.parts.get(name)
    if (part === undefined) this.parts.set(name, (part = this.mail.shard(name).mail.topic(this.name, this.options)))
    return part
  }
}

class GroupSubscription extends GroupDeliveries<SubscriptionPart> implements SubscriptionPart {
  private readonly names: () => readonly string[]
  private readonly open: (shard: Shard, isLater: boolean) => SubscriptionPart
  private isMade = false

  constructor(
    mail: GroupMail,
    names: () => readonly string[],
    open: (shard: Shard, isLater: boolean) => SubscriptionPart,
  ) {
    super(mail)
    this.names = names
    this.open = open
    // A subscription begins with this call, on every shard.
    for (const name of names()) this.part(name)
    this.isMade = true
  }

  protected make(shard: Shard): SubscriptionPart {
    return this.open(shard, this.isMade)
  }

  protected shardNames(): readonly string[] {
    return this.names()
  }

  lag(): number {
    return this.all().reduce((sum, part) => sum + part.lag(), 0)
  }

  async seek(to: { offset: number } | { time: number } | 'earliest' | 'latest', options: WriteOptions): Promise<void> {
    if (typeof to === 'object' && 'offset' in to) throw noOffsets()
    await Promise.all(this.all().map((part) => part.seek(to, options)))
  }

  async close(): Promise<void> {
    this.mail.forget(this)
    await Promise.all(this.names().map((name) => this.part(name).close()))
  }
}

export function noOffsets(): SiltstoneError {
  return new SiltstoneError(
    'SILT_NOT_SUPPORTED',
    "A topic over shards counts its offsets on each of them, so no single one names a place; use { time }, 'earliest' or 'latest'",
  )
}

/** The shard of a topic's message: that of its key; without one, or with a tag in the topic's name, that of the name. */
function topicShard(placement: Placement, topic: string, key: string | undefined): string {
  return placement.locate(key === undefined || hasTag(topic) ? topic : key)
}

function hasTag(name: string): boolean {
  const bytes = encoder.encode(name)
  return findTag(bytes, 0, bytes.length, { start: 0, end: 0 })
}

function fromShard(shard: string, message: HandedMessage): HandedMessage {
  const receipt: GroupReceipt = { shard, receipt: message.receipt }
  return { ...message, id: `${shard}/${message.id}`, receipt }
}

function addTo<T>(map: Map<string, T[]>, name: string, value: T): void {
  const values = map.get(name)
  if (values === undefined) map.set(name, [value])
  else values.push(value)
}
