import { describe, expect, it, vi } from 'vitest'
import type { Retention } from '../../src/index.js'
import { MessageLog } from '../../src/queue/message-log.js'
import type { Topic } from '../../src/queue/topic.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { settled, TestStore } from './stores.js'

// What a message takes besides its body, where it has neither key nor headers.
const HEAD_BYTES = 13

/** What a retention keeps, worked out by looking at every message. */
class Model {
  readonly messages: { size: number; sentAt: number }[] = []
  retention: Retention = {}
  first = 0

  /** What is gone stays gone. */
  trim(now: number): void {
    const { count = Infinity, bytes = Infinity, age = Infinity } = this.retention
    const { messages } = this
    while (this.first < messages.length) {
      const kept = messages.slice(this.first)
      const keptBytes = kept.reduce((sum, { size }) => sum + size, 0)
      if (kept.length <= count && keptBytes <= bytes && kept[0]!.sentAt > now - age) return
      this.first++
    }
  }

  get stats(): { first: number; next: number; bytes: number } {
    const kept = this.messages.slice(this.first)
    return { first: this.first, next: this.messages.length, bytes: kept.reduce((sum, { size }) => sum + size, 0) }
  }
}

function someRetention(random: SeededRandom): Retention {
  return {
    ...(random.chance(0.5) && { bytes: random.between(0, 3000) }),
    ...(random.chance(0.3) && { count: random.between(0, 30) }),
    ...(random.chance(0.3) && { age: random.between(1, 500) }),
  }
}

async function live(random: SeededRandom): Promise<void> {
  await using store = await TestStore.open()
  const model = new Model()
  const topic = (): Topic<Buffer> => store.db.topic<Buffer>('t')
  const change = async (): Promise<void> => {
    model.retention = someRetention(random)
    store.db.topic('t', { retention: model.retention })
    model.trim(store.clock.now())
    await settled(1)
  }
  const body = (): Buffer => {
    const bytes = Buffer.alloc(random.chance(0.05) ? random.between(1000, 5000) : random.between(0, 200))
    model.messages.push({ size: bytes.length + HEAD_BYTES, sentAt: store.clock.now() })
    model.trim(store.clock.now())
    return bytes
  }
  /** In one turn: messages one by one, in batches, beside keys, with and without a sync. */
  const burst = async (): Promise<void> => {
    const underway: Promise<unknown>[] = []
    for (let left = random.between(1, 12); left > 0; left--) {
      const sync = random.chance(0.1)
      const way = random.below(3)
      if (way === 0) underway.push(topic().publish(body(), { sync }))
      else if (way === 1) {
        const items = Array.from({ length: random.between(1, 30) }, () => ({ body: body() }))
        underway.push(topic().publishMany(items, { sync }))
      } else {
        const batch = store.db.batch().put('k', 'v')
        for (let count = random.between(1, 4); count > 0; count--) batch.send(topic() as never, body())
        underway.push(batch.write({ sync }))
      }
      if (random.chance(0.2)) await Promise.resolve()
    }
    await Promise.all(underway)
  }
  await change()
  for (let act = 0; act < 40; act++) {
    const way = random.below(20)
    if (way < 12) await burst()
    else if (way < 16) {
      await store.advance(random.between(1, 300))
      model.trim(store.clock.now())
    } else if (way === 16) await change()
    else if (way === 17) await store.db.flush()
    else {
      await store.reopen()
      topic()
      await settled(1)
    }
    expect(topic().stats(), `after act ${act}, ${JSON.stringify(model.retention)}`).toEqual(model.stats)
  }
  const kept = topic().subscribe('s', { from: 'earliest', ordering: 'none' })
  const received = await kept.receive({ max: 10_000 })
  expect(received.map(({ offset, body: { length } }) => [offset, length + HEAD_BYTES])).toEqual(
    model.messages.map(({ size }, offset) => [offset, size]).slice(model.first),
  )
}

describe('retention', () => {
  it('keeps after every burst exactly what its rule says, whatever came in one turn', () => withSeeds(15, live))

  it('keeps the newest of one batch', async () => {
    await using store = await TestStore.open()
    const items = Array.from({ length: 300 }, () => ({ body: 'x'.repeat(1000) }))
    const sized = store.db.topic('b', { retention: { bytes: 40_520 } })
    await sized.publishMany(items)
    expect(sized.stats()).toEqual({ first: 260, next: 300, bytes: 40 * 1013 })
  })

  it.each<[string, Retention]>([
    ['age', { age: 1000 }],
    ['bytes', { bytes: 100_000 }],
  ])('by %s looks at a few messages, however many go', async (_, retention) => {
    const count = 20_000
    await using store = await TestStore.open()
    const items = Array.from({ length: 1000 }, () => ({ body: 'x'.repeat(87) }))
    for (let sent = 0; sent < count; sent += items.length) await store.db.topic('t').publishMany(items)
    await store.db.flush()
    store.clock.jump(2000)
    await store.reopen()
    const reads = vi.spyOn(MessageLog.prototype, 'at')
    const few = 2 * Math.log2(count) + 8
    try {
      const topic = store.db.topic('t', { retention })
      expect(reads.mock.calls.length).toBeLessThan(few)
      await settled(1)
      expect(topic.stats().first).toBe(retention.age === undefined ? count - 1000 : count)
      reads.mockClear()
      for (let i = 0; i < 100; i++) await topic.publish('x'.repeat(87))
      // The one that goes with each is known, the next one is looked at.
      expect(reads.mock.calls.length).toBeLessThanOrEqual(200)
      // The next opening, with what it kept.
      await store.reopen()
      store.clock.jump(2000)
      reads.mockClear()
      store.db.topic('t')
      await settled(1)
      expect(reads.mock.calls.length).toBeLessThan(few)
    } finally {
      reads.mockRestore()
    }
  })
})
