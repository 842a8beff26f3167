import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import type { HandlerContext } from '../../src/queue/handler-loop.js'
import { openSharded } from '../../src/shard.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { temporaryDirectories } from '../store/temporary.js'
import { settled, TestStore } from './stores.js'

const directory = temporaryDirectories()

const VISIBILITY_MS = 1000
const rules = { visibilityTimeout: VISIBILITY_MS, backoff: { base: 10, max: 10, jitter: false }, maxAttempts: 3 }

/** A handler that never comes to its end, and what it was called with. */
class Hanging {
  readonly calls: { message: Received; signal: AbortSignal }[] = []
  readonly handle = (message: Received, { signal }: HandlerContext): Promise<never> => {
    this.calls.push({ message, signal })
    return new Promise(() => {})
  }
}

interface Received {
  readonly body: unknown
  readonly attempts: number
  ack(): Promise<void>
}

interface Worker {
  readonly active: number
  stop(options?: { timeout?: number; force?: boolean }): Promise<void>
}

/** What the handlers of one kind of source are fed from. */
interface Ground {
  send(body: string): Promise<unknown>
  consume(handle: (message: never, context: HandlerContext) => unknown, options?: object): Worker
  /** Takes one message by hand. */
  receive(): Promise<Received[]>
  /** Messages that are not done with. */
  left(): number
  advance(ms: number): Promise<void>
  close(options?: { timeout?: number }): Promise<void>
}

async function queueGround(): Promise<Ground> {
  const store = await TestStore.open()
  const q = store.db.queue<string>('q', rules)
  return {
    send: (body) => q.send(body),
    consume: (handle, options) => q.consume(handle as never, options),
    receive: () => q.receive(),
    left: () => q.stats().depth,
    advance: (ms) => store.advance(ms),
    close: (options) => store.db.close(options),
  }
}

async function subscriptionGround(): Promise<Ground> {
  const store = await TestStore.open()
  const topic = store.db.topic<string>('t')
  const sub = topic.subscribe('s', { from: 'earliest', ...rules })
  return {
    send: (body) => topic.publish(body),
    consume: (handle, options) => sub.consume(handle as never, options),
    receive: () => sub.receive(),
    left: () => sub.lag(),
    advance: (ms) => store.advance(ms),
    close: (options) => store.db.close(options),
  }
}

async function shardedGround(kind: 'queue' | 'topic'): Promise<Ground> {
  const clock = new ManualClock()
  const store = await openSharded('/store', {
    shards: ['a', 'b'],
    fs: new MemoryFileSystem(),
    executor: 'inline',
    clock,
  })
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await settled(20)
  }
  const close = (options?: { timeout?: number }): Promise<void> => store.close(options)
  if (kind === 'queue') {
    const q = store.queue<string>('q', rules)
    return {
      send: (body) => q.send(body, { group: body }),
      consume: (handle, options) => q.consume(handle as never, options),
      receive: () => q.receive(),
      left: () => q.stats().depth,
      advance,
      close,
    }
  }
  const topic = store.topic<string>('t')
  const sub = topic.subscribe('s', { from: 'earliest', ...rules })
  return {
    send: (body) => topic.publish(body, { key: body }),
    consume: (handle, options) => sub.consume(handle as never, options),
    receive: () => sub.receive(),
    left: () => sub.lag(),
    advance,
    close,
  }
}

const grounds: Record<string, () => Promise<Ground>> = {
  'of a queue': queueGround,
  'of a subscription': subscriptionGround,
  'of a sharded queue': () => shardedGround('queue'),
  'of a sharded subscription': () => shardedGround('topic'),
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 2000) throw new Error('what was waited for did not happen')
    await settled(1)
  }
}

