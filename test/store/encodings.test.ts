import { describe, expect, it } from 'vitest'
import { type CustomEncoding, type Database, type EncodingOption, open } from '../../src/index.js'

/** Reads one key in every way there is. */
const ways: [string, (db: Database<Uint8Array, Uint8Array>, key: Uint8Array) => Promise<Uint8Array | undefined>][] = [
  ['get', (db, key) => db.get(key)],
  ['getSync', async (db, key) => db.getSync(key)],
  ['getMany', async (db, key) => (await db.getMany([key]))[0]],
  ['getManySync', async (db, key) => db.getManySync([key])[0]],
  ['entries', async (db) => (await db.entries().toArray())[0]![1]],
  ['entries, on this thread', async (db) => [...db.entries()][0]![1]],
  ['values', async (db) => (await db.values().nextMany(1))[0]],
  ['values, on this thread', async (db) => db.values().nextManySync(1)[0]],
  [
    'a snapshot',
    async (db, key) => {
      using snapshot = db.snapshot()
      return snapshot.get(key)
    },
  ],
]

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

async function openBytes(encoding: 'buffer' | 'view'): Promise<Database<Uint8Array, Uint8Array>> {
  return open(':memory:', {
    keyEncoding: encoding as EncodingOption<Uint8Array>,
    valueEncoding: encoding as EncodingOption<Uint8Array>,
  })
}

