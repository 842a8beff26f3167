import { describe, expect, it } from 'vitest'
import { open } from '../../src/queue/messaging-database.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled, TestStore } from './stores.js'

const bodies = (messages: readonly { body: unknown }[]): unknown[] => messages.map(({ body }) => body)

describe('problem 1, duplicates', () => {
  it('sends a message once for a dedup id within the window, also across reopening, and again after it', async () => {
    await using store = await TestStore.open()
    const first = await store.db.queue('q', { dedupWindow: 1000 }).send('a', { dedupId: 'x' })
    expect(first.duplicate).toBe(false)
    const [again, other] = await Promise.all([
      store.db.queue('q').send('b', { dedupId: 'x' }),
      store.db.queue('q').send('c', { dedupId: 'y' }),
    ])
    expect(again).toEqual({ id: first.id, duplicate: true })
    expect(other.duplicate).toBe(false)
    const q = (await store.reopen()).queue('q')
    expect(await q.send('d', { dedupId: 'x' })).toEqual({ id: first.id, duplicate: true })
    expect(q.stats()).toMatchObject({ depth: 2, sent: 2, duplicates: 2 })
    await store.advance(1000)
    expect(await q.send('e', { dedupId: 'x' })).toMatchObject({ duplicate: false })
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['a', 'c', 'e'])
  })

  it('counts two that are sent in one turn, and the first of equal ids in one call', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const both = await Promise.all([q.send(1, { dedupId: 'x' }), q.send(2, { dedupId: 'x' })])
    expect(both.map(({ duplicate }) => duplicate)).toEqual([false, true])
    const many = await q.sendMany([
      { body: 3, dedupId: 'y' },
      { body: 4, dedupId: 'y' },
      { body: 5, dedupId: 'x' },
    ])
    expect(many).toEqual([
      { id: '1', duplicate: false },
      { id: '1', duplicate: true },
      { id: '0', duplicate: true },
    ])
    expect(bodies(await q.receive({ max: 10 }))).toEqual([1, 3])
  })

  it('makes handling idempotent by acknowledging in the commit of the effect', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const q = db.queue('q', { visibilityTimeout: 1000 })
    await q.send('pay')
    const [late] = await q.receive()
    await store.advance(1000)
    const [message] = await q.receive()
    await db.batch().put('paid', 'by the second').ack(message!).write()
    // The first one wakes up: neither its effect nor its acknowledgement happens.
    await expect(db.batch().put('paid', 'by the first').ack(late!).write()).rejects.toMatchObject({
      code: 'SILT_STALE_RECEIPT',
    })
    expect(await db.get('paid')).toBe('by the second')
    expect(q.stats()).toMatchObject({ depth: 0, acked: 1, redelivered: 1 })
  })
})

describe('problem 2, loss', () => {
  it('has everything until its acknowledgement is committed, whoever dies', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.sendMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    const [first] = await q.receive({ max: 2 })
    await first!.ack()
    const after = (await store.reopen()).queue('q')
    expect(after.stats()).toMatchObject({ depth: 2, ready: 2, inFlight: 0 })
    const messages = await after.receive({ max: 10 })
    expect(messages.map(({ body, attempts }) => [body, attempts])).toEqual([
      [2, 2],
      [3, 1],
    ])
  })
})

describe('problem 2, loss, when the power goes', () => {
  it('keeps what was sent with sync and not acknowledged, and what was acknowledged with sync stays gone', async () => {
    let disk = new SimulatedDisk(11)
    const reopen = () => open('/store', { fs: disk, clock: new ManualClock(), executor: 'inline' })
    const before = (await reopen()).queue<number>('q')
    await before.sendMany([{ body: 1 }, { body: 2 }, { body: 3 }], { sync: true })
    const [first, second] = await before.receive({ max: 2 })
    await first!.ack({ sync: true })
    await second!.nack({ delay: 0 })
    disk = disk.crash()
    const db = await reopen()
    const q = db.queue<number>('q')
    expect(q.stats()).toMatchObject({ depth: 2, acked: 1, inFlight: 0 })
    expect(bodies(await q.receive({ max: 10 })).sort()).toEqual([2, 3])
    await db.close()
  })
})

