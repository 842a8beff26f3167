import { invalid, SiltstoneError } from '../bytes/errors.js'
import type { BatchPart, MessageTarget } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { checkName, checkWellFormed } from '../store/name.js'
import { checked, flag } from '../store/options.js'
import type { WriteOptions } from '../store/write-target.js'
import { type Change, changePart, commitChange } from './change.js'
import { keptBytes, type LogStats } from './durable-log.js'
import { offsetAt, RunningTime } from './follower.js'
import type { Mailbox } from './mailbox.js'
import { encodeBody, encodeMessage, jsonOf, putSentAt } from './message-format.js'
import type { PostOffice } from './post-office.js'
import { checkRetention, type Retention } from './retention.js'
import { type Backoff, changedRules, defaultRules, erased, type QueueRules, ruleChecks } from './rules.js'
import { ownerRange } from './state-keys.js'
import type { StoredRun } from './stored-run.js'
import { type From, Subscription, type SubscriptionReading, type TopicMessage } from './subscription.js'
import { TopicRetention } from './topic-retention.js'

/** What `db.topic(name, …)` takes. */
export interface TopicOptions {
  /** How much is kept, stored with the topic at once; left out, it stays what it is. */
  retention?: Retention
}

/** What `publish` takes. */
export interface PublishOptions extends WriteOptions {
  /** Messages with one key stay in order, whoever consumes them. */
  key?: string
  /** What goes beside the body; JSON. */
  headers?: Record<string, unknown>
}

/** What `subscribe` takes: where it begins, what it makes of the messages, and a queue's rules of delivery. */
export interface SubscribeOptions<T, R = T>
  extends SubscriptionReading<T, R>,
    Pick<QueueRules, 'ordering' | 'visibilityTimeout' | 'maxAttempts' | 'deadLetter'> {
  /** Where a subscription that is new begins (default 'latest': the moment of `subscribe`). One that is there goes on. */
  from?: From
  /** How long a failed message waits for its next attempt. */
  backoff?: Partial<Backoff>
}

const topicChecks = { retention: checkRetention }

/** The options of `db.topic`, checked. @internal */
export function checkTopicOptions(options: object): TopicOptions {
  return checked(options, topicChecks, 'topic') as TopicOptions
}

const text = (value: unknown, name: string): unknown => {
  if (typeof value !== 'string' || value.length > 1024) {
    throw invalid(`Option ${name} must be a text of at most 1024 characters, not ${describe(value)}`)
  }
  checkWellFormed(value, `Option ${name}`)
  return value
}
const headers = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalid(`Option headers must be an object, not ${describe(value)}`)
}
const publishChecks = { key: text, headers, sync: flag }

const isFunction = (value: unknown, name: string): unknown => {
  if (typeof value === 'function') return value
  throw invalid(`Option ${name} must be a function, not ${describe(value)}`)
}
const from = (value: unknown): unknown => {
  if (value === 'earliest' || value === 'latest') return value
  const { offset, time } = (value ?? {}) as { offset?: unknown; time?: unknown }
  if (Number.isSafeInteger(offset) || typeof time === 'number') return value
  throw invalid(`Option from must be 'earliest', 'latest', { offset } or { time }, not ${describe(value)}`)
}
const { ordering, visibilityTimeout, maxAttempts, backoff, deadLetter } = ruleChecks
const subscriptionRuleChecks = { ordering, visibilityTimeout, maxAttempts, backoff, deadLetter }
const subscribeChecks = {
  ...subscriptionRuleChecks,
  from,
  delivery: (value: unknown) => {
    if (value === 'at-least-once' || value === 'at-most-once') return value
    throw invalid(`Option delivery must be 'at-least-once' or 'at-most-once', not ${describe(value)}`)
  },
  filter: isFunction,
  map: isFunction,
}

/** The rules among the options of `subscribe`. @internal */
export function subscriptionRules(options: SubscribeOptions<unknown>): QueueRules {
  const given = checked(options, subscribeChecks, 'subscribe')
  return Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(subscriptionRuleChecks, name)))
}

