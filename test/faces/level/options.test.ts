import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../../src/fs/memory-file-system.js'
import { type DatabaseOptions, SiltstoneLevel, storeOf } from '../../../src/level.js'
import { scratchDirectory } from './scratch.js'

describe('the options of classic-level', () => {
  it('are all taken, and clipped where LevelDB clips them', async () => {
    const options: DatabaseOptions<string, string> = {
      compression: false,
      cacheSize: 0,
      writeBufferSize: 1,
      blockSize: 1,
      maxOpenFiles: 1,
      blockRestartInterval: 0,
      maxFileSize: 1,
      multithreading: false,
    }
    const db = new SiltstoneLevel(scratchDirectory(), options)
    for (let i = 0; i < 2000; i++) await db.put(`key ${i}`, 'x'.repeat(100))
    await storeOf(db).idle()
    expect(await db.get('key 1999')).toHaveLength(100)
    expect(storeOf(db).stats().flushes.count).toBeGreaterThan(1)
    expect(storeOf(db).stats().cache.capBytes).toBe(0)
    await db.close()
  })

  it('compress unless they say otherwise', async () => {
    const sizeWith = async (options: DatabaseOptions<string, string>) => {
      const db = new SiltstoneLevel(scratchDirectory(), options)
      await db.put('a', 'x'.repeat(100_000))
      await db.compactRange('', 'z')
      const bytes = await db.approximateSize('', 'z')
      await db.close()
      return bytes
    }
    expect(await sizeWith({})).toBeLessThan(10_000)
    expect(await sizeWith({ compression: true })).toBeLessThan(10_000)
    expect(await sizeWith({ compression: false })).toBeGreaterThan(100_000)
  })

  it('can be said when the database is opened', async () => {
    const db = new SiltstoneLevel(scratchDirectory())
    await db.open({ cacheSize: 12_345 })
    expect(storeOf(db).stats().cache.capBytes).toBe(12_345)
    await db.close()
  })

  it('give way to those of Siltstone itself', async () => {
    const fs = new MemoryFileSystem()
    const directory = scratchDirectory()
    const db = new SiltstoneLevel(directory, { cacheSize: 1, siltstone: { fs, cacheBytes: 2 } })
    await db.put('a', '1')
    expect(storeOf(db).stats().cache.capBytes).toBe(2)
    await db.close()
    expect(fs.listSync(directory)).toContain('CURRENT')
    expect(() => readdirSync(directory)).toThrow('ENOENT')
  })

  it('name what is wrong where Siltstone does not know one of its own', async () => {
    const db = new SiltstoneLevel(scratchDirectory(), { siltstone: { cacheByte: 1 } as object })
    await expect(db.open()).rejects.toMatchObject({
      code: 'LEVEL_DATABASE_NOT_OPEN',
      cause: { message: "open knows no option 'cacheByte'; did you mean 'cacheBytes'?" },
    })
  })
})

describe('multithreading', () => {
  it('lets databases of one thread share a store until the last one closes', async () => {
    const location = scratchDirectory()
    const [first, second, third] = Array.from(
      { length: 3 },
      () => new SiltstoneLevel(location, { multithreading: true }),
    ) as [SiltstoneLevel, SiltstoneLevel, SiltstoneLevel]
    await Promise.all([first.open(), second.open()])
    await first.put('a', '1')
    expect(second.getSync('a')).toBe('1')
    const alone = new SiltstoneLevel(location)
    await expect(alone.open()).rejects.toMatchObject({ cause: { code: 'LEVEL_LOCKED' } })
    await first.close()
    await second.put('b', '2')
    // Whoever comes while the last one goes waits, and gets a store of its own.
    await Promise.all([second.close(), third.open()])
    expect(await third.keys().all()).toEqual(['a', 'b'])
    await third.close()
    await alone.open()
    await alone.close()
  })

  it('forgets a store that did not open', async () => {
    const location = scratchDirectory()
    const db = new SiltstoneLevel(location, { multithreading: true, createIfMissing: false })
    await expect(db.open()).rejects.toThrow('failed to open')
    await db.open({ createIfMissing: true })
    await db.close()
  })
})

describe("':memory:'", () => {
  it('keeps its entries for the same instance, and for nobody else', async () => {
    const db = new SiltstoneLevel(':memory:')
    expect(db.supports.permanence).toBe(false)
    await db.put('a', '1')
    await db.close()
    await db.open()
    expect(await db.get('a')).toBe('1')
    const other = new SiltstoneLevel(':memory:')
    expect(await other.get('a')).toBeUndefined()
    await Promise.all([db.close(), other.close()])
  })
})
