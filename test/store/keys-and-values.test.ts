import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Database, type OpenOptions, open } from '../../src/index.js'

const INVALID = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })
const MIB = 1024 * 1024

/** A call that takes a key, a value or a bound, whatever it is. */
type Call = (db: Database<unknown, unknown>, nothing: null | undefined) => unknown

const promises: Record<string, Call> = {
  'put a key': (db, nothing) => db.put(nothing, 'value'),
  'put a value': (db, nothing) => db.put('key', nothing),
  get: (db, nothing) => db.get(nothing),
  has: (db, nothing) => db.has(nothing),
  del: (db, nothing) => db.del(nothing),
  'getMany keys': (db, nothing) => db.getMany(nothing as never),
  'getMany a key': (db, nothing) => db.getMany(['key', nothing]),
  'hasMany keys': (db, nothing) => db.hasMany(nothing as never),
  'hasMany a key': (db, nothing) => db.hasMany(['key', nothing]),
  'batch an operation': (db, nothing) => db.batch([nothing as never]),
  'batch put a key': (db, nothing) => db.batch([{ type: 'put', key: nothing, value: 'value' }]),
  'batch put a value': (db, nothing) => db.batch([{ type: 'put', key: 'key', value: nothing }]),
  'batch del a key': (db, nothing) => db.batch([{ type: 'del', key: nothing }]),
}

const thrown: Record<string, Call> = {
  'putSync a key': (db, nothing) => db.putSync(nothing, 'value'),
  'putSync a value': (db, nothing) => db.putSync('key', nothing),
  getSync: (db, nothing) => db.getSync(nothing),
  hasSync: (db, nothing) => db.hasSync(nothing),
  delSync: (db, nothing) => db.delSync(nothing),
  'getManySync keys': (db, nothing) => db.getManySync(nothing as never),
  'getManySync a key': (db, nothing) => db.getManySync(['key', nothing]),
  'hasManySync keys': (db, nothing) => db.hasManySync(nothing as never),
  'hasManySync a key': (db, nothing) => db.hasManySync(['key', nothing]),
  'batchSync operations': (db, nothing) => db.batchSync(nothing as never),
  'batchSync an operation': (db, nothing) => db.batchSync([nothing as never]),
  'batchSync put a key': (db, nothing) => db.batchSync([{ type: 'put', key: nothing, value: 'value' }]),
  'batchSync put a value': (db, nothing) => db.batchSync([{ type: 'put', key: 'key', value: nothing }]),
  'chained put a key': (db, nothing) => db.batch().put(nothing, 'value'),
  'chained put a value': (db, nothing) => db.batch().put('key', nothing),
  'chained del': (db, nothing) => db.batch().del(nothing),
  seek: (db, nothing) => db.keys().seek(nothing),
}

describe.each([null, undefined])('%s', (nothing) => {
  let db: Database<unknown, unknown>
  beforeAll(async () => {
    db = await open<unknown, unknown>(':memory:')
  })
  afterAll(() => db.close())

  it.each(Object.entries(promises))('is refused by %s with a rejection, never with a throw', async (_, call) => {
    const promise = call(db, nothing)
    expect(promise).toBeInstanceOf(Promise)
    await expect(promise).rejects.toEqual(INVALID)
  })

  it.each(Object.entries(thrown))('is refused by %s', (_, call) => {
    expect(() => call(db, nothing)).toThrow(INVALID)
  })

  it('has left nothing behind', async () => {
    expect(await db.count()).toBe(0)
  })
})

describe('a bound', () => {
  it('that is null is refused; one that is undefined is none', async () => {
    await using db = await open<unknown, string>(':memory:')
    await db.put('a', '1')
    for (const bound of ['gt', 'gte', 'lt', 'lte', 'prefix']) {
      await expect(db.clear({ [bound]: null })).rejects.toEqual(INVALID)
      await expect(db.count({ [bound]: null })).rejects.toEqual(INVALID)
      await expect(db.approximateSize({ [bound]: null })).rejects.toEqual(INVALID)
      expect(() => db.clearSync({ [bound]: null })).toThrow(INVALID)
      expect(() => db.countSync({ [bound]: null })).toThrow(INVALID)
      expect(() => db.entries({ [bound]: null })).toThrow(INVALID)
      expect(await db.count({ [bound]: undefined })).toBe(1)
    }
    for (const bound of ['gte', 'lt']) await expect(db.compact({ [bound]: null })).rejects.toEqual(INVALID)
    expect(await db.count()).toBe(1)
  })
})

describe('an empty', () => {
  it('key is a key like any other', async () => {
    await using db = await open(':memory:')
    await db.put('', 'value')
    await db.put('a', 'behind it')
    expect(await db.get('')).toBe('value')
    expect(await db.has('')).toBe(true)
    expect(db.getManySync(['', 'a', 'b'])).toEqual(['value', 'behind it', undefined])
    expect(await db.keys().toArray()).toEqual(['', 'a'])
    expect(await db.keys({ gt: '' }).toArray()).toEqual(['a'])
    expect(await db.keys({ lte: '' }).toArray()).toEqual([''])
    expect(await db.keys({ lt: '' }).toArray()).toEqual([])
    await db.compact()
    expect(await db.get('')).toBe('value')
    await db.del('')
    expect(await db.has('')).toBe(false)
  })

  it('value is a value, not a missing one', async () => {
    await using db = await open(':memory:')
    await db.put('a', '')
    await db.batch([{ type: 'put', key: 'b', value: '' }])
    for (const settle of [async () => {}, () => db.compact()]) {
      await settle()
      expect(await db.get('a')).toBe('')
      expect(await db.has('a')).toBe(true)
      expect(await db.getMany(['a', 'b', 'c'])).toEqual(['', '', undefined])
      expect(await db.hasMany(['a', 'b', 'c'])).toEqual([true, true, false])
      expect(await db.values().toArray()).toEqual(['', ''])
    }
  })
})

