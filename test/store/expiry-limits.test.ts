import { describe, expect, it } from 'vitest'
import { LATEST_EXPIRY, LONGEST_TTL } from '../../src/bytes/units.js'
import { type Database, MemoryFileSystem, type OpenOptions, open, replicate } from '../../src/index.js'
import { KIND_PUT_EXPIRING, operationBytes, operationExpiresAt, putOperationHeader } from '../../src/log/operation.js'
import { openSharded } from '../../src/shard.js'
import { TestStore } from '../queue/stores.js'
import { ManualClock } from '../simulation/manual-clock.js'

/*
 * Every way to write a key that expires, with every time to live that is allowed at its edges, under clocks that stand anywhere, is seen until
 * its time ends and not after, wherever the key has got to by then.
 */

const NOW = 1_700_000_000_000
const CLOCKS = [0, NOW, LONGEST_TTL, LATEST_EXPIRY - 5]
const TTLS = [1, 2.5, 2 ** 32, 2 ** 40, LONGEST_TTL - 1, LONGEST_TTL]

type Write = (db: Database, key: string, ttl: number) => unknown
const writes: Record<string, Write> = {
  put: (db, key, ttl) => db.put(key, 'v', { ttl }),
  putSync: (db, key, ttl) => db.putSync(key, 'v', { ttl }),
  batch: (db, key, ttl) => db.batch([{ type: 'put', key, value: 'v', ttl }]),
  chained: (db, key, ttl) => db.batch().put(key, 'v', { ttl }).write(),
  transaction: (db, key, ttl) => db.transaction((tx) => tx.put(key, 'v', { ttl })),
  compareAndSet: (db, key, ttl) => db.compareAndSet(key, undefined, 'v', { ttl }),
}

const keyOf = (write: string, ttl: number): string => `${write}/${ttl}`

async function expectAlive(db: Database, alive: (ttl: number) => boolean): Promise<void> {
  const keys = Object.keys(writes).flatMap((write) => TTLS.map((ttl) => [keyOf(write, ttl), alive(ttl)] as const))
  const expected = keys.filter(([, isAlive]) => isAlive).map(([key]) => key)
  for (const [key, isAlive] of keys) expect([key, await db.get(key)]).toEqual([key, isAlive ? 'v' : undefined])
  expect(await db.keys().toArray()).toEqual(expected.toSorted())
}

describe.each(CLOCKS)('under a clock that stands at %d', (start) => {
  it('keys that expire are there until their time ends, wherever they have got to', async () => {
    const clock = new ManualClock(start)
    const fs = new MemoryFileSystem()
    const options: OpenOptions = { clock, fs, executor: 'inline', logRetention: { bytes: 2 ** 30 } }
    let db = await open('/db', options)
    for (const [name, write] of Object.entries(writes)) {
      for (const ttl of TTLS) await write(db, keyOf(name, ttl), ttl)
    }
    // A moment is never further away than files can say.
    const aliveAt = (now: number) => (ttl: number) => now < Math.min(Math.ceil(start + ttl), LATEST_EXPIRY)
    const replica = await open('/replica', { clock, fs, executor: 'inline' })
    await replicate(db, replica, { follow: false })
    await expectAlive(db, aliveAt(start))
    await db.flush()
    await expectAlive(db, aliveAt(start))
    await db.compact()
    await expectAlive(db, aliveAt(start))
    await db.checkpoint('/copy')
    const copy = await open('/copy', options)
    await replica.flush()
    for (const other of [copy, replica]) {
      await expectAlive(other, aliveAt(start))
      await other.close()
    }
    for (const now of [start + 1, start + 2 ** 32 - 1, start + LONGEST_TTL - 1, LATEST_EXPIRY, 2 ** 50]) {
      if (now < clock.now()) continue
      clock.jump(now - clock.now())
      await db.close()
      db = await open('/db', options)
      await expectAlive(db, aliveAt(now))
      await db.compact()
      await expectAlive(db, aliveAt(now))
    }
    await db.close()
  })
})

