import { describe, expect, it } from 'vitest'
import type { Message } from '../../src/queue/message.js'
import type { Queue } from '../../src/queue/queue.js'
import type { Ordering } from '../../src/queue/rules.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { settled, TestStore } from './stores.js'

const VISIBILITY_MS = 1000
const BACKOFF_MS = 200
const MAX_ATTEMPTS = 4

/** A message as somebody with a pencil would keep track of it. */
interface Known {
  readonly number: number
  readonly priority: number
  readonly group: string | undefined
  readonly expiresAt: number
  /** It was sent with a delay, or has failed: it does not stand in the line of those that never were looked at. */
  isAside: boolean
  attempts: number
  readyAt: number
  state: 'waiting' | 'in-flight' | 'gone'
  deadline: number
  handle: Message<number> | undefined
}

/** What a queue ought to do. It does not say which of several equals comes first, only what may come and what must. */
class Model {
  readonly messages: Known[] = []
  readonly ordering: Ordering
  sent = 0
  acked = 0
  dead = 0
  expired = 0
  received = 0

  constructor(ordering: Ordering) {
    this.ordering = ordering
  }

  /** Lets time pass: what nobody extended comes back, or dies when it was tried often enough. */
  settle(now: number): void {
    for (const known of this.messages) {
      if (known.state !== 'in-flight' || known.deadline > now) continue
      known.handle = undefined
      if (known.attempts >= MAX_ATTEMPTS) this.die(known)
      else known.state = 'waiting'
    }
  }

  die(known: Known): void {
    known.state = 'gone'
    this.dead++
  }

  get present(): Known[] {
    return this.messages.filter(({ state }) => state !== 'gone')
  }

  isExpired(known: Known, now: number): boolean {
    return known.state === 'waiting' && known.expiresAt <= now
  }

  orderOf(known: Known): string | undefined {
    return this.ordering === 'strict' ? '' : this.ordering === 'group' ? known.group : undefined
  }

  /** Whether it is the first that was sent of what it has to keep its order with. */
  isFirst(known: Known): boolean {
    const order = this.orderOf(known)
    return (
      order === undefined || this.present.every((each) => this.orderOf(each) !== order || each.number >= known.number)
    )
  }

  /** Messages that may be handed out now. */
  candidates(now: number): Known[] {
    return this.present.filter((known) => {
      if (known.state !== 'waiting' || known.readyAt > now || known.expiresAt <= now) return false
      const order = this.orderOf(known)
      if (order === undefined) return true
      // One that was tried before holds the place of its group until it is gone.
      const holder = this.present.find(
        (each) => this.orderOf(each) === order && each.attempts > 0 && !this.isExpired(each, now),
      )
      return holder === undefined || holder === known
    })
  }
}

