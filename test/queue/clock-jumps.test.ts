import { describe, expect, it } from 'vitest'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { settled, TestStore } from './stores.js'

const HOUR = 3_600_000
const rules = { visibilityTimeout: 500, maxAttempts: 100, backoff: { base: 300, max: 300, jitter: false } }

/** Anywhere within two hours, ahead or back. */
function someJump(random: SeededRandom): number {
  return random.between(1, 2 * HOUR) * (random.chance(0.5) ? 1 : -1)
}

describe('a queue whose wall clock is set', () => {
  it('gives messages back, retries and delays them by the time that really goes by', async () => {
    await withSeeds(8, async (random) => {
      await using store = await TestStore.open()
      const { clock, db } = store
      const q = db.queue<number>('q', { ...rules, ordering: random.pick(['none', 'group']) })
      /** By the monotonic clock: when each may come next, and must. */
      const due = new Map<number, number>()
      const expires = new Map<number, number>()
      let sent = 0
      const look = async (): Promise<void> => {
        const now = clock.monotonic()
        for (const [body, at] of expires) {
          if (at > now) continue
          due.delete(body)
          expires.delete(body)
        }
        for (const message of await q.receive({ max: 100 })) {
          const { body } = message
          expect(due.get(body), `message ${body} is not early`).toBeLessThanOrEqual(now)
          const dice = random.fraction()
          if (dice < 0.3) {
            await message.ack()
            due.delete(body)
          } else if (dice < 0.6) {
            await message.nack()
            due.set(body, now + 300)
          } else if (dice < 0.8) {
            message.extend(900)
            due.set(body, now + 900)
          } else due.set(body, now + 500)
        }
        for (const [body, at] of due) expect(at, `message ${body} is not late`).toBeGreaterThan(now)
      }
      for (let step = 0; step < 60; step++) {
        const dice = random.fraction()
        if (dice < 0.4) {
          const delay = random.chance(0.4) ? random.between(1, 2000) : 0
          const ttl = delay === 0 && random.chance(0.2) ? random.between(1, 1000) : undefined
          const body = sent++
          await q.send(body, { group: `${body}`, ...(delay > 0 && { delay }), ...(ttl !== undefined && { ttl }) })
          due.set(body, clock.monotonic() + delay)
          if (ttl !== undefined) expires.set(body, clock.monotonic() + ttl)
        } else if (dice < 0.6) clock.jump(someJump(random))
        else if (dice < 0.8) await store.advance(random.between(1, 400))
        else await db.flush()
        await look()
      }
    })
  })

  it('wakes those who wait when the time is over, not when the wall clock says so', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', rules)
    await q.send('a')
    await q.receive()
    store.clock.jump(-HOUR)
    const waiting = q.receive({ wait: 60_000 })
    await store.advance(499)
    store.clock.jump(5 * HOUR)
    await store.advance(0)
    expect(q.stats().inFlight).toBe(1)
    await store.advance(1)
    expect(await waiting).toMatchObject([{ body: 'a', attempts: 2 }])
  })

  it('goes on where it was when it is opened again, and as much later as the wall clock says', async () => {
    await withSeeds(40, async (random) => {
      await using store = await TestStore.open()
      const { clock } = store
      const delay = random.between(1000, HOUR)
      await store.db.queue('q').send('a', { delay })
      let left = delay
      for (let session = 0; session < 4 && left > 0; session++) {
        if (random.chance(0.5)) clock.jump(someJump(random))
        const passed = random.between(1, Math.floor(delay / 2))
        await store.advance(Math.min(passed, left - 1))
        left -= Math.min(passed, left - 1)
        if (random.chance(0.3)) clock.jump(someJump(random))
        await store.db.close()
        const closed = random.between(0, 10_000)
        clock.stall(closed)
        // While nobody has it open, a clock that is set ahead is time that goes by; one that is set back is none.
        const jump = random.chance(0.5) ? someJump(random) : 0
        clock.jump(jump)
        left = Math.max(0, left - Math.max(0, closed + jump))
        await store.reopen()
        const q = store.db.queue('q')
        expect(q.stats()).toMatchObject(left > 0 ? { delayed: 1, ready: 0 } : { delayed: 0, ready: 1 })
        if (left === 0) continue
        if (left > 1) await store.advance(left - 1)
        expect(await q.receive(), 'not early').toEqual([])
        left = 1
      }
      await store.advance(left)
      expect(await store.db.queue('q').receive(), 'not late').toMatchObject([{ body: 'a' }])
    })
  })

  it('keeps the order of a group whatever the times of its messages say', async () => {
    await withSeeds(15, async (random) => {
      await using store = await TestStore.open()
      const q = store.db.queue<number>('q', { ordering: 'group', maxAttempts: 1000 })
      const count = 30
      for (let i = 0; i < count; i++) {
        await q.send(i, { group: random.pick(['a', 'b']) })
        if (random.chance(0.5)) store.clock.jump(someJump(random))
        if (random.chance(0.2)) for (const message of await q.receive({ max: 2 })) await message.nack({ delay: 0 })
      }
      const seen = new Map<string, number[]>()
      for (let left = count; left > 0; left--) {
        const [message] = await q.receive()
        seen.set(message!.group!, [...(seen.get(message!.group!) ?? []), message!.body])
        await message!.ack()
      }
      for (const bodies of seen.values()) expect(bodies).toEqual(bodies.toSorted((a, b) => a - b))
    })
  })

  it('repeats an interval in its time, and a pattern by the wall clock', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.repeat('often', { every: 60_000 }, 'often')
    store.clock.jump(-5 * HOUR)
    await store.advance(60_000)
    expect(q.stats().sent).toBe(1)
    await q.cancelRepeat('often')
    await q.repeat('hourly', { cron: '0 * * * *', timezone: 'UTC' }, 'hourly')
    store.clock.jump(HOUR)
    await store.advance(60_000)
    await settled()
    expect(q.stats().sent).toBe(2)
  })
})