for (const [what, make] of Object.entries(grounds)) {
  describe(`handlers ${what}`, () => {
    it('are given up when their time is over: the message comes again, counted, and what they do later is stale', async () => {
      const ground = await make()
      const { calls, handle } = new Hanging()
      ground.consume(handle, { timeout: 500 })
      await ground.send('x')
      await until(() => calls.length === 1)
      await ground.advance(499)
      expect(calls[0]!.signal.aborted).toBe(false)
      await ground.advance(1)
      expect(calls[0]!.signal.reason).toMatchObject({ code: 'SILT_TIMEOUT' })
      await expect(calls[0]!.message.ack()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
      await ground.advance(10)
      await until(() => calls.length === 2)
      expect(calls[1]!.message.attempts).toBe(2)
      await ground.advance(500)
      await ground.advance(10)
      await until(() => calls.length === 3)
      await ground.advance(500)
      // Tried as often as it may be: it is dead.
      await until(() => ground.left() === 0)
      await ground.close()
    })

    it('lose nothing by ending in time, and their late results are ignored', async () => {
      const ground = await make()
      const ends: (() => void)[] = []
      const worker = ground.consume(() => new Promise<void>((resolve) => ends.push(resolve)), { timeout: 500 })
      await ground.send('x')
      await until(() => ends.length === 1)
      await ground.advance(500)
      ends[0]!()
      await ground.advance(10)
      await until(() => ends.length === 2)
      expect(ground.left()).toBe(1)
      ends[1]!()
      await until(() => ground.left() === 0)
      await until(() => worker.active === 0)
      await ground.advance(2000)
      expect(ends).toHaveLength(2)
      await ground.close()
    })

    it('are waited for by stop() for a visibility timeout, which is theirs meanwhile', async () => {
      const ground = await make()
      const { calls, handle } = new Hanging()
      const worker = ground.consume(handle)
      await ground.send('x')
      await until(() => calls.length === 1)
      let isStopped = false
      const stopped = worker.stop().then(() => {
        isStopped = true
      })
      expect(calls[0]!.signal.aborted).toBe(true)
      await ground.advance(VISIBILITY_MS - 1)
      expect(isStopped).toBe(false)
      expect(await ground.receive()).toEqual([])
      await ground.advance(1)
      await stopped
      await ground.advance(10)
      expect(await ground.receive()).toMatchObject([{ body: 'x', attempts: 2 }])
      await ground.close()
    })

    it('are waited for by stop() as long as it says, and not at all with force, also when said later', async () => {
      const ground = await make()
      const { calls, handle } = new Hanging()
      const worker = ground.consume(handle)
      await ground.send('x')
      await until(() => calls.length === 1)
      let isStopped = false
      const stopped = worker.stop({ timeout: Number.POSITIVE_INFINITY }).then(() => {
        isStopped = true
      })
      for (let i = 0; i < 10; i++) await ground.advance(VISIBILITY_MS)
      expect(isStopped).toBe(false)
      expect(await ground.receive(), 'the message stays theirs').toEqual([])
      await Promise.all([worker.stop({ force: true }), stopped])
      await ground.advance(10)
      expect(await ground.receive()).toMatchObject([{ body: 'x', attempts: 2 }])
      await ground.close()
    })

    it('that hang do not hang close(), for longer than it says', async () => {
      const ground = await make()
      const { calls, handle } = new Hanging()
      ground.consume(handle)
      await ground.send('x')
      await until(() => calls.length === 1)
      await ground.close({ timeout: 0 })
      expect(calls[0]!.signal.aborted).toBe(true)
    })

    it('that hang hold close() for 30 seconds where it says nothing', async () => {
      const ground = await make()
      const { calls, handle } = new Hanging()
      ground.consume(handle)
      await ground.send('x')
      await until(() => calls.length === 1)
      let isClosed = false
      const closed = ground.close().then(() => {
        isClosed = true
      })
      await ground.advance(29_999)
      expect(isClosed).toBe(false)
      await ground.advance(1)
      await closed
    })

    it('end early where they listen to their signal', async () => {
      const ground = await make()
      const worker = ground.consume(
        (_: never, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
          }),
      )
      await ground.send('x')
      await until(() => worker.active === 1)
      await worker.stop()
      await ground.close()
    })

    it('refuse what makes no sense', async () => {
      const ground = await make()
      expect(() => ground.consume(() => {}, { timeout: -1 })).toThrow(/timeout/)
      expect(() => ground.consume(() => {}, { timeOut: 1 })).toThrow(/did you mean 'timeout'/)
      const worker = ground.consume(() => {})
      await expect(worker.stop({ timeout: 'soon' as never })).rejects.toThrow(/timeout/)
      await expect(ground.close({ timeout: -1 })).rejects.toThrow(/timeout/)
      await ground.close()
    })
  })
}

it('handlers over shards in threads of their own are given up as well', { timeout: 30_000 }, async () => {
  const store = await openSharded(directory(), { shards: ['a', 'b'], threads: true })
  const q = store.queue<string>('q', { backoff: { base: 1, max: 1, jitter: false }, maxAttempts: 2 })
  const { calls, handle } = new Hanging()
  q.consume(handle as never, { timeout: 20 })
  await q.send('x', { group: 'g' })
  const dead = store.queue('q.dead')
  const [letter] = await dead.receive({ wait: 20_000 })
  expect(letter).toMatchObject({
    body: 'x',
    deadLetter: { attempts: 2, reason: expect.stringMatching(/timeout of 20 ms/) },
  })
  expect(calls).toHaveLength(2)
  await expect(calls[1]!.message.ack()).rejects.toMatchObject({ code: 'SILT_STALE_RECEIPT' })
  store.queue<string>('other').consume(handle as never)
  await store.queue<string>('other').send('y')
  await until(() => calls.length === 3)
  await store.close({ timeout: 0 })
  expect(calls[2]!.signal.aborted).toBe(true)
})