async function live(random: SeededRandom, ordering: Ordering): Promise<void> {
  await using store = await TestStore.open({ writeBufferBytes: 64 * 1024 })
  const rules = {
    ordering,
    visibilityTimeout: VISIBILITY_MS,
    maxAttempts: MAX_ATTEMPTS,
    backoff: { base: BACKOFF_MS, max: BACKOFF_MS, jitter: false },
  }
  let q: Queue<number> = store.db.queue<number>('q', rules)
  const model = new Model(ordering)
  const now = (): number => store.clock.now()

  const send = async (): Promise<void> => {
    const items = Array.from({ length: random.between(1, 4) }, () => {
      const group = random.chance(0.7) ? random.pick(['a', 'b', 'c']) : undefined
      const delay = random.chance(0.2) ? random.between(1, 1500) : 0
      const ttl = ordering !== 'group' && random.chance(0.1) ? random.between(1, 3000) : undefined
      const priority = random.chance(0.2) ? random.between(-1, 1) : 0
      const known: Known = {
        number: model.messages.length,
        priority,
        group,
        expiresAt: ttl === undefined ? Number.POSITIVE_INFINITY : now() + ttl,
        isAside: delay > 0,
        attempts: 0,
        readyAt: now() + delay,
        state: 'waiting',
        deadline: 0,
        handle: undefined,
      }
      model.messages.push(known)
      model.sent++
      return {
        body: known.number,
        priority,
        ...(delay > 0 && { delay }),
        ...(group !== undefined && { group }),
        ...(ttl !== undefined && { ttl }),
      }
    })
    await q.sendMany(items)
  }

  const receive = async (): Promise<void> => {
    const max = random.between(1, 4)
    const received = await q.receive({ max })
    for (const message of received) {
      const candidates = model.candidates(now())
      const known = model.messages[message.body]!
      expect(candidates, 'may be handed out').toContain(known)
      // Inside a group the one whose turn it is keeps its turn, whatever comes in behind it.
      const ahead = candidates.filter((each) => each === known || model.isFirst(each))
      const highest = Math.max(...ahead.map(({ priority }) => priority))
      expect(known.priority, 'no higher priority waits').toBe(highest)
      if (!known.isAside && known.attempts === 0) {
        const before = candidates.find(
          (each) =>
            each.number < known.number &&
            each.priority === known.priority &&
            !each.isAside &&
            each.attempts === 0 &&
            model.isFirst(each),
        )
        expect(before?.number, 'those sent before it go first').toBeUndefined()
      }
      known.attempts++
      model.received++
      expect(message.attempts).toBe(known.attempts)
      known.state = 'in-flight'
      known.deadline = now() + VISIBILITY_MS
      known.handle = message
    }
    if (received.length < max) expect(model.candidates(now()), 'nothing that could be handed out is left').toEqual([])
  }

  const settle = async (): Promise<void> => {
    const held = model.present.filter(({ handle }) => handle !== undefined)
    if (held.length === 0) return
    const known = random.pick(held)
    const handle = known.handle!
    known.handle = undefined
    if (random.chance(0.6)) {
      await handle.ack()
      known.state = 'gone'
      model.acked++
      return
    }
    const delay = random.chance(0.3) ? 0 : undefined
    await handle.nack(delay === undefined ? {} : { delay })
    if (known.attempts >= MAX_ATTEMPTS) model.die(known)
    else {
      known.state = 'waiting'
      known.isAside = true
      known.readyAt = now() + (delay ?? BACKOFF_MS)
    }
  }

  const check = (): void => {
    const stats = q.stats()
    const { depth, ready, delayed, inFlight, sent, acked, expired, dropped, deadLettered, purged } = stats
    expect(depth).toBe(ready + delayed + inFlight)
    expect(sent).toBe(depth + acked + expired + dropped + deadLettered + purged)
    expect(stats).toMatchObject({
      sent: model.sent,
      acked: model.acked,
      received: model.received,
      inFlight: model.present.filter(({ state }) => state === 'in-flight').length,
    })
  }

  for (let step = 0; step < 150; step++) {
    const dice = random.fraction()
    if (dice < 0.3) await send()
    else if (dice < 0.6) await receive()
    else if (dice < 0.85) await settle()
    else if (dice < 0.95) await store.advance(random.between(1, 600))
    else if (dice < 0.98) await store.db.flush()
    else {
      q = (await store.reopen()).queue<number>('q', rules)
      for (const known of model.present) {
        known.handle = undefined
        if (known.state === 'in-flight') known.deadline = now()
      }
      // One that was tried often enough dies when its turn comes, which may be later than in the model.
      for (const known of model.present) if (known.state === 'in-flight') known.state = 'waiting'
      for (const known of model.present) if (known.attempts >= MAX_ATTEMPTS) model.die(known)
    }
    model.settle(now())
    await settled(2)
    check()
  }
  // In the end everything that is not dead or expired is handed out.
  for (let round = 0; model.candidates(now()).length + model.present.length > 0 && round < 3000; round++) {
    for (const known of model.present) if (known.handle !== undefined) await settleAs(known)
    await receive()
    await store.advance(200)
    for (const known of model.present) if (model.isExpired(known, now())) known.state = 'gone'
    model.settle(now())
  }
  expect(model.present).toEqual([])
  expect(q.stats()).toMatchObject({ depth: 0, inFlight: 0, bytes: 0 })

  async function settleAs(known: Known): Promise<void> {
    await known.handle!.ack()
    known.handle = undefined
    known.state = 'gone'
    model.acked++
  }
}

describe('a queue under a random life', () => {
  for (const ordering of ['none', 'group', 'strict'] as const) {
    it(`with ordering '${ordering}' does what a model of it allows, and all of it`, async () => {
      await withSeeds(15, (random) => live(random, ordering))
    })
  }
})
