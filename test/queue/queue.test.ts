import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { settled, TestStore } from './stores.js'

const bodies = (messages: readonly { body: unknown }[]): unknown[] => messages.map(({ body }) => body)

describe('a message', () => {
  it('carries bytes, text, JSON and headers as they were when it was sent', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const bytes = new Uint8Array([1, 2, 3])
    const object = { a: [1, null, 'x'] }
    const sent = [bytes, Buffer.alloc(0), '', 'text é', object, 0, false, null]
    const sending = q.sendMany(sent.map((body) => ({ body, headers: { trace: 'é', n: 1 } })))
    bytes[0] = 9
    object.a.push('later')
    await sending
    await store.reopen()
    const received = await store.db.queue('q').receive({ max: 10 })
    expect(bodies(received)).toEqual([
      Buffer.from([1, 2, 3]),
      Buffer.alloc(0),
      '',
      'text é',
      { a: [1, null, 'x'] },
      0,
      false,
      null,
    ])
    for (const message of received) {
      expect(message).toMatchObject({
        headers: { trace: 'é', n: 1 },
        attempts: 1,
        sentAt: store.clock.now(),
        group: undefined,
        deadLetter: undefined,
        isSettled: false,
      })
    }
    ;(received[0]!.body as Buffer)[0] = 7
    expect(bodies(await store.db.queue('q').peek())).toEqual([])
    await received[0]!.nack({ delay: 0 })
    expect(bodies(await store.db.queue('q').peek())).toEqual([Buffer.from([1, 2, 3])])
  })

  it('keeps its id over all deliveries', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { backoff: { base: 10, max: 10, jitter: false }, maxAttempts: 2 })
    const { id } = await q.send('a')
    const other = await q.send('b', { delay: 5 })
    const [first] = await q.receive()
    expect(first!.id).toBe(id)
    await first!.nack()
    await store.reopen()
    await store.advance(10)
    const again = await store.db.queue('q').receive({ max: 2 })
    expect(again.map((message) => message.id).sort()).toEqual([id, other.id].sort())
    await again.find((message) => message.id === id)!.nack()
    const [dead] = await store.db.queue('q.dead').receive()
    expect(dead!.id).toBe(id)
  })

  it('is acknowledged once, and asked again is done already', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.sendMany([{ body: 1 }, { body: 2 }])
    const messages = await q.receive({ max: 2 })
    await messages[0]!.ack()
    await messages[0]!.ack()
    await expect(messages[0]!.nack()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
    await q.ackMany([messages[1]!], { sync: true })
    expect(q.stats()).toMatchObject({ depth: 0, acked: 2 })
    expect(messages.every(({ isSettled }) => isSettled)).toBe(true)
  })
})

describe('receive', () => {
  it('returns at once without wait, and waits no longer than it is told', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    expect(await q.receive()).toEqual([])
    let answer: unknown
    q.receive({ wait: 1000 }).then((messages) => (answer = messages))
    await store.advance(999)
    expect(answer).toBeUndefined()
    await store.advance(1)
    expect(answer).toEqual([])
    expect(store.clock.waiting).toBe(0)
  })

  it('serves those who wait in their order, each with what it asked for', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const first = q.receive({ max: 2, wait: 1000 })
    const second = q.receive({ max: 2, wait: 1000 })
    await q.sendMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    expect(bodies(await first)).toEqual([1, 2])
    expect(bodies(await second)).toEqual([3])
  })

  it('ends with the reason of its signal, and takes nothing then', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const controller = new AbortController()
    const waiting = q.receive({ wait: 1000, signal: controller.signal })
    const ended = expect(waiting).rejects.toThrow('enough')
    controller.abort(new Error('enough'))
    await ended
    await q.send('a')
    await expect(q.receive({ signal: controller.signal })).rejects.toThrow('enough')
    expect(bodies(await q.receive())).toEqual(['a'])
  })

  it('gives back what came when nobody waited any more, uncounted', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const controller = new AbortController()
    const waiting = q.receive({ wait: 1000, signal: controller.signal }).catch(() => 'ended')
    const sent = q.send('a')
    await sent
    // The delivery is on its way to the log by now.
    await Promise.resolve()
    await Promise.resolve()
    controller.abort()
    await waiting
    await settled()
    const [message] = await q.receive()
    if (message !== undefined) expect(message.attempts).toBe(1)
    else expect(q.stats().inFlight).toBe(1)
  })

  it('is refused when the store is closed, and told when it closes meanwhile', async () => {
    const store = await TestStore.open()
    const q = store.db.queue('q', { maxLength: 1, overflow: 'block' })
    await q.send(1)
    const blocked = expect(q.send(2)).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    const other = store.db.queue('other')
    const waiting = expect(other.receive({ wait: 1000 })).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    const [message] = await q.receive()
    await store.db.close()
    await Promise.all([blocked, waiting])
    for (const use of [
      () => q.send(1),
      () => q.receive(),
      () => message!.ack(),
      () => message!.nack(),
      () => q.purge(),
    ]) {
      await expect(use()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    }
    expect(() => q.stats()).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
    expect(() => store.db.queue('q')).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
  })
})

