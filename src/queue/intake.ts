import { SiltstoneError } from '../bytes/errors.js'
import type { BatchPart } from '../store/batch-part.js'
import { layDown } from './burial.js'
import { type Change, changePart, commitChange } from './change.js'
import type { Delivery } from './delivery.js'
import type { Draft } from './draft.js'
import { addressed, type Letter } from './letter.js'
import { StoredMessage } from './message-format.js'
import type { RateLimiter } from './rate-limiter.js'
import { momentAfter } from './rules.js'
import { KIND_DEDUP, textKey } from './state-keys.js'

/** What became of a message that was sent. */
export interface SendResult {
  /** The message's id, the same over all deliveries. */
  readonly id: string
  /** A message with this dedup id was sent within the window; `id` is that one's, and nothing more was sent. */
  readonly duplicate: boolean
}

interface Blocked {
  readonly drafts: readonly Draft[]
  readonly run: () => void
  readonly reject: (error: unknown) => void
}

// To make room for one message so many others may go at most: a commit is not to hold a whole queue.
const MOST_DROPPED = 500

/** The way into a queue: duplicates, limits, and what happens when it is full. */
export class Intake {
  private readonly delivery: Delivery
  private readonly blocked: Blocked[] = []
  /** Dedup ids whose commit is on its way. */
  private readonly pending = new Map<string, string>()
  private isReleasing = false
  /** Messages that will expire were sent. */
  onExpiring: () => void = () => {}

  constructor(delivery: Delivery) {
    this.delivery = delivery
    delivery.stock.onRoom = () => this.release()
  }

  /** Sends messages in one commit. Waits for room where the queue is full and its rules say so. */
  async send(drafts: readonly Draft[], sync: boolean, timeoutMs: number): Promise<SendResult[]> {
    this.delivery.post.engine.checkWritable()
    if (this.mustWait(drafts)) return this.waitForRoom(drafts, sync, timeoutMs)
    return this.commit(drafts, sync)
  }

  private async commit(drafts: readonly Draft[], sync: boolean): Promise<SendResult[]> {
    let results: SendResult[] = []
    await commitChange(this.delivery.post.engine, sync, (change) => {
      results = this.encode(change, drafts)
    })
    return results
  }

  /** The same as part of a batch, which waits for nobody. */
  part(drafts: readonly Draft[], limiter: RateLimiter | undefined): BatchPart {
    return changePart(this.delivery.post.engine, (change) => {
      // A batch does not wait: it sends on credit, and who sends next pays for it.
      limiter?.take(drafts.length)
      change.onRefused(() => limiter?.giveBack(drafts.length))
      this.encode(change, drafts)
    })
  }

  private get hasLimit(): boolean {
    const { maxLength, maxBytes } = this.delivery.rules
    return maxLength !== undefined || maxBytes !== undefined
  }

  private encode(change: Change, drafts: readonly Draft[]): SendResult[] {
    const results: SendResult[] = []
    for (const draft of drafts) results.push(this.encodeOne(change, draft))
    return results
  }

  private encodeOne(change: Change, draft: Draft): SendResult {
    const { delivery } = this
    const { dedupId } = draft
    const first = dedupId === undefined ? undefined : this.firstOf(dedupId)
    if (first !== undefined) {
      change.touch(delivery.stock)
      delivery.stock.tally.duplicates++
      change.announce('duplicate', () => ({ queue: delivery.name, id: first, dedupId }))
      return { id: first, duplicate: true }
    }
    const id = this.hasLimit ? this.addWithin(change, draft) : this.add(change, draft)
    if (dedupId !== undefined) this.remember(change, dedupId, id)
    change.announce('send', () => ({ queue: delivery.name, id }))
    return { id, duplicate: false }
  }

  private add(change: Change, draft: Draft): string {
    const { delivery } = this
    const { bytes, priority, due, expiresAt } = draft
    if (due > 0) return delivery.schedule(change, due, priority, new StoredMessage(bytes))
    if (expiresAt > 0) change.onCommitted(() => this.onExpiring())
    return delivery.append(change, priority, bytes, expiresAt)
  }

  // Duplicates.

  /** The id under which a message with this dedup id was sent within the window. */
  private firstOf(dedupId: string): string | undefined {
    const { post, number, rules } = this.delivery
    if (rules.dedupWindow === 0) return undefined
    const pending = this.pending.get(dedupId)
    if (pending !== undefined) return pending
    const value = post.reader.get(textKey(number, KIND_DEDUP, dedupId))
    return value && Buffer.from(value).toString()
  }

  private remember(change: Change, dedupId: string, id: string): void {
    const { post, number, rules } = this.delivery
    if (rules.dedupWindow === 0) return
    const until = momentAfter(post.clock.now(), rules.dedupWindow)
    change.record.put(post.state, textKey(number, KIND_DEDUP, dedupId), id, until)
    this.pending.set(dedupId, id)
    const forget = (): void => {
      this.pending.delete(dedupId)
    }
    change.onCommitted(forget)
    change.onRefused(forget)
  }

  // Limits.

