import { describe, expect, it } from 'vitest'
import type { Message } from '../../src/queue/message.js'
import { open } from '../../src/queue/messaging-database.js'
import type { Queue } from '../../src/queue/queue.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled, TestStore } from './stores.js'

/** What `stats()` says of itself holds, whatever is on its way. */
function expectSums(q: Queue<number>, after: string): void {
  const stats = q.stats()
  const { depth, ready, delayed, inFlight, sent, acked, expired, dropped, deadLettered, purged } = stats
  const told = `after ${after}: ${JSON.stringify(stats)}`
  expect(depth, told).toBe(ready + delayed + inFlight)
  expect(sent, told).toBe(depth + acked + expired + dropped + deadLettered + purged)
  for (const [name, count] of Object.entries(stats)) expect(count, `${name} ${told}`).toBeGreaterThanOrEqual(0)
  expect(stats.redelivered, told).toBeLessThanOrEqual(stats.received)
}

async function live(random: SeededRandom): Promise<void> {
  const disk = new SimulatedDisk(random.uint32())
  const clock = new ManualClock()
  const db = await open('/store', { fs: disk, clock, executor: 'inline' })
  const overflow = random.pick(['reject', 'drop-oldest', 'dead-letter'] as const)
  const ordering = random.pick(['none', 'group', 'strict'] as const)
  const q = db.queue<number>('q', {
    ordering,
    overflow,
    maxLength: 12,
    maxAttempts: 2,
    visibilityTimeout: 300,
    backoff: { base: 100, max: 100, jitter: false },
  })
  const dead = db.queue<number>('q.dead')
  const held: Message<number>[] = []
  const underway: Promise<unknown>[] = []
  let heal: (() => void) | undefined
  const acts = {
    send: () =>
      q.send(1, {
        ...(random.chance(0.3) && { delay: random.between(1, 300) }),
        ...(random.chance(0.3) && { ttl: random.between(1, 300) }),
        ...(random.chance(0.5) && { group: random.pick(['a', 'b']) }),
        ...(random.chance(0.2) && { dedupId: random.pick(['x', 'y']) }),
        priority: random.below(2),
      }),
    receive: () => q.receive({ max: random.between(1, 3) }).then((messages) => held.push(...messages)),
    ack: () => held.splice(random.below(held.length + 1), 1)[0]?.ack(),
    nack: () => held.splice(random.below(held.length + 1), 1)[0]?.nack(random.chance(0.3) ? { delay: 0 } : {}),
    time: async () => clock.advance(random.between(1, 200)),
    leap: async () => clock.stall(random.between(1, 400)),
    purge: () => q.purge(),
    redrive: () => q.redrive({ max: 1 }),
    fill: async () => {
      if (heal !== undefined) heal()
      heal = heal === undefined ? disk.failEvery('write', 'ENOSPC') : undefined
    },
  }
  const often = ['send', 'send', 'send', 'receive', 'receive', 'ack', 'nack', 'time', 'leap'] as const
  for (let step = 0; step < 120; step++) {
    const act = random.chance(0.06) ? random.pick(['purge', 'redrive', 'fill'] as const) : random.pick(often)
    // Nobody waits for it to be done before looking.
    underway.push(Promise.resolve(acts[act]()).catch(() => {}))
    expectSums(q, act)
    expectSums(dead, act)
    if (random.chance(0.3)) await settled(random.between(1, 2))
    expectSums(q, `${act} was done`)
  }
  heal?.()
  await settled()
  await Promise.all(underway)
  expectSums(q, 'all of it')
  await db.close()
}

describe('the figures of a queue', () => {
  it('add up at every moment, with commits on their way, refused ones, and time that leaps', () => withSeeds(25, live))

  it('count a message once that is handed out just before its time ends', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    expect(await q.receive()).toEqual([])
    await q.send('a', { ttl: 100 })
    const receiving = q.receive()
    store.clock.stall(100)
    // The commit that hands it out is not visible yet.
    expect(q.stats()).toMatchObject({ depth: 1, ready: 0, inFlight: 1, expired: 0 })
    const [message] = await receiving
    await message!.ack()
    expect(q.stats()).toMatchObject({ depth: 0, ready: 0, acked: 1, expired: 0 })
  })

  it('count a message that expires before it is there', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const sending = q.send('a', { ttl: 100 })
    await q.send('b', { ttl: 500 })
    await sending
    const late = q.send('c', { ttl: 1 })
    store.clock.stall(200)
    expect(q.stats()).toMatchObject({ sent: 3, expired: 1 })
    await late
    expect(q.stats()).toMatchObject({ depth: 1, ready: 1, expired: 2 })
    await store.advance(400)
    expect(q.stats()).toMatchObject({ depth: 0, expired: 3 })
  })
})
