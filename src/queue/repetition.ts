import { Cron } from 'croner'
import { invalid } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import { finite, record, text, whole } from '../bytes/shape.js'
import type { MessageOptions } from '../store/batch-part.js'
import { describe } from '../store/encoding.js'
import { checked } from '../store/options.js'
import { type Change, commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import { type Draft, draftMessage } from './draft.js'
import type { Mailbox } from './mailbox.js'
import { encodeBody, encodeMessage, StoredMessage } from './message-format.js'
import { LOOK_MS } from './queue-time.js'
import { HIGHEST_PRIORITY, KIND_REPETITION, kindRange, LOWEST_PRIORITY, textKey, textOf } from './state-keys.js'
import { believed } from './stored-bytes.js'

/*
 * A message that a queue sends again and again. The value, never to change within format version 1: a message as in message-format.ts
 * whose headers are JSON of { when, next, options } and whose body is the body to be sent. Its next time is written in the commit that
 * sends it, so each time is sent once, whatever happens in between.
 */

/** When a message is sent again: by a cron pattern, or every so many milliseconds. */
export type When =
  | { readonly cron: string /** Default: that of the machine. */; readonly timezone?: string; readonly every?: never }
  | { readonly every: number; readonly cron?: never; readonly timezone?: never }

/** A repetition that is under way. */
export interface Repetition {
  /** What it is called. */
  readonly name: string
  /** When its messages are sent. */
  readonly when: When
  /** When the next message is sent. */
  readonly next: number
}

interface Kept extends Repetition {
  readonly options: MessageOptions
  readonly body: unknown
}

const anyText = (value: unknown, name: string): unknown => {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(`Option ${name} must be a text, not ${describe(value)}`)
}
const LONGEST_EVERY_MS = 2 ** 47
const everyMs = (value: unknown, name: string): unknown => {
  if (typeof value === 'number' && value >= 1 && value <= LONGEST_EVERY_MS) return value
  throw invalid(`Option ${name} must be a number of milliseconds from 1 to 2^47, not ${describe(value)}`)
}

/** The first time after `after`; undefined where the pattern has none any more. */
function timeAfter(when: When, after: number): number | undefined {
  if ('every' in when) return after + when.every
  return cronOf(when).nextRun(new Date(after))?.getTime()
}

function cronOf({ cron, timezone }: { cron: string; timezone?: string }): Cron {
  if (timezone !== undefined) checkZone(timezone)
  try {
    return new Cron(cron, timezone === undefined ? {} : { timezone })
  } catch (error) {
    throw invalid(`'${cron}' is no cron pattern: ${reasonOf(error)}`)
  }
}

function checkZone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    throw invalid(`'${timezone}' is no time zone; take a name such as 'Europe/Berlin' or 'UTC'`)
  }
}

/** The repetitions of one queue. They run while the queue is open in some handle; times that were missed meanwhile count as one. */
export class Repetitions {
  private readonly mailbox: Mailbox
  private readonly kept = new Map<string, Kept>()
  private cancel: (() => void) | undefined
  private isClosed = false

  constructor(mailbox: Mailbox) {
    this.mailbox = mailbox
    const { post, number } = mailbox.delivery
    for (const { key, value } of post.reader.all(kindRange(number, KIND_REPETITION))) {
      const stored = new StoredMessage(value)
      const { when, next, options } = stored.headers() as unknown as Kept
      believed('A repetition', () => keptShape({ when, next, options }, 'what is stored of it'))
      const name = textOf(key)
      this.kept.set(name, { name, when, next, options, body: stored.body() })
    }
    this.arm()
  }

  list(): Repetition[] {
    return [...this.kept.values()].map(({ name, when, next }) => ({ name, when, next }))
  }

  /** Makes a repetition, or another one of the same name out of it. */
  async set(name: string, when: When, body: unknown, options: MessageOptions, sync: boolean): Promise<Repetition> {
    const given = checked(when, { cron: anyText, timezone: anyText, every: everyMs }, 'repeat') as When
    if ('cron' in given === 'every' in given) {
      throw invalid('A repetition needs { cron } or { every }, and takes one of them')
    }
    if ('timezone' in given && !('cron' in given)) throw invalid('Option timezone of repeat goes with cron')
    const { delivery } = this.mailbox
    const next = timeAfter(given, this.nowFor(given))
    if (next === undefined) throw invalid(`The pattern '${(given as { cron: string }).cron}' has no time after now`)
    draftMessage(body, options, delivery.stock.time.mark(), undefined, undefined)
    const kept: Kept = { name, when: given, next, options, body }
    await delivery.stock.commit(sync, (change) => {
      this.put(change, kept)
    })
    this.arm()
    return { name, when: given, next }
  }