it('a longer time to live is refused wherever one is taken, and so is what is none', async () => {
  const store = await TestStore.open()
  const { db } = store
  const shards = await openSharded('/shards', { fs: store.fs, executor: 'inline', shards: ['a'] })
  const refused = { code: 'SILT_INVALID_ARGUMENT' }
  for (const ttl of [LONGEST_TTL + 1, 2 ** 48, 2 ** 53, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1' as never]) {
    for (const write of Object.values(writes)) {
      await expect(async () => write(db as never, 'key', ttl)).rejects.toMatchObject(refused)
    }
    await expect(async () => shards.put('key', 'v', { ttl })).rejects.toMatchObject(refused)
    await expect(async () => shards.batch([{ type: 'put', key: 'key', value: 'v', ttl }])).rejects.toMatchObject(
      refused,
    )
    if (ttl === Number.POSITIVE_INFINITY) continue
    await expect(async () => db.queue('q', { ttl })).rejects.toMatchObject(refused)
    await expect(async () => db.queue('q').send('body', { ttl })).rejects.toMatchObject(refused)
  }
  expect(await db.get('key')).toBeUndefined()
  await shards.close()
  await db.close()
})

it('a moment that lies further away than files can say is the latest that they can', async () => {
  const clock = new ManualClock(NOW)
  const options: OpenOptions = { clock, fs: new MemoryFileSystem(), executor: 'inline' }
  await using db = await open('/db', options)
  const moments = [NOW + 1, LATEST_EXPIRY, LATEST_EXPIRY + 1, 2 ** 50, Number.MAX_SAFE_INTEGER]
  await db.batch(moments.map((expiresAt) => ({ type: 'put', key: `${expiresAt}`, value: 'v', expiresAt })))
  await db.flush()
  expect(await db.count()).toBe(moments.length)
  await db.compact()
  expect(await db.count()).toBe(moments.length)
  clock.jump(1)
  expect(await db.count()).toBe(moments.length - 1)
  clock.jump(LATEST_EXPIRY - clock.now())
  expect(await db.count()).toBe(0)
})

it('an operation that an earlier version wrote with a later moment is read with the latest', () => {
  const bytes = new Uint8Array(operationBytes(KIND_PUT_EXPIRING, 1, 1))
  for (const moment of [2 ** 48, 2 ** 50, Number.MAX_SAFE_INTEGER]) {
    putOperationHeader(bytes, 0, 0, KIND_PUT_EXPIRING, 1, 1, moment)
    expect(operationExpiresAt(bytes, 0)).toBe(LATEST_EXPIRY)
  }
})

it.each(CLOCKS)('messages, delays and dedup ids live as long as they should under a clock at %d', async (start) => {
  const store = await TestStore.open()
  store.clock.jump(start - store.clock.now())
  let db = await store.reopen()
  const rules = { dedupWindow: LONGEST_TTL, backoff: { base: LONGEST_TTL, max: LONGEST_TTL, jitter: false } }
  await db.queue('q', rules).send('alive', { ttl: LONGEST_TTL, dedupId: 'id' })
  await db.queue('q').send('later', { delay: Number.MAX_SAFE_INTEGER })
  await db.queue('failing', rules).send('failing')
  const [failing] = await db.queue('failing').receive()
  await failing!.nack()
  await db.flush()
  db = await store.reopen()
  expect(await db.queue('q', rules).send('again', { dedupId: 'id' })).toMatchObject({ duplicate: true })
  const received = await db.queue('q').receive({ max: 10 })
  expect(received.map(({ body }) => body)).toEqual(['alive'])
  expect(received[0]!.sentAt).toBe(start)
  expect(await db.queue('failing').receive()).toEqual([])
  expect(db.queue('failing').stats().depth).toBe(1)
  await db.close()
})
