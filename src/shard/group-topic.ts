import type { PublishOptions, SubscribeOptions, TopicOptions } from '../queue/topic.js'
import type { WriteOptions } from '../store/write-target.js'
import { addTo } from './by-shard.js'
import { crossShard, NOT_ATOMIC } from './cross-shard.js'
import { GroupSubscription } from './group-subscription.js'
import { hasTag } from './hash-tag.js'
import type { RunFigures, SubscriptionPart, TopicPart } from './mail.js'
import type { PartGround } from './mail-ground.js'
import type { Placement } from './placement/placement.js'

/** A topic over the shards of a group. */
export class GroupTopic implements TopicPart {
  private readonly mail: PartGround
  private readonly name: string
  private readonly options: TopicOptions
  private readonly parts = new Map<string, TopicPart>()

  constructor(mail: PartGround, name: string, options: TopicOptions) {
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

/** The shard of a topic's message: that of its key; without one, or with a tag in the topic's name, that of the name. */
export function topicShard(placement: Placement, topic: string, key: string | undefined): string {
  return placement.locate(key === undefined || hasTag(topic) ? topic : key)
}
