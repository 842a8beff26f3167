import type { ReadLogOptions } from '../queue/durable-log.js'
import type { NackOptions } from '../queue/mailbox.js'
import type { DeadLetter } from '../queue/message-format.js'
import type { PeekedMessage, QueueStats, SendItem } from '../queue/queue.js'
import type { QueueOptions, Rules } from '../queue/rules.js'
import type { PublishOptions, SubscribeOptions, TopicOptions } from '../queue/topic.js'
import type { MessageOptions } from '../store/batch-part.js'
import type { WriteOptions } from '../store/write-target.js'

/*
 * Queues, topics and logs as one shard answers for them: plain data in, plain data out, so that the shard may live in a thread. A
 * message that was handed out is named by a receipt, which only the shard that gave it understands.
 */

/** Names a delivery; what is in it is the shard's business. */
export type Receipt = unknown

/** A message that was handed out. */
export interface HandedMessage {
  readonly receipt: Receipt
  readonly id: string
  readonly body: unknown
  readonly headers: Record<string, unknown>
  readonly group: string | undefined
  readonly priority: number
  readonly attempts: number
  readonly sentAt: number
  readonly fence: number
  readonly deadLetter: DeadLetter | undefined
  /** Of a topic's message. */
  readonly offset: number | undefined
}

/** What waits for messages calls itself by a number, so that it can be told to stop. */
export interface Waiting {
  readonly call: number
  readonly max: number
  readonly waitMs: number
}

/** Somewhere to take messages from. */
export interface Deliveries {
  receive(waiting: Waiting): Promise<HandedMessage[]>
  /** The wait ends; what was handed out to it already is given back. */
  cancel(call: number): void
  ack(receipts: readonly Receipt[], options: WriteOptions): Promise<void>
  nack(receipt: Receipt, options: NackOptions): Promise<void>
  extend(receipt: Receipt, ms: number): Promise<void>
  /** Nobody has looked at them: as if they had never been handed out. */
  release(receipts: readonly Receipt[]): void
}

/** One shard's part of a queue. */
export interface QueuePart extends Deliveries {
  rules(): Rules
  /** The rules, where they are written down. */
  recordedRules(): Rules | undefined
  /** Gives it rules that hold on all shards, at once. The ordering of one that holds messages stays until it is empty. */
  configure(rules: QueueOptions): void
  stats(): QueueStats
  sendMany(items: readonly SendItem<unknown>[], options: WriteOptions & { timeout?: number }): Promise<SentMessage[]>
  peek(max: number): Promise<PeekedMessage<unknown>[]>
  purge(options: WriteOptions): Promise<number>
  redrive(max: number): Promise<number>
  pause(): void
  resume(): void
}

/** What became of a message that was sent. */
export interface SentMessage {
  /** The message's id; its shard is in it. */
  readonly id: string
  /** A message with this dedup id was sent within the window; `id` is that one's. */
  readonly duplicate: boolean
}

/** One shard's part of a topic. */
export interface TopicPart {
  /** Gives it options that hold on all shards, at once. */
  configure(options: TopicOptions): void
  publishMany(
    items: readonly ({ body: unknown } & Omit<PublishOptions, 'sync'>)[],
    options: WriteOptions,
  ): Promise<{ id: string; offset: number }[]>
  /** Without functions: those stay with the caller. */
  subscribe(name: string, options: SubscribeOptions<unknown>): SubscriptionPart
  subscriptionNames(): string[]
  unsubscribe(name: string, options: WriteOptions): Promise<boolean>
  stats(): RunFigures
}

/** Figures of a log or topic on its shard. */
export interface RunFigures {
  /** The first offset that is kept. */
  readonly first: number
  /** The offset that the next entry gets. */
  readonly next: number
  /** Bytes of the entries that are kept. */
  readonly bytes: number
}

export interface SubscriptionPart extends Deliveries {
  rules(): Rules
  lag(): number
  seek(to: { offset: number } | { time: number } | 'earliest' | 'latest', options: WriteOptions): Promise<void>
  close(): Promise<void>
}

/** A log, on the one shard that has it. */
export interface LogPart {
  appendMany(bodies: readonly (string | Uint8Array)[], options: WriteOptions): Promise<number[]>
  /** At most `limit` entries that are there now. */
  slice(options: Omit<ReadLogOptions, 'follow' | 'signal'>): Promise<LogSliceEntry[]>
  /** Resolves with the next offset when that is above `offset`, or after `cancel` of the same number. */
  appended(call: number, offset: number): Promise<number>
  cancel(call: number): void
  trim(options: { before: number } & WriteOptions): Promise<void>
  stats(): RunFigures
}

export interface LogSliceEntry {
  readonly offset: number
  readonly body: Uint8Array
  readonly time: number
}

/** What goes into a commit of keys besides them. */
export type MailOperation =
  | {
      readonly type: 'send'
      readonly queue: string
      readonly options: QueueOptions
      readonly body: unknown
      readonly message: MessageOptions
    }
  | { readonly type: 'publish'; readonly topic: string; readonly body: unknown; readonly message: PublishOptions }
  | { readonly type: 'ack'; readonly receipt: Receipt }

/** The queues, topics and logs of one shard. */
export interface ShardMail {
  queue(name: string, options: QueueOptions): QueuePart
  topic(name: string, options: TopicOptions): TopicPart
  log(name: string): LogPart
  /** Names of queues that were ever written to, of topics and of logs. */
  names(): { readonly queues: string[]; readonly topics: string[]; readonly logs: string[] }
}