  /** Ends one. Says whether it was there. */
  async remove(name: string, sync: boolean): Promise<boolean> {
    const before = this.kept.get(name)
    if (before === undefined) return false
    const { delivery } = this.mailbox
    await delivery.stock.commit(sync, (change) => this.drop(change, before))
    this.arm()
    return true
  }

  private put(change: Change, kept: Kept): void {
    const { post, number } = this.mailbox.delivery
    const before = this.kept.get(kept.name)
    this.kept.set(kept.name, kept)
    change.onRefused(() => (before === undefined ? this.kept.delete(kept.name) : this.kept.set(kept.name, before)))
    change.record.put(post.state, textKey(number, KIND_REPETITION, kept.name), encode(kept))
  }

  private drop(change: Change, kept: Kept): void {
    const { post, number } = this.mailbox.delivery
    this.kept.delete(kept.name)
    change.onRefused(() => this.kept.set(kept.name, kept))
    change.record.del(post.state, textKey(number, KIND_REPETITION, kept.name))
  }

  /** A pattern is about the wall clock; an interval takes its time, however that is set. */
  private nowFor(when: When): number {
    const { post, stock } = this.mailbox.delivery
    return 'every' in when ? stock.time.now() : post.clock.now()
  }

  private arm(): void {
    this.cancel?.()
    this.cancel = undefined
    const { post } = this.mailbox.delivery
    if (this.isClosed || this.kept.size === 0 || !post.isWritable) return
    const waits = [...this.kept.values()].map(({ next, when }) => next - this.nowFor(when))
    // A pattern follows the wall clock, which may be set at any time.
    const wait = Math.min(Math.max(0, Math.min(...waits)), LOOK_MS)
    this.cancel = post.clock.after(wait, () => this.sendDue())
  }

  /** Sends what is due; each message and its next time are one commit. */
  private sendDue(): void {
    const { delivery } = this.mailbox
    try {
      for (const kept of [...this.kept.values()]) {
        if (kept.next <= this.nowFor(kept.when)) this.sendOne(delivery, kept)
      }
    } catch {
      // No write is taken now; what is due stays due.
      this.cancel = delivery.post.clock.after(1000, () => this.sendDue())
      return
    }
    this.arm()
  }

  private sendOne(delivery: Delivery, kept: Kept): void {
    const { post } = delivery
    const draft = draftMessage(kept.body, kept.options, delivery.stock.time.mark(), delivery.rules.ttl, undefined)
    const next = timeAfter(kept.when, this.nowFor(kept.when))
    commitChange(post.engine, post.sync, (change) => {
      change.touch(delivery.stock)
      send(change, delivery, draft)
      if (next === undefined) this.drop(change, kept)
      else this.put(change, { ...kept, next })
    }).catch(() => {
      if (!this.isClosed) this.cancel ??= post.clock.after(1000, () => this.sendDue())
    })
  }

  close(): void {
    this.isClosed = true
    this.cancel?.()
  }
}

const keptShape = record({
  when: record({}, { cron: text, timezone: text, every: whole(1) }),
  next: finite,
  options: record(
    {},
    {
      delay: finite,
      ttl: finite,
      dedupId: text,
      group: text,
      priority: whole(LOWEST_PRIORITY, HIGHEST_PRIORITY),
      headers: record({}),
    },
  ),
})

function send(change: Change, delivery: Delivery, { bytes, priority, due, expiresAt }: Draft): void {
  if (due > 0) delivery.schedule(change, due, priority, new StoredMessage(bytes))
  else delivery.append(change, priority, bytes, expiresAt)
}

function encode({ when, next, options, body }: Kept): Uint8Array {
  return encodeMessage({
    sentAt: 0,
    expiresAt: 0,
    group: undefined,
    headers: JSON.stringify({ when, next, options }),
    history: undefined,
    signature: undefined,
    body: encodeBody(body),
  })
}
