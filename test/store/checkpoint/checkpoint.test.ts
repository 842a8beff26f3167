import { existsSync, linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { diskFileSystem } from '../../../src/fs/disk-file-system.js'
import { systemError } from '../../../src/fs/system-error.js'
import { type Database, destroy, MemoryFileSystem, open } from '../../../src/index.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { temporaryDirectories } from '../temporary.js'

const directory = temporaryDirectories()

async function contentOf(db: Database): Promise<[string, string][]> {
  return db.entries().toArray()
}

/** Some keys in tables of two levels, some in memtables. */
async function filled(path: string): Promise<Database> {
  const db = await open(path, { writeBufferBytes: 64 * 1024 })
  for (let i = 0; i < 300; i++) await db.put(`key ${String(i % 200).padStart(4, '0')}`, `value ${i}`)
  await db.compact()
  for (let i = 0; i < 50; i++) await db.put(`key ${String(i * 3).padStart(4, '0')}`, `second ${i}`)
  await db.flush()
  await db.keyspace('orders').put('7', 'in the log only')
  await db.put('last', 'in the log only')
  await db.del('key 0001')
  return db
}

describe('a checkpoint', () => {
  it('holds what the store held, in tables and in memory, in every keyspace', async () => {
    const db = await filled(directory())
    const expected = await contentOf(db)
    const target = directory()
    await db.checkpoint(target)
    await db.close()
    const copy = await open(target, { createIfMissing: false })
    expect(copy.recovery.losses).toEqual([])
    expect(await contentOf(copy)).toEqual(expected)
    expect(await copy.keyspace('orders').get('7')).toBe('in the log only')
    expect((await copy.verify()).findings).toEqual([])
    await copy.close()
  })

  it('holds everything that was issued before it, though nobody has awaited it', async () => {
    const db = await filled(directory())
    const writes = [db.put('issued', '1'), db.put('issued in the same turn', '2', { sync: true })]
    const target = directory()
    const { position } = await db.checkpoint(target)
    await Promise.all(writes)
    const copy = await open(target)
    expect(await copy.getMany(['issued', 'issued in the same turn'])).toEqual(['1', '2'])
    expect(copy.stats().log.position).toBe(position)
    await copy.close()
    await db.close()
  })

  it('is not kept waiting by writers that never stop', async () => {
    const db = await open(directory())
    let stop = false
    const writer = (async () => {
      for (let i = 0; !stop; i++) await db.put(`key ${i % 100}`, String(i))
    })()
    await db.checkpoint(directory())
    stop = true
    await writer
    await db.close()
  })

  it('is one moment of a store that is being written to, flushed and compacted', async () => {
    const db = await open(directory(), { writeBufferBytes: 64 * 1024 })
    let stop = false
    const padding = 'x'.repeat(500)
    // Both keys change together: a copy that shows two different numbers mixes two moments.
    const writer = (async () => {
      for (let i = 0; !stop; i++) {
        await db.batch([
          { type: 'put', key: 'a', value: `${i} ${padding}` },
          { type: 'put', key: `noise ${i % 500}`, value: padding },
          { type: 'put', key: 'b', value: `${i} ${padding}` },
        ])
        if (i % 97 === 0) void db.compact().catch(() => {})
      }
    })()
    let last = -1
    for (let round = 0; round < 8; round++) {
      const target = directory()
      await db.checkpoint(target)
      const copy = await open(target)
      const [a, b] = await copy.getMany(['a', 'b'])
      expect(a).toBe(b)
      expect(Number.parseInt(a ?? '0', 10)).toBeGreaterThan(last)
      last = Number.parseInt(a ?? '0', 10)
      expect((await copy.verify()).findings).toEqual([])
      await copy.close()
    }
    stop = true
    await writer
    await db.close()
  })

  it('has a history of its own: neither store sees what the other one does afterwards', async () => {
    const path = directory()
    const target = directory()
    const db = await filled(path)
    await db.checkpoint(target)
    const copy = await open(target)
    await copy.clear()
    await copy.put('mine', 'copy')
    await copy.compact()
    await copy.close()
    expect(await db.get('last')).toBe('in the log only')
    await db.put('mine', 'source')
    await db.compact()
    expect((await db.verify()).findings).toEqual([])
    await db.close()
    const again = await open(target)
    expect(await contentOf(again)).toEqual([['mine', 'copy']])
    await again.close()
    await destroy(target)
    const source = await open(path)
    expect(await source.get('mine')).toBe('source')
    expect(await source.count()).toBe(200 + 1)
    await source.close()
  })

  it('shares its tables with the store, and says what it had to write', async () => {
    const path = directory()
    const target = directory()
    const db = await filled(path)
    const { tables, bytes, writtenBytes } = await db.checkpoint(target)
    const names = readdirSync(target).filter((name) => name.endsWith('.sst'))
    expect(names).toHaveLength(tables)
    expect(tables).toBeGreaterThan(1)
    for (const name of names) expect(statSync(join(target, name)).ino).toBe(statSync(join(path, name)).ino)
    expect(bytes).toBeGreaterThan(writtenBytes)
    await db.close()
  })

  it.each(['EXDEV', 'EPERM', 'EMLINK'])('copies tables that cannot be linked (%s)', async (code) => {
    const path = directory()
    const target = directory()
    const db = await filled(path)
    let refused = 0
    const link = vi.spyOn(diskFileSystem, 'linkSync').mockImplementation((from, to) => {
      if (refused++ % 2 === 0) throw systemError(code, 'link', from, to)
      linkSync(from, to)
    })
    const { bytes, writtenBytes } = await db.checkpoint(target)
    link.mockRestore()
    expect(refused).toBeGreaterThan(1)
    expect(writtenBytes).toBeGreaterThan(0)
    expect(writtenBytes).toBeLessThan(bytes)
    const copy = await open(target)
    expect(await contentOf(copy)).toEqual(await contentOf(db))
    await copy.close()
    await db.close()
  })

  it('of a store that was just opened, in order or after a crash, and of an empty one', async () => {
    const disk = new SimulatedDisk(1)
    let db = await open('/a', { fs: disk })
    await db.checkpoint('/empty')
    await db.put('a', '1')
    await db.close()
    db = await open('/a', { fs: disk })
    await db.checkpoint('/clean')
    await db.put('b', '2', { sync: true })
    const after = disk.crash()
    db = await open('/a', { fs: after })
    await db.checkpoint('/crashed')
    await db.close()
    const seen: Record<string, [string, string][]> = {}
    for (const target of ['/empty', '/clean', '/crashed']) {
      const copy = await open(target, { fs: after, createIfMissing: false })
      seen[target] = await contentOf(copy)
      await copy.put('mine', 'x', { sync: true })
      await copy.close()
    }
    expect(seen).toEqual({
      '/empty': [],
      '/clean': [['a', '1']],
      '/crashed': [
        ['a', '1'],
        ['b', '2'],
      ],
    })
  })

  it('saves a store in memory to disk', async () => {
    const target = directory()
    const db = await open(':memory:')
    await db.put('a', '1')
    await db.flush()
    await db.put('b', '2')
    await db.checkpoint(target)
    await db.close()
    const copy = await open(target, { createIfMissing: false })
    expect(await contentOf(copy)).toEqual([
      ['a', '1'],
      ['b', '2'],
    ])
    await copy.close()
  })

  it('works inside a file system of the user', async () => {
    const fs = new MemoryFileSystem()
    const db = await open('/a', { fs })
    await db.put('a', '1')
    await db.checkpoint('/deep/down/b')
    const copy = await open('/deep/down/b', { fs })
    expect(await copy.get('a')).toBe('1')
    await copy.close()
    await db.close()
  })
})

describe('the target of a checkpoint', () => {
  it('may be an empty directory', async () => {
    const db = await open(':memory:')
    const target = directory()
    mkdirSync(target, { recursive: true })
    await db.checkpoint(target)
    await db.close()
    await (await open(target, { createIfMissing: false })).close()
  })

  it('must not hold anything, be a file, or be the store', async () => {
    const path = directory()
    const db = await open(path)
    const target = directory()
    mkdirSync(target)
    writeFileSync(join(target, 'letter.txt'), 'dear')
    await expect(db.checkpoint(target)).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    await expect(db.checkpoint(join(target, 'letter.txt'))).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    await expect(db.checkpoint(path)).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    await expect(db.checkpoint(':memory:')).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    expect(readdirSync(target)).toEqual(['letter.txt'])
    await db.close()
  })

  it('takes one checkpoint only, whoever asks at the same time', async () => {
    const db = await filled(directory())
    const target = directory()
    const outcomes = await Promise.allSettled([db.checkpoint(target), db.checkpoint(target)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const copy = await open(target, { createIfMissing: false })
    expect(await contentOf(copy)).toEqual(await contentOf(db))
    await copy.close()
    await db.close()
  })
})

describe('a checkpoint that fails', () => {
  it('leaves nothing behind when the disk is full, and can be made again', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/a', { fs: disk })
    await db.put('a', 'x'.repeat(1000))
    disk.quotaBytes = [...disk.snapshotFiles().values()].reduce((sum, { length }) => sum + length, 0) + 500
    await expect(db.checkpoint('/b')).rejects.toMatchObject({ code: 'SILT_NO_SPACE' })
    expect([...disk.snapshotFiles().keys()].filter((path) => path.startsWith('/b'))).toEqual([])
    expect(disk.statusSync('/b')).toBeUndefined()
    disk.quotaBytes = Number.POSITIVE_INFINITY
    await db.checkpoint('/b')
    await db.close()
    expect(disk.openPaths).toEqual([])
  })

  it('is refused where the store is only read, and ends when the store is closed', async () => {
    const path = directory()
    const db = await filled(path)
    const reader = await open(path, { readOnly: true })
    await expect(reader.checkpoint(directory())).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
    await reader.close()
    const target = directory()
    const making = db.checkpoint(target)
    const closing = db.close()
    await expect(making).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    await closing
    expect(existsSync(target)).toBe(false)
    await expect(db.checkpoint(target)).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
  })
})

it('of a store whose log has just gone on in a new segment opens like one that was closed in order', async () => {
  const fs = new MemoryFileSystem()
  const db = await open('/a', { fs })
  await db.put('a', '1')
  await db.flush()
  await db.checkpoint('/b')
  await db.close()
  const segments = () => fs.listSync('/b').filter((name) => name.endsWith('.log'))
  const before = segments()
  const copy = await open('/b', { fs })
  expect(segments()).toEqual(before)
  expect(await copy.get('a')).toBe('1')
  await copy.close()
})
