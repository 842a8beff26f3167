import { invalid } from '../bytes/errors.js'
import { type CloseOptions, closeTimeout } from '../store/close-options.js'
import { openStore, Database as Store } from '../store/database.js'
import type { AnyEncoding, Decoded, EncodingOptions, TypedArguments } from '../store/encoding.js'
import { keepAlive } from '../store/keep-alive.js'
import { checkName } from '../store/name.js'
import type { OpenOptions } from '../store/options.js'
import { DurableLog } from './durable-log.js'
import { PostOffice } from './post-office.js'
import { Queue } from './queue.js'
import { checkQueueOptions, type QueueOptions } from './rules.js'
import { Topic, type TopicOptions } from './topic.js'

/**
 * An open store with what stands on its log besides keys and values: logs, queues and topics. All of it changes in the same commits.
 *
 * @example
 * const db = await open('./data')
 * await db.batch().put('order:7', '{}').send(db.queue('dispatch'), { order: 7 }).write()
 * await db.close()
 */
export class Database<K = string, V = string> extends Store<K, V> {
  private office: PostOffice | undefined
  private readonly topics = new Map<string, Topic<never>>()
  private ending: Promise<void> | undefined

  /**
   * A durable, append-only log of that name; it comes into being with its first entry.
   *
   * @example
   * await db.log('audit').append('somebody logged in', { sync: true })
   */
  log(name: string): DurableLog {
    checkName(name, 'log')
    return new DurableLog(this.post.run('log', name))
  }

  /**
   * A queue of that name; it comes into being with its first message, or with rules that are given. Those are stored with it at once, in
   * front of whatever is called next, and hold for everybody; those that are left out stay what they are.
   *
   * @example
   * const payments = db.queue<{ amount: number }>('payments', { ordering: 'group', maxAttempts: 10 })
   */
  queue<T = unknown>(name: string, options: QueueOptions = {}): Queue<T> {
    checkName(name, 'queue')
    const { signingKey, rateLimit, ...rules } = checkQueueOptions(options, `queue '${name}'`)
    const mailbox = this.post.queue(name, undefined)
    if (rules.deadLetter === name) throw invalid(`Queue '${name}' cannot be where its own dead letters go`)
    mailbox.delivery.changeRules(rules)
    return new Queue<T>(mailbox, this.post.repetitions(mailbox), {
      ...(signingKey === undefined ? {} : { signingKey }),
      ...(rateLimit === undefined ? {} : { rateLimit }),
    })
  }

  /** The names of the queues that were ever written to or given rules, those of dead letters included. */
  queueNames(): string[] {
    return this.post.namesOf('queue')
  }

  /** The names of what was ever written to. @internal */
  messageNames(): { queues: string[]; topics: string[]; logs: string[] } {
    const { post } = this
    return { queues: post.namesOf('queue'), topics: post.namesOf('topic'), logs: post.namesOf('log') }
  }

  /**
   * A topic of that name; it comes into being with its first message, or with a retention that is given, which is stored at once.
   *
   * @example
   * const orders = db.topic('orders', { retention: { age: 7 * 86_400_000 } })
   */
  topic<T = unknown>(name: string, options: TopicOptions = {}): Topic<T> {
    checkName(name, 'topic')
    const run = this.post.run('topic', name)
    const present = this.topics.get(name) as Topic<T> | undefined
    if (present !== undefined) {
      present.configure(options)
      return present
    }
    const topic = new Topic<T>(this.post, run, options)
    this.topics.set(name, topic as never)
    return topic
  }

  override async refresh(): Promise<void> {
    await super.refresh()
    // A store that writes is always where it is; what its queues have in flight stays with them.
    if (this.engine.log !== undefined) return
    this.office?.refresh()
    this.topics.clear()
  }

  /**
   * Lets running handlers finish, for `timeout` milliseconds at most (default 30,000), tells whoever waits, and closes the store; twice
   * is once. A handler that is not done by then is given up: its message is given back, and its later writes are refused.
   *
   * @example
   * await db.close({ timeout: 5000 })
   */
  override async close(options: CloseOptions = {}): Promise<void> {
    const timeout = closeTimeout(options)
    const { office } = this
    if (office === undefined) this.ending ??= super.close()
    else {
      // Called first, so that a second call with less time shortens the first one.
      const stopped = office.stopWorkers({ timeout })
      this.ending ??= keepAlive(this.closeAfter(stopped, office))
    }
    await this.ending
  }

  /** What handlers have begun they may still write and acknowledge. */
  private async closeAfter(stopped: Promise<void>, office: PostOffice): Promise<void> {
    try {
      await stopped
      await office.close()
    } finally {
      await super.close()
    }
  }

  private get post(): PostOffice {
    this.engine.checkOpen()
    this.office ??= new PostOffice(this.engine, this.family.sync)
    return this.office
  }
}

/**
 * Opens the store in a directory, and makes it where there is none. ':memory:' keeps nothing on disk.
 *
 * @example
 * const users = await open<string, User>('./data', { valueEncoding: 'json' })
 */
export function open<const KE extends AnyEncoding = undefined, const VE extends AnyEncoding = undefined>(
  path: string,
  options?: Omit<OpenOptions, keyof EncodingOptions<KE, VE>> & EncodingOptions<KE, VE>,
): Promise<Database<Decoded<KE, string>, Decoded<VE, string>>>
export function open<K = string, V = string>(
  path: string,
  ...options: TypedArguments<OpenOptions, K, V>
): Promise<Database<K, V>>
export function open<K = string, V = string>(path: string, options: OpenOptions<K, V> = {}): Promise<Database<K, V>> {
  return openStore(path, options, (...parts) => new Database<K, V>(...parts))
}
