import { describe, expect, it, vi } from 'vitest'
import { type Database, open } from '../../src/queue/messaging-database.js'
import type { Queue } from '../../src/queue/queue.js'
import { TreeReader } from '../../src/queue/tree-reader.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled, TestStore } from './stores.js'

const rules = { ordering: 'group', maxAttempts: 1_000_000 } as const

/** Counts what is read of the store, by entries and by looks. */
function countReads(): { entries: number; looks: number } {
  const reads = { entries: 0, looks: 0 }
  const { slice, get, getResident, all, each } = TreeReader.prototype
  vi.spyOn(TreeReader.prototype, 'slice').mockImplementation(async function (this: TreeReader, ...args) {
    const found = await slice.apply(this, args)
    reads.entries += found.length
    reads.looks++
    return found
  })
  vi.spyOn(TreeReader.prototype, 'get').mockImplementation(function (this: TreeReader, key) {
    reads.entries++
    reads.looks++
    return get.call(this, key)
  })
  vi.spyOn(TreeReader.prototype, 'getResident').mockImplementation(function (this: TreeReader, key) {
    reads.looks++
    return getResident.call(this, key)
  })
  vi.spyOn(TreeReader.prototype, 'all').mockImplementation(function (this: TreeReader, range) {
    const found = all.call(this, range)
    reads.entries += found.length
    reads.looks++
    return found
  })
  vi.spyOn(TreeReader.prototype, 'each').mockImplementation(function* (this: TreeReader, range) {
    reads.looks++
    for (const entry of each.call(this, range)) {
      reads.entries++
      yield entry
    }
  })
  return reads
}

async function sendHot(q: Queue<number>, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1000) {
    await q.sendMany(Array.from({ length: Math.min(1000, count - i) }, (_, each) => ({ body: i + each, group: 'hot' })))
  }
}

/** What has come and gone of each group. */
class Course {
  readonly sent = new Map<string, number[]>()
  readonly done = new Map<string, number>()
  readonly under = new Set<string>()
  next = 0

  send(group: string): number {
    const body = this.next++
    this.sent.set(group, [...(this.sent.get(group) ?? []), body])
    return body
  }

  take(group: string, body: number): void {
    const index = this.done.get(group) ?? 0
    expect(this.under.has(group), `one of ${group} at a time`).toBe(false)
    expect(body, `the next of ${group}`).toBe(this.sent.get(group)![index])
    this.under.add(group)
  }

  ack(group: string): void {
    this.done.set(group, (this.done.get(group) ?? 0) + 1)
    this.under.delete(group)
  }

  /** Groups that have something to be handed out. */
  get free(): string[] {
    return [...this.sent.keys()].filter(
      (group) => !this.under.has(group) && (this.done.get(group) ?? 0) < this.sent.get(group)!.length,
    )
  }

  get left(): number {
    let left = 0
    for (const [group, bodies] of this.sent) left += bodies.length - (this.done.get(group) ?? 0)
    return left
  }
}