describe('problem 3, slow consumers', () => {
  it('hands out batches, to several consumers, and holds no more than is asked for', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue<number>('q')
    await q.sendMany(Array.from({ length: 10 }, (_, body) => ({ body })))
    const [a, b] = await Promise.all([q.receive({ max: 4 }), q.receive({ max: 4 })])
    expect([...bodies(a), ...bodies(b)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    let running = 0
    let most = 0
    const release: (() => void)[] = []
    const worker = q.consume(
      async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => release.push(resolve))
        running--
      },
      { concurrency: 1, prefetch: 2 },
    )
    await settled()
    expect(q.stats().inFlight).toBe(10)
    expect(most).toBe(1)
    while (release.length > 0) {
      release.shift()!()
      await settled()
    }
    await worker.stop()
    expect(most).toBe(1)
    expect(q.stats()).toMatchObject({ acked: 2, inFlight: 8 })
  })

  it('lets producers wait for room, in order, and not for ever', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue<number>('q', { maxLength: 2, overflow: 'block', blockTimeout: 5000 })
    await q.sendMany([{ body: 1 }, { body: 2 }])
    const sent: number[] = []
    const waiting = [3, 4].map((body) => q.send(body).then(() => sent.push(body)))
    const hasty = q.send(5, { timeout: 100 })
    const refused = expect(hasty).rejects.toMatchObject({ code: 'SILT_TIMEOUT' })
    await store.advance(100)
    await refused
    expect(sent).toEqual([])
    const [first, second] = await q.receive({ max: 2 })
    await first!.ack()
    await settled()
    expect(sent).toEqual([3])
    await second!.ack()
    await Promise.all(waiting)
    expect(bodies(await q.receive({ max: 10 }))).toEqual([3, 4])
    await expect(q.sendMany([{ body: 6 }, { body: 7 }, { body: 8 }])).rejects.toMatchObject({ code: 'SILT_FULL' })
  })

  it('tells producers, drops the oldest, or diverts the new, as the rules say; by length and by bytes', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const rejecting = db.queue('r', { maxLength: 1 })
    await rejecting.send(1)
    await expect(rejecting.send(2)).rejects.toMatchObject({ code: 'SILT_FULL' })
    await expect(db.batch().put('k', 'v').send(rejecting, 2).write()).rejects.toMatchObject({ code: 'SILT_FULL' })
    expect(await db.has('k')).toBe(false)

    const dropping = db.queue('d', { maxLength: 2, overflow: 'drop-oldest' })
    for (const body of [1, 2, 3]) await dropping.send(body)
    expect(dropping.stats()).toMatchObject({ depth: 2, dropped: 1, sent: 3 })
    expect(bodies(await dropping.receive({ max: 10 }))).toEqual([2, 3])

    const diverting = db.queue('v', { maxLength: 1, overflow: 'dead-letter' })
    await diverting.send(1)
    await diverting.send(2)
    expect(diverting.stats()).toMatchObject({ depth: 1, dead: 1, deadLettered: 1, sent: 2 })
    const [dead] = await db.queue('v.dead').receive()
    expect(dead!.deadLetter).toEqual({ queue: 'v', reason: 'overflow', attempts: 0, time: store.clock.now() })

    const narrow = db.queue('b', { maxBytes: 300 })
    await narrow.send(Buffer.alloc(200))
    await expect(narrow.send(Buffer.alloc(200))).rejects.toMatchObject({ code: 'SILT_FULL' })
    const [large] = await narrow.receive()
    await large!.ack()
    await narrow.send(Buffer.alloc(200))
    const { bytes } = narrow.stats()
    expect((await store.reopen()).queue('b').stats().bytes).toBe(bytes)
  })
})

