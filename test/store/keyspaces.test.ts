import { describe, expect, it } from 'vitest'
import { MemoryFileSystem, open } from '../../src/index.js'

describe('a keyspace', () => {
  it('is a map of its own', async () => {
    await using db = await open(':memory:')
    const one = db.keyspace('one')
    const two = db.keyspace('two')
    await db.put('key', 'default')
    await one.put('key', '1')
    await two.put('key', '2')
    for (const settle of [async () => {}, () => db.flush(), () => db.compact()]) {
      await settle()
      expect([db.getSync('key'), await one.get('key'), await two.get('key')]).toEqual(['default', '1', '2'])
    }
    await one.clear()
    expect([await db.count(), await one.count(), await two.count()]).toEqual([1, 0, 1])
  })

  it('has every form of every operation', async () => {
    await using db = await open(':memory:')
    const some = db.keyspace('some')
    some.putSync('a', '1')
    await some.batch([{ type: 'put', key: 'b', value: '2' }])
    some.batchSync([{ type: 'put', key: 'c', value: '3' }])
    await some.batch().put('d', '4').write()
    await some.del('a')
    some.delSync('b')
    some.clearSync({ gte: 'd' })
    expect(await some.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, undefined, '3', undefined])
    expect(some.countSync()).toBe(1)
    expect(await db.count()).toBe(0)
  })

  it('keeps what it holds, its name and its options through reopening', async () => {
    const fs = new MemoryFileSystem()
    for (const session of [1, 2, 3]) {
      await using db = await open('/db', { fs })
      const orders = db.keyspace<string, number>('orders', { valueEncoding: 'json', compaction: 'tiered' })
      expect(orders.name).toBe('orders')
      expect(await orders.get('session')).toBe(session === 1 ? undefined : session - 1)
      await orders.put('session', session)
      if (session === 2) await db.flush()
      expect(db.keyspaceNames()).toEqual(['orders'])
    }
  })

  it('that was only named leaves no trace', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/db', { fs })
    expect(await db.keyspace('named').count()).toBe(0)
    expect(await db.keyspace('named').get('key')).toBeUndefined()
    expect(db.keyspaceNames()).toEqual([])
    await db.close()
    await using again = await open('/db', { fs })
    expect(again.keyspaceNames()).toEqual([])
  })

  it('takes the encodings of the store where it is given none', async () => {
    await using db = await open<string, unknown>(':memory:', { valueEncoding: 'json' })
    const some = db.keyspace('some')
    await some.put('key', { a: 1 })
    expect(await some.get('key')).toEqual({ a: 1 })
  })

  it('can be looked at through other encodings', async () => {
    await using db = await open(':memory:')
    const text = db.keyspace('some')
    const raw = db.keyspace<string, Buffer>('some', { valueEncoding: 'buffer' })
    await text.put('key', 'value')
    expect(await raw.get('key')).toEqual(Buffer.from('value'))
    expect(await text.as<string, Buffer>({ valueEncoding: 'buffer' }).get('key')).toEqual(Buffer.from('value'))
    expect(await text.get('key')).toBe('value')
  })

  it('refuses names and options that are none', async () => {
    await using db = await open(':memory:')
    const invalid = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })
    for (const name of ['', null, undefined, 7, {}]) expect(() => db.keyspace(name as string)).toThrow(invalid)
    expect(() => db.keyspace('a', { valueEncodin: 'json' } as never)).toThrow(
      expect.objectContaining({ message: expect.stringContaining("did you mean 'valueEncoding'?") }),
    )
    for (const options of [null, { compaction: 'none' }, { valueEncoding: 'xml' }, { compression: 7 }]) {
      expect(() => db.keyspace('a', options as never)).toThrow(invalid)
    }
  })

  it('may have any name that is not empty', async () => {
    const fs = new MemoryFileSystem()
    const names = ['a', 'A', '../up', 'with space', '漢字', 'constructor', '__proto__', 'x'.repeat(1000)]
    const db = await open('/db', { fs })
    for (const name of names) await db.keyspace(name).put('name', name)
    await db.close()
    await using again = await open('/db', { fs })
    for (const name of names) expect(await again.keyspace(name).get('name')).toBe(name)
    expect(again.keyspaceNames().sort()).toEqual(names.sort())
  })
})

describe('the options of a keyspace', () => {
  it('count when it is first written to, not when it is first named', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/db', { fs })
    // The first handle used to settle them, so the second one's were dropped without a word.
    db.keyspace('orders')
    const orders = db.keyspace('orders', { compaction: 'tiered' })
    await orders.put('a', '1')
    await db.close()
    await using again = await open('/db', { fs })
    again.keyspace('orders', { compaction: 'tiered' })
    expect(() => again.keyspace('orders', { compaction: 'leveled' })).toThrow(/tiered/)
  })

  it('are settled then: others are refused, also where they were never said', async () => {
    await using db = await open(':memory:', { compression: 'none' })
    await db.keyspace('plain').put('a', '1')
    db.keyspace('plain', { compaction: 'leveled', compression: 'none' })
    for (const options of [{ compaction: 'fifo' as const }, { compression: 'lz4' as const }]) {
      expect(() => db.keyspace('plain', options)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }
  })
})

describe('two thousand keyspaces', () => {
  it('fit into one store, in the log and in tables', async () => {
    const fs = new MemoryFileSystem()
    const names = Array.from({ length: 2000 }, (_, i) => `keyspace ${i}`)
    const db = await open('/db', { fs })
    for (const name of names) db.keyspace(name).putSync('name', name)
    await db.close()
    for (const settle of ['log', 'tables']) {
      await using again = await open('/db', { fs })
      expect(again.keyspaceNames()).toHaveLength(2000)
      for (const name of names) expect(again.keyspace(name).getSync('name'), settle).toBe(name)
      await again.flush()
    }
    await using last = await open('/db', { fs })
    await last.batch(names.map((name) => ({ type: 'put', key: 'again', value: name, keyspace: name })))
    for (const name of names) expect(last.keyspace(name).countSync()).toBe(2)
  })
})
