import { describe, expect, it } from 'vitest'
import { type Commit, Keyspace, open } from '../../../src/index.js'
import { internalName } from '../../../src/store/internal-trees.js'
import { temporaryDirectories } from '../temporary.js'
import { commitsOf } from './replica.js'

const directory = temporaryDirectories()

describe('changes', () => {
  it('shows every kind of write as it was committed', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace<string, object>('orders', { valueEncoding: 'json' })
    await db.put('a', '1')
    await db.batch([
      { type: 'put', key: 'b', value: '2' },
      { type: 'del', key: 'a' },
      { type: 'put', key: '7', value: { total: 12 }, keyspace: orders },
    ])
    await db.clear({ gte: 'b', lt: 'd' })
    await orders.clear()
    await db.put('brief', 'x', { ttl: 1000 })
    const commits = await commitsOf(db)
    expect(commits.map(({ operations }) => operations)).toMatchObject([
      [{ type: 'put', keyspace: '', key: 'a', value: '1' }],
      [
        { type: 'put', keyspace: '', key: 'b', value: '2' },
        { type: 'del', keyspace: '', key: 'a' },
        { type: 'put', keyspace: 'orders', key: '7', value: { total: 12 } },
      ],
      [{ type: 'clear', keyspace: '', start: 'b', end: 'd' }],
      [{ type: 'clear', keyspace: 'orders', start: '', end: undefined }],
      [{ type: 'put', keyspace: '', key: 'brief', value: 'x', expiresAt: expect.any(Number) }],
    ])
    expect(commits.at(-1)!.position).toBe(db.snapshot().position)
  })

  it('shows a transaction as one commit, and nothing of one that failed', async () => {
    await using db = await open(':memory:')
    await db.transaction(async (tx) => {
      await tx.put('a', '1')
      await tx.put('b', '2')
      await tx.del('a')
    })
    const failing = db.transaction(async (tx) => {
      await tx.put('c', '3')
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const commits = await commitsOf(db)
    expect(commits).toHaveLength(1)
    expect(commits[0]!.operations.map(({ type }) => type)).toContain('put')
    expect(JSON.stringify(commits)).not.toContain('"c"')
  })

  it('begins after the position that it is given, whatever that is the position of', async () => {
    await using db = await open(':memory:')
    for (let i = 0; i < 5; i++) await db.put(`key ${i}`, String(i))
    using snapshot = db.snapshot()
    await db.put('key 5', '5')
    const all = await commitsOf(db)
    expect(all).toHaveLength(6)
    for (const [i, { position }] of all.entries()) {
      expect(await commitsOf(db, position)).toEqual(all.slice(i + 1))
      // In the middle of a record: that commit's position is behind it, so it is still to come.
      expect(await commitsOf(db, position - 1)).toEqual(all.slice(i))
    }
    expect(await commitsOf(db, snapshot.position)).toEqual(all.slice(5))
    expect(await commitsOf(db, 'oldest')).toEqual(all)
  })

  it('follows what is committed, from now where nothing else is said', async () => {
    await using db = await open(':memory:')
    await db.put('before', '')
    const changes = db.changes()
    await db.put('between', '1')
    const first = await changes.next()
    expect(first.value?.operations).toEqual([{ type: 'put', keyspace: '', key: 'between', value: '1' }])
    const second = changes.next()
    const third = changes.next()
    db.putSync('x', '2')
    await db.put('y', '3')
    expect((await second).value?.operations[0]).toMatchObject({ key: 'x' })
    expect((await third).value?.operations[0]).toMatchObject({ key: 'y' })
  })

  it('shows nothing that is not visible yet', async () => {
    await using db = await open(':memory:')
    const changes = db.changes()
    const seen: unknown[] = []
    const next = changes.next().then(({ value }) => seen.push(value?.operations[0]))
    const written = db.put('a', '1', { sync: true })
    expect(await commitsOf(db)).toEqual([])
    expect(db.getSync('a')).toBeUndefined()
    await written
    await next
    expect(seen).toMatchObject([{ key: 'a' }])
  })

  it('reads with the encodings of the newest handle, and shows bounds that no key has as bytes', async () => {
    await using db = await open<number, object>(':memory:', { keyEncoding: 'json', valueEncoding: 'json' })
    await db.put(1, { one: 1 })
    await db.clear({ gte: 1, lte: 3 })
    const [put, clear] = (await commitsOf(db as never)).map(({ operations }) => operations[0]!)
    expect(put).toEqual({ type: 'put', keyspace: '', key: 1, value: { one: 1 } })
    expect(clear).toMatchObject({ type: 'clear', start: 1, end: undefined })
    expect(clear).toMatchObject({ range: { start: Uint8Array.of(0x31), end: Uint8Array.of(0x33, 0) } })
    const raw = db.keyspace('more', { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    await raw.put('k', 'v')
    db.keyspace('more', { keyEncoding: 'utf8', valueEncoding: 'view' })
    const [, , more] = await commitsOf(db as never)
    expect(more!.operations).toEqual([{ type: 'put', keyspace: 'more', key: 'k', value: Uint8Array.of(0x76) }])
  })

  it('shows what comes before a value that its encoding does not understand', async () => {
    await using db = await open(':memory:', { valueEncoding: 'view' })
    const texts = db.keyspace('texts', { valueEncoding: 'utf8' })
    await texts.put('good', '1')
    await texts.put('bad', '{')
    db.keyspace('texts', { valueEncoding: 'json' })
    const changes = db.changes({ since: 0 })
    expect((await changes.next()).value?.operations).toMatchObject([{ key: 'good', value: 1 }])
    await expect(changes.next()).rejects.toMatchObject({
      code: 'SILT_CORRUPTION',
      message: expect.stringMatching(/^The value of key 'bad' in keyspace 'texts' is no JSON: /),
      cause: expect.any(SyntaxError),
    })
    expect(await changes.next()).toEqual({ value: undefined, done: true })
  })

  it('shows nothing of the trees that are the store’s own', async () => {
    await using db = await open(':memory:')
    const { family } = db
    const state = db.engine.tree(internalName('queue'), {})
    const internal = new Keyspace(db.engine, state, db.keyEncoding, db.valueEncoding, family)
    await internal.put('a', '1')
    await db.batch([
      { type: 'put', key: 'b', value: '2' },
      { type: 'put', key: 'c', value: '3', keyspace: internal },
    ])
    const commits = await commitsOf(db)
    expect(commits.map(({ operations }) => operations)).toEqual([[{ type: 'put', keyspace: '', key: 'b', value: '2' }]])
    expect(db.keyspaceNames()).toEqual([])
  })

  it('yields what is the caller’s own', async () => {
    await using db = await open<Uint8Array, Uint8Array>(':memory:', { keyEncoding: 'view', valueEncoding: 'view' })
    await db.put(Uint8Array.of(1), Uint8Array.of(2))
    for (let round = 0; round < 2; round++) {
      for await (const { operations } of db.changes({ since: 0, follow: false })) {
        const [operation] = operations
        if (operation?.type !== 'put') throw new Error('a put')
        expect([...operation.key, ...operation.value]).toEqual([1, 2])
        operation.key.fill(9)
        operation.value.fill(9)
      }
    }
    expect(db.getSync(Uint8Array.of(1))).toEqual(Uint8Array.of(2))
  })

  it('refuses positions and options that mean nothing', async () => {
    await using db = await open(':memory:')
    for (const since of [-1, 1.5, Number.NaN, 2 ** 60, 'newest', db.snapshot().position + 1]) {
      expect(() => db.changes({ since: since as number }), `${since}`).toThrow(
        expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
      )
    }
    for (const options of [{ from: 0 }, { follow: 1 }, { signal: {} }]) {
      expect(() => db.changes(options as object)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }
  })
})

describe('the end of changes', () => {
  it('is the last commit where nobody follows', async () => {
    await using db = await open(':memory:')
    expect(await commitsOf(db)).toEqual([])
    await db.put('a', '1')
    const changes = db.changes({ since: 0, follow: false })
    expect((await changes.next()).done).toBe(false)
    await db.put('b', '2')
    expect((await changes.next()).value?.operations[0]).toMatchObject({ key: 'b' })
    expect(await changes.next()).toEqual({ value: undefined, done: true })
    await db.put('c', '3')
    expect(await changes.next()).toEqual({ value: undefined, done: true })
  })

  it('comes with a signal, which gives its reason', async () => {
    await using db = await open(':memory:')
    const controller = new AbortController()
    const changes = db.changes({ signal: controller.signal })
    const waiting = changes.next()
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect((await changes.next()).done).toBe(true)
    await expect(db.changes({ since: 0, signal: controller.signal }).next()).rejects.toBe(reason)
    expect(db.engine.commits.count).toBe(0)
  })

  it('comes when the loop is left, also for those who wait', async () => {
    await using db = await open(':memory:')
    const changes = db.changes()
    const waiting = [changes.next(), changes.next()]
    expect(await changes.return()).toEqual({ value: undefined, done: true })
    for (const each of waiting) expect((await each).done).toBe(true)
    expect(db.engine.commits.count).toBe(0)
    await db.put('a', '1')
    for await (const { position } of db.changes({ since: 0 })) {
      expect(position).toBeGreaterThan(0)
      break
    }
    expect(db.engine.commits.count).toBe(0)
  })

  it('comes with the close of the store for those who have seen everything', async () => {
    const db = await open(directory(), { logRetention: { bytes: Number.POSITIVE_INFINITY } })
    const seen: Commit<string, string>[] = []
    const loop = (async () => {
      for await (const commit of db.changes()) seen.push(commit)
    })()
    const late = db.changes({ since: 0 })
    await db.put('a', '1')
    await db.flush()
    await db.put('b', '2')
    const last = db.put('c', '3')
    await db.close()
    await last
    await loop
    expect(seen.map(({ operations }) => operations[0])).toMatchObject([{ key: 'a' }, { key: 'b' }, { key: 'c' }])
    await expect(late.next()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    expect(() => db.changes()).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
  })
})