describe('delayed messages', () => {
  it('come when they are due, years ahead if need be, also across reopening, in the order of their times', async () => {
    await using store = await TestStore.open()
    const year = 365 * 86_400_000
    const q = store.db.queue('q')
    await q.send('in ten years', { delay: 10 * year })
    await q.send('soon', { delay: 1000 })
    await q.send('urgent and soon', { delay: 1000, priority: 5 })
    expect(q.stats()).toMatchObject({ depth: 3, delayed: 3, ready: 0 })
    expect(await q.receive()).toEqual([])
    const waiting = q.receive({ max: 2, wait: 5000 })
    await settled()
    await store.advance(1000)
    expect(bodies(await waiting)).toEqual(['urgent and soon', 'soon'])
    const again = (await store.reopen()).queue('q')
    const later = again.receive({ wait: Number.POSITIVE_INFINITY, max: 3 })
    await settled()
    expect(bodies(await later)).toEqual(['urgent and soon', 'soon'])
    const last = again.receive({ wait: Number.POSITIVE_INFINITY })
    await settled()
    // In steps, as a clock goes: what was received meanwhile is not acknowledged, so it comes back first.
    await store.advance(10 * year)
    expect(bodies(await last)).toHaveLength(1)
    expect(again.stats()).toMatchObject({ depth: 3, delayed: 0 })
  })

  it('count as ready once they are due, though nobody receives', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    for (let i = 0; i < 5; i++) await q.send(i, { delay: i * 100 + 1 })
    await store.advance(250)
    expect(q.stats()).toMatchObject({ depth: 5, ready: 3, delayed: 2 })
    expect(bodies(await q.receive({ max: 10 }))).toEqual([0, 1, 2])
    expect(q.stats()).toMatchObject({ depth: 5, ready: 0, delayed: 2, inFlight: 3 })
    expect(bodies(await q.peek({ max: 10 }))).toEqual([])
  })
})