describe('an encoding', () => {
  it("'utf8' takes and gives text of any script", async () => {
    await using db = await open(':memory:')
    for (const text of ['', 'ascii', 'é', '漢字', '\u{1f9a6}', 'a\0b', 'x'.repeat(10_000), 'ß'.repeat(5000)]) {
      await db.put(text, text)
      expect(await db.get(text)).toBe(text)
      expect(db.getSync(text)).toBe(text)
    }
  })

  it("'utf8' orders by bytes, which is the order of code points", async () => {
    await using db = await open(':memory:')
    const inOrder = ['', 'Z', 'a', 'aa', 'é', '漢', '\uffff', '\u{1f9a6}']
    for (const key of inOrder.toReversed()) await db.put(key, '')
    expect(await db.keys().toArray()).toEqual(inOrder)
  })

  it("'buffer' gives a Buffer, 'view' a plain Uint8Array", async () => {
    for (const encoding of ['buffer', 'view'] as const) {
      await using db = await openBytes(encoding)
      const key = bytesOf('key')
      await db.put(key, Uint8Array.of(0, 255, 128))
      const [[k, v]] = (await db.entries().toArray()) as [[Uint8Array, Uint8Array]]
      for (const bytes of [k, v, await db.get(key), db.getSync(key)]) {
        expect(Buffer.isBuffer(bytes)).toBe(encoding === 'buffer')
        expect(bytes).toBeInstanceOf(Uint8Array)
      }
      expect([...v]).toEqual([0, 255, 128])
    }
  })

  it("'json' takes whatever JSON does", async () => {
    await using db = await open<string, unknown>(':memory:', { valueEncoding: 'json' })
    for (const value of [0, -1.5, '', 'text', true, false, [], [1, [2]], {}, { a: { b: [null] } }]) {
      await db.put('key', value)
      expect(await db.get('key')).toEqual(value)
    }
  })

  it("'json' refuses what JSON has no text for", async () => {
    await using db = await open<string, unknown>(':memory:', { valueEncoding: 'json' })
    const circle: Record<string, unknown> = {}
    circle['itself'] = circle
    for (const value of [() => 1, Symbol('s'), circle, 1n]) {
      await expect(db.put('key', value)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
      expect(() => db.putSync('key', value)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }
    expect(await db.has('key')).toBe(false)
  })

  it('of one’s own decides what keys and values are, and by its bytes the order', async () => {
    const number: CustomEncoding<number> = {
      encode: (value) => {
        const bytes = new Uint8Array(8)
        new DataView(bytes.buffer).setFloat64(0, value)
        return bytes
      },
      decode: (bytes) => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0),
    }
    const date: CustomEncoding<Date> = {
      encode: (value) => value.toISOString(),
      decode: (bytes) => new Date(Buffer.from(bytes).toString()),
    }
    await using db = await open(':memory:', { keyEncoding: number, valueEncoding: date })
    for (const key of [100, 9, 10]) await db.put(key, new Date(key))
    expect(await db.entries({ gte: 9, lt: 100 }).toArray()).toEqual([
      [9, new Date(9)],
      [10, new Date(10)],
    ])
  })

  it('of one’s own that fails lets its own error through', async () => {
    const stubborn: CustomEncoding<string> = {
      encode: () => {
        throw new RangeError('not today')
      },
      decode: () => '',
    }
    await using db = await open(':memory:', { valueEncoding: stubborn })
    await expect(db.put('key', 'value')).rejects.toThrow(RangeError)
    expect(() => db.putSync('key', 'value')).toThrow('not today')
    expect(await db.has('key')).toBe(false)
  })

  it('of one’s own must make bytes or text', async () => {
    const lazy = { encode: () => 7, decode: () => 7 } as unknown as CustomEncoding<number>
    await using db = await open(':memory:', { valueEncoding: lazy })
    await expect(db.put('key', 1)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
  })

  it('that gets something else says what it takes', async () => {
    await using text = await open<unknown, unknown>(':memory:')
    for (const value of [7, true, {}, [1]]) {
      await expect(text.put('key', value)).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
        message: expect.stringContaining("'utf8'"),
      })
      await expect(text.get(value)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
  })
})

describe.each(['buffer', 'view'] as const)('what is read with %s', (encoding) => {
  it.each(ways)('by %s is the caller’s own', async (_, read) => {
    await using db = await openBytes(encoding)
    const key = bytesOf('key')
    // Once from memory, once from a table.
    for (const settle of [async () => {}, () => db.flush()]) {
      await db.put(key, bytesOf('value'))
      await settle()
      const mine = (await read(db, key))!
      mine.fill(0)
      expect(Buffer.from((await read(db, key))!).toString()).toBe('value')
    }
  })

  it.each(ways)('by %s does not change with later writes', async (_, read) => {
    await using db = await openBytes(encoding)
    const key = bytesOf('key')
    await db.put(key, bytesOf('before'))
    const mine = (await read(db, key))!
    await db.put(key, bytesOf('after!'))
    await db.compact()
    await db.clear()
    expect(Buffer.from(mine).toString()).toBe('before')
  })

  it('has memory of its own, of which nothing else is seen', async () => {
    await using db = await openBytes(encoding)
    await db.put(bytesOf('key'), bytesOf('value'))
    expect((await db.get(bytesOf('key')))!.buffer.byteLength).toBe('value'.length)
  })

  it('by a scan keeps its keys apart as well', async () => {
    await using db = await openBytes(encoding)
    for (const key of ['a', 'b', 'c']) await db.put(bytesOf(key), bytesOf(key))
    const keys = await db.keys().toArray()
    for (const key of keys) key.fill(0)
    expect((await db.keys().toArray()).map((key) => Buffer.from(key).toString())).toEqual(['a', 'b', 'c'])
  })
})

describe('what a write is given', () => {
  const writes: [
    string,
    (db: Database<Uint8Array, Uint8Array>, key: Uint8Array, value: Uint8Array) => Promise<void>,
  ][] = [
    ['put', (db, key, value) => db.put(key, value)],
    ['put, synced', (db, key, value) => db.put(key, value, { sync: true })],
    ['putSync', async (db, key, value) => db.putSync(key, value)],
    ['batch', (db, key, value) => db.batch([{ type: 'put', key, value }])],
    ['batchSync', async (db, key, value) => db.batchSync([{ type: 'put', key, value }])],
  ]

  it.each(writes)('by %s is copied before the call returns', async (_, write) => {
    await using db = await openBytes('view')
    const key = bytesOf('key')
    const value = bytesOf('value')
    const done = write(db, key, value)
    key.fill(0)
    value.fill(0)
    await done
    expect(Buffer.from((await db.get(bytesOf('key')))!).toString()).toBe('value')
    expect(await db.count()).toBe(1)
  })

  it('by del and clear is copied as well', async () => {
    await using db = await openBytes('view')
    for (const key of ['a', 'b', 'c']) await db.put(bytesOf(key), bytesOf(key))
    const key = bytesOf('a')
    const from = bytesOf('c')
    const done = [db.del(key), db.clear({ gte: from })]
    key.fill(0)
    from.fill(0)
    await Promise.all(done)
    expect((await db.keys().toArray()).map((each) => Buffer.from(each).toString())).toEqual(['b'])
  })

  it('by a chained batch is copied when it is given, not when it is written', async () => {
    await using db = await openBytes('view')
    await db.put(bytesOf('gone'), bytesOf('x'))
    const key = bytesOf('key')
    const value = bytesOf('value')
    const gone = bytesOf('gone')
    const batch = db.batch().put(key, value).del(gone)
    key.fill(0)
    value.fill(0)
    gone.fill(0)
    await batch.write()
    expect((await db.keys().toArray()).map((each) => Buffer.from(each).toString())).toEqual(['key'])
    expect(Buffer.from((await db.get(bytesOf('key')))!).toString()).toBe('value')
  })

  it('may be a view of any kind, anywhere in its memory', async () => {
    await using db = await openBytes('view')
    const memory = new ArrayBuffer(64)
    const words = new Uint16Array(memory, 8, 2)
    words.set([0x0201, 0x0403])
    await db.put(Buffer.from('key'), words as unknown as Uint8Array)
    await db.put(Buffer.from('data view'), new DataView(memory, 9, 2) as unknown as Uint8Array)
    expect([...(await db.get(Buffer.from('key')))!]).toEqual([1, 2, 3, 4])
    expect([...(await db.get(Buffer.from('data view')))!]).toEqual([2, 3])
  })
})
