import { describe, expect, it } from 'vitest'
import { MemoryFileSystem, type OpenOptions, open } from '../../src/index.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()
const COUNT = 3000

const keyOf = (i: number): string => `key ${String(i).padStart(6, '0')}`

describe.each(['disk', 'memory'])('a store on %s, opened again', (where) => {
  function options(): { path: string; options: OpenOptions } {
    return where === 'disk'
      ? { path: newPath(), options: {} }
      : { path: '/db', options: { fs: new MemoryFileSystem() } }
  }

  it.each([
    ['the log alone', 'log'],
    ['tables alone', 'tables'],
    ['both', 'both'],
  ])('finds what is in %s', async (_, place) => {
    const { path, options: how } = options()
    {
      await using db = await open(path, how)
      for (let i = 0; i < COUNT; i++) db.putSync(keyOf(i), 'old')
      if (place !== 'log') await db.flush()
      if (place === 'both') {
        for (let i = 0; i < COUNT; i += 3) db.putSync(keyOf(i), 'new')
        for (let i = 1; i < COUNT; i += 3) db.delSync(keyOf(i))
        await db.clear({ gte: keyOf(100), lt: keyOf(200) })
      }
    }
    for (const round of [1, 2]) {
      await using db = await open(path, how)
      const expected = Array.from({ length: COUNT }, (_, i) => [keyOf(i), 'old'])
        .map(([key, value], i) => [key, place === 'both' && i % 3 === 0 ? 'new' : value])
        .filter((_, i) => place !== 'both' || (i % 3 !== 1 && (i < 100 || i >= 200)))
      expect(await db.entries().toArray(), `round ${round}`).toEqual(expected)
      expect(db.recovery.losses).toEqual([])
      expect(db.getSync(keyOf(299))).toBe('old')
    }
  })

  it('goes on where it was, session after session', async () => {
    const { path, options: how } = options()
    for (let session = 0; session < 10; session++) {
      await using db = await open(path, { ...how, writeBufferBytes: 64 * 1024 })
      expect(await db.count()).toBe(session * 100)
      for (let i = 0; i < 100; i++) await db.put(keyOf(session * 100 + i), 'x'.repeat(200))
      if (session % 4 === 3) await db.compact()
    }
  })

  it('can have other sizes, another codec, another cache', async () => {
    const { path, options: how } = options()
    const sets: OpenOptions[] = [
      { compression: 'none', blockBytes: 256, restartInterval: 1, filterBitsPerKey: 0 },
      { compression: 'deflate', writeBufferBytes: 64 * 1024, cacheBytes: 0 },
      { compression: 'lz4', blockBytes: 64 * 1024, filterBitsPerKey: 20, maxOpenFiles: 8 },
      {},
    ]
    for (const [i, set] of sets.entries()) {
      await using db = await open(path, { ...how, ...set })
      for (let j = 0; j < 1000; j++) db.putSync(keyOf(i * 1000 + j), `${i}`.repeat(100))
      await db.compact()
      expect(await db.count()).toBe((i + 1) * 1000)
      for (let j = 0; j <= i; j++) expect(await db.get(keyOf(j * 1000))).toBe(`${j}`.repeat(100))
    }
  })

  it('leaves nothing behind that grows with every session', async () => {
    const { path, options: how } = options()
    for (let session = 0; session < 30; session++) {
      await using db = await open(path, how)
      await db.put('key', String(session))
      await db.flush()
      await db.idle()
    }
    await using db = await open(path, how)
    await db.compact()
    expect(db.stats().files).toBe(1)
    expect(await db.get('key')).toBe('29')
  })
})