/**
 * A run of messages that any number of subscriptions read, each at its own pace and as often as it likes.
 *
 * @example
 * const orders = db.topic<Order>('orders', { retention: { age: 7 * 86_400_000 } })
 * await orders.publish({ id: 7, total: 12 }, { key: 'customer:1' })
 * const billing = orders.subscribe('billing', { from: 'earliest' })
 * for (const message of await billing.receive({ max: 10 })) await message.ack()
 */
export class Topic<T = unknown> implements MessageTarget<T, PublishOptions> {
  /** What it was asked for by. */
  readonly name: string
  private readonly run: StoredRun
  private readonly post: PostOffice
  private readonly time: RunningTime
  private readonly subscriptions = new Set<Subscription<never>>()
  private readonly retention: TopicRetention

  /** @internal Topics come from `db.topic()`. */
  constructor(post: PostOffice, run: StoredRun, options: TopicOptions) {
    this.run = run
    this.post = post
    this.name = run.name
    this.time = new RunningTime(run)
    this.retention = new TopicRetention(run)
    this.retention.age()
    this.configure(options)
  }

  /** Another retention than before. @internal */
  configure(options: TopicOptions): void {
    const { retention } = checkTopicOptions(options)
    if (retention !== undefined) this.retention.set(retention)
  }

  /** Appends a message for all subscriptions. Returns its offset. */
  async publish(body: T, options: PublishOptions = {}): Promise<{ id: string; offset: number }> {
    const { sync, ...rest } = checked(options, publishChecks, 'publish') as PublishOptions
    const [published] = await this.publishMany([{ body, ...rest }], sync === undefined ? {} : { sync })
    return published!
  }

  /** Appends many in one commit: all of them or none. */
  async publishMany(
    items: readonly ({ body: T } & Omit<PublishOptions, 'sync'>)[],
    options?: WriteOptions,
  ): Promise<{ id: string; offset: number }[]> {
    if (!Array.isArray(items)) throw invalid(`publishMany takes an array of { body, …options }, not ${describe(items)}`)
    const { sync = this.post.sync } = checked(options ?? {}, { sync: flag }, 'publishMany') as WriteOptions
    const messages = items.map((item) => {
      if (typeof item !== 'object' || item === null) {
        throw invalid(`publishMany takes items { body, …options }, not ${describe(item)}`)
      }
      const { body, ...rest } = item
      return this.encode(body, rest)
    })
    if (messages.length === 0) return []
    let offsets: number[] = []
    await commitChange(this.post.engine, sync, (change) => {
      offsets = this.append(change, messages)
    })
    return offsets.map((offset) => ({ id: String(offset), offset }))
  }

  /**
   * A durable subscription: its own cursor, under its own name, whoever reads and how often the process ends. Several consumers of one
   * subscription share its messages.
   *
   * @example
   * const sub = orders.subscribe('billing', { from: 'earliest', filter: (message) => message.body.total > 0 })
   * for await (const message of sub) {
   *   await db.batch().put(`billed:${message.id}`, 'yes').ack(message).write()
   *   if (sub.lag() === 0) break
   * }
   */
  subscribe<R = T>(name: string, options: SubscribeOptions<T, R> = {}): Subscription<R> {
    checkName(name, 'subscription')
    this.post.engine.checkOpen()
    const given = checked(options, subscribeChecks, 'subscribe') as SubscribeOptions<T, R>
    const { from, delivery, filter, map, ...rules } = { ...erased(options), ...given }
    const full = this.fullName(name)
    const { run } = this
    const mailbox = this.post.subscription(
      full,
      run.log,
      changedRules({ ...defaultRules(full), ordering: 'group' }, rules),
    )
    if (mailbox.delivery.stock.lanes.length === 0) this.begin(mailbox, from ?? 'latest')
    mailbox.delivery.changeRules(rules)
    const reading: SubscriptionReading<T, R> = {
      ...(delivery === undefined ? {} : { delivery }),
      ...(filter === undefined ? {} : { filter }),
      ...(map === undefined ? {} : { map }),
    }
    const subscription: Subscription<R> = new Subscription<R>(run, mailbox, reading as never, () =>
      this.subscriptions.delete(subscription as never),
    )
    this.subscriptions.add(subscription as never)
    return subscription
  }

