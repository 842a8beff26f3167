import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { indexed, open, replicate } from '../../src/index.js'
import { openSharded } from '../../src/shard.js'
import { ODD_VALUES } from '../odd-values.js'
import { settled, TestStore } from './stores.js'

const rules = { maxAttempts: 2, backoff: { base: 1, max: 1, jitter: false } }

/** What reached the process, though somebody should have been told. */
const strays: unknown[] = []
const onStray = (stray: unknown): void => void strays.push(stray)

beforeEach(() => {
  process.on('unhandledRejection', onStray)
  process.on('uncaughtException', onStray)
})

afterEach(async () => {
  await settled(4)
  process.off('unhandledRejection', onStray)
  process.off('uncaughtException', onStray)
  expect(strays.splice(0).length, 'errors that nobody caught').toBe(0)
})

const isText = expect.stringMatching(/^\S.*$/)

/** Resolves with what was thrown, whatever it is: comparing it would read it. */
async function thrownBy(act: () => unknown): Promise<{ readonly isThrown: boolean }> {
  try {
    await act()
    return { isThrown: false }
  } catch {
    return { isThrown: true }
  }
}

async function openStore(): Promise<TestStore> {
  return TestStore.open()
}

for (const [what, make] of Object.entries(ODD_VALUES)) {
  const fail = (): never => {
    throw make()
  }

  describe(`${what}`, () => {
    it('thrown by handlers, at once or later, and by maps fails the message and no more', async () => {
      await using store = await openStore()
      const { db } = store
      const q = db.queue('q', rules)
      const later = db.queue('later', rules)
      q.consume(fail)
      later.consume(async () => {
        await settled(1)
        fail()
      })
      const topic = db.topic<string>('t')
      topic.subscribe('map', { from: 'earliest', map: fail, ...rules }).consume(() => {})
      topic.subscribe('handler', { from: 'earliest', ...rules }).consume(fail)
      await Promise.all([q.send('x'), later.send('x'), topic.publish('x')])
      for (let i = 0; i < 4; i++) await store.advance(1)
      for (const name of ['q.dead', 'later.dead', 't/map.dead', 't/handler.dead']) {
        expect(await db.queue(name).peek(), name).toMatchObject([
          { body: 'x', deadLetter: { reason: isText, attempts: 2 } },
        ])
      }
    })

    it('given as the reason of a nack is a text', async () => {
      await using store = await openStore()
      const q = store.db.queue('q', { maxAttempts: 1 })
      await q.send('x')
      const [message] = await q.receive()
      await message!.nack({ reason: make() as string })
      const [letter] = await store.db.queue('q.dead').peek()
      expect(letter?.deadLetter?.reason).toMatch(/^\S.*$/)
    })

    it('thrown by a filter fails the delivery every time, until the message is dead, and others go on', async () => {
      await using store = await openStore()
      const topic = store.db.topic<number>('t')
      const asked: number[] = []
      const sub = topic.subscribe('s', {
        from: 'earliest',
        ...rules,
        filter: ({ body }) => {
          asked.push(body)
          if (body === 1) fail()
          return body !== 2
        },
      })
      for (const body of [0, 1, 2, 3]) await topic.publish(body)
      const seen: number[] = []
      for (let i = 0; i < 6; i++) {
        for (const message of await sub.receive({ max: 9 })) {
          seen.push(message.body)
          await message.ack()
        }
        await store.advance(1)
      }
      expect(seen).toEqual([0, 3])
      expect(asked.filter((body) => body === 1)).toHaveLength(2)
      expect(sub.lag()).toBe(0)
      expect(await store.db.queue('t/s.dead').peek({ max: 9 })).toMatchObject([
        { body: 1, deadLetter: { reason: isText, attempts: 2 } },
      ])
    })

    it('thrown by encodings fails the call that needed them, and leaves the store as it was', async () => {
      const db = await open<string, string>(':memory:')
      await db.put('a', '1')
      const broken = db.keyspace<string, string>('broken', { valueEncoding: { encode: fail, decode: fail } })
      const plain = db.keyspace<string, string>('plain')
      const acts = [
        () => broken.put('k', 'v'),
        () => broken.putSync('k', 'v'),
        () => db.batch().put('b', '2').put('k', 'v', { keyspace: broken }).write(),
        () => db.batch([{ type: 'put', key: 'k', value: 'v', keyspace: broken }]),
        () => db.transaction((tx) => tx.keyspace(broken).put('k', 'v')),
      ]
      for (const act of acts) expect(await thrownBy(act)).toEqual({ isThrown: true })
      expect(await db.get('b')).toBeUndefined()
      await plain.put('k', 'v')
      const unreadable = db.keyspace<string, string>('plain', { valueEncoding: { encode: String, decode: fail } })
      const reads = [
        () => unreadable.get('k'),
        () => unreadable.getSync('k'),
        () => unreadable.values().toArray(),
        async () => {
          for await (const _ of db.changes({ since: 0, follow: false }));
        },
      ]
      for (const read of reads) expect(await thrownBy(read)).toEqual({ isThrown: true })
      expect(await db.get('a')).toBe('1')
      await db.close()
    })

    it('thrown by transactions, indexes and progress reports goes to whoever gave them', async () => {
      const db = await open<string, string>(':memory:')
      const acts = [
        () => db.transaction(fail),
        () =>
          db.transaction(async (tx) => {
            await tx.put('a', '1')
            fail()
          }),
        () => db.transactionSync(fail),
        async () => {
          const users = await indexed(db.keyspace<string, string>('users'), { broken: fail })
          await users.put('a', '1')
        },
      ]
      for (const act of acts) expect(await thrownBy(act)).toEqual({ isThrown: true })
      expect(await db.get('a')).toBeUndefined()
      await db.put('a', '1')
      const replica = await open(':memory:')
      expect(await thrownBy(() => replicate(db, replica, { follow: false, onProgress: fail }))).toEqual({
        isThrown: true,
      })
      await replicate(db, replica, { follow: false })
      expect(await replica.get('a')).toBe('1')
      await replica.close()
      await db.close()
    })

    it('given as an option is named in the error', async () => {
      const db = await open(':memory:')
      const value = make() as never
      const acts = [
        () => db.queue('q', { maxAttempts: value, visibilityTimeout: value }),
        () => db.queue('q').consume(value),
        () => db.queue('q').consume(() => {}, { timeout: value }),
        () => db.queue('q').receive({ max: value }),
        () => db.topic('t').subscribe('s', { filter: value }),
      ]
      for (const act of acts) {
        // What is left out, and what happens to be right, is refused by nobody.
        if (make() === undefined || typeof make() === 'function' || make() === 0) continue
        await expect((async () => act())()).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
      }
      await db.close()
    })
  })
}

