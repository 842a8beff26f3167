import { isDeepStrictEqual } from 'node:util'
import { invalid } from '../bytes/errors.js'
import { isSameRetention } from '../queue/retention.js'
import type { Ordering, QueueRules } from '../queue/rules.js'
import {
  checkTopicOptions,
  type PublishOptions,
  type SubscribeOptions,
  subscriptionRules,
  type TopicOptions,
} from '../queue/topic.js'
import type { WriteOptions } from '../store/write-target.js'
import { addTo } from './by-shard.js'
import { crossShard, NOT_ATOMIC } from './cross-shard.js'
import { GroupSubscription } from './group-subscription.js'
import { hasTag } from './hash-tag.js'
import type { RunFigures, SubscriptionPart, TopicPart } from './mail.js'
import type { GroupSource, PartGround } from './mail-ground.js'
import type { Placement } from './placement/placement.js'
import type { Shard } from './shard.js'

/** A topic over the shards of a group. */
export class GroupTopic implements TopicPart, GroupSource {
  private readonly mail: PartGround
  private readonly name: string
  private readonly owner: string
  /** What it was given, as the directory has it; every shard's part is given the same. */
  private given: TopicOptions
  private readonly parts = new Map<string, TopicPart>()

  constructor(mail: PartGround, name: string) {
    this.mail = mail
    this.name = name
    this.owner = `topic:${name}`
    this.given = mail.routes.rulesOf(this.owner) ?? {}
    mail.register(this)
    for (const part of this.names()) this.part(part)
  }

  configure(options: TopicOptions): void {
    const { retention } = checkTopicOptions(options)
    if (retention === undefined || isSameRetention(retention, this.given.retention ?? {})) return
    const parts = this.names().map((name) => this.part(name))
    this.given = { retention }
    this.mail.routes.keepRules(this.owner, this.given)
    for (const part of parts) part.configure(this.given)
  }

  left(name: string): void {
    this.parts.delete(name)
  }

  /** The shard of a message by its key, which has what the topic was given. */
  shardOf(key: string | undefined): string {
    const name = topicShard(this.placement(), this.name, key)
    this.part(name)
    return name
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
    if (atomic && parts.size > 1) throw crossShard('publishMany', [...parts.keys()], 'published', NOT_ATOMIC)
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
    const owner = `subscription:${this.name}/${name}`
    const noted = this.mail.routes.rulesOf(owner) as QueueRules | undefined
    const chosen = subscriptionRules(options)
    const { ordering } = chosen
    if (ordering !== undefined && ordering !== noted?.ordering) this.checkOrdering(name, ordering)
    const backoff = { ...noted?.backoff, ...chosen.backoff }
    const rules = { ...noted, ...chosen, ...(Object.keys(backoff).length > 0 && { backoff }) }
    const subscription = new GroupSubscription(
      this.mail,
      () => this.names().filter((each) => this.mail.has(each)),
      (shard, isLater) => this.subscribeOn(shard, name, isLater ? { ...options, from: 'earliest' } : options, rules),
    )
    if (!isDeepStrictEqual(rules, noted ?? {})) this.mail.routes.keepRules(owner, rules)
    return subscription
  }

  /** An ordering is changed on all shards or on none. */
  private checkOrdering(name: string, ordering: Ordering): void {
    for (const part of this.names().map((each) => this.part(each))) {
      if (!part.subscriptionNames().includes(name)) continue
      const subscription = part.subscribe(name, {})
      const { ordering: present } = subscription.rules()
      const lag = subscription.lag()
      void subscription.close()
      if (ordering === present || lag === 0) continue
      throw invalid(
        `Subscription '${this.name}/${name}' has ordering '${present}' and messages left to read; the ordering can change when it has read them`,
      )
    }
  }

  /** What a shard has that joined later is all new, and gets the rules that the others have. */
  private subscribeOn(
    shard: Shard,
    name: string,
    options: SubscribeOptions<unknown>,
    { ordering, ...rules }: QueueRules,
  ): SubscriptionPart {
    const part = shard.mail.topic(this.name, {})
    const { ordering: chosen, ...rest } = options
    // Where messages wait the ordering can only stay what it is, which is that, unless a loss of power came in between.
    const isGiven = ordering !== undefined && (chosen !== undefined || !part.subscriptionNames().includes(name))
    return part.subscribe(name, { ...rest, ...rules, ...(isGiven && { ordering }) } as SubscribeOptions<unknown>)
  }

  subscriptionNames(): string[] {
    return [...new Set(this.names().flatMap((name) => this.part(name).subscriptionNames()))].sort()
  }

  async unsubscribe(name: string, options: WriteOptions): Promise<boolean> {
    const gone = await Promise.all(this.names().map((each) => this.part(each).unsubscribe(name, options)))
    this.mail.routes.forgetRules(`subscription:${this.name}/${name}`)
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
    if (part !== undefined) return part
    part = this.mail.shard(name).mail.topic(this.name, {})
    this.parts.set(name, part)
    try {
      if (this.given.retention !== undefined) part.configure(this.given)
    } catch {
      // One that can be written to no more can still be read; it is tried again when the store is opened again.
    }
    return part
  }
}

/** The shard of a topic's message: that of its key; without one, or with a tag in the topic's name, that of the name. */
export function topicShard(placement: Placement, topic: string, key: string | undefined): string {
  return placement.locate(key === undefined || hasTag(topic) ? topic : key)
}