  /** The names of the subscriptions that are kept. */
  subscriptionNames(): string[] {
    const prefix = `${this.name}/`
    return this.post
      .namesOf('subscription')
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
  }

  /**
   * Closes a subscription's handles, and forgets it and its cursor; one of that name begins anew. Says whether it was there. The handles stay
   * closed where forgetting it is refused.
   */
  async unsubscribe(name: string, options?: WriteOptions): Promise<boolean> {
    if (options !== undefined) checked(options, { sync: flag }, 'unsubscribe')
    if (typeof name !== 'string' || name === '') throw invalid(`A subscription needs a name, not ${describe(name)}`)
    const full = this.fullName(name)
    const isThere = this.subscriptionNames().includes(name)
    for (const each of [...this.subscriptions]) if (each.name === full) await each.close()
    if (!isThere) return false
    const { post } = this
    const { delivery, dispatcher } = post.subscription(full, this.run.log, defaultRules(full))
    await commitChange(post.engine, options?.sync ?? post.sync, (change) => {
      change.record.clear(post.state, ownerRange(delivery.number))
      post.eraseName(change, 'subscription', full)
    })
    dispatcher.close(new SiltstoneError('SILT_NOT_OPEN', `The subscription '${full}' was forgotten; subscribe anew`))
    return true
  }

  /** The first offset that is kept, the next one, and the bytes in between. */
  stats(): LogStats {
    this.post.engine.checkOpen()
    const { log } = this.run
    return { first: log.first, next: log.visible, bytes: keptBytes(this.run) }
  }

  /** @internal */
  partOfSend(body: T, options: PublishOptions | undefined): BatchPart {
    const messages = [this.encode(body, options ?? {})]
    return changePart(this.post.engine, (change) => {
      this.append(change, messages)
    })
  }

  private encode(body: T, options: PublishOptions): Uint8Array {
    if (body === undefined) throw invalid('A message needs a body: bytes, text or what JSON holds')
    const { key, headers } = checked(options, publishChecks, 'publish') as PublishOptions
    return encodeMessage({
      // When it is appended, for those that come after it in a topic were never published before it.
      sentAt: 0,
      expiresAt: 0,
      group: key,
      headers: headers === undefined ? undefined : jsonOf(headers, 'The headers of a message'),
      history: undefined,
      signature: undefined,
      body: encodeBody(body),
    })
  }

  private append(change: Change, messages: readonly Uint8Array[]): number[] {
    const { run, retention } = this
    const sentAt = this.time.next(change, this.post.clock.now())
    const offsets = messages.map((message) => {
      putSentAt(message, sentAt)
      const offset = run.append(change, message)
      retention.appended(change, message)
      return offset
    })
    retention.trim(change)
    return offsets
  }

  private begin(mailbox: Mailbox, from: From): void {
    const { stock, rules } = mailbox.delivery
    stock.begin(this.offsetOf(from))
    if (!this.post.isWritable) return
    const takeBack = stock.registration.remember()
    stock.registration.rules = rules
    try {
      // Behind what was published before in this turn, in front of what will be.
      stock.commit(this.post.sync, () => {}).catch(() => {})
    } catch (error) {
      // Whoever asks again begins where the topic is by then.
      stock.lanes.length = 0
      takeBack()
      throw error
    }
  }

  private offsetOf(from: From): number {
    const { log } = this.run
    if (from === 'earliest') return log.first
    if (from === 'latest') return log.next
    const offset = 'offset' in from ? from.offset : offsetAt(this.run, from.time)
    return Math.min(Math.max(offset, log.first), log.next)
  }

  private fullName(name: string): string {
    return `${this.name}/${name}`
  }
}

export type { Retention, TopicMessage }
