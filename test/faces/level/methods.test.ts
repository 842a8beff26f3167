import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SiltstoneLevel, storeOf } from '../../../src/level.js'
import { scratchDirectory } from './scratch.js'

const LOCATION = "The first argument 'location' must be a non-empty string"

async function filled(location = ':memory:'): Promise<SiltstoneLevel> {
  const db = new SiltstoneLevel(location)
  await db.batch(Array.from({ length: 10 }, (_, i) => ({ type: 'put', key: `foo${i}`, value: 'x'.repeat(10_000) })))
  return db
}

describe('approximateSize', () => {
  it('knows of what was just written, and after a reopening', async () => {
    const db = await filled()
    expect(await db.approximateSize('!', '~')).toBeGreaterThan(90_000)
    await db.close()
    const opening = db.open()
    expect(await db.approximateSize('!', '~')).toBeGreaterThan(90_000)
    expect(await db.approximateSize('foo5', 'foo7')).toBeLessThan(30_000)
    await opening
    await db.close()
  })

  it('encodes its bounds as keys, or as it is told', async () => {
    const db = await filled()
    const hex = (text: string) => Buffer.from(text).toString('hex')
    const plain = await db.approximateSize('foo2', 'foo9')
    expect(await db.approximateSize(hex('foo2'), hex('foo9'), { keyEncoding: 'hex' })).toBe(plain)
    expect(await db.approximateSize(Buffer.from('foo2'), Buffer.from('foo9'), { keyEncoding: 'buffer' })).toBe(plain)
    await db.close()
  })

  it('refuses to guess bounds', async () => {
    const db = await filled()
    for (const args of [[], ['foo']]) {
      await expect(db.approximateSize(...(args as [string, string]))).rejects.toThrow(
        new TypeError("The arguments 'start' and 'end' are required"),
      )
    }
    await db.close()
  })
})

describe('compactRange', () => {
  it('moves its range down, its last key included', async () => {
    const db = await filled()
    await db.put('foo9', 'the last')
    await db.compactRange('foo0', 'foo9')
    expect(db.getProperty('leveldb.num-files-at-level0')).toBe('0')
    expect(db.getProperty('leveldb.num-files-at-level6')).toBe('1')
    expect(db.getProperty('leveldb.sstables')).toMatch(/--- level 6 ---\n \d+:\d+\['foo0' \.\. 'foo9'\]\n$/)
    expect(await db.get('foo9')).toBe('the last')
    await db.close()
  })

  it('does nothing where the range is empty or holds nothing', async () => {
    const db = await filled()
    await db.compactRange('foo9', 'foo0')
    await db.compactRange('x', 'y')
    expect(await db.keys().all()).toHaveLength(10)
    await db.close()
  })
})

describe('getProperty', () => {
  it('describes levels and memory', async () => {
    const db = await filled()
    expect(db.getProperty('leveldb.num-files-at-level0')).toBe('0')
    expect(db.getProperty('leveldb.stats').split('\n')).toHaveLength(4)
    await storeOf(db).flush()
    expect(db.getProperty('leveldb.num-files-at-level0')).toBe('1')
    expect(db.getProperty('leveldb.stats')).toMatch(/\n {2}0 {8}1 {8}0\n$/)
    expect(Number(db.getProperty('leveldb.approximate-memory-usage'))).toBeGreaterThan(100_000)
    await db.close()
  })

  it('has an empty text for what it does not know', async () => {
    const db = await filled()
    for (const name of ['', 'stats', 'leveldb.', 'leveldb.num-files-at-level7', 'leveldb.num-files-at-level-1']) {
      expect(db.getProperty(name), name).toBe('')
    }
    expect(() => db.getProperty({} as string)).toThrow(new TypeError("The first argument 'property' must be a string"))
    await db.close()
  })
})

