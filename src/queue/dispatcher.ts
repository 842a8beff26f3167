import { SiltstoneError } from '../bytes/errors.js'
import { holdProcess } from '../store/keep-alive.js'
import { bury as layToRest } from './burial.js'
import { announce, type QueueEvent } from './channels.js'
import type { Delivery } from './delivery.js'
import type { Entry } from './entry.js'
import { MOST_PASSED } from './handout.js'
import { Lookout } from './lookout.js'
import type { StoredMessage } from './message-format.js'
import type { Reader } from './reader.js'
import { backoffDelay, momentAfter } from './rules.js'

interface Handed {
  readonly entry: Entry
  readonly stored: StoredMessage
}

interface Waiter<M> {
  readonly max: number
  readonly reader: Reader<M>
  /** Answered with nothing where there is nothing. */
  readonly isPatient: boolean
  /** Handed out to it already; it waits for the rest of what it asked for to be read from the disk. */
  readonly got: Handed[]
  readonly resolve: (messages: M[]) => void
  readonly reject: (error: unknown) => void
  isOver: boolean
}

export interface WaitOptions {
  readonly max: number
  /** How long to wait where there is nothing; Infinity: until there is. */
  readonly waitMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Hands messages out to those who wait for them, first come first served. Nothing here looks again and again: what wakes it is a
 * commit, a message that is given back, or the one timer for the next moment at which something comes due.
 */
export class Dispatcher {
  private readonly delivery: Delivery
  private waiters: Waiter<never>[] = []
  private isPumping = false
  private isCalled = false
  private isScheduled = false
  private paused = false
  private closedWith: unknown
  private timer: { readonly at: number; readonly cancel: () => void } | undefined
  private sweepTimer: { readonly at: number; readonly cancel: () => void } | undefined
  private releaseProcess: (() => void) | undefined
  private readonly lookout: Lookout

  constructor(delivery: Delivery) {
    this.delivery = delivery
    this.lookout = new Lookout(delivery)
    delivery.stock.onReady = () => this.wake()
  }

