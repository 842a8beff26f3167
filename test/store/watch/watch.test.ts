import { describe, expect, it } from 'vitest'
import { type Database, open, type PullStream, type WatchChange } from '../../../src/index.js'
import { withSeeds } from '../../simulation/reproduce.js'

type Change = WatchChange<string, string>

/** What is waiting to be told: a watcher that was busy until now. */
async function toldBy(watch: PullStream<Change>, db: Database): Promise<Change[]> {
  const changes: Change[] = []
  const end = Symbol('end')
  await db.put('the end', '')
  for (;;) {
    const { value } = await Promise.race([
      watch.next(),
      new Promise<{ value: typeof end }>((resolve) => setImmediate(resolve, { value: end })),
    ])
    if (value === end || value === undefined) break
    changes.push(value)
  }
  await watch.return()
  return changes
}

describe('watch', () => {
  it('tells of one key, with the position of the commit', async () => {
    await using db = await open(':memory:')
    await db.put('key', 'before')
    const watch = db.watch({ key: 'key' })
    await db.put('key', 'after')
    await db.put('key 2', 'another')
    const { value: put } = await watch.next()
    using snapshot = db.snapshot()
    expect(put).toMatchObject({ type: 'put', key: 'key', value: 'after' })
    expect(put!.position).toBeLessThan(snapshot.position)
    const next = watch.next()
    await db.del('key')
    expect((await next).value).toMatchObject({ type: 'del', key: 'key' })
    expect((await next).value!.value).toBeUndefined()
  })

  it('tells of a prefix, a range or everything in its keyspace', async () => {
    await using db = await open(':memory:')
    const users = db.keyspace('users')
    const watches = [db.watch({ prefix: 'b' }), db.watch({ gt: 'a', lte: 'ba' }), db.watch(), users.watch({ gte: 'b' })]
    await db.batch([
      { type: 'put', key: 'a', value: '' },
      { type: 'put', key: 'b', value: '' },
      { type: 'put', key: 'b', value: '', keyspace: users },
      { type: 'put', key: 'ba', value: '' },
      { type: 'put', key: 'bb', value: '' },
      { type: 'put', key: 'c', value: '' },
    ])
    const told = await Promise.all(watches.map((watch) => toldBy(watch, db)))
    expect(told.map((changes) => changes.map(({ key }) => key))).toEqual([
      ['b', 'ba', 'bb'],
      ['b', 'ba'],
      ['a', 'b', 'ba', 'bb', 'c', 'the end'],
      ['b'],
    ])
  })

  it('keeps only the newest change of each key for a slow reader, in the order of the commits', async () => {
    await using db = await open(':memory:')
    const watch = db.watch({ prefix: 'k' })
    for (let i = 0; i < 1000; i++) await db.put(`k${i % 3}`, String(i))
    await db.del('k1')
    const changes = await toldBy(watch, db)
    expect(changes).toMatchObject([
      { type: 'put', key: 'k2', value: '998' },
      { type: 'put', key: 'k0', value: '999' },
      { type: 'del', key: 'k1' },
    ])
    expect(changes.map(({ position }) => position)).toEqual(
      changes.map(({ position }) => position).toSorted((a, b) => a - b),
    )
  })

  it('tells of a cleared range once, without what it covers, and as far as it is watched', async () => {
    await using db = await open(':memory:')
    const watch = db.watch({ gte: 'c', lt: 'p' })
    const key = db.watch({ key: 'd' })
    const elsewhere = db.watch({ key: 'x' })
    await db.put('d', '1')
    await db.put('m', '2')
    await db.clear({ gte: 'a', lt: 'e' })
    await db.clear({ gte: 'b', lt: 'g' })
    await db.put('d', '3')
    expect(await toldBy(watch, db)).toMatchObject([
      { type: 'put', key: 'm' },
      { type: 'clear', start: 'c', end: 'g' },
      { type: 'put', key: 'd', value: '3' },
    ])
    expect(await toldBy(key, db)).toMatchObject([{ type: 'put', key: 'd', value: '3' }])
    expect(await toldBy(elsewhere, db)).toEqual([])
    const again = db.watch({ key: 'd' })
    await db.clear()
    expect(await toldBy(again, db)).toMatchObject([{ type: 'del', key: 'd' }])
  })

  it('tells nothing that is not visible, nothing that failed, and costs nothing once it is left', async () => {
    await using db = await open(':memory:')
    const watch = db.watch({ key: 'a' })
    const failing = db.transaction((tx) => {
      tx.putSync('a', 'never')
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const written = db.put('a', '1', { sync: true })
    let told = false
    const next = watch.next().then(() => {
      told = true
    })
    await Promise.resolve()
    expect(told).toBe(false)
    await written
    await next
    expect(db.engine.commits.count).toBe(1)
    await db.put('a', '2')
    for await (const { value } of watch) {
      expect(value).toBe('2')
      break
    }
    expect(db.engine.commits.count).toBe(0)
  })

  it('ends with its signal, with the store, and not before everything is told', async () => {
    const db = await open(':memory:')
    const controller = new AbortController()
    const watch = db.watch({ key: 'a' }, { signal: controller.signal })
    const waiting = watch.next()
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    const until = db.watch({ prefix: 'b' })
    await db.put('b1', '')
    const last = db.put('b2', '')
    await db.close()
    await last
    const keys: (string | undefined)[] = []
    for await (const { key } of until) keys.push(key)
    expect(keys).toEqual(['b1', 'b2'])
    expect(() => db.watch()).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
  })

  it('refuses what it cannot look at', async () => {
    await using db = await open(':memory:')
    for (const target of [{ key: 'a', prefix: 'b' }, { kye: 'a' }, { key: null }, 'a']) {
      expect(() => db.watch(target as object), JSON.stringify(target)).toThrow(
        expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
      )
    }
  })

  it('keeps a copy of what is watched equal to it, however slow the reader is', () =>
    withSeeds(20, async (random) => {
      await using db = await open(':memory:', { executor: 'inline', writeBufferBytes: 64 * 1024 })
      const range = { gte: 'key 2', lt: 'key 8' }
      const watch = db.watch(range)
      const copy = new Map<string, string>()
      const key = (): string => `key ${random.below(100)}`
      for (let i = 0; i < 300; i++) {
        if (random.chance(0.05)) await db.clear(random.pick([{ gte: key(), lt: key() }, { prefix: 'key 3' }, {}]))
        else if (random.chance(0.2)) await db.del(key())
        else await db.put(key(), String(i))
        if (random.chance(0.01)) await db.flush()
      }
      for (const change of await toldBy(watch, db)) {
        if (change.type === 'put') copy.set(change.key, change.value)
        else if (change.type === 'del') copy.delete(change.key)
        else {
          const { start = '', end = '~' } = change
          for (const each of [...copy.keys()]) if (each >= start && each < end) copy.delete(each)
        }
      }
      expect([...copy].toSorted()).toEqual([...db.entries(range)])
    }))
})
