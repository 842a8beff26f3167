import { expect } from 'vitest'
import type { Message } from '../../src/queue/message.js'
import { type Database, open } from '../../src/queue/messaging-database.js'
import type { Queue } from '../../src/queue/queue.js'
import type { Worker } from '../../src/queue/worker.js'
import { ManualClock } from '../simulation/manual-clock.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled } from './stores.js'

const MINUTE = 60_000
const MAX_ATTEMPTS = 4
const VISIBILITY_MS = 30_000
const STEP_MS = VISIBILITY_MS / 4
const BASE_MS = 2000
const DEDUP_MS = 10 * MINUTE
const TICK_MS = 5 * MINUTE
const GROUPS = ['a', 'b', 'c', 'd']

const rules = {
  ordering: 'group',
  visibilityTimeout: VISIBILITY_MS,
  maxAttempts: MAX_ATTEMPTS,
  backoff: { base: BASE_MS, max: MINUTE, jitter: true },
  dedupWindow: DEDUP_MS,
} as const

interface Work {
  readonly number: number
  /** Its place in its group. */
  readonly step: number
}

/** What is known of a message by those who sent it and had it. */
interface Known {
  readonly group: string | undefined
  readonly dueAt: number
  readonly expiresAt: number
  /** Whoever handles it fails. */
  readonly isPoison: boolean
  isSent: boolean
  isDurable: boolean
  isDone: boolean
  isDurablyDone: boolean
  /** How often it was seen handed out, since the power went last. */
  attempts: number
  /** Nobody else may have it before. */
  heldUntil: number
  /** It failed and may not come again before. */
  notBefore: number
}

/**
 * A queue with producers, a worker, consumers that die, and a clock that sends ticks, for hours of simulated time, on a disk that stops
 * when nobody expects it. What it promises is held against what those who use it remember.
 */
export class Hours {
  readonly tally = { hours: 0, deaths: 0, sent: 0, done: 0, died: 0, expired: 0, ticks: 0, heldTicks: 0 }
  private readonly random: SeededRandom
  private readonly known: Known[] = []
  private readonly steps = new Map<string, number>()
  /** Under which dedup id something was sent last, and when. */
  private readonly dedups = new Map<string, { at: number; number: number }>()
  /** Until then a dedup id may be known that nobody remembers. */
  private inDoubtUntil = 0
  private readonly expectedTicks = new Set<number>()
  private readonly openings = new Set<number>()
  private disk: SimulatedDisk
  private clock = new ManualClock()
  private db!: Database
  private worker: Worker<Message<Work>> | undefined
  /** The last hour: nobody fails any more. */
  private isHealed = false
  /** What a handler found wrong: the worker would take it for a failed handling. */
  private wrong: unknown

  constructor(random: SeededRandom) {
    this.random = random
    this.disk = new SimulatedDisk(random.uint32())
  }

  /** So many hours with as many deaths as there come, then peace until everything is done. */
  async pass(hours: number): Promise<void> {
    const { random, tally } = this
    const begin = this.clock.now()
    while (this.clock.now() < begin + hours * 60 * MINUTE) {
      const until = Math.min(begin + hours * 60 * MINUTE, this.clock.now() + random.between(1, 90) * MINUTE)
      await this.live(until)
      await this.die(random.chance(0.4))
    }
    tally.hours = Math.round((this.clock.now() - begin) / (60 * MINUTE))
    await this.finish()
  }

  private get queue(): Queue<Work> {
    return this.db.queue<Work>('work', rules)
  }