describe('destroy', () => {
  it('removes the store, and its directory when nothing else is in it', async () => {
    const location = scratchDirectory()
    const db = await filled(location)
    await expect(SiltstoneLevel.destroy(location)).rejects.toMatchObject({ code: 'LEVEL_LOCKED' })
    await db.close()
    writeFileSync(join(location, 'mine'), 'kept')
    await SiltstoneLevel.destroy(location)
    expect(readdirSync(location)).toEqual(['mine'])
    await (await filled(`${location}/within`)).close()
    await SiltstoneLevel.destroy(`${location}/within`)
    expect(readdirSync(location)).toEqual(['mine'])
  })

  it('leaves alone what is no store', async () => {
    const location = scratchDirectory()
    await SiltstoneLevel.destroy(location)
    expect(existsSync(location)).toBe(false)
    mkdirSync(location)
    writeFileSync(join(location, 'mine'), 'kept')
    await SiltstoneLevel.destroy(location)
    expect(readdirSync(location)).toEqual(['mine'])
    await expect(SiltstoneLevel.destroy('')).rejects.toThrow(new TypeError(LOCATION))
  })
})

describe('repair', () => {
  it('brings back what can still be read', async () => {
    const location = scratchDirectory()
    const db = await filled(location)
    await expect(SiltstoneLevel.repair(location)).rejects.toMatchObject({ code: 'LEVEL_LOCKED' })
    await storeOf(db).flush()
    await db.put('later', 'in the log')
    await db.close()
    for (const name of readdirSync(location).filter((each) => each.startsWith('MANIFEST'))) {
      writeFileSync(join(location, name), 'no manifest')
    }
    await expect(db.open()).rejects.toMatchObject({ cause: { code: 'LEVEL_CORRUPTION' } })
    const { kept } = await SiltstoneLevel.repair(location)
    expect(kept.length).toBeGreaterThan(1)
    await db.open()
    expect(await db.keys().all()).toHaveLength(11)
    expect(await db.get('later')).toBe('in the log')
    await db.close()
  })

  it('says where no store is', async () => {
    await expect(SiltstoneLevel.repair(scratchDirectory())).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    await expect(SiltstoneLevel.repair('')).rejects.toThrow(new TypeError(LOCATION))
  })
})

describe('the location', () => {
  it('is what was given', async () => {
    const db = new SiltstoneLevel('./not/made')
    expect(db.location).toBe('./not/made')
    await db.close()
    expect(existsSync('./not/made')).toBe(false)
    for (const location of ['', undefined, 1]) {
      expect(() => new SiltstoneLevel(location as string)).toThrow(new TypeError(LOCATION))
    }
  })
})

describe('the store below', () => {
  it('has the same entries as bytes, and what Level has no word for', async () => {
    const db = new SiltstoneLevel<string, { n: number }>(':memory:', { valueEncoding: 'json' })
    expect(() => storeOf(db)).toThrow('Database is not open')
    await db.put('a', { n: 1 })
    expect(storeOf(db).getSync(Buffer.from('a'))).toEqual(Buffer.from('{"n":1}'))
    storeOf(db).putSync(Buffer.from('b'), Buffer.from('{"n":2}'), { ttl: 60_000 })
    expect(await db.iterator().all()).toEqual([
      ['a', { n: 1 }],
      ['b', { n: 2 }],
    ])
    await db.close()
  })
})

describe('iterators', () => {
  it('read one entry first, and slices from then on', async () => {
    const db = new SiltstoneLevel(':memory:')
    await db.batch([...'abcdefg'].map((key) => ({ type: 'put', key, value: 'value' })))
    const iterator = db.iterator() as ReturnType<typeof db.iterator> & { readonly cached: number }
    expect([await iterator.next(), iterator.cached]).toEqual([['a', 'value'], 0])
    expect([await iterator.next(), iterator.cached]).toEqual([['b', 'value'], 5])
    iterator.seek('d')
    expect([await iterator.next(), iterator.cached]).toEqual([['d', 'value'], 0])
    expect([await iterator.next(), iterator.cached]).toEqual([['e', 'value'], 2])
    expect(await iterator.nextv(1)).toEqual([['f', 'value']])
    expect(await iterator.nextv(10)).toEqual([['g', 'value']])
    expect(await iterator.nextv(10)).toEqual([])
    await iterator.close()
    await db.close()
  })

  it('let the event loop turn however many entries are taken one by one', async () => {
    const db = new SiltstoneLevel(':memory:')
    await db.batch(Array.from({ length: 50_000 }, (_, i) => ({ type: 'put', key: String(i), value: '' })))
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    for await (const _ of db.iterator({ highWaterMarkBytes: 2 ** 30 }));
    clearInterval(timer)
    expect(turns).toBeGreaterThan(2)
    await db.close()
  })
})