describe('problem 4, order', () => {
  it('keeps that of a group across retries, several consumers and reopening, while other groups go on', async () => {
    await using store = await TestStore.open()
    const options = { ordering: 'group', backoff: { base: 1000, max: 1000, jitter: false } } as const
    let q = store.db.queue<string>('q', options)
    for (const body of ['a1', 'a2', 'b1', 'a3', 'b2']) await q.send(body, { group: body[0]! })
    const both = await q.receive({ max: 10 })
    expect(bodies(both)).toEqual(['a1', 'b1'])
    expect(await q.receive({ max: 10 })).toEqual([])
    await both[0]!.nack()
    await both[1]!.ack()
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['b2'])
    q = (await store.reopen()).queue<string>('q')
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['b2'])
    await store.advance(1000)
    const [again] = await q.receive({ max: 10 })
    expect(again).toMatchObject({ body: 'a1', attempts: 2, group: 'a' })
    await again!.ack()
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['a2'])
    q = (await store.reopen()).queue<string>('q')
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['a2', 'b2'])
  })

  it('of a strict queue is that of one message after the other, retries included', async () => {
    await using store = await TestStore.open()
    let q = store.db.queue('q', { ordering: 'strict', backoff: { base: 500, max: 500, jitter: false } })
    await q.sendMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    const [first, ...others] = await q.receive({ max: 10 })
    expect(first!.body).toBe(1)
    expect(others).toEqual([])
    expect(await q.receive()).toEqual([])
    await first!.nack()
    expect(await q.receive()).toEqual([])
    q = (await store.reopen()).queue('q')
    expect(await q.receive()).toEqual([])
    await store.advance(500)
    const [again] = await q.receive()
    expect(again!.body).toBe(1)
    await again!.ack()
    expect(bodies(await q.receive({ max: 5 }))).toEqual([2])
  })

  it('goes by priority first, and by arrival among equals', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.sendMany([{ body: 'low', priority: -1 }, { body: 1 }, { body: 'high', priority: 9 }, { body: 2 }])
    await store.reopen()
    expect(bodies(await store.db.queue('q').receive({ max: 10 }))).toEqual(['high', 1, 2, 'low'])
  })
})

describe('problem 5, dead consumers', () => {
  it('gives a message back when its visibility timeout ends, and refuses the stale receipt', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { visibilityTimeout: 1000 })
    await q.send('a')
    const [first] = await q.receive()
    const waiting = q.receive({ wait: 5000 })
    await store.advance(999)
    expect(q.stats()).toMatchObject({ inFlight: 1, ready: 0 })
    await store.advance(1)
    const [second] = await waiting
    expect(second).toMatchObject({ body: 'a', attempts: 2 })
    expect(second!.fence).toBeGreaterThan(first!.fence)
    for (const late of [() => first!.ack(), () => first!.nack(), async () => first!.extend(1000)]) {
      await expect(late()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
    }
    await expect(q.ackMany([second!, first!])).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
    expect(q.stats()).toMatchObject({ inFlight: 1, acked: 0 })
    await second!.ack()
    expect(q.stats()).toMatchObject({ depth: 0, acked: 1 })
  })

  it('extends by hand, and by itself while a handler runs', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { visibilityTimeout: 1000 })
    await q.sendMany([{ body: 1 }, { body: 2 }])
    const [byHand] = await q.receive()
    byHand!.extend(5000)
    let finish!: () => void
    const worker = q.consume(() => new Promise<void>((resolve) => (finish = resolve)))
    await settled()
    for (let i = 0; i < 9; i++) await store.advance(500)
    expect(q.stats()).toMatchObject({ inFlight: 2, redelivered: 0 })
    await store.advance(500)
    expect(q.stats()).toMatchObject({ inFlight: 1, ready: 1 })
    finish()
    await settled()
    expect(q.stats()).toMatchObject({ acked: 1 })
    finish()
    await worker.stop()
  })
})

describe('problem 5, dead consumers, seen late', () => {
  it('counts the time of a handler from its start, though the loop stood still since the message was handed out', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { visibilityTimeout: 1000 })
    await q.send('a', { delay: 1000 })
    let finish!: () => void
    const worker = q.consume(() => new Promise<void>((resolve) => (finish = resolve)))
    await settled()
    // Handed out after 1000 ms; nobody gets a turn before 1900.
    await store.advance(1900)
    await store.advance(300)
    expect(q.stats()).toMatchObject({ inFlight: 1, redelivered: 0 })
    finish()
    await settled()
    expect(q.stats()).toMatchObject({ acked: 1 })
    await worker.stop()
  })
})

