import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import type { Queue } from '../../src/queue/queue.js'
import { temporaryDirectories } from '../store/temporary.js'
import { TestStore } from './stores.js'

/*
 * Ten million messages take a minute: `node dist/bench/backlog.js 10_000_000` shows the same at that size. Here it is a hundred
 * thousand, on small segments, so that nearly all of them lie in tables.
 */
const COUNT = 100_000
const newDirectory = temporaryDirectories()
const SMALL = { writeBufferBytes: 1024 * 1024, executor: 'inline' } as const

async function fill(q: Queue<number>, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 1000) {
    await q.sendMany(Array.from({ length: 1000 }, (_, i) => ({ body: sent + i })))
  }
}

async function drain(q: Queue<number>, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const messages = await q.receive({ max: Math.min(left, 500) })
    expect(messages.length).toBeGreaterThan(0)
    left -= messages.length
    await q.ackMany(messages)
  }
}

/** Blocks that taking some messages asks for, each of which is a read from memory or from the disk. */
async function blocksFor(db: Database, q: Queue<number>, count: number): Promise<number> {
  const before = db.stats().cache
  for (let i = 0; i < count; i++) {
    const messages = await q.receive()
    await q.ackMany(messages)
  }
  const { hits, misses } = db.stats().cache
  return hits + misses - before.hits - before.misses
}

function bytesOf(directory: string): number {
  return readdirSync(directory).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0)
}

describe('a backlog', () => {
  it('costs the same to take from at any size, acknowledged messages at its head are never walked over, and its space comes back', async () => {
    const directory = newDirectory()
    // In the machine's own time: that of compactions behind a quick writer must not stand still.
    const reopen = (): Promise<Database> => open(directory, SMALL)
    let db = await reopen()
    let q = db.queue<number>('q')
    await fill(q, COUNT)
    await db.flush()
    await db.close()
    expect(bytesOf(directory)).toBeGreaterThan(COUNT * 20)

    db = await reopen()
    q = db.queue<number>('q')
    expect(q.stats().depth).toBe(COUNT)
    const [first] = await q.receive()
    expect(first!.body).toBe(0)
    await first!.ack()
    const blocksWhenFull = await blocksFor(db, q, 200)
    await drain(q, COUNT - 1000 - 201)
    const blocksWhenDrained = await blocksFor(db, q, 200)
    expect(blocksWhenDrained).toBeLessThanOrEqual(blocksWhenFull * 1.5 + 20)
    // The same behind a restart, with nothing but tombstones and trim points between the beginning and the head.
    await db.close()
    db = await reopen()
    q = db.queue<number>('q')
    expect((await q.peek())[0]!.body).toBe(COUNT - 800)
    const blocksAfterRestart = await blocksFor(db, q, 200)
    expect(blocksAfterRestart).toBeLessThanOrEqual(blocksWhenFull * 1.5 + 40)

    await drain(q, 600)
    expect(q.stats()).toMatchObject({ depth: 0, sent: COUNT, acked: COUNT, bytes: 0 })
    await db.close()
    db = await reopen()
    expect(db.queue('q').stats().depth).toBe(0)
    await db.flush()
    await db.idle()
    expect(
      db.stats().keyspaces.filter(({ levels }) => levels.some(({ tables }) => tables > 0)).length,
    ).toBeLessThanOrEqual(1)
    expect(bytesOf(directory)).toBeLessThan(64 * 1024)
    await db.close()
    db = await reopen()
    expect(db.queue('q').stats()).toMatchObject({ depth: 0, sent: COUNT, acked: COUNT })
    await db.close()
  })

  it('of delayed messages is counted and looked at without being read, before and after reopening', async () => {
    await using store = await TestStore.open()
    const count = 20_000
    let q = store.db.queue<number>('q')
    for (let sent = 0; sent < count; sent += 1000) {
      await q.sendMany(Array.from({ length: 1000 }, (_, i) => ({ body: sent + i, delay: 3_600_000 + i })))
    }
    await store.db.flush()
    await store.reopen()
    q = store.db.queue<number>('q')
    const { hits, misses } = store.db.stats().cache
    expect(q.stats()).toMatchObject({ depth: count, delayed: count, ready: 0 })
    expect(await q.peek({ max: 3 })).toEqual([])
    expect(await q.receive()).toEqual([])
    const { cache } = store.db.stats()
    // Reading all of it asks for some 250 blocks.
    expect(cache.hits + cache.misses - hits - misses).toBeLessThan(50)
    await store.advance(3_600_000)
    expect(q.stats()).toMatchObject({ delayed: count - count / 1000, ready: count / 1000 })
    expect((await q.peek({ max: 3 })).map(({ body }) => body)).toEqual([0, 1000, 2000])
  })

  it('never comes into being where messages are consumed soon: they die in memory', async () => {
    await using store = await TestStore.open({ writeBufferBytes: 256 * 1024 })
    const { db } = store
    const q = db.queue<number>('q')
    for (let round = 0; round < 200; round++) {
      await q.sendMany(Array.from({ length: 50 }, (_, i) => ({ body: i, headers: { pad: 'x'.repeat(200) } })))
      await drain(q, 50)
    }
    await db.flush()
    await db.idle()
    const { flushes, log } = db.stats()
    // 10,000 messages and what was remembered of them went through the log; what is left are figures.
    expect(log.position).toBeGreaterThan(3_000_000)
    expect(flushes.count).toBeGreaterThan(5)
    expect(flushes.bytesWritten).toBeLessThan(log.position / 20)
  })
})

describe('many queues', () => {
  it('share one store, each on its own, through restarts', async () => {
    await using store = await TestStore.open()
    const count = 500
    await Promise.all(
      Array.from({ length: count }, (_, i) =>
        store.db.queue<number>(`q${i}`).sendMany([{ body: i }, { body: i + 0.5 }]),
      ),
    )
    await store.db.flush()
    await store.reopen()
    expect(store.db.queueNames()).toHaveLength(count)
    for (let i = 0; i < count; i++) {
      const messages = await store.db.queue<number>(`q${i}`).receive({ max: 5 })
      expect(messages.map(({ body }) => body)).toEqual([i, i + 0.5])
      await store.db.queue<number>(`q${i}`).ackMany(messages)
    }
    await store.advance(100)
    await store.db.flush()
    await store.db.idle()
    expect(store.db.stats().files).toBeLessThanOrEqual(1)
  })
})
