import { describe, expect, it } from 'vitest'
import { settled, TestStore } from './stores.js'

async function read(log: { read(options?: object): AsyncIterable<{ offset: number; body: Buffer }> }, options = {}) {
  const found: [number, string][] = []
  for await (const { offset, body } of log.read(options)) found.push([offset, body.toString()])
  return found
}

describe('a log', () => {
  it('gives offsets from 0 on, in order, and reads from any of them, with the time of each', async () => {
    await using store = await TestStore.open()
    let log = store.db.log('l')
    expect(await log.append('a')).toBe(0)
    expect(await log.appendMany([Buffer.from('b'), 'c'])).toEqual([1, 2])
    expect(await Promise.all([log.append('d'), log.append('e')])).toEqual([3, 4])
    log = (await store.reopen()).log('l')
    expect(await read(log)).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
      [3, 'd'],
      [4, 'e'],
    ])
    expect(await read(log, { from: 3 })).toEqual([
      [3, 'd'],
      [4, 'e'],
    ])
    expect(await read(log, { from: 1, limit: 2 })).toEqual([
      [1, 'b'],
      [2, 'c'],
    ])
    expect(await read(log, { from: 99 })).toEqual([])
    expect(log.stats()).toMatchObject({ first: 0, next: 5 })
    await store.advance(1000)
    await log.append('f')
    const times: number[] = []
    for await (const { time } of log.read({ from: 4 })) times.push(time)
    expect(times[1]! - times[0]!).toBe(1000)
    expect(await read(log, { from: { time: store.clock.now() } })).toEqual([[5, 'f']])
  })

  it('never lets times go back, though the clock does', async () => {
    await using store = await TestStore.open()
    await store.db.log('l').append('a')
    store.clock.jump(-5000)
    const log = (await store.reopen()).log('l')
    await log.append('b')
    const times: number[] = []
    for await (const { time } of log.read()) times.push(time)
    expect(times[1]).toBe(times[0])
  })

  it('starts below its trim point at the first entry kept, durably, and gives the space back', async () => {
    await using store = await TestStore.open()
    let log = store.db.log('l')
    await log.appendMany(Array.from({ length: 100 }, (_, i) => `${i}`.padStart(100, '0')))
    await store.db.flush()
    const before = log.stats().bytes
    await log.trim({ before: 90 })
    expect(log.stats()).toMatchObject({ first: 90, next: 100 })
    expect(log.stats().bytes).toBe(before / 10)
    expect((await read(log, { from: 3 })).map(([offset]) => offset)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
    log = (await store.reopen()).log('l')
    expect(log.stats()).toMatchObject({ first: 90, next: 100 })
    await log.trim({ before: 1000 })
    expect(log.stats()).toEqual({ first: 100, next: 100, bytes: 0 })
    expect(await log.append('next')).toBe(100)
    await store.db.idle()
    log = (await store.reopen()).log('l')
    expect(await read(log)).toEqual([[100, 'next']])
  })

  it('is followed without being asked again and again', async () => {
    await using store = await TestStore.open()
    const log = store.db.log('l')
    await log.append('a')
    const seen: string[] = []
    const controller = new AbortController()
    const following = (async () => {
      for await (const { body } of log.read({ follow: true, signal: controller.signal })) seen.push(body.toString())
    })()
    const ended = expect(following).rejects.toThrow('enough')
    await settled()
    await log.appendMany(['b', 'c'])
    await settled()
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(store.clock.waiting).toBe(0)
    controller.abort(new Error('enough'))
    await ended
    const last = expect(
      (async () => {
        for await (const _ of log.read({ from: 'latest', follow: true })) seen.push('never')
      })(),
    ).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    await settled()
    await store.db.close()
    await last
    await store.reopen()
  })
})