describe('a key', () => {
  const longest = 'k'.repeat(65_535)
  const tooLong = expect.objectContaining({
    code: 'SILT_INVALID_ARGUMENT',
    message: expect.stringContaining('65,535'),
  })

  it('of 65,535 bytes is fine everywhere', async () => {
    await using db = await open(':memory:')
    await db.put(longest, 'value')
    await db.batch([{ type: 'put', key: `${longest.slice(1)}l`, value: 'next' }])
    for (const settle of [async () => {}, () => db.compact()]) {
      await settle()
      expect(await db.get(longest)).toBe('value')
      expect(db.hasSync(longest)).toBe(true)
      expect(await db.values({ gte: longest }).toArray()).toEqual(['value', 'next'])
      expect(await db.values({ gt: longest }).toArray()).toEqual(['next'])
      expect(await db.values({ lte: longest, reverse: true }).toArray()).toEqual(['value'])
      expect(await db.values({ prefix: longest }).toArray()).toEqual(['value'])
    }
    await db.clear({ lte: longest })
    expect(await db.values().toArray()).toEqual(['next'])
  })

  it('of 65,536 bytes is refused with the limit, and the store goes on', async () => {
    await using db = await open(':memory:')
    for (const key of ['k'.repeat(65_536), 'é'.repeat(32_768), '漢'.repeat(65_535)]) {
      await expect(db.put(key, '')).rejects.toEqual(tooLong)
      await expect(db.get(key)).rejects.toEqual(tooLong)
      await expect(db.has(key)).rejects.toEqual(tooLong)
      await expect(db.del(key)).rejects.toEqual(tooLong)
      await expect(db.getMany([key])).rejects.toEqual(tooLong)
      await expect(db.batch([{ type: 'put', key, value: '' }])).rejects.toEqual(tooLong)
      await expect(db.clear({ gte: key })).rejects.toEqual(tooLong)
      expect(() => db.putSync(key, '')).toThrow(tooLong)
      expect(() => db.delSync(key)).toThrow(tooLong)
      expect(() => db.getSync(key)).toThrow(tooLong)
      expect(() => db.batch().put(key, '').writeSync()).toThrow(tooLong)
      expect(() => db.keys({ lt: key })).toThrow(tooLong)
    }
    await db.put('key', 'value')
    expect(await db.keys().toArray()).toEqual(['key'])
  })

  it('is refused in a batch before any of the batch is written', async () => {
    await using db = await open(':memory:')
    const operations = ['a', 'é'.repeat(32_768), 'b'].map((key) => ({ type: 'put' as const, key, value: '' }))
    await expect(db.batch(operations)).rejects.toEqual(tooLong)
    expect(await db.count()).toBe(0)
  })
})

describe('a value', () => {
  const SMALL: OpenOptions = { writeBufferBytes: 64 * 1024 }

  it('larger than the write buffer is fine, between small ones, and after reopening', async () => {
    await using db = await open(':memory:', SMALL)
    const large = 'large '.repeat(100_000)
    await db.put('a', 'small')
    await db.put('b', large)
    db.putSync('c', large)
    await db.batch([
      { type: 'put', key: 'd', value: large },
      { type: 'put', key: 'e', value: 'small' },
    ])
    for (const settle of [async () => {}, () => db.flush(), () => db.compact()]) {
      await settle()
      expect(await db.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual(['small', large, large, large, 'small'])
    }
  })

  it('of more than 256 MiB is refused, whatever it is made of', async () => {
    await using db = await open<string, Uint8Array>(':memory:', { valueEncoding: 'view' as never })
    const tooLarge = expect.objectContaining({
      code: 'SILT_INVALID_ARGUMENT',
      message: expect.stringContaining('256 MiB'),
    })
    // Memory that nobody touches is never really there.
    const value = new Uint8Array(256 * MIB + 1)
    const before = db.stats().memory.segments
    await expect(db.put('a', value)).rejects.toEqual(tooLarge)
    await expect(db.batch([{ type: 'put', key: 'a', value }])).rejects.toEqual(tooLarge)
    expect(() => db.putSync('a', value)).toThrow(tooLarge)
    // Fewer characters than the limit, more bytes: found out only after a segment of that size had been made for it.
    const text = 'é'.repeat(128 * MIB + 1) as unknown as Uint8Array
    await expect(db.put('a', text)).rejects.toEqual(tooLarge)
    expect(() => db.batch().put('a', text)).toThrow(tooLarge)
    expect(db.stats().memory.segments).toBe(before)
    expect(await db.count()).toBe(0)
  })
})
