import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/queue/messaging-database.js'
import { TestStore } from './stores.js'

const MiB = 1024 * 1024
const INVALID = { code: 'SILT_INVALID_ARGUMENT' }

/** What is taken for bytes and costs nothing until somebody reads it. */
const tooLarge = Buffer.alloc(257 * MiB)

/** Every way in, with a body that is too large. */
const ways: Record<string, (db: Database) => Promise<unknown>> = {
  send: (db) => db.queue('q').send(tooLarge),
  'send with a delay': (db) => db.queue('q').send(tooLarge, { delay: 10 }),
  sendMany: (db) => db.queue('q').sendMany([{ body: 'a' }, { body: tooLarge }]),
  'a batch': async (db) => db.batch().put('k', 'v').send(db.queue('q'), 'a').send(db.queue('q'), tooLarge).write(),
  'a batch with a key that is too long': (db) =>
    db.batch([
      { type: 'send', queue: db.queue('q'), body: 'a' },
      { type: 'put', key: 'k'.repeat(70_000), value: 'v' },
    ]),
  publish: (db) => db.topic('t').publish(tooLarge),
  append: (db) => db.log('l').append(tooLarge),
  appendMany: (db) => db.log('l').appendMany(['a', tooLarge]),
  repeat: (db) => db.queue('q').repeat('r', { every: 1000 }, tooLarge),
}

describe('a message that is too large', () => {
  it('is refused, and nothing else suffers for it', async () => {
    await using store = await TestStore.open()
    const { db } = store
    const sub = db.topic('t').subscribe('s', { from: 'earliest' })
    await db.put('before', '')
    const { position } = db.stats().log
    const memory = db.stats().memory
    for (const way of Object.values(ways)) await expect((async () => way(db))()).rejects.toMatchObject(INVALID)
    expect(db.stats().log.position).toBe(position)
    expect(db.stats().memory).toEqual(memory)
    await db.queue('q').send('one')
    await db.topic('t').publish('one')
    await db.log('l').append('one')
    expect((await db.queue('q').receive({ max: 5 })).map(({ id, body }) => [id, body])).toEqual([['0', 'one']])
    expect((await sub.receive({ max: 5 })).map(({ offset, body }) => [offset, body])).toEqual([[0, 'one']])
    expect(db.log('l').stats()).toMatchObject({ first: 0, next: 1 })
    const again = await store.reopen()
    expect(again.queue('q').stats()).toMatchObject({ depth: 1, sent: 1 })
    expect((await again.verify()).findings).toEqual([])
  })

  /** A reason is for people, and stands beside the message in one value. */
  it('does not come of a reason that is long', async () => {
    await using store = await TestStore.open()
    const q = store.db.queue('q', { maxAttempts: 2, backoff: { base: 10, max: 10, jitter: false } })
    await q.send('x')
    for (let attempt = 0; attempt < 2; attempt++) {
      const [message] = await q.receive()
      await message!.nack({ reason: 'r'.repeat(10 * MiB) })
      await store.advance(10)
    }
    const [dead] = await store.db.queue('q.dead').receive()
    expect(dead!.deadLetter!.reason).toMatch(/^r{2000}…$/)
  })
})

describe('the log', () => {
  /** What a record may take is what was asked for, or it is a mistake that is noticed at once, and changes nothing. */
  it('takes no record that is larger than what was promised', async () => {
    await using store = await TestStore.open()
    const { pipeline } = store.db.engine
    const { position } = store.db.stats().log
    const offset = pipeline.begin(10, false)
    let refused = 0
    const outcome = { committed: () => {}, refused: () => refused++ }
    expect(() => pipeline.commit(offset + 11, 1, false, outcome)).toThrow('no more room than was asked for')
    expect(() => pipeline.commitSync(offset + 11, 1, false, outcome)).toThrow('no more room than was asked for')
    expect(refused).toBe(2)
    expect(store.db.stats().log.position).toBe(position)
    await store.db.put('a', '1')
    const again = await store.reopen()
    expect(again.getSync('a')).toBe('1')
  })
})