  private async open(): Promise<void> {
    // Some time goes by before somebody notices; what the dead left in their clock does not happen.
    this.clock = new ManualClock(this.clock.now() + this.random.pick([0, 1000, 10 * MINUTE]))
    const { disk: fs, clock } = this
    this.db = await open('/store', { fs, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
    this.openings.add(clock.now())
    const ticks = this.db.queue('ticks')
    if (ticks.repeats().length === 0) await ticks.repeat('tick', { cron: '*/5 * * * *' }, 'tick', { sync: true })
  }

  /** One process: until its time is over or the disk stops. */
  private async live(until: number): Promise<void> {
    const { random, disk } = this
    if (random.chance(0.7)) disk.crashAtCall(disk.callCount + random.between(10, 600))
    try {
      await this.open()
      this.work()
      while (this.clock.now() < until) {
        await this.step()
        if (this.wrong !== undefined) throw this.wrong
      }
    } catch (error) {
      if (!disk.crashed || this.wrong !== undefined) throw this.wrong ?? error
    }
  }

  private async step(): Promise<void> {
    const { random } = this
    const dice = random.fraction()
    if (dice < 0.3) await this.send()
    else if (dice < 0.4) await this.receiveAndForget()
    else if (dice < 0.42) await this.db.flush()
    else await this.advance(random.pick([100, 1000, 10_000, MINUTE, 3 * MINUTE]))
    await this.countTicks()
    this.checkFigures()
  }

  private async advance(ms: number): Promise<void> {
    const { clock } = this
    const from = clock.now()
    // A process that sleeps longer than that loses what it holds, as it should.
    for (let left = ms; left > 0; left -= STEP_MS) {
      clock.advance(Math.min(left, STEP_MS))
      await settled(2)
    }
    if (this.disk.crashed) return
    for (let at = Math.ceil((from + 1) / TICK_MS) * TICK_MS; at <= clock.now(); at += TICK_MS)
      this.expectedTicks.add(at)
  }

  // Producers.

  private async send(): Promise<void> {
    const { random, known, clock, dedups } = this
    const sync = random.chance(0.4)
    const number = known.length
    const now = clock.now()
    const delay = random.chance(0.2) ? random.between(1, 20 * MINUTE) : 0
    const ttl = random.chance(0.15) ? random.between(1, 10 * MINUTE) : undefined
    // What is delayed takes its place when it is due.
    const group = delay === 0 && random.chance(0.8) ? random.pick(GROUPS) : undefined
    const step = group === undefined ? 0 : (this.steps.get(group) ?? 0) + 1
    if (group !== undefined) this.steps.set(group, step)
    const each: Known = {
      group,
      dueAt: now + delay,
      expiresAt: ttl === undefined ? Number.POSITIVE_INFINITY : now + ttl,
      isPoison: random.chance(0.05),
      isSent: false,
      isDurable: false,
      isDone: false,
      isDurablyDone: false,
      attempts: 0,
      heldUntil: 0,
      notBefore: 0,
    }
    known.push(each)
    const dedupId = random.chance(0.2) ? `d${random.below(5)}` : undefined
    const before = dedupId === undefined ? undefined : dedups.get(dedupId)
    const { duplicate } = await this.queue.send(
      { number, step },
      {
        sync,
        ...(delay > 0 && { delay }),
        ...(ttl !== undefined && { ttl }),
        ...(group !== undefined && { group }),
        ...(dedupId !== undefined && { dedupId }),
      },
    )
    if (dedupId !== undefined) {
      const isKnown = before !== undefined && now < before.at + DEDUP_MS
      // What was being sent when the process died may be known, though nobody was told.
      if (isKnown || now >= this.inDoubtUntil) {
        expect(duplicate, `message ${number} repeats ${before?.number}`).toBe(isKnown)
      }
      if (!duplicate) dedups.set(dedupId, { at: now, number })
    }
    each.isSent = !duplicate
    if (!duplicate) this.tally.sent++
    if (sync) this.secure()
  }

  /** A sync makes everything before it durable too. */
  private secure(): void {
    for (const each of this.known) {
      if (each.isSent) each.isDurable = true
      if (each.isDone) each.isDurablyDone = true
    }
  }

  // Consumers.

  private work(): void {
    const { db } = this
    this.worker = this.queue.consume(
      async (message) => {
        this.take(message)
        const each = this.known[message.body.number]!
        const fate = this.isHealed ? 1 : this.random.fraction()
        const isSlow = fate < 0.15
        // Longer than the visibility timeout: it has to be prolonged meanwhile.
        if (isSlow) await new Promise<void>((resolve) => this.clock.after(2.5 * VISIBILITY_MS, resolve))
        if (db !== this.db) return
        if ((each.isPoison && !this.isHealed) || (fate > 0.15 && fate < 0.4)) {
          each.heldUntil = 0
          each.notBefore = this.clock.now() + Math.min(MINUTE, BASE_MS * 2 ** (message.attempts - 1)) / 2
          throw new Error('it cannot be done')
        }
        await this.finishOne(message, this.random.chance(0.2))
      },
      { concurrency: 3 },
    )
  }

  /** A consumer that dies with what it has. */
  private async receiveAndForget(): Promise<void> {
    for (const message of await this.queue.receive({ max: 2 })) this.take(message, VISIBILITY_MS)
  }

  /** Looks at a message that was handed out. */
  private take(message: Message<Work>, heldMs = Number.POSITIVE_INFINITY): void {
    try {
      const { number } = message.body
      const each = this.known[number]!
      const now = this.clock.now()
      expect(now, `message ${number} is due`).toBeGreaterThanOrEqual(each.dueAt)
      // It was handed out at some moment of the last step.
      if (!this.isHealed) expect(now - STEP_MS, `message ${number} has not expired`).toBeLessThan(each.expiresAt)
      expect(now, `message ${number} is nobody else's`).toBeGreaterThanOrEqual(each.heldUntil)
      expect(now, `message ${number} waits before it is tried again`).toBeGreaterThanOrEqual(each.notBefore)
      expect(message.attempts, `message ${number} is counted`).toBeGreaterThan(this.isHealed ? 0 : each.attempts)
      expect(message.attempts).toBeLessThanOrEqual(MAX_ATTEMPTS)
      expect(each.isDone, `message ${number} is not done yet`).toBe(false)
      each.attempts = message.attempts
      each.heldUntil = now + heldMs
      each.notBefore = 0
    } catch (error) {
      this.wrong ??= error
      throw error
    }
  }

  /** The effect and the end of the message are one commit. */
  private async finishOne(message: Message<Work>, sync: boolean): Promise<void> {
    const { db } = this
    const { number, step } = message.body
    const { group } = message
    const each = this.known[number]!
    try {
      expect(await db.get(`done:${number}`), `message ${number} is done once`).toBeUndefined()
      const last = Number((group && (await db.get(`last:${group}`))) ?? 0)
      // What died and was brought back has lost its turn.
      if (group !== undefined && !this.isHealed) expect(step, `steps of group ${group}`).toBeGreaterThan(last)
    } catch (error) {
      if (!this.disk.crashed) this.wrong ??= error
      throw error
    }
    const batch = db.batch().put(`done:${number}`, 'yes')
    if (group !== undefined) batch.put(`last:${group}`, String(step))
    await batch.ack(message).write({ sync })
    each.isDone = true
    each.heldUntil = 0
    if (sync) this.secure()
  }

  private async countTicks(): Promise<void> {
    const { db } = this
    for (const tick of await db.queue('ticks').receive({ max: 10 })) {
      const key = `tick:${tick.sentAt}`
      expect(await db.get(key), `${key} comes once`).toBeUndefined()
      const isOnTime = tick.sentAt % TICK_MS === 0 || this.openings.has(tick.sentAt)
      expect(isOnTime, `${key} is sent when it is due, or at an opening`).toBe(true)
      await db.batch().put(key, 'yes').ack(tick).write()
      this.tally.ticks++
    }
  }

  private checkFigures(): void {
    for (const name of ['work', 'ticks', 'work.dead']) {
      const { depth, ready, delayed, inFlight, ...rest } = this.db.queue(name).stats()
      const { sent, acked, expired, dropped, deadLettered, purged, received, redelivered } = rest
      expect(depth, name).toBe(ready + delayed + inFlight)
      expect(sent, name).toBe(depth + acked + expired + dropped + deadLettered + purged)
      for (const [figure, count] of Object.entries({ ready, delayed, inFlight, first: received - redelivered })) {
        expect(count, `${figure} of ${name}`).toBeGreaterThanOrEqual(0)
      }
    }
  }

  // Deaths.

  private async die(isPowerLoss: boolean): Promise<void> {
    const { known } = this
    this.tally.deaths++
    this.inDoubtUntil = this.clock.now() + DEDUP_MS
    const dead = this.worker
    this.worker = undefined
    this.disk = isPowerLoss ? this.disk.crash() : this.disk.processDeath()
    dead?.stop().catch(() => {})
    await this.open()
    const { depth, inFlight } = this.queue.stats()
    expect(inFlight, 'nobody holds anything after a crash').toBe(0)
    expect(depth).toBeGreaterThanOrEqual(0)
    for (const [number, each] of known.entries()) {
      const isDone = (await this.db.get(`done:${number}`)) !== undefined
      if (isPowerLoss ? each.isDurablyDone : each.isDone) expect(isDone, `effect ${number} is kept`).toBe(true)
      each.isDone = each.isDurablyDone = isDone
      each.heldUntil = 0
      if (!isPowerLoss) continue
      // What was not on disk may not have happened.
      if (!each.isDurable) each.isSent = false
      each.attempts = 0
      each.notBefore = 0
    }
    if (isPowerLoss) {
      this.dedups.clear()
      this.expectedTicks.clear()
    }
    this.checkFigures()
    await this.db.close()
  }

  /** Nobody fails any more, and the dead are brought back: what was promised has happened then. */
  private async finish(): Promise<void> {
    const { tally, known } = this
    await this.open()
    this.work()
    await this.drain()
    const dead = await this.db.queue<Work>('work.dead').peek({ max: 10_000 })
    tally.died = dead.length
    expect(this.queue.stats().dead).toBe(dead.length)
    for (const { body, deadLetter } of dead) {
      expect(deadLetter!.attempts, `message ${body.number} was tried often enough`).toBe(MAX_ATTEMPTS)
      expect(known[body.number]!.isDone, `message ${body.number} is not done`).toBe(false)
    }
    const numbers = dead.map(({ body }) => body.number)
    expect(new Set(numbers).size, 'nothing dies twice').toBe(numbers.length)
    this.isHealed = true
    for (const number of numbers) Object.assign(known[number]!, { heldUntil: 0, notBefore: 0 })
    expect(await this.queue.redrive()).toBe(dead.length)
    await this.drain()
    for (const [number, each] of known.entries()) {
      if (each.isDone) tally.done++
      else if (each.expiresAt <= this.clock.now()) tally.expired += each.isSent ? 1 : 0
      else if (each.isSent) expect.fail(`message ${number} is lost`)
    }
    // An hour of peace, so that there are ticks to hold to their times whatever a loss of power has forgotten.
    for (let i = 0; i < 12; i++) {
      await this.advance(TICK_MS)
      await this.countTicks()
    }
    tally.heldTicks = this.expectedTicks.size
    for (const at of this.expectedTicks) expect(await this.db.get(`tick:${at}`), `the tick at ${at}`).toBe('yes')
    expect(this.queue.stats()).toMatchObject({ depth: 0, bytes: 0, dead: 0 })
    await this.worker!.stop()
    const { findings } = await this.db.verify()
    expect(findings).toEqual([])
    await this.db.close()
  }

  private async drain(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await this.advance(20_000)
      await this.countTicks()
      if (this.wrong !== undefined) throw this.wrong
      quiet = this.queue.stats().depth === 0 ? quiet + 1 : 0
    }
    this.checkFigures()
  }
}