describe('repetitions', () => {
  it('send each time once, whatever the process does, and one message for what was missed', async () => {
    await using store = await TestStore.open()
    store.clock.advance(Date.UTC(2026, 0, 1, 2, 59, 30) - store.clock.now())
    const q = store.db.queue('q')
    expect(await q.repeat('nightly', { cron: '0 3 * * *', timezone: 'UTC' }, { job: 'report' })).toMatchObject({
      next: Date.UTC(2026, 0, 1, 3),
    })
    await store.advance(30_000)
    expect(q.stats().depth).toBe(1)
    expect(q.repeats()).toEqual([
      { name: 'nightly', when: { cron: '0 3 * * *', timezone: 'UTC' }, next: Date.UTC(2026, 0, 2, 3) },
    ])
    await store.db.close()
    store.clock.stall(3 * 86_400_000)
    const after = (await store.reopen()).queue('q')
    await store.advance(0)
    expect(after.stats().depth).toBe(2)
    expect(after.repeats()[0]!.next).toBe(Date.UTC(2026, 0, 5, 3))
    expect(bodies(await after.receive({ max: 10 }))).toEqual([{ job: 'report' }, { job: 'report' }])
    expect(await after.cancelRepeat('nightly')).toBe(true)
    expect(await after.cancelRepeat('nightly')).toBe(false)
    await store.advance(86_400_000)
    expect(after.stats()).toMatchObject({ sent: 2 })
  })

  it('go by an interval too, and refuse what is no time', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.repeat('tick', { every: 1000 }, 'tick', { priority: 3 })
    for (let i = 0; i < 3; i++) await store.advance(1000)
    const messages = await q.receive({ max: 10 })
    expect(messages.map(({ body, priority }) => [body, priority])).toEqual([
      ['tick', 3],
      ['tick', 3],
      ['tick', 3],
    ])
    for (const when of [{ cron: 'every now and then' }, { every: 0 }, {}, { cron: '0 0 30 2 *' }]) {
      await expect(q.repeat('x', when as never, 1)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
  })
})

describe('consume', () => {
  it('acknowledges on return, gives back on throw, and leaves alone what the handler settled', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const q = db.queue<string>('q', { backoff: { base: 100, max: 100, jitter: false } })
    const seen: string[] = []
    const worker = q.consume(async (message) => {
      seen.push(`${message.body}${message.attempts}`)
      if (message.body === 'fails' && message.attempts === 1) throw new Error('not yet')
      if (message.body === 'acks') await db.batch().put('done', 'yes').ack(message).write()
      if (message.body === 'nacks' && message.attempts === 1) await message.nack({ delay: 50 })
    })
    for (const body of ['fine', 'fails', 'acks', 'nacks']) await q.send(body)
    await settled()
    await store.advance(50)
    await store.advance(50)
    await worker.stop()
    expect(seen).toEqual(['fine1', 'fails1', 'acks1', 'nacks1', 'nacks2', 'fails2'])
    expect(q.stats()).toMatchObject({ depth: 0, acked: 4, redelivered: 2 })
    expect(await db.get('done')).toBe('yes')
  })

  it('passes over what it holds and what is gone before a handler is free', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.sendMany([{ body: 1 }, { body: 2 }, { body: 3 }])
    const seen: unknown[] = []
    let finish = (): void => {}
    const worker = q.consume(
      ({ body }) => {
        seen.push(body)
        return new Promise<void>((resolve) => (finish = resolve))
      },
      { prefetch: 3 },
    )
    await settled()
    expect(q.stats().inFlight).toBe(3)
    await q.purge()
    await q.send(4)
    finish()
    await settled()
    expect(seen).toEqual([1, 4])
    finish()
    await worker.stop()
  })

  it('stops gracefully: waits for handlers, gives back what none has seen', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue<number>('q')
    await q.sendMany([1, 2, 3].map((body) => ({ body })))
    let finish!: () => void
    const worker = q.consume(() => new Promise<void>((resolve) => (finish = resolve)), { prefetch: 3 })
    await settled()
    expect(q.stats().inFlight).toBe(3)
    let stopped = false
    const stopping = worker.stop().then(() => (stopped = true))
    await settled()
    expect(q.stats()).toMatchObject({ inFlight: 1, ready: 2 })
    expect(stopped).toBe(false)
    finish()
    await stopping
    expect(q.stats()).toMatchObject({ depth: 2, ready: 2, acked: 1 })
    const rest = await q.receive({ max: 5 })
    expect(rest.map(({ body, attempts }) => [body, attempts])).toEqual([
      [2, 1],
      [3, 1],
    ])
  })

  it('is stopped by closing the store, which waits for the handlers', async () => {
    const store = await TestStore.open()
    const q = store.db.queue('q')
    await q.send(1)
    let finish!: () => void
    q.consume(() => new Promise<void>((resolve) => (finish = resolve)))
    await settled()
    const closing = store.db.close()
    await settled()
    finish()
    await closing
    const db = await store.reopen()
    expect(db.queue('q').stats()).toMatchObject({ depth: 0, acked: 1 })
    await db.close()
  })

  it('pauses and resumes', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    const seen: unknown[] = []
    const worker = q.consume((message) => seen.push(message.body))
    q.pause()
    expect(q.isPaused).toBe(true)
    await q.send(1)
    expect(await q.receive()).toEqual([])
    await settled()
    expect(seen).toEqual([])
    q.resume()
    await settled()
    expect(seen).toEqual([1])
    await worker.stop()
  })
})

