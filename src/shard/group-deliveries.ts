import type { NackOptions } from '../queue/mailbox.js'
import type { WriteOptions } from '../store/write-target.js'
import { addTo } from './by-shard.js'
import { crossShard, NOT_ATOMIC } from './cross-shard.js'
import { GroupWait, nextCall } from './group-wait.js'
import type { Deliveries, HandedMessage, Receipt, Waiting } from './mail.js'
import type { GroupSource, PartGround } from './mail-ground.js'
import type { Shard } from './shard.js'
import { staleReceipt } from './stale-receipt.js'

/** A receipt of a group: whose it is, and what that one calls it. */
export interface GroupReceipt {
  readonly shard: string
  readonly receipt: Receipt
}

/** What stands on several shards and hands messages out. */
export abstract class GroupDeliveries<P extends Deliveries> implements Deliveries, GroupSource {
  protected readonly mail: PartGround
  private readonly parts = new Map<string, P>()
  private readonly waits = new Map<number, GroupWait>()
  private first = 0

  constructor(mail: PartGround) {
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
    for (const each of receipts as readonly GroupReceipt[]) addTo(parts, this.holderOf(each), each.receipt)
    const { atomic = true, ...rest } = options
    if (parts.size > 1 && atomic) {
      throw crossShard('Acknowledging these messages in one commit', [...parts.keys()], 'acknowledged', NOT_ATOMIC)
    }
    await Promise.all([...parts].map(([name, part]) => this.part(name).ack(part, rest)))
    if ([...parts.keys()].some((name) => this.mail.isEmptying(name))) this.mail.sweep()
  }

  async nack(receipt: Receipt, options: NackOptions): Promise<void> {
    await this.part(this.holderOf(receipt)).nack((receipt as GroupReceipt).receipt, options)
  }

  async extend(receipt: Receipt, ms: number): Promise<void> {
    await this.part(this.holderOf(receipt)).extend((receipt as GroupReceipt).receipt, ms)
  }

  release(receipts: readonly Receipt[]): void {
    for (const { shard, receipt } of receipts as readonly GroupReceipt[]) {
      if (this.mail.has(shard)) this.part(shard).release([receipt])
    }
  }

  /** The shard that has a message. One that has gone had nothing in flight any more. */
  private holderOf(receipt: Receipt): string {
    this.mail.ground.checkOpen()
    const { shard } = receipt as GroupReceipt
    if (!this.mail.has(shard)) throw staleReceipt()
    return shard
  }
}

function fromShard(shard: string, message: HandedMessage): HandedMessage {
  const receipt: GroupReceipt = { shard, receipt: message.receipt }
  return { ...message, id: `${shard}/${message.id}`, receipt }
}
