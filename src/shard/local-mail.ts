import { randomUUID } from 'node:crypto'
import type { DurableLog, ReadLogOptions } from '../queue/durable-log.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { Message } from '../queue/message.js'
import type { Database } from '../queue/messaging-database.js'
import type { PeekedMessage, Queue, QueueStats, ReceiveOptions, SendItem } from '../queue/queue.js'
import type { QueueOptions, Rules } from '../queue/rules.js'
import type { Subscription } from '../queue/subscription.js'
import type { PublishOptions, SubscribeOptions, Topic, TopicOptions } from '../queue/topic.js'
import type { BatchPart } from '../store/batch-part.js'
import type { WriteOptions } from '../store/write-target.js'
import type {
  Deliveries,
  HandedMessage,
  LogPart,
  LogSliceEntry,
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
import { staleReceipt } from './stale-receipt.js'

type Bytes = Uint8Array

// Receipts of messages that are done with are forgotten once there are so many, and again when there are twice as many.
const FEWEST_SWEPT = 1024

/** A receipt as it leaves: numbers begin anew when a shard is opened, so one from before is told from one of now. */
interface NumberedReceipt {
  readonly opening: string
  readonly number: number
}

/** Which number stands for which delivery, for as long as it lasts. */
class Receipts {
  private readonly opening = randomUUID()
  private readonly messages = new Map<number, Message>()
  private last = 0
  private sweepAt = FEWEST_SWEPT

  add(message: Message): NumberedReceipt {
    if (this.messages.size >= this.sweepAt) {
      for (const [number, each] of this.messages) if (each.isSettled) this.messages.delete(number)
      this.sweepAt = Math.max(FEWEST_SWEPT, this.messages.size * 2)
    }
    this.messages.set(++this.last, message)
    return { opening: this.opening, number: this.last }
  }

  find(receipt: Receipt): Message | undefined {
    const { opening, number } = receipt as NumberedReceipt
    return opening === this.opening ? this.messages.get(number) : undefined
  }

  of(receipt: Receipt): Message {
    const message = this.find(receipt)
    if (message === undefined) throw staleReceipt()
    return message
  }
}

/** The queues, topics and logs of a shard that is a store of its own on this thread. */
export class LocalMail implements ShardMail {
  private readonly db: Database<Bytes, Bytes>
  private readonly receipts = new Receipts()

  constructor(db: Database<Bytes, Bytes>) {
    this.db = db
  }

  queue(name: string, options: QueueOptions): QueuePart {
    return new LocalQueue(this.db, this.db.queue(name, options), this.receipts)
  }

  topic(name: string, options: TopicOptions): TopicPart {
    return new LocalTopic(this.db.topic(name, options), this.receipts)
  }

  log(name: string): LogPart {
    return new LocalLog(this.db.log(name))
  }

  names(): { queues: string[]; topics: string[]; logs: string[] } {
    return this.db.messageNames()
  }

  /** Operations as parts of a commit of keys. */
  parts(operations: readonly MailOperation[]): BatchPart[] {
    return operations.map((operation) => {
      if (operation.type === 'ack') return this.receipts.of(operation.receipt).partOfAck()
      if (operation.type === 'publish')
        return this.db.topic(operation.topic).partOfSend(operation.body, operation.message)
      return this.db.queue(operation.queue, operation.options).partOfSend(operation.body, operation.message)
    })
  }
}

/** What receives, on this thread. */
interface Source {
  receive(options: ReceiveOptions): Promise<Message[]>
}

class LocalDeliveries implements Deliveries {
  private readonly source: Source
  protected readonly receipts: Receipts
  private readonly calls = new Map<number, AbortController>()

  constructor(source: Source, receipts: Receipts) {
    this.source = source
    this.receipts = receipts
  }

  async receive({ call, max, waitMs }: Waiting): Promise<HandedMessage[]> {
    const ending = new AbortController()
    this.calls.set(call, ending)
    try {
      const messages = await this.source.receive({ max, wait: waitMs, signal: ending.signal })
      return messages.map((message) => handed(message, this.receipts.add(message)))
    } catch (error) {
      if (ending.signal.aborted) return []
      throw error
    } finally {
      this.calls.delete(call)
    }
  }

  cancel(call: number): void {
    this.calls.get(call)?.abort()
  }

  async ack(receipts: readonly Receipt[], options: WriteOptions): Promise<void> {
    const messages = receipts.map((receipt) => this.receipts.of(receipt))
    await Promise.all(messages.map((message) => message.ack(options)))
  }

  async nack(receipt: Receipt, options: NackOptions): Promise<void> {
    await this.receipts.of(receipt).nack(options)
  }

  async extend(receipt: Receipt, ms: number): Promise<void> {
    this.receipts.of(receipt).extend(ms)
  }

  release(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) this.receipts.find(receipt)?.release()
  }
}