  private fits(count: number, bytes: number): boolean {
    const { delivery } = this
    const { maxLength, maxBytes } = delivery.rules
    const isWithin = (): boolean =>
      (maxLength === undefined || delivery.stock.depth + count <= maxLength) &&
      (maxBytes === undefined || delivery.stock.bytes + bytes <= maxBytes)
    if (isWithin()) return true
    // What has expired takes no place.
    delivery.stock.countExpired(delivery.stock.time.now())
    return isWithin()
  }

  private addWithin(change: Change, draft: Draft): string {
    const { delivery } = this
    const { overflow } = delivery.rules
    const { length } = draft.bytes
    if (overflow === 'drop-oldest') {
      for (let dropped = 0; !this.fits(1, length); dropped++) {
        if (dropped === MOST_DROPPED || delivery.removals.dropOldest(change) === undefined) throw this.full()
        change.announce('drop', () => ({ queue: delivery.name, id: '' }))
      }
    } else if (!this.fits(1, length)) {
      if (overflow === 'dead-letter') return this.divert(change, draft)
      throw this.full()
    }
    return this.add(change, draft)
  }

  /** Sends a message straight to the dead ones. */
  private divert(change: Change, draft: Draft): string {
    const { delivery } = this
    const { post, stock, name, deadLetters: dead } = delivery
    const { tally } = stock
    change.touch(stock)
    const id = `s${tally.asideNumber++}`
    tally.asideSent++
    if (dead === undefined) {
      tally.dropped++
      return id
    }
    tally.deadLettered++
    const deadLetter = { queue: name, reason: 'overflow', attempts: 0, time: post.clock.now() }
    const letter: Letter = { id, stored: new StoredMessage(draft.bytes), priority: draft.priority, deadLetter }
    layDown(change, dead, letter, addressed(letter))
    change.announce('dead-letter', () => ({ queue: name, id, reason: 'overflow', attempts: 0 }))
    return id
  }

  private full(): SiltstoneError {
    const { name, stock, rules } = this.delivery
    const { depth, bytes } = stock
    const limit =
      rules.maxLength !== undefined && depth >= rules.maxLength
        ? `${depth} messages, and maxLength is ${rules.maxLength}`
        : `${depth} messages of ${bytes} bytes, and the limits are ${rules.maxLength ?? 'no'} messages and ${rules.maxBytes ?? 'no'} bytes`
    return new SiltstoneError(
      'SILT_FULL',
      `Queue '${name}' is full: it holds ${limit}. Send again when consumers have made room`,
    )
  }

  // Producers that wait.

  private mustWait(drafts: readonly Draft[]): boolean {
    if (this.delivery.rules.overflow !== 'block' || !this.hasLimit) return false
    return this.blocked.length > 0 || !this.fitsAll(drafts)
  }

  private fitsAll(drafts: readonly Draft[]): boolean {
    let count = 0
    let bytes = 0
    const seen = new Set<string>()
    for (const draft of drafts) {
      const { dedupId } = draft
      if (dedupId !== undefined && (seen.has(dedupId) || this.firstOf(dedupId) !== undefined)) continue
      if (dedupId !== undefined) seen.add(dedupId)
      count++
      bytes += draft.bytes.length
    }
    return count === 0 || this.fits(count, bytes)
  }

  private waitForRoom(drafts: readonly Draft[], sync: boolean, timeoutMs: number): Promise<SendResult[]> {
    const { name, rules, post } = this.delivery
    const bytes = drafts.reduce((sum, draft) => sum + draft.bytes.length, 0)
    const neverFits = drafts.length > (rules.maxLength ?? Infinity) || bytes > (rules.maxBytes ?? Infinity)
    if (neverFits) return Promise.reject(this.full())
    return new Promise((resolve, reject) => {
      let cancel: (() => void) | undefined
      const blocked: Blocked = {
        drafts,
        run: () => {
          cancel?.()
          this.commit(drafts, sync).then(resolve, reject)
        },
        reject: (error) => {
          cancel?.()
          reject(error)
        },
      }
      this.blocked.push(blocked)
      if (timeoutMs === Number.POSITIVE_INFINITY) return
      cancel = post.clock.after(timeoutMs, () => {
        this.blocked.splice(this.blocked.indexOf(blocked), 1)
        reject(
          new SiltstoneError(
            'SILT_TIMEOUT',
            `Queue '${name}' has had no room for ${timeoutMs} ms, so nothing was sent. Send again later, or let more consumers work`,
          ),
        )
        // Whoever stands behind may need less room.
        this.release()
      })
    })
  }

  /** Lets those in who fit by now, in their order, once this turn's commits are done with. */
  private release(): void {
    if (this.blocked.length === 0 || this.isReleasing) return
    this.isReleasing = true
    queueMicrotask(() => {
      this.isReleasing = false
      while (this.blocked.length > 0 && this.fitsAll(this.blocked[0]!.drafts)) this.blocked.shift()!.run()
    })
  }

  close(error: unknown): void {
    for (const blocked of this.blocked.splice(0)) blocked.reject(error)
  }
}