// Each of these takes a store of several shards; the texts are made in the same place.
for (const what of ['undefined', 'a symbol', 'an object without a prototype', 'a revoked proxy']) {
  const fail = (): never => {
    throw ODD_VALUES[what]!()
  }

  describe(`${what} over shards`, () => {
    it('thrown by handlers, filters and maps fails the message and no more', async () => {
      const fs = new MemoryFileSystem()
      const store = await openSharded('/store', { shards: ['a', 'b'], fs, executor: 'inline' })
      const q = store.queue<string>('q', { ...rules, maxAttempts: 1 })
      q.consume(fail)
      const topic = store.topic<string>('t')
      const options = { from: 'earliest', ...rules, maxAttempts: 1 } as const
      topic.subscribe('filter', { ...options, filter: fail }).consume(() => {})
      topic.subscribe('map', { ...options, map: fail }).consume(() => {})
      await Promise.all([q.send('x'), topic.publish('x', { key: 'k' })])
      for (const name of ['q.dead', 't/filter.dead', 't/map.dead']) {
        const [letter] = await store.queue(name).receive({ wait: 20_000 })
        expect(letter, name).toMatchObject({ body: 'x', deadLetter: { reason: isText, attempts: 1 } })
      }
      await store.close()
    })

    it('thrown by the progress report of a rebalance fails the call, and the keys move all the same', async () => {
      const fs = new MemoryFileSystem()
      const store = await openSharded('/store', { shards: ['a'], fs, executor: 'inline' })
      for (let i = 0; i < 50; i++) await store.put(`k${i}`, 'v')
      expect(await thrownBy(() => store.addShard('b', { onProgress: fail }))).toEqual({ isThrown: true })
      await store.addShard('c')
      for (let i = 0; i < 50; i++) expect(await store.get(`k${i}`)).toBe('v')
      expect(new Set(Array.from({ length: 50 }, (_, i) => store.locate(`k${i}`))).size).toBe(3)
      await store.close()
    })
  })
}