describe('the rules of a queue', () => {
  it('are stored with it, and a handle made with other rules changes them', async () => {
    await using store = await TestStore.open()
    await store.db.queue('q', { maxLength: 1 }).send(1)
    await expect(store.db.queue('q').send(2)).rejects.toMatchObject({ code: 'SILT_FULL' })
    await store.reopen()
    await expect(store.db.queue('q').send(2)).rejects.toMatchObject({ code: 'SILT_FULL' })
    store.db.queue('q', { maxLength: 2 })
    await store.reopen()
    const q = store.db.queue('q')
    await q.send(2)
    await expect(q.send(3)).rejects.toMatchObject({ code: 'SILT_FULL' })
    store.db.queue('q', { maxLength: undefined, backoff: { base: 5 } })
    await q.send(3)
    expect(q.rules).toMatchObject({ maxLength: undefined, backoff: { base: 5, max: 60_000, jitter: true } })
  })

  it('let the ordering change only while no messages are there', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.send(1)
    expect(() => store.db.queue('q', { ordering: 'strict' })).toThrow(
      expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
    )
    await q.purge()
    store.db.queue('q', { ordering: 'strict' })
    expect(q.rules.ordering).toBe('strict')
  })

  it('are checked at the door', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const bad: object[] = [
      { ordering: 'any' },
      { visibilityTimeout: 0 },
      { maxAttempts: 0 },
      { backoff: { base: -1 } },
      { deadLetter: true },
      { deadLetter: 'q' },
      { overflow: 'explode' },
      { maxLength: -1 },
      { rateLimit: {} },
      { signingKey: '' },
      { visibilityTimeOut: 5 },
    ]
    for (const options of bad) {
      expect(() => db.queue('q', options), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
      )
    }
    expect(() => db.queue('')).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    const q = db.queue('q')
    for (const options of [
      { delay: -1 },
      { ttl: 0 },
      { dedupId: '' },
      { group: 1 },
      { priority: 1.5 },
      { priority: 40_000 },
      { headers: [] },
      { prioritty: 1 },
      { sync: 'yes' },
    ]) {
      await expect(q.send(1, options as never), JSON.stringify(options)).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
    }
    await expect(q.send(undefined)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(q.send(() => {})).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(q.receive({ max: 0 })).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    expect(() => q.consume('no' as never)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
  })
})

