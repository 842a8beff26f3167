import { describe, expect, it } from 'vitest'
import type { Message } from '../../src/queue/message.js'
import { type Database, open } from '../../src/queue/messaging-database.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled } from './stores.js'

const GROUPS = ['a', 'b', 'c']
const rules = {
  ordering: 'group',
  visibilityTimeout: 5000,
  maxAttempts: 1000,
  backoff: { base: 100, max: 400, jitter: false },
} as const

interface Work {
  readonly number: number
  /** Its place in its group. */
  readonly step: number
}

/** What was promised of a message. */
interface Promised {
  readonly group: string
  readonly step: number
  /** The send has resolved. */
  isSent: boolean
  /** What it resolved before was on disk. */
  isDurable: boolean
  /** The commit of its effect and its acknowledgement has resolved. */
  isDone: boolean
  isDurablyDone: boolean
}

/**
 * A producer and a consumer on a disk that stops in the middle of things. The consumer's effect is a row with the number of the message
 * and the last step of its group, in one commit with the acknowledgement.
 */
class Story {
  readonly promised: Promised[] = []
  clock: ManualClock
  private readonly random: SeededRandom
  private readonly steps = new Map<string, number>()
  disk: SimulatedDisk
  db!: Database

  constructor(random: SeededRandom) {
    this.random = random
    this.disk = new SimulatedDisk(random.uint32())
    this.clock = new ManualClock()
  }

  async open(): Promise<void> {
    // What the dead left in their clock does not happen.
    this.clock = new ManualClock(this.clock.now())
    this.db = await open('/store', {
      fs: this.disk,
      clock: this.clock,
      executor: 'inline',
      writeBufferBytes: 64 * 1024,
    })
  }

  get queue() {
    return this.db.queue<Work>('work', rules)
  }

  /** Lives for a while, or until the disk stops. */
  async live(steps: number): Promise<void> {
    try {
      await this.open()
      for (let i = 0; i < steps; i++) await this.step()
    } catch (error) {
      if (!this.disk.crashed) throw error
    }
  }

  private async step(): Promise<void> {
    const { random } = this
    const dice = random.fraction()
    if (dice < 0.4) await this.send()
    else if (dice < 0.85) await this.consume()
    else if (dice < 0.93) {
      this.clock.advance(random.between(1, 2000))
      await settled(2)
    } else if (dice < 0.97) await this.db.flush()
    else await this.queue.send({ number: -1, step: 0 }, { delay: random.between(1, 3000) })
  }

  private async send(): Promise<void> {
    const { random, promised } = this
    const sync = random.chance(0.4)
    const items = Array.from({ length: random.between(1, 3) }, () => {
      const group = random.pick(GROUPS)
      const step = (this.steps.get(group) ?? 0) + 1
      this.steps.set(group, step)
      promised.push({ group, step, isSent: false, isDurable: false, isDone: false, isDurablyDone: false })
      return { body: { number: promised.length - 1, step }, group, priority: 0, headers: { pad: 'x'.repeat(500) } }
    })
    const first = promised.length - items.length
    await this.queue.sendMany(items, { sync })
    for (let i = first; i < promised.length; i++) promised[i]!.isSent = true
    if (sync) this.secure()
  }

  /** A sync makes everything before it durable too. */
  private secure(): void {
    for (const each of this.promised) {
      if (each.isSent) each.isDurable = true
      if (each.isDone) each.isDurablyDone = true
    }
  }

  private async consume(): Promise<void> {
    const { random } = this
    for (const message of await this.queue.receive({ max: random.between(1, 4) })) {
      if (random.chance(0.15)) continue
      if (random.chance(0.2)) await message.nack(random.chance(0.3) ? { delay: 0 } : {})
      else await this.handle(message, random.chance(0.3))
    }
  }

  async handle(message: Message<Work>, sync: boolean): Promise<void> {
    const { db } = this
    const { number, step } = message.body
    const { group } = message
    if (group === undefined) {
      await message.ack()
      return
    }
    expect(
      await db.get(`done:${number}`),
      `message ${number} is handed out after its effect was committed`,
    ).toBeUndefined()
    const last = Number((await db.get(`last:${group}`)) ?? 0)
    expect(step, `steps of group ${group} come in order`).toBeGreaterThan(last)
    await db.batch().put(`done:${number}`, 'yes').put(`last:${group}`, String(step)).ack(message).write({ sync })
    this.promised[number]!.isDone = true
    if (sync) this.secure()
  }

  /** The process or the power goes, and somebody looks at what is left. */
  async die(isPowerLoss: boolean): Promise<void> {
    this.disk = isPowerLoss ? this.disk.crash() : this.disk.processDeath()
    await this.open()
    const depth = await this.check(isPowerLoss)
    // What did not make it to the disk was never sent; what did is a fact from now on.
    for (const [number, each] of this.promised.entries()) {
      each.isDone = each.isDurablyDone = (await this.db.get(`done:${number}`)) !== undefined
    }
    expect(this.queue.stats().depth).toBe(depth)
    await this.db.close()
  }

  /** Every message is in the queue or its effect is there, one of the two. */
  private async check(isPowerLoss: boolean): Promise<number> {
    const stats = this.queue.stats()
    expect(stats.inFlight, 'nobody holds anything after a crash').toBe(0)
    expect(stats.depth).toBe(stats.ready + stats.delayed)
    expect(stats.sent).toBe(stats.depth + stats.acked + stats.expired + stats.deadLettered + stats.dropped)
    for (const [number, each] of this.promised.entries()) {
      const isDone = (await this.db.get(`done:${number}`)) !== undefined
      if (isPowerLoss ? each.isDurablyDone : each.isDone) expect(isDone, `effect ${number} is kept`).toBe(true)
      if (!each.isSent && !isDone) continue
      if (isPowerLoss && !each.isDurable && !isDone) each.isSent = false
    }
    return stats.depth
  }

  /** Handles everything that is left: nothing that was promised may be missing, and nothing happens twice. */
  async finish(): Promise<void> {
    await this.open()
    for (let quiet = 0; quiet < 3; ) {
      const messages = await this.queue.receive({ max: 10 })
      for (const message of messages) await this.handle(message, false)
      quiet = messages.length === 0 ? quiet + 1 : 0
      this.clock.advance(6000)
      await settled(2)
    }
    for (const [number, each] of this.promised.entries()) {
      if (each.isSent) expect(await this.db.get(`done:${number}`), `message ${number} was handled`).toBe('yes')
    }
    const stats = this.queue.stats()
    expect(stats).toMatchObject({ depth: 0, inFlight: 0, bytes: 0 })
    const { ok, findings } = await this.db.verify()
    expect(findings).toEqual([])
    expect(ok).toBe(true)
    await this.db.close()
  }
}

/** One life after the other, each ended at a call of the file system that nobody chose. */
async function liveAndDie(random: SeededRandom): Promise<void> {
  const story = new Story(random)
  const lives = random.between(1, 4)
  for (let life = 0; life < lives; life++) {
    story.disk.crashAtCall(story.disk.callCount + random.between(5, 250))
    await story.live(random.between(20, 80))
    await story.die(random.chance(0.5))
  }
  await story.finish()
}

describe('a queue through crashes', () => {
  it('loses nothing that was promised, does nothing twice, and keeps the order of groups', async () => {
    await withSeeds(60, liveAndDie)
  })
})