describe('problem 6, overflow', () => {
  it('lets messages expire by their own ttl or the one of the queue, though nobody receives', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { ttl: 10_000 })
    await q.send('short', { ttl: 1000 })
    await q.send('long')
    await q.send('short behind it', { ttl: 1000 })
    await store.advance(1000)
    expect(q.stats()).toMatchObject({ depth: 1, ready: 1, expired: 2 })
    expect(bodies(await q.peek({ max: 10 }))).toEqual(['long'])
    await store.advance(9000)
    expect(q.stats()).toMatchObject({ depth: 0, expired: 3, sent: 3 })
    expect(await q.receive()).toEqual([])
    expect(q.stats()).toMatchObject({ depth: 0, expired: 3 })
  })

  it('makes room by what expires', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { maxLength: 2 })
    await q.send(1)
    await q.send(2, { ttl: 100 })
    await expect(q.send(3)).rejects.toMatchObject({ code: 'SILT_FULL' })
    await store.advance(100)
    await q.send(3)
    expect(bodies(await q.receive({ max: 10 }))).toEqual([1, 3])
  })
})

describe('problem 6, overflow of a topic', () => {
  it('keeps no more than its retention says, by count, bytes and age', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const kept = (name: string): number => {
      const { first, next } = db.topic(name).stats()
      return next - first
    }
    db.topic('count', { retention: { count: 3 } })
    db.topic('bytes', { retention: { bytes: 1000 } })
    db.topic('age', { retention: { age: 5000 } })
    for (let i = 0; i < 10; i++) {
      for (const name of ['count', 'bytes', 'age']) await db.topic(name).publish(Buffer.alloc(280))
      await store.advance(1000)
    }
    expect([kept('count'), kept('bytes'), kept('age')]).toEqual([3, 3, 4])
    // Age goes on though nobody publishes.
    await store.advance(10_000)
    expect([kept('count'), kept('bytes'), kept('age')]).toEqual([3, 3, 0])
  })
})

describe('problem 7, poison messages', () => {
  it('counts attempts durably, one that kills its process included, and keeps the dead with their reasons', async () => {
    await using store = await TestStore.open()
    const rules = { maxAttempts: 3, backoff: { base: 100, max: 1000, jitter: false }, visibilityTimeout: 1000 }
    await store.db.queue('q', rules).send({ poison: true }, { headers: { trace: 't1' }, group: 'g' })
    // The first two attempts take their process with them.
    for (let attempt = 1; attempt <= 2; attempt++) {
      const [message] = await store.db.queue('q').receive()
      expect(message!.attempts).toBe(attempt)
      await store.reopen()
    }
    const q = store.db.queue('q')
    const [last] = await q.receive()
    expect(last!.attempts).toBe(3)
    await last!.nack({ reason: 'cannot be paid' })
    expect(q.stats()).toMatchObject({ depth: 0, dead: 1, deadLettered: 1 })
    const [dead] = await store.db.queue('q.dead').receive()
    expect(dead).toMatchObject({
      body: { poison: true },
      headers: { trace: 't1' },
      group: 'g',
      attempts: 1,
      id: last!.id,
    })
    expect(dead!.deadLetter).toEqual({ queue: 'q', reason: 'cannot be paid', attempts: 3, time: store.clock.now() })
  })

  it('dies when its last attempt times out, or its process dies in it', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { maxAttempts: 1, visibilityTimeout: 1000 })
    await q.sendMany([{ body: 'slow' }, { body: 'deadly' }])
    await q.receive()
    await store.advance(1000)
    expect(q.stats()).toMatchObject({ depth: 1, dead: 1 })
    await q.receive()
    const after = (await store.reopen()).queue('q')
    expect(await after.receive()).toEqual([])
    expect(after.stats()).toMatchObject({ depth: 0, dead: 2 })
    const letters = await store.db.queue('q.dead').receive({ max: 10 })
    expect(letters.map(({ body, deadLetter }) => [body, deadLetter!.reason])).toEqual([
      ['slow', 'its visibility timeout ended'],
      ['deadly', 'its consumer died'],
    ])
  })

  it('waits longer with each attempt, by chance within bounds', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { backoff: { base: 1000, max: 3000 }, maxAttempts: 10 })
    await q.send('a')
    for (const most of [1000, 2000, 3000, 3000]) {
      const [message] = await q.receive()
      await message!.nack()
      expect(q.stats()).toMatchObject({ delayed: 1, ready: 0 })
      await store.advance(most / 2 - 1)
      expect(await q.receive()).toEqual([])
      await store.advance(most / 2 + 1)
    }
    expect(await q.receive()).toHaveLength(1)
  })

  it('brings back what died here, and leaves what died elsewhere', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const rules = { maxAttempts: 1, deadLetter: 'all.dead' }
    const [a, b] = [db.queue('a', rules), db.queue('b', rules)]
    for (const body of [1, 2, 3]) {
      for (const q of [a, b]) {
        await q.send(body, { priority: body === 3 ? 5 : 0 })
        const [message] = await q.receive()
        await message!.nack()
      }
    }
    expect([a.stats().dead, b.stats().dead]).toEqual([3, 3])
    expect(await b.redrive({ max: 1 })).toBe(1)
    expect(await b.redrive()).toBe(2)
    expect([a.stats().dead, b.stats().dead]).toEqual([3, 0])
    const again = await b.receive({ max: 10 })
    expect(again.map(({ body, attempts, deadLetter }) => [body, attempts, deadLetter])).toEqual([
      [3, 1, undefined],
      [1, 1, undefined],
      [2, 1, undefined],
    ])
    expect(bodies(await db.queue('all.dead').receive({ max: 10 }))).toEqual([1, 2, 3])
    await store.reopen()
    expect(store.db.queue('a').stats().dead).toBe(3)
  })

  it('keeps nothing where the rules say so', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { maxAttempts: 1, deadLetter: false })
    await q.send(1)
    const [message] = await q.receive()
    await message!.nack()
    expect(q.stats()).toMatchObject({ depth: 0, dead: 0, deadLettered: 1 })
    expect(await q.redrive()).toBe(0)
    expect(store.db.queueNames()).toEqual(['q'])
  })
})

