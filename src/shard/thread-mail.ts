import type { ReadLogOptions } from '../queue/durable-log.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { PeekedMessage, QueueStats, SendItem } from '../queue/queue.js'
import type { QueueOptions, Rules } from '../queue/rules.js'
import type { PublishOptions, SubscribeOptions, TopicOptions } from '../queue/topic.js'
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
import type { ThreadClient } from './thread-client.js'

/** Something of the mail in the shard's thread, by its number there. */
class ThreadObject {
  protected readonly client: ThreadClient
  protected readonly object: number

  constructor(client: ThreadClient, object: number) {
    this.client = client
    this.object = object
  }
}

/** The queues, topics and logs of a shard in a thread. */
export class ThreadMail extends ThreadObject implements ShardMail {
  queue(name: string, options: QueueOptions): QueuePart {
    return new ThreadQueue(this.client, this.client.make(this.object, 'queue', [name, options]))
  }

  topic(name: string, options: TopicOptions): TopicPart {
    return new ThreadTopic(this.client, this.client.make(this.object, 'topic', [name, options]))
  }

  log(name: string): LogPart {
    return new ThreadLog(this.client, this.client.make(this.object, 'log', [name]))
  }

  names(): { queues: string[]; topics: string[]; logs: string[] } {
    return this.client.callSync(this.object, 'names', [])
  }
}

class ThreadDeliveries extends ThreadObject implements Deliveries {
  async receive(waiting: Waiting): Promise<HandedMessage[]> {
    const messages = await this.client.call<HandedMessage[]>(this.object, 'receive', [waiting])
    return messages.map((message) => ({ ...message, body: arrived(message.body) }))
  }

  cancel(call: number): void {
    this.client.tell(this.object, 'cancel', [call])
  }

  ack(receipts: readonly Receipt[], options: WriteOptions): Promise<void> {
    return this.client.call(this.object, 'ack', [receipts, options])
  }

  nack(receipt: Receipt, options: NackOptions): Promise<void> {
    return this.client.call(this.object, 'nack', [receipt, options])
  }

  extend(receipt: Receipt, ms: number): Promise<void> {
    return this.client.call(this.object, 'extend', [receipt, ms])
  }

  release(receipts: readonly Receipt[]): void {
    this.client.tell(this.object, 'release', [receipts])
  }
}

class ThreadQueue extends ThreadDeliveries implements QueuePart {
  rules(): Rules {
    return this.client.callSync(this.object, 'rules', [])
  }

  recordedRules(): Rules | undefined {
    return this.client.callSync(this.object, 'recordedRules', [])
  }

  configure(rules: QueueOptions): void {
    this.client.callSync(this.object, 'configure', [rules])
  }

  stats(): QueueStats {
    return this.client.callSync(this.object, 'stats', [])
  }

  sendMany(items: readonly SendItem<unknown>[], options: WriteOptions & { timeout?: number }): Promise<SentMessage[]> {
    return this.client.call(this.object, 'sendMany', [items.map(travelling), options])
  }

  async peek(max: number): Promise<PeekedMessage<unknown>[]> {
    const found = await this.client.call<PeekedMessage<unknown>[]>(this.object, 'peek', [max])
    return found.map((message) => ({ ...message, body: arrived(message.body) }))
  }

  purge(options: WriteOptions): Promise<number> {
    return this.client.call(this.object, 'purge', [options])
  }

  redrive(max: number): Promise<number> {
    return this.client.call(this.object, 'redrive', [max])
  }

  pause(): void {
    this.client.tell(this.object, 'pause', [])
  }

  resume(): void {
    this.client.tell(this.object, 'resume', [])
  }
}

class ThreadTopic extends ThreadObject implements TopicPart {
  configure(options: TopicOptions): void {
    this.client.callSync(this.object, 'configure', [options])
  }

  publishMany(
    items: readonly ({ body: unknown } & Omit<PublishOptions, 'sync'>)[],
    options: WriteOptions,
  ): Promise<{ id: string; offset: number }[]> {
    return this.client.call(this.object, 'publishMany', [items.map(travelling), options])
  }

  subscribe(name: string, options: SubscribeOptions<unknown>): SubscriptionPart {
    return new ThreadSubscription(this.client, this.client.make(this.object, 'subscribe', [name, options]))
  }

  subscriptionNames(): string[] {
    return this.client.callSync(this.object, 'subscriptionNames', [])
  }

  unsubscribe(name: string, options: WriteOptions): Promise<boolean> {
    return this.client.call(this.object, 'unsubscribe', [name, options])
  }

  stats(): RunFigures {
    return this.client.callSync(this.object, 'stats', [])
  }
}

class ThreadSubscription extends ThreadDeliveries implements SubscriptionPart {
  private isClosed = false

  // Closing has given back what was held, and the thread has forgotten the subscription.

  override async ack(receipts: readonly Receipt[], options: WriteOptions): Promise<void> {
    if (this.isClosed) throw staleReceipt()
    await super.ack(receipts, options)
  }

  override async nack(receipt: Receipt, options: NackOptions): Promise<void> {
    if (this.isClosed) throw staleReceipt()
    await super.nack(receipt, options)
  }

  override async extend(receipt: Receipt, ms: number): Promise<void> {
    if (this.isClosed) throw staleReceipt()
    await super.extend(receipt, ms)
  }

  rules(): Rules {
    return this.client.callSync(this.object, 'rules', [])
  }

  lag(): number {
    return this.client.callSync(this.object, 'lag', [])
  }

  seek(to: { offset: number } | { time: number } | 'earliest' | 'latest', options: WriteOptions): Promise<void> {
    return this.client.call(this.object, 'seek', [to, options])
  }

  close(): Promise<void> {
    this.isClosed = true
    return this.client.call(this.object, 'close', [])
  }
}

class ThreadLog extends ThreadObject implements LogPart {
  appendMany(bodies: readonly (string | Uint8Array)[], options: WriteOptions): Promise<number[]> {
    return this.client.call(this.object, 'appendMany', [bodies.map((body) => travellingBody(body)), options])
  }

  async slice(options: Omit<ReadLogOptions, 'follow' | 'signal'>): Promise<LogSliceEntry[]> {
    return this.client.call(this.object, 'slice', [options])
  }

  appended(call: number, offset: number): Promise<number> {
    return this.client.call(this.object, 'appended', [call, offset])
  }

  cancel(call: number): void {
    this.client.tell(this.object, 'cancel', [call])
  }

  trim(options: { before: number } & WriteOptions): Promise<void> {
    return this.client.call(this.object, 'trim', [options])
  }

  stats(): RunFigures {
    return this.client.callSync(this.object, 'stats', [])
  }
}

function travelling<T extends { body: unknown }>(item: T): T {
  return { ...item, body: travellingBody(item.body) }
}

/** A message of a batch as it crosses to the thread. */
export function travellingMail(operation: MailOperation): MailOperation {
  return operation.type === 'ack' ? operation : travelling(operation)
}

/** Bytes that the call may hand over, and of objects what JSON makes of them: a thread gets no prototypes. */
function travellingBody(body: unknown): unknown {
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice()
  return typeof body === 'object' && body !== null ? JSON.parse(JSON.stringify(body)) : body
}

/** Bytes come as buffers, wherever they come from. */
function arrived(body: unknown): unknown {
  return body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : body
}