function handed(message: Message, receipt: Receipt): HandedMessage {
  const { id, body, headers, group, priority, attempts, sentAt, fence, deadLetter } = message
  const { offset } = message as { offset?: number }
  return { receipt, id, body, headers, group, priority, attempts, sentAt, fence, deadLetter, offset }
}

class LocalQueue extends LocalDeliveries implements QueuePart {
  private readonly db: Database<Bytes, Bytes>
  private readonly queue: Queue

  constructor(db: Database<Bytes, Bytes>, queue: Queue, receipts: Receipts) {
    super(queue, receipts)
    this.db = db
    this.queue = queue
  }

  override async ack(receipts: readonly Receipt[], options: WriteOptions): Promise<void> {
    await this.queue.ackMany(
      receipts.map((receipt) => this.receipts.of(receipt)),
      options,
    )
  }

  rules(): Rules {
    return this.queue.rules
  }

  recordedRules(): Rules | undefined {
    return this.queue.recordedRules
  }

  configure({ ordering, ...rest }: QueueOptions): void {
    const { rules } = this.queue
    const waits = ordering !== rules.ordering && this.queue.stats().depth > 0
    this.db.queue(this.queue.name, waits || ordering === undefined ? rest : { ...rest, ordering })
  }

  stats(): QueueStats {
    return this.queue.stats()
  }

  sendMany(items: readonly SendItem<unknown>[], options: WriteOptions & { timeout?: number }): Promise<SentMessage[]> {
    return this.queue.sendMany(items, options)
  }

  peek(max: number): Promise<PeekedMessage<unknown>[]> {
    return this.queue.peek({ max })
  }

  purge(options: WriteOptions): Promise<number> {
    return this.queue.purge(options)
  }

  redrive(max: number): Promise<number> {
    return this.queue.redrive({ max })
  }

  pause(): void {
    this.queue.pause()
  }

  resume(): void {
    this.queue.resume()
  }
}

class LocalTopic implements TopicPart {
  private readonly topic: Topic
  private readonly receipts: Receipts

  constructor(topic: Topic, receipts: Receipts) {
    this.topic = topic
    this.receipts = receipts
  }

  configure(options: TopicOptions): void {
    this.topic.configure(options)
  }

  publishMany(
    items: readonly ({ body: unknown } & Omit<PublishOptions, 'sync'>)[],
    options: WriteOptions,
  ): Promise<{ id: string; offset: number }[]> {
    return this.topic.publishMany(items, options)
  }

  subscribe(name: string, options: SubscribeOptions<unknown>): SubscriptionPart {
    return new LocalSubscription(this.topic.subscribe(name, options), this.receipts)
  }

  subscriptionNames(): string[] {
    return this.topic.subscriptionNames()
  }

  unsubscribe(name: string, options: WriteOptions): Promise<boolean> {
    return this.topic.unsubscribe(name, options)
  }

  stats(): RunFigures {
    return this.topic.stats()
  }
}

class LocalSubscription extends LocalDeliveries implements SubscriptionPart {
  private readonly subscription: Subscription

  constructor(subscription: Subscription, receipts: Receipts) {
    super(subscription, receipts)
    this.subscription = subscription
  }

  rules(): Rules {
    return this.subscription.rules
  }

  lag(): number {
    return this.subscription.lag()
  }

  seek(to: { offset: number } | { time: number } | 'earliest' | 'latest', options: WriteOptions): Promise<void> {
    return this.subscription.seek(to, options)
  }

  close(): Promise<void> {
    return this.subscription.close()
  }
}

class LocalLog implements LogPart {
  private readonly log: DurableLog
  private readonly calls = new Map<number, AbortController>()

  constructor(log: DurableLog) {
    this.log = log
  }

  appendMany(bodies: readonly (string | Uint8Array)[], options: WriteOptions): Promise<number[]> {
    return this.log.appendMany(bodies, options)
  }

  async slice(options: Omit<ReadLogOptions, 'follow' | 'signal'>): Promise<LogSliceEntry[]> {
    const entries: LogSliceEntry[] = []
    for await (const entry of this.log.read(options)) entries.push(entry)
    return entries
  }

  async appended(call: number, offset: number): Promise<number> {
    const ending = new AbortController()
    this.calls.set(call, ending)
    try {
      for await (const _ of this.log.read({ from: offset, limit: 1, follow: true, signal: ending.signal })) break
    } catch (error) {
      if (!ending.signal.aborted) throw error
    } finally {
      this.calls.delete(call)
    }
    return this.log.stats().next
  }

  cancel(call: number): void {
    this.calls.get(call)?.abort()
  }

  trim(options: { before: number } & WriteOptions): Promise<void> {
    return this.log.trim(options)
  }

  stats(): RunFigures {
    return this.log.stats()
  }
}