describe('problem 8, trust', () => {
  it('never hands a forged or altered message to a handler', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const trusted = db.queue('q', { signingKey: 'secret' })
    await trusted.send({ amount: 1 }, { headers: { from: 'us' } })
    await db.queue('q').send({ amount: 1_000_000 })
    await db.queue('q', { signingKey: 'guess' }).send({ amount: 2_000_000 })
    const seen: unknown[] = []
    const worker = trusted.consume((message) => seen.push(message.body))
    await settled()
    await worker.stop()
    expect(seen).toEqual([{ amount: 1 }])
    expect(trusted.stats()).toMatchObject({ depth: 0, dead: 2, acked: 1 })
    const letters = await db.queue('q.dead').receive({ max: 10 })
    expect(letters.map(({ deadLetter }) => deadLetter!.reason)).toEqual(['signature', 'signature'])
  })

  it('keeps a signature good through death and redrive', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { signingKey: Buffer.from('key'), maxAttempts: 1 })
    await q.send('signed', { headers: { a: 1 } })
    const [message] = await q.receive()
    await message!.nack()
    await q.redrive()
    expect(bodies(await q.receive())).toEqual(['signed'])
  })

  it('holds each producer to its rate', async () => {
    await using store = await TestStore.open()
    const { db, clock } = store
    const strict = db.queue('q', { rateLimit: { perSecond: 10, burst: 2 } })
    await strict.send(1)
    await strict.send(2)
    await expect(strict.send(3)).rejects.toMatchObject({ code: 'SILT_FULL' })
    await db.queue('q').send('another producer')
    await store.advance(100)
    await strict.send(3)
    const patient = db.queue('p', { overflow: 'block', rateLimit: { perSecond: 10, burst: 1 } })
    const sentAt: number[] = []
    const start = clock.now()
    const all = Promise.all([1, 2, 3].map((body) => patient.send(body).then(() => sentAt.push(clock.now() - start))))
    await settled()
    for (let i = 0; i < 5; i++) await store.advance(50)
    await all
    expect(sentAt).toEqual([0, 100, 200])
  })
})