  /** Messages as soon as there are any. */
  receive<M>(reader: Reader<M>, { max, waitMs, signal }: WaitOptions): Promise<M[]> {
    return new Promise<M[]>((resolve, reject) => {
      if (this.closedWith !== undefined) throw this.closedWith
      signal?.throwIfAborted()
      const isPatient = waitMs > 0
      let cancel: (() => void) | undefined
      const end = (): void => {
        waiter.isOver = true
        cancel?.()
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter<M> = {
        max,
        reader,
        isPatient,
        got: [],
        isOver: false,
        resolve: (messages) => {
          end()
          resolve(messages)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      const leave = (): void => {
        this.waiters = this.waiters.filter((each) => each !== (waiter as never))
        this.holdOrRelease()
      }
      const onAbort = (): void => {
        leave()
        waiter.reject(signal!.reason)
      }
      signal?.addEventListener('abort', onAbort)
      if (isPatient && waitMs !== Number.POSITIVE_INFINITY) {
        cancel = this.delivery.post.clock.after(waitMs, () => {
          leave()
          if (!waiter.isOver) waiter.resolve([])
        })
      }
      this.waiters.push(waiter as never)
      this.holdOrRelease()
      this.pump()
    })
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** Hands out nothing until `resume`. What is in flight stays so. */
  pause(): void {
    this.paused = true
    this.wake()
  }

  resume(): void {
    this.paused = false
    this.wake()
  }

  /** Nobody is handed anything any more. */
  close(error: unknown): void {
    this.closedWith ??= error
    this.timer?.cancel()
    this.sweepTimer?.cancel()
    for (const waiter of this.waiters.splice(0)) waiter.reject(error)
    this.lookout.close()
    this.holdOrRelease()
  }

  /** A reader that is open, whether it receives or not. Returns what ends that. */
  attach(reader: Reader<never>): () => void {
    return this.lookout.attach(reader)
  }

  /** What no open reader wants is done with, as far as it stands in front of everything else. */
  passUnwanted(): void {
    if (this.closedWith === undefined && !this.paused) this.lookout.passNow()
  }

  /** Looks, once this turn's commits are done with, whether somebody who waits can have something. */
  wake(): void {
    if (this.isScheduled || this.closedWith !== undefined) return
    if (this.waiters.length === 0) {
      this.arm()
      if (!this.paused) this.lookout.wake()
      return
    }
    this.isScheduled = true
    queueMicrotask(() => {
      this.isScheduled = false
      this.pump()
    })
  }

  private pump(): void {
    this.isCalled = true
    if (this.isPumping) return
    this.isPumping = true
    this.serveAll().catch((error) => {
      for (const waiter of this.waiters.splice(0)) waiter.reject(error)
      this.isPumping = false
      this.holdOrRelease()
    })
  }

  private async serveAll(): Promise<void> {
    const { delivery } = this
    while (this.isCalled) {
      this.isCalled = false
      while (this.waiters.length > 0 && this.closedWith === undefined && !this.paused) {
        // Those that are passed over have to be read as well.
        const count = this.waiters[0]!.max * 2 + MOST_PASSED
        if (!delivery.handout.fillResident(count)) {
          await delivery.handout.fill(count)
          continue
        }
        const now = delivery.stock.time.now()
        if (!delivery.handout.hasNext(now)) break
        const waiter = this.waiters.shift()
        if (waiter !== undefined) this.serve(waiter, now)
      }
      this.answerImpatient()
    }
    this.isPumping = false
    for (const lane of delivery.stock.lanes) if (!lane.hasNext) lane.rest()
    this.holdOrRelease()
    this.arm()
  }

  /** There is nothing more for now: who does not wait, or has something already, is answered. */
  private answerImpatient(): void {
    const answered = this.waiters.filter(({ isPatient, got }) => !isPatient || got.length > 0)
    if (answered.length === 0) return
    this.waiters = this.waiters.filter(({ isPatient, got }) => isPatient && got.length === 0)
    for (const waiter of answered) {
      if (waiter.got.length > 0) this.handOver(waiter)
      else waiter.resolve([])
    }
  }

  /** Takes what comes next, and hands it over once it is written down that it was. */
  private serve<M>(waiter: Waiter<M>, now: number): void {
    const { delivery } = this
    const { reader, got } = waiter
    const max = waiter.max - got.length
    const dying: Entry[] = []
    let taken: Handed[] = []
    let isMore = false
    let committed: Promise<void>
    try {
      // Whether a delivery survives a loss of power is not worth a sync: what was not written down is handed out again.
      committed = delivery.stock.commit(false, (change) => {
        dying.length = 0
        const entries = delivery.handout.take(change, max, now, reader.filter, dying)
        isMore = entries.length < max && delivery.handout.stoppedEarly
        taken = entries.map((entry) => ({ entry, stored: entry.stored! }))
        if (reader.isAtMostOnce) for (const entry of entries) delivery.departures.acknowledge(change, entry)
      })
    } catch (error) {
      waiter.reject(error)
      return
    }
    committed
      .then(() => {
        got.push(...taken)
        if (dying.length > 0) return this.buryAll(dying).then(() => this.proceed(waiter, isMore))
        return this.proceed(waiter, isMore)
      })
      .catch((error) => waiter.reject(error))
  }

  /** Goes on with one who could have more, or nothing yet. */
  private proceed<M>(waiter: Waiter<M>, isMore: boolean): void {
    if (waiter.isOver || (!isMore && waiter.got.length > 0)) this.handOver(waiter)
    else this.waitOn(waiter)
  }

  /** In front of all others, because it was before. */
  private waitOn<M>(waiter: Waiter<M>): void {
    this.waiters.unshift(waiter as never)
    this.holdOrRelease()
    this.pump()
  }

  private handOver<M>(waiter: Waiter<M>): void {
    const { delivery } = this
    const { reader } = waiter
    const messages: M[] = []
    for (const { entry, stored } of waiter.got.splice(0)) {
      if (waiter.isOver) {
        if (!reader.isAtMostOnce) this.release(entry)
        continue
      }
      const opened = reader.open(entry, stored)
      if ('message' in opened) {
        announce('deliver', () => ({ queue: delivery.name, id: delivery.stock.idOf(entry), attempts: entry.attempts }))
        messages.push(opened.message)
      } else if ('isUnwanted' in opened) this.finish(entry)
      else if (!reader.isAtMostOnce) this.fail(entry, opened.failure, opened.isFatal)
    }
    if (waiter.isOver) return
    if (messages.length > 0) waiter.resolve(messages)
    else this.waitOn(waiter)
    this.arm()
  }

  /** Those that were tried often enough die before the receiver is answered, so that it can find them where the dead are. */
  private async buryAll(dying: readonly Entry[]): Promise<void> {
    await Promise.allSettled(dying.map((entry) => this.bury(entry, entry.reason)))
  }

  /** Nobody has looked at it: as if it had never been handed out. */
  release(entry: Entry): void {
    if (entry.state !== 'in-flight') return
    entry.attempts--
    this.delivery.departures.giveBack(entry, entry.reason)
  }

  /** A delivery failed for a reason of the message's own. */
  private fail(entry: Entry, reason: string, isFatal: boolean): void {
    if (entry.state !== 'in-flight') return
    const done = isFatal ? this.bury(entry, reason) : this.fault(entry, undefined, reason)
    done.catch(() => {})
  }

  /** Nobody wants it. Where that cannot be written down now, its visibility timeout brings it back. */
  private finish(entry: Entry): void {
    if (entry.state !== 'in-flight') return
    const { delivery } = this
    try {
      delivery.stock.commit(false, (change) => delivery.departures.acknowledge(change, entry)).catch(() => {})
    } catch {
      // The store takes no writes now.
    }
  }

  /** A delivery has failed: the message is tried again after a while, unless it was tried often enough. */
  fault(entry: Entry, delayMs: number | undefined, reason: string, sync = this.delivery.post.sync): Promise<void> {
    const { delivery } = this
    const { rules } = delivery
    const { attempts } = entry
    const nacked = (): QueueEvent => ({ queue: delivery.name, id: delivery.stock.idOf(entry), reason, attempts })
    if (attempts >= rules.maxAttempts) return this.layToRest(entry, reason, sync, nacked)
    const delay = delayMs ?? backoffDelay(rules.backoff, attempts)
    if (delay <= 0) {
      announce('nack', nacked)
      delivery.departures.giveBack(entry, reason)
      return Promise.resolve()
    }
    const due = momentAfter(delivery.stock.time.now(), delay)
    return delivery.stock.commit(sync, (change) => {
      change.announce('nack', nacked)
      delivery.departures.postpone(change, entry, due, reason)
    })
  }

  /** A message that nobody holds goes where the dead ones are. If the store cannot take it, it is handed out again, and dies then. */
  private bury(entry: Entry, reason: string): Promise<void> {
    const done = this.layToRest(entry, reason, this.delivery.post.sync)
    done.catch(() => {
      const { departures } = this.delivery
      if (entry.state === 'in-flight') departures.giveBack(entry, reason)
      else if (entry.state === 'loose') departures.putBack(entry)
    })
    return done
  }

  /** A message goes where the dead ones are. Where that is refused it stays what it was. */
  private async layToRest(entry: Entry, reason: string, sync: boolean, nacked?: () => QueueEvent): Promise<void> {
    const { delivery } = this
    // Purged since it was found to have been tried often enough.
    if (entry.state === 'gone') return
    const stored = delivery.stock.messageOf(entry)
    const id = delivery.stock.idOf(entry, stored)
    const { attempts, priority } = entry
    const deadLetter = { queue: delivery.name, reason, attempts, time: delivery.post.clock.now() }
    await layToRest(delivery, { id, stored, priority, deadLetter }, sync, (change) => {
      if (nacked !== undefined) change.announce('nack', nacked)
      change.announce('dead-letter', () => ({ queue: delivery.name, id, reason, attempts }))
      delivery.departures.leave(change, entry)
    })
  }

  // Time.

  private arm(): void {
    if (this.closedWith !== undefined) return
    const { delivery } = this
    const now = delivery.stock.time.now()
    const at = delivery.nextEvent(now)
    if (at === undefined || (this.timer !== undefined && this.timer.at <= at)) return
    this.timer?.cancel()
    this.timer = { at, cancel: delivery.stock.time.after(at, () => this.onTimer()) }
  }

  private onTimer(): void {
    this.timer = undefined
    if (this.closedWith !== undefined) return
    const { delivery } = this
    for (const entry of delivery.overdue(delivery.stock.time.now())) {
      const { attempts } = entry
      const reason = 'its visibility timeout ended'
      announce('timeout', () => ({ queue: delivery.name, id: delivery.stock.idOf(entry), attempts }))
      if (attempts >= delivery.rules.maxAttempts) this.bury(entry, reason).catch(() => {})
      else delivery.departures.giveBack(entry, reason)
    }
    this.pump()
    this.arm()
  }

  /** Sees to it that what expires at the head goes, though nobody receives. */
  armSweep(): void {
    if (this.sweepTimer !== undefined || this.closedWith !== undefined || !this.delivery.post.isWritable) return
    const at = this.nextExpiry()
    if (at === undefined) return
    const cancel = this.delivery.stock.time.after(at, () => {
      this.sweepTimer = undefined
      if (this.delivery.stock.time.now() < at) this.armSweep()
      else this.sweep()
    })
    this.sweepTimer = { at, cancel }
  }

  /** Called in the middle of a commit, which a disk that cannot be read must not spoil: what has expired is not handed out anyway. */
  private nextExpiry(): number | undefined {
    try {
      return this.delivery.stock.nextExpiry
    } catch {
      return undefined
    }
  }

  private sweep(): void {
    this.sweepTimer = undefined
    const { delivery } = this
    try {
      let isMore = false
      const committed = delivery.stock.commit(false, (change) => {
        isMore = delivery.handout.sweep(change, delivery.stock.time.now())
      })
      committed.then(
        () => (isMore ? this.sweep() : this.armSweep()),
        () => {},
      )
    } catch {
      // The store takes no writes now. What has expired is not handed out anyway.
    }
  }

  /** A process stays for those who wait in it. */
  private holdOrRelease(): void {
    const isWaitedFor = this.waiters.some(({ isPatient }) => isPatient)
    if (isWaitedFor) this.releaseProcess ??= holdProcess()
    else {
      this.releaseProcess?.()
      this.releaseProcess = undefined
    }
  }
}

/** What waits when its store is closed. */
export function closedError(): SiltstoneError {
  return new SiltstoneError('SILT_NOT_OPEN', 'The store is closed; open it again to use it')
}