describe('a topic', () => {
  it('keeps what its retention says, by count, bytes and age', async () => {
    await using store = await TestStore.open()
    const counted = store.db.topic('c', { retention: { count: 3 } })
    for (let i = 0; i < 5; i++) await counted.publish(i)
    expect(counted.stats()).toMatchObject({ first: 2, next: 5 })
    const sized = store.db.topic('b', { retention: { bytes: 400 } })
    for (let i = 0; i < 10; i++) await sized.publish(Buffer.alloc(87))
    expect(sized.stats()).toEqual({ first: 6, next: 10, bytes: 400 })
    const aged = store.db.topic('a', { retention: { age: 1000 } })
    await aged.publish(1)
    await store.advance(600)
    await aged.publish(2)
    await store.advance(500)
    expect(aged.stats()).toMatchObject({ first: 1, next: 2 })
    await store.advance(600)
    expect(aged.stats()).toMatchObject({ first: 2, next: 2 })
    const sub = counted.subscribe('s', { from: 'earliest' })
    expect((await sub.receive({ max: 9 })).map(({ offset }) => offset)).toEqual([2, 3, 4])
  })

  it('begins with the moment of subscribe, and each subscription has its own durable cursor', async () => {
    await using store = await TestStore.open()
    let topic = store.db.topic<number>('t')
    await topic.publish(0)
    const latest = topic.subscribe('latest', { from: 'latest' })
    const early = topic.subscribe('early', { from: 'earliest' })
    await topic.publish(1)
    expect([latest.lag(), early.lag()]).toEqual([1, 2])
    const [message] = await latest.receive()
    expect(message).toMatchObject({ body: 1, offset: 1, id: '1' })
    await message!.ack()
    topic = (await store.reopen()).topic('t')
    expect(topic.subscriptionNames().sort()).toEqual(['early', 'latest'])
    await topic.publish(2)
    // Where it begins counts when it is new.
    expect((await topic.subscribe('latest', { from: 'earliest' }).receive({ max: 9 })).map(({ body }) => body)).toEqual(
      [2],
    )
    expect((await topic.subscribe('early').receive({ max: 9 })).map(({ body }) => body)).toEqual([0, 1, 2])
    expect(await topic.unsubscribe('early')).toBe(true)
    expect(await topic.unsubscribe('early')).toBe(false)
    expect(topic.subscriptionNames()).toEqual(['latest'])
    expect(topic.subscribe('early').lag()).toBe(0)
  })

  it('shares the messages of a subscription among its consumers, one key in order', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<string>('t')
    const [one, two] = [topic.subscribe('s', { from: 'earliest' }), topic.subscribe('s')]
    for (const body of ['a1', 'a2', 'b1', 'a3', 'b2']) await topic.publish(body, { key: body[0]! })
    const [a] = await one.receive()
    const [b] = await two.receive()
    expect([a!.body, b!.body]).toEqual(['a1', 'b1'])
    expect(a!.key).toBe('a')
    expect(await two.receive()).toEqual([])
    await a!.nack({ delay: 0 })
    expect((await two.receive({ max: 5 })).map(({ body, attempts, offset }) => [body, attempts, offset])).toEqual([
      ['a1', 2, 0],
    ])
    await b!.ack()
    expect((await one.receive({ max: 5 })).map(({ body }) => body)).toEqual(['b2'])
  })

  it('gives back what was not acknowledged when a subscription closes, and ends its loops', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    const sub = topic.subscribe('s', { from: 'earliest' })
    await topic.publishMany([{ body: 1 }, { body: 2 }])
    const seen: number[] = []
    const looping = (async () => {
      for await (const message of sub) {
        seen.push(message.body)
        if (message.body === 1) await message.ack()
      }
    })()
    await settled()
    await sub.close()
    await looping
    expect(seen).toEqual([1, 2])
    await expect(sub.receive()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    const again = topic.subscribe('s')
    expect((await again.receive({ max: 5 })).map(({ body }) => body)).toEqual([2])
  })

  it('buries what a subscription cannot handle, filters and maps that throw included', async () => {
    await using store = await TestStore.open()
    const topic = store.db.topic<number>('t')
    const sub = topic.subscribe<number>('s', {
      from: 'earliest',
      maxAttempts: 1,
      map: ({ body }) => {
        if (body === 1) throw new Error('cannot be mapped')
        return body * 10
      },
    })
    await topic.publishMany([{ body: 1 }, { body: 2 }])
    expect((await sub.receive({ max: 5 })).map(({ body }) => body)).toEqual([20])
    await settled()
    const [dead] = await store.db.queue('t/s.dead').receive()
    expect(dead).toMatchObject({ body: 1, deadLetter: { queue: 't/s', reason: 'cannot be mapped', attempts: 1 } })
  })
})