describe('problem 9, no polling', () => {
  it('costs nothing while workers and subscriptions are idle: no timer, no commit', async () => {
    await using store = await TestStore.open()
    const { db, clock } = store
    const seen: unknown[] = []
    const q = db.queue('q')
    const before = clock.waiting
    const worker = q.consume((message) => seen.push(message.body), { concurrency: 4, prefetch: 16 })
    const sub = db.topic('t').subscribe('s', { from: 'earliest' })
    const reader = sub.consume((message) => seen.push(message.body))
    await q.send('a')
    await db.topic('t').publish('b')
    await settled()
    expect(seen).toEqual(['a', 'b'])
    // Of what was handled nothing is left when its visibility timeout would have ended.
    await store.advance(30_000)
    expect(clock.waiting).toBe(before)
    const { position } = db.stats().log
    for (let hour = 0; hour < 24; hour++) await store.advance(3_600_000)
    expect(clock.waiting).toBe(before)
    expect(db.stats().log.position).toBe(position)
    await worker.stop()
    await reader.stop()
  })

  it('sets no timer while nothing is due, and wakes a consumer within a turn of the loop', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const before = store.clock.waiting
    const waiting = q.receive({ wait: Number.POSITIVE_INFINITY })
    await settled()
    expect(store.clock.waiting).toBe(before)
    let turns = 0
    const count = setInterval(() => {}, 2 ** 30)
    const turn = (): void => {
      turns++
      immediate = setImmediate(turn)
    }
    let immediate = setImmediate(turn)
    await q.send('a')
    await waiting
    clearImmediate(immediate)
    clearInterval(count)
    expect(turns).toBeLessThanOrEqual(1)
  })
})

describe('problem 10, events', () => {
  it('replays from an offset and a time, to several subscriptions, filtered and transformed', async () => {
    await using store = await TestStore.open()
    const t = store.db.topic<number>('t')
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      times.push(store.clock.now())
      await t.publish(i)
      await store.advance(1000)
    }
    const all = t.subscribe('all', { from: 'earliest' })
    const late = t.subscribe('late', { from: { time: times[3]! } })
    const even = t.subscribe<string>('even', {
      from: { offset: 1 },
      filter: ({ body }) => body % 2 === 0,
      map: ({ body }) => `#${body}`,
    })
    expect(bodies(await all.receive({ max: 10 }))).toEqual([0, 1, 2, 3, 4])
    expect(bodies(await late.receive({ max: 10 }))).toEqual([3, 4])
    expect(bodies(await even.receive({ max: 10 }))).toEqual(['#2', '#4'])
    await late.seek({ offset: 0 })
    const again = await late.receive({ max: 10 })
    expect(again.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4])
    expect(again[0]!.attempts).toBe(1)
  })

  it('folds events into an aggregate, exactly once in effect', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const totals = db.keyspace<string, number>('totals', { valueEncoding: 'json' })
    const t = db.topic<{ customer: string; amount: number }>('payments')
    for (let i = 1; i <= 6; i++) await t.publish({ customer: `c${i % 2}`, amount: i }, { key: `c${i % 2}` })
    const sub = t.subscribe('totals', { from: 'earliest' })
    const fold = async (count: number): Promise<void> => {
      for await (const message of sub) {
        const { customer, amount } = message.body
        const total = ((await totals.get(customer)) ?? 0) + amount
        await db.batch().put(customer, total, { keyspace: totals }).ack(message).write()
        if (--count === 0) return
      }
    }
    await fold(4)
    await sub.seek({ offset: 4 })
    await fold(2)
    expect(await totals.entries().toArray()).toEqual([
      ['c0', 12],
      ['c1', 9],
    ])
  })

  it('delivers at most once where that is asked for, and at least once otherwise', async () => {
    await using store = await TestStore.open()
    const t = store.db.topic('t')
    const once = t.subscribe('once', { delivery: 'at-most-once', from: 'earliest' })
    const least = t.subscribe('least', { from: 'earliest' })
    await t.publish('a')
    const [lost] = await once.receive()
    expect(lost!.body).toBe('a')
    await lost!.ack()
    expect(once.lag()).toBe(0)
    await least.receive()
    await store.reopen()
    const again = store.db.topic('t')
    expect(await again.subscribe('once', { delivery: 'at-most-once' }).receive()).toEqual([])
    expect(bodies(await again.subscribe('least').receive())).toEqual(['a'])
  })
})
