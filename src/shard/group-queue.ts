import { invalid } from '../bytes/errors.js'
import type { PeekedMessage, QueueStats, SendItem } from '../queue/queue.js'
import { changedRules, defaultRules, type QueueOptions, type Rules } from '../queue/rules.js'
import type { WriteOptions } from '../store/write-target.js'
import { crossShard, NOT_ATOMIC } from './cross-shard.js'
import { GroupDeliveries } from './group-deliveries.js'
import { hasTag } from './hash-tag.js'
import type { QueuePart, SentMessage } from './mail.js'
import type { PartGround } from './mail-ground.js'
import type { Shard } from './shard.js'

const encoder = new TextEncoder()

/** A queue over the shards of a group. */
export class GroupQueue extends GroupDeliveries<QueuePart> implements QueuePart {
  private readonly name: string
  private readonly owner: string
  /** What it was given, as the directory has it; every shard's part is given the same. */
  private given: Rules | undefined
  private signing: Pick<QueueOptions, 'signingKey'> = {}
  private isPaused = false

  constructor(mail: PartGround, name: string) {
    super(mail)
    this.name = name
    this.owner = `queue:${name}`
    this.given = this.noted() ?? this.recorded()
    if (this.given !== undefined) for (const part of this.all()) this.settle(part)
  }

  private noted(): Rules | undefined {
    const rules = this.mail.routes.rulesOf(this.owner)
    // JSON leaves out the limits that there are not.
    return rules && { ...defaultRules(this.name), ...rules }
  }

  /** Of a queue that was given rules before directories had them: those of a part that has them written down. */
  private recorded(): Rules | undefined {
    for (const part of this.all()) {
      const rules = part.recordedRules()
      if (rules !== undefined && changedRules(rules, defaultRules(this.name)) !== rules) return rules
    }
    return undefined
  }

  protected make(shard: Shard): QueuePart {
    const part = shard.mail.queue(this.name, this.signing)
    if (this.given !== undefined) this.settle(part)
    if (this.isPaused) part.pause()
    return part
  }

  /** Gives a part the rules that hold for all. One that can be written to no more can still be read. */
  private settle(part: QueuePart): void {
    try {
      part.configure(this.given!)
    } catch {
      // It is tried again when the store is opened again.
    }
  }

  protected shardNames(): readonly string[] {
    return this.mail.shardNames()
  }

  /** A shard that joins has the rules before it gets messages. */
  override joined(name: string): void {
    this.part(name)
    super.joined(name)
  }

  /** Rules that are given change those of every shard's part. */
  configure(options: QueueOptions): void {
    const { signingKey, rateLimit: _, ...rules } = options
    if (signingKey !== undefined) this.signing = { signingKey }
    if (Object.keys(rules).length === 0) return
    const before = this.rules()
    const next = changedRules(before, rules)
    if (next === before && this.given !== undefined) return
    if (next.ordering !== before.ordering && this.stats().depth > 0) {
      throw invalid(`The ordering of queue '${this.name}' can be changed only while it is empty`)
    }
    const parts = this.all()
    this.mail.routes.keepRules(this.owner, next)
    this.given = next
    for (const part of parts) part.configure(next)
  }

  rules(): Rules {
    return this.given ?? this.part(this.home()).rules()
  }

  recordedRules(): Rules | undefined {
    return this.given
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
    if (atomic && parts.size > 1) throw crossShard('sendMany', [...parts.keys()], 'sent', NOT_ATOMIC)
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
