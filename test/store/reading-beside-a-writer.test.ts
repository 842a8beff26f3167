import { rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { StoreProcess } from './store-process.js'
import { fingerprint, temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()
const READ_ONLY = expect.objectContaining({ code: 'SILT_READ_ONLY' })
const SMALL = { writeBufferBytes: 64 * 1024 }

/** A writer in another process and a reader in this one. */
async function pair(): Promise<{ writer: StoreProcess; path: string }> {
  const path = newPath()
  const writer = new StoreProcess()
  await writer.call('open', path, SMALL)
  return { writer, path }
}

describe('a reader beside a live writer of another process', () => {
  it('sees what was committed when it was opened, and what came since when it asks for it', async () => {
    const { writer, path } = await pair()
    await using _ = writer
    await writer.call('put', 'a', '1')
    await using reader = await open(path, { readOnly: true })
    expect(await reader.get('a')).toBe('1')
    await writer.call('put', 'a', '2')
    await writer.call('put', 'b', '3')
    expect(await reader.entries().toArray()).toEqual([['a', '1']])
    await reader.refresh()
    expect(await reader.entries().toArray()).toEqual([
      ['a', '2'],
      ['b', '3'],
    ])
    await writer.call('clear')
    await reader.refresh()
    expect(await reader.count()).toBe(0)
  })

  it('keeps its view while the writer flushes, compacts and removes every file of it', async () => {
    const { writer, path } = await pair()
    await using _ = writer
    await writer.call('fill', 3000, 'old'.repeat(30))
    await writer.call('flush')
    await writer.call('put', 'in the log', 'old')
    await using reader = await open(path, { readOnly: true })
    await writer.call('fill', 3000, 'new')
    await writer.call('put', 'in the log', 'new')
    await writer.call('compact')
    expect(await reader.get('in the log')).toBe('old')
    expect(await reader.get('key 001234')).toBe('old'.repeat(30))
    expect(new Set(await reader.values({ prefix: 'key' }).toArray())).toEqual(new Set(['old'.repeat(30)]))
    expect(await reader.count()).toBe(3001)
    await reader.refresh()
    expect(await reader.get('in the log')).toBe('new')
    expect(new Set(await reader.values().toArray())).toEqual(new Set(['new']))
  })

  it('keeps what its open snapshots and scans see through a refresh', async () => {
    const { writer, path } = await pair()
    await using _ = writer
    await writer.call('fill', 1000, 'old')
    await writer.call('flush')
    await writer.call('put', 'in the log', 'old')
    await using reader = await open(path, { readOnly: true })
    const other = reader.keyspace('other')
    using snapshot = reader.snapshot()
    const scan = reader.values()
    expect(await scan.nextMany(1)).toEqual(['old'])
    for (const _ of [1, 2]) {
      await writer.call('fill', 1000, 'new')
      await writer.call('put', 'in the log', 'new')
      // Nothing on the writer's side remembers what the reader's snapshot sees.
      await writer.call('compact')
      await reader.refresh()
    }
    expect(await reader.get('key 000001')).toBe('new')
    expect(await snapshot.get('key 000001')).toBe('old')
    expect(snapshot.getSync('in the log')).toBe('old')
    expect(await reader.get('key 000001', { snapshot })).toBe('old')
    expect(await snapshot.getMany(['in the log', 'key 000999'])).toEqual(['old', 'old'])
    expect(new Set(await snapshot.values().toArray())).toEqual(new Set(['old']))
    expect(await snapshot.count()).toBe(1001)
    expect(await snapshot.keyspace(other).count()).toBe(0)
    expect(new Set(await scan.toArray())).toEqual(new Set(['old']))
  })

  it('goes on with its keyspaces, those that come later included', async () => {
    const { writer, path } = await pair()
    await using _ = writer
    await writer.call('batch', [{ type: 'put', key: 'a', value: '1', keyspace: 'one' }])
    await using reader = await open(path, { readOnly: true })
    const one = reader.keyspace('one')
    const two = reader.keyspace('two')
    expect(await one.get('a')).toBe('1')
    expect(await two.get('a')).toBeUndefined()
    await writer.call('batch', [
      { type: 'put', key: 'a', value: '2', keyspace: 'one' },
      { type: 'put', key: 'a', value: '3', keyspace: 'two' },
    ])
    await writer.call('flush')
    await reader.refresh()
    expect([await one.get('a'), await two.get('a')]).toEqual(['2', '3'])
    expect(reader.keyspaceNames().sort()).toEqual(['one', 'two'])
  })

  it('comes along while the writer writes without end', async () => {
    const { writer, path } = await pair()
    await using _ = writer
    await writer.call('put', 'round', '0')
    await using reader = await open(path, { readOnly: true })
    for (let round = 1; round <= 10; round++) {
      const writing = writer.call('fill', 2000, `${round}`.repeat(50))
      for (let i = 0; i < 3; i++) {
        await reader.refresh()
        await reader.count()
      }
      await writing
      await writer.call('put', 'round', String(round))
      await reader.refresh()
      expect(await reader.get('round')).toBe(String(round))
      expect(await reader.count()).toBe(2001)
    }
  })

  it('opens again and again, and outlives the writer', async () => {
    const { writer, path } = await pair()
    await writer.call('put', 'a', '1')
    await using one = await open(path, { readOnly: true })
    await using two = await open(path, { readOnly: true })
    await writer.kill()
    await using three = await open(path, { readOnly: true })
    for (const reader of [one, two, three]) expect(await reader.get('a')).toBe('1')
    await using next = await open(path)
    await next.put('a', '2')
    await one.refresh()
    expect(await one.get('a')).toBe('2')
  })
})

describe('a reader', () => {
  const calls: Record<string, (db: Database) => unknown> = {
    put: (db) => db.put('a', '1'),
    putSync: (db) => db.putSync('a', '1'),
    del: (db) => db.del('a'),
    delSync: (db) => db.delSync('a'),
    batch: (db) => db.batch([{ type: 'del', key: 'a' }]),
    batchSync: (db) => db.batchSync([{ type: 'del', key: 'a' }]),
    'a chained batch': (db) => db.batch().del('a').write(),
    'a chained batch on this thread': (db) => db.batch().del('a').writeSync(),
    'a keyspace': (db) => db.keyspace('other').put('a', '1'),
    clear: (db) => db.clear(),
    'clear of nothing': (db) => db.clear({ gt: 'b', lt: 'a' }),
    clearSync: (db) => db.clearSync(),
    flush: (db) => db.flush(),
    compact: (db) => db.compact(),
  }

  it.each(Object.entries(calls))('refuses %s with SILT_READ_ONLY', async (_, call) => {
    const path = newPath()
    await (await open(path)).close()
    await using reader = await open(path, { readOnly: true })
    await expect(async () => call(reader)).rejects.toEqual(READ_ONLY)
  })

  it('never writes one byte, whatever it does, and whatever it finds', async () => {
    const path = newPath()
    const writer = new StoreProcess()
    await writer.call('open', path, SMALL)
    await writer.call('fill', 2000, 'x'.repeat(100))
    await writer.call('put', 'last', 'in the log')
    // Killed, so that there is a torn store to open: something to recover and nobody to have tidied up.
    await writer.kill()
    const before = fingerprint(path)
    {
      await using reader = await open(path, { readOnly: true })
      expect(await reader.get('last')).toBe('in the log')
      expect(await reader.count()).toBe(2001)
      using snapshot = reader.snapshot()
      await snapshot.get('last')
      await reader.refresh()
      await reader.idle()
      await reader.approximateSize()
      reader.stats()
      expect((await reader.verify()).ok).toBe(true)
      for (const call of Object.values(calls)) await expect(async () => call(reader)).rejects.toEqual(READ_ONLY)
    }
    expect(fingerprint(path)).toEqual(before)
  })

  it('of a store that is not there makes none', async () => {
    const path = newPath()
    await expect(open(path, { readOnly: true })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    await expect(open(path, { readOnly: true, createIfMissing: true })).rejects.toMatchObject({
      code: 'SILT_NOT_FOUND',
    })
    await expect(async () => fingerprint(path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('reads what it has when the store is removed under it, and says so when it looks again', async () => {
    const path = newPath()
    {
      await using db = await open(path)
      await db.put('a', '1')
      await db.flush()
    }
    await using reader = await open(path, { readOnly: true })
    rmSync(path, { recursive: true })
    expect(await reader.get('a')).toBe('1')
    await expect(reader.refresh()).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    expect(await reader.get('a')).toBe('1')
  })

  it('does nothing when it is asked to refresh a store that writes', async () => {
    await using db = await open(':memory:')
    await db.put('a', '1')
    await db.refresh()
    expect(await db.get('a')).toBe('1')
  })
})
