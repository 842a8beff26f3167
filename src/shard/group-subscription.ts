import { SiltstoneError } from '../bytes/errors.js'
import type { Rules } from '../queue/rules.js'
import type { WriteOptions } from '../store/write-target.js'
import { GroupDeliveries } from './group-deliveries.js'
import type { SubscriptionPart } from './mail.js'
import type { PartGround } from './mail-ground.js'
import type { Shard } from './shard.js'

/** A subscription to a topic over the shards of a group. */
export class GroupSubscription extends GroupDeliveries<SubscriptionPart> implements SubscriptionPart {
  private readonly names: () => readonly string[]
  private readonly open: (shard: Shard, isLater: boolean) => SubscriptionPart
  private isMade = false

  constructor(
    mail: PartGround,
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

  rules(): Rules {
    return this.all()[0]!.rules()
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
