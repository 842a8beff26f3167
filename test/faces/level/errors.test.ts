import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { SiltstoneError } from '../../../src/index.js'
import { SiltstoneLevel, storeOf } from '../../../src/level.js'
import { scratchDirectory } from './scratch.js'

/** Turns every bit of the tables' first halves: data blocks, of whichever size. */
function damageTables(location: string): void {
  for (const name of readdirSync(location).filter((each) => each.endsWith('.sst'))) {
    const path = join(location, name)
    const bytes = readFileSync(path)
    for (let i = 0; i < bytes.length / 2; i++) bytes[i]! ^= 0xff
    writeFileSync(path, bytes)
  }
}

describe('an error', () => {
  it('says LEVEL_LOCKED where the store is open already, and who has it', async () => {
    const location = scratchDirectory()
    const db = new SiltstoneLevel(location)
    await db.open()
    await expect(new SiltstoneLevel(location).open()).rejects.toMatchObject({
      code: 'LEVEL_DATABASE_NOT_OPEN',
      cause: { code: 'LEVEL_LOCKED', cause: { code: 'SILT_LOCKED', pid: process.pid } },
    })
    await db.close()
  })

  it('says LEVEL_CORRUPTION, and the file and the offset with it', async () => {
    const location = scratchDirectory()
    const db = new SiltstoneLevel(location)
    await db.put('a', 'x'.repeat(10_000))
    await storeOf(db).flush()
    await db.close()
    damageTables(location)
    await db.open()
    const corrupt = {
      code: 'LEVEL_CORRUPTION',
      cause: { code: 'SILT_CORRUPTION', file: expect.stringContaining('.sst'), offset: expect.any(Number) },
    }
    await expect(db.get('a')).rejects.toMatchObject(corrupt)
    await expect(db.getMany(['a'])).rejects.toMatchObject(corrupt)
    await expect(db.has('a')).rejects.toMatchObject(corrupt)
    await expect(db.iterator().all()).rejects.toMatchObject(corrupt)
    await expect(db.iterator().next()).rejects.toMatchObject(corrupt)
    expect(() => db.getSync('a')).toThrow(expect.objectContaining({ code: 'LEVEL_CORRUPTION' }))
    await db.close()
  })

  it('says LEVEL_DATABASE_NOT_OPEN from whatever is called on a closed database', async () => {
    const db = new SiltstoneLevel(':memory:')
    await db.open()
    const batch = db.batch()
    await db.close()
    const notOpen = { code: 'LEVEL_DATABASE_NOT_OPEN' }
    await expect(db.get('a')).rejects.toMatchObject(notOpen)
    await expect(db.put('a', '')).rejects.toMatchObject(notOpen)
    await expect(db.approximateSize('a', 'b')).rejects.toMatchObject(notOpen)
    await expect(db.compactRange('a', 'b')).rejects.toMatchObject(notOpen)
    expect(() => db.getProperty('leveldb.stats')).toThrow(expect.objectContaining(notOpen))
    expect(() => db.snapshot()).toThrow(expect.objectContaining(notOpen))
    expect(() => batch.put('a', '')).toThrow(expect.objectContaining({ code: 'LEVEL_BATCH_NOT_OPEN' }))
  })

  it('says LEVEL_INVALID_KEY of a key that is none, or too long', async () => {
    const db = new SiltstoneLevel(':memory:')
    const tooLong = 'x'.repeat(65_536)
    const invalid = { code: 'LEVEL_INVALID_KEY' }
    await expect(db.put(null as never, '')).rejects.toMatchObject(invalid)
    await expect(db.put(tooLong, '')).rejects.toMatchObject({ ...invalid, cause: expect.any(SiltstoneError) })
    await expect(db.get(tooLong)).rejects.toMatchObject(invalid)
    await expect(db.batch([{ type: 'del', key: tooLong }])).rejects.toMatchObject(invalid)
    expect(() => db.batch().put(tooLong, '')).toThrow(expect.objectContaining(invalid))
    expect(() => db.iterator({ gte: tooLong })).toThrow(expect.objectContaining(invalid))
    await db.put('x'.repeat(65_535), 'the longest')
    expect(await db.values().all()).toEqual(['the longest'])
    await db.close()
  })

  it('says LEVEL_READONLY where a reader writes', async () => {
    const location = scratchDirectory()
    const writer = new SiltstoneLevel(location)
    await writer.put('a', '1')
    const reader = new SiltstoneLevel(location, { siltstone: { readOnly: true } })
    expect(await reader.get('a')).toBe('1')
    await expect(reader.put('b', '')).rejects.toMatchObject({ code: 'LEVEL_READONLY' })
    await Promise.all([reader.close(), writer.close()])
  })

  it('says that nothing is there, or that something is', async () => {
    const location = scratchDirectory()
    const db = new SiltstoneLevel(location)
    await expect(db.open({ createIfMissing: false })).rejects.toMatchObject({
      cause: { message: `${location} does not exist (createIfMissing is false)`, cause: { code: 'SILT_NOT_FOUND' } },
    })
    await db.open()
    await db.close()
    await expect(db.open({ errorIfExists: true })).rejects.toMatchObject({
      cause: { message: `${location} exists (errorIfExists is true)`, cause: { code: 'SILT_EXISTS' } },
    })
  })

  it('says LEVEL_NOT_SUPPORTED of a directory of LevelDB, and leaves it as it is', async () => {
    const location = scratchDirectory()
    const classic = new ClassicLevel(location)
    await classic.put('a', '1')
    await classic.close()
    const contents = () =>
      readdirSync(location)
        .filter((name) => name !== 'LOCK')
        .map((name) => [name, readFileSync(join(location, name), 'latin1')])
    const before = contents()
    await expect(new SiltstoneLevel(location).open()).rejects.toMatchObject({
      cause: { code: 'LEVEL_NOT_SUPPORTED', message: expect.stringContaining('holds a database of LevelDB') },
    })
    await expect(SiltstoneLevel.destroy(location)).rejects.toMatchObject({ code: 'LEVEL_NOT_SUPPORTED' })
    await expect(SiltstoneLevel.repair(location)).rejects.toMatchObject({ code: 'LEVEL_NOT_SUPPORTED' })
    expect(contents()).toEqual(before)
    expect(await classic.open().then(() => classic.get('a'))).toBe('1')
    await classic.close()
  })
})