describe('a batch', () => {
  it('commits data, outbox and inbox as one, in both forms', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const [inbox, outbox] = [db.queue('in'), db.queue('out')]
    const topic = db.topic('events')
    await inbox.sendMany([{ body: 1 }, { body: 2 }])
    const [first, second] = await inbox.receive({ max: 2 })
    await db
      .batch()
      .put('order:7', 'x')
      .send(outbox, { order: 7 }, { headers: { a: 1 } })
      .send(topic, 'paid', { key: 'k' })
      .ack(first!)
      .write()
    await db.batch([
      { type: 'put', key: 'order:8', value: 'y' },
      { type: 'send', queue: outbox, body: { order: 8 }, options: { priority: 1 } },
      { type: 'ack', message: second! },
    ])
    expect(inbox.stats()).toMatchObject({ depth: 0, acked: 2 })
    expect(bodies(await outbox.receive({ max: 5 }))).toEqual([{ order: 8 }, { order: 7 }])
    expect(topic.stats().next).toBe(1)
    db.batch().put('k', 'v').send(outbox, 'sync').writeSync()
    expect(bodies(await outbox.receive())).toEqual(['sync'])
  })

  it('commits nothing where one part of it cannot be', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const q = db.queue('q')
    await q.send(1)
    const [message] = await q.receive()
    await message!.ack()
    const before = q.stats()
    for (const batch of [
      db.batch().put('k', 'v').send(q, 2).ack(message!),
      db.batch().send(q, 2, { dedupId: 'd' }).send(db.topic('t'), 3).ack(message!),
    ]) {
      await expect(batch.write()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
    }
    expect(q.stats()).toEqual(before)
    expect(await db.has('k')).toBe(false)
    expect(db.topic('t').stats().next).toBe(0)
    expect(await q.send(2, { dedupId: 'd' })).toEqual({ id: '1', duplicate: false })
    const other = await open(':memory:')
    expect(() => db.batch().send(other.queue('x'), 1)).toThrow(
      expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
    )
    expect(() => db.batch().send('q' as never, 1)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    expect(() => db.batch().ack({} as never)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    await other.close()
  })
})

describe('looking after a queue', () => {
  it('shows what comes next without taking it', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q')
    await q.sendMany([{ body: 1 }, { body: 2, priority: 1, headers: { a: 1 } }, { body: 3, delay: 1000 }])
    const peeked = await q.peek({ max: 10 })
    expect(peeked.map(({ body, attempts, headers }) => [body, attempts, headers])).toEqual([
      [2, 0, { a: 1 }],
      [1, 0, {}],
    ])
    expect(await q.peek()).toHaveLength(1)
    expect(q.stats()).toMatchObject({ inFlight: 0, received: 0 })
  })

  it('purges everything, what is in flight included', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { ordering: 'group' })
    await q.sendMany([{ body: 1, group: 'a' }, { body: 2, group: 'a' }, { body: 3 }, { body: 4, delay: 1000 }])
    const [message] = await q.receive()
    expect(await q.purge()).toBe(4)
    expect(q.stats()).toMatchObject({ depth: 0, ready: 0, delayed: 0, inFlight: 0, purged: 4, bytes: 0 })
    await expect(message!.ack()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
    await q.send(5, { group: 'a' })
    await store.advance(2000)
    expect(bodies(await q.receive({ max: 10 }))).toEqual([5])
    await store.reopen()
    expect(store.db.queue('q').stats()).toMatchObject({ depth: 1, purged: 4 })
  })

  it('keeps its trees out of sight', async () => {
    await using store = await TestStore.open()
    const { db } = store
    await db.queue('q').send(1)
    await db.topic('t').publish(1)
    await db.log('l').append('x')
    await db.put('k', 'v')
    expect(db.keyspaceNames()).toEqual([])
    expect(db.queueNames()).toEqual(['q'])
    await db.clear()
    expect(db.queue('q').stats().depth).toBe(1)
  })

  it('tells who listens on diagnostics_channel', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { maxAttempts: 1 })
    const heard: unknown[] = []
    const names = ['send', 'deliver', 'ack', 'nack', 'dead-letter', 'duplicate']
    const listeners = names.map((name) => (event: unknown) => heard.push([name, (event as { id: string }).id]))
    for (const [i, name] of names.entries()) subscribe(`siltstone:queue:${name}`, listeners[i]!)
    await q.send('a', { dedupId: 'd' })
    await q.send('a', { dedupId: 'd' })
    await q.send('b')
    const [a, b] = await q.receive({ max: 2 })
    await a!.ack()
    await b!.nack()
    for (const [i, name] of names.entries()) unsubscribe(`siltstone:queue:${name}`, listeners[i]!)
    expect(heard).toEqual([
      ['send', '0'],
      ['duplicate', '0'],
      ['send', '1'],
      ['deliver', '0'],
      ['deliver', '1'],
      ['ack', '0'],
      ['nack', '1'],
      ['dead-letter', '1'],
    ])
  })

  it('reads a queue beside its writer, and writes nothing', async () => {
    await using store = await TestStore.open()
    const { fs, clock } = store
    await store.db.queue('q').sendMany([{ body: 1 }, { body: 2 }])
    const reader = await open('/store', { fs, clock, executor: 'inline', readOnly: true })
    const q = reader.queue('q')
    expect(q.stats()).toMatchObject({ depth: 2 })
    expect(bodies(await q.peek({ max: 5 }))).toEqual([1, 2])
    await expect(q.receive()).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
    await expect(q.send(1)).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
    await store.db.queue('q').send(3)
    await reader.refresh()
    expect(reader.queue('q').stats()).toMatchObject({ depth: 3 })
    await reader.close()
  })

  it('takes nothing for sent that the disk had no room for, and works on when there is some', async () => {
    const disk = new SimulatedDisk(7)
    const db = await open('/store', { fs: disk, executor: 'inline', clock: new ManualClock() })
    const q = db.queue<string>('q')
    await q.send('a')
    const [a] = await q.receive()
    const stats = q.stats()
    const heal = disk.failEvery('write', 'ENOSPC')
    const attempts = [
      q.send('b'),
      a!.ack(),
      a!.nack({ delay: 100 }),
      db.batch().put('k', 'v').send(q, 'c').write(),
      q.send('d', { dedupId: 'd' }),
      q.send('e', { delay: 10 }),
    ]
    const outcomes = await Promise.allSettled(attempts)
    expect(outcomes.map(({ status }) => status)).toEqual(attempts.map(() => 'rejected'))
    expect(q.stats()).toEqual(stats)
    heal()
    await a!.ack()
    await q.send('d', { dedupId: 'd' })
    await q.send('e')
    expect(bodies(await q.receive({ max: 10 }))).toEqual(['d', 'e'])
    await db.close()
  })
})