async function live(random: SeededRandom, fails: boolean): Promise<void> {
  const disk = new SimulatedDisk(random.uint32())
  const clock = new ManualClock()
  const groups = Array.from({ length: random.between(1, 12) }, (_, i) => 'g'.repeat(i + 1))
  const openStore = async (): Promise<Database> =>
    open('/store', { fs: disk, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
  let db = await openStore()
  let q = db.queue<number>('q', rules)
  const course = new Course()
  let held: Awaited<ReturnType<typeof q.receive>> = []
  const receive = async (max: number): Promise<void> => {
    const messages = await q.receive({ max })
    for (const message of messages) {
      course.take(message.group!, message.body)
      held.push(message)
    }
    if (messages.length < max) expect(course.free, 'every group that can go on does').toEqual([])
  }
  for (let step = 0; step < 60; step++) {
    const dice = random.fraction()
    if (dice < 0.3) {
      // Long runs of few groups: deeper than what is kept at hand of each.
      const group = random.pick(groups)
      const items = Array.from({ length: random.pick([1, 3, 50, 150]) }, () => {
        const of = random.chance(0.7) ? group : random.pick(groups)
        return { body: course.send(of), group: of }
      })
      await q.sendMany(items)
    } else if (dice < 0.6) await receive(random.between(1, 5))
    else if (dice < 0.85) {
      const message = held.splice(random.below(Math.max(1, held.length)), 1)[0]
      if (message === undefined) continue
      if (fails && random.chance(0.5)) {
        const heal = disk.failEvery('write', 'ENOSPC')
        await expect(message.ack()).rejects.toThrow()
        // What cannot be written down is handed out to nobody.
        await q.receive({ max: 3 }).then(
          (messages) => expect(messages).toEqual([]),
          () => {},
        )
        heal()
        held.push(message)
      } else {
        await message.ack()
        course.ack(message.group!)
      }
    } else if (dice < 0.9) await db.flush()
    else if (dice < 0.95) {
      await db.close()
      db = await openStore()
      q = db.queue<number>('q', rules)
      held = []
      course.under.clear()
    } else {
      for (const message of held.splice(0)) {
        await message.nack({ delay: 0 })
        course.under.delete(message.group!)
      }
    }
    expect(q.stats()).toMatchObject({ depth: course.left, inFlight: held.length })
    if (random.chance(0.8)) continue
    const seen = await q.peek({ max: 10_000 })
    expect(
      seen.map(({ body }) => body).toSorted((a, b) => a - b),
      'peek shows what waits',
    ).toEqual(
      [...course.sent]
        .flatMap(([group, bodies]) => bodies.slice((course.done.get(group) ?? 0) + (course.under.has(group) ? 1 : 0)))
        .toSorted((a, b) => a - b),
    )
  }
  while (course.left > 0) {
    await receive(20)
    for (const message of held.splice(0)) {
      await message.ack()
      course.ack(message.group!)
    }
  }
  expect(q.stats()).toMatchObject({ depth: 0, bytes: 0, inFlight: 0 })
  await db.close()
}

describe('groups', () => {
  it('go on in their order and none waits for another, however deep the others are', { timeout: 60_000 }, async () => {
    await withSeeds(5, (random) => live(random, false))
  })

  it('do so where the disk refuses now and then', { timeout: 60_000 }, async () => {
    await withSeeds(5, (random) => live(random, true))
  })

  it('cost the others one look at each message of a hot one, once, and nothing of it at an opening', async () => {
    await using store = await TestStore.open()
    const DEPTH = 20_000
    let q = store.db.queue<number>('q', rules)
    await sendHot(q, DEPTH)
    await q.send(-1, { group: 'two' })
    const reads = countReads()
    try {
      expect(await q.receive({ max: 10 })).toMatchObject([{ body: 0 }, { body: -1 }])
      expect(reads.entries).toBeLessThan(DEPTH * 1.5)
      reads.entries = 0
      await q.send(-2, { group: 'three' })
      expect(await q.receive({ max: 10 })).toMatchObject([{ body: -2 }])
      expect(reads.entries).toBeLessThan(100)
      reads.entries = 0
      reads.looks = 0
      q = (await store.reopen()).queue<number>('q')
      expect(q.stats().depth).toBe(DEPTH + 2)
      expect(reads.entries, 'read by an opening').toBeLessThan(100)
      const again = await q.receive({ max: 10 })
      expect(again.map(({ body }) => body).toSorted()).toEqual([-1, -2, 0])
      expect(reads.entries, 'read by the first receive after it').toBeLessThan(200)
      // Each message of the hot group is read once, when its turn comes, with its place in the line.
      reads.entries = 0
      const hot = again.find(({ body }) => body === 0)!
      await hot.ack()
      for (let i = 1; i <= 200; i++) {
        const [message] = await q.receive()
        expect(message!.body).toBe(i)
        await message!.ack()
      }
      expect(reads.entries, 'read for 200 messages').toBeLessThan(200 * 4)
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('keep what memory holds of them small', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue<number>('q', rules)
    await sendHot(q, 5000)
    await q.receive({ max: 2 })
    await settled()
    const { stock } = (q as unknown as { mailbox: { delivery: { stock: { entries(): Iterable<unknown> } } } }).mailbox
      .delivery
    expect([...stock.entries()]).toHaveLength(1)
  })

  it('bring back dead letters that wait for their group', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const dead = db.queue<number>('q.dead', { ordering: 'group' })
    const q = db.queue<number>('q', { maxAttempts: 1 })
    for (let i = 0; i < 100; i++) await q.send(i, { group: 'one' })
    for (const message of await q.receive({ max: 100 })) await message.nack()
    const [held] = await dead.receive({ max: 5 })
    expect(held!.body).toBe(0)
    expect(await q.redrive()).toBe(99)
    expect(dead.stats()).toMatchObject({ depth: 1, inFlight: 1 })
    expect(q.stats()).toMatchObject({ depth: 99, dead: 1 })
  })
})
