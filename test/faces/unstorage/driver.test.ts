import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createStorage, type Driver, prefixStorage, restoreSnapshot, type Storage, snapshot } from 'unstorage'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { open } from '../../../src/index.js'
import { siltstoneDriver } from '../../../src/unstorage.js'

/*
 * unstorage does not publish the tests of its drivers; these ask for the same things: state at the beginning, items of every kind,
 * queries cut off from keys, depths, raw bytes, many at once, removal and clearing.
 */

const folder = mkdtempSync(join(tmpdir(), 'siltstone-unstorage-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(['disk', ':memory:'])('the driver on %s', (place) => {
  let storage: Storage
  let driver: Driver
  let count = 0
  beforeEach(() => {
    const base = place === ':memory:' ? place : join(folder, String(count++))
    driver = siltstoneDriver({ base })
    storage = createStorage({ driver })
  })
  afterEach(() => storage.dispose())

  it('is empty at first', async () => {
    expect(await storage.hasItem('s1:a')).toBe(false)
    expect(await storage.getItem('s1:a')).toBeNull()
    expect(await storage.getItemRaw('s1:a')).toBeNull()
    expect(await storage.getKeys()).toEqual([])
  })

  it('keeps items of every kind', async () => {
    const items: [string, unknown][] = [
      ['text', 'test_data'],
      ['object', { json: 'works' }],
      ['yes', true],
      ['no', false],
      ['zero', 0],
      ['empty', ''],
      ['list', [1, 'ü', null]],
    ]
    for (const [key, value] of items) await storage.setItem(key, value as string)
    for (const [key, value] of items) expect(await storage.getItem(key), key).toEqual(value)
    await storage.setItem('lossy', { toJSON: () => ({ serialized: 1 }) } as never)
    expect(await storage.getItem('lossy')).toEqual({ serialized: 1 })
    await expect(storage.setItem('class', new (class Test {})() as never)).rejects.toThrow('Cannot stringify')
  })

  it('knows a key without its query, and by slashes', async () => {
    await storage.setItem('s3:a?q=1', 'x')
    expect(await storage.getItem('s3:a?q=2')).toBe('x')
    expect(await storage.getItem('/s3/a')).toBe('x')
  })

  it('lists keys below a base and down to a depth', async () => {
    for (const key of ['a0', 'a:b:c', 'a:b0', 'ab:x']) await storage.setItem(key, '1')
    expect(await storage.getKeys()).toEqual(['a0', 'a:b0', 'a:b:c', 'ab:x'].sort())
    expect(await storage.getKeys('a')).toEqual(['a:b0', 'a:b:c'])
    expect(await storage.getKeys(undefined, { maxDepth: 0 })).toEqual(['a0'])
    expect((await storage.getKeys(undefined, { maxDepth: 1 })).sort()).toEqual(['a0', 'a:b0', 'ab:x'].sort())
  })

  it('keeps raw bytes as they are', async () => {
    const bytes = new Uint8Array([0, 1, 128, 255])
    await storage.setItemRaw('raw.bin', bytes)
    expect(Buffer.compare((await storage.getItemRaw('raw.bin')) as Buffer, bytes)).toBe(0)
    await storage.setItemRaw('buffer.bin', bytes.buffer)
    expect(await storage.getMeta('buffer.bin')).toMatchObject({ size: 4 })
    await expect(storage.setItemRaw('odd', { a: 1 })).rejects.toThrow('bytes or a string')
  })

  it('sets and gets many', async () => {
    await storage.setItems([
      { key: 't:1', value: 'one' },
      { key: 't:2', value: { two: 2 } as never },
    ])
    expect(await storage.getItems(['t:2', { key: 't:1' }, 't:3?q'])).toEqual([
      { key: 't:2', value: { two: 2 } },
      { key: 't:1', value: 'one' },
      { key: 't:3', value: null },
    ])
  })

  it('removes one, clears a base, and clears everything, also twice', async () => {
    for (const key of ['a:1', 'a:2', 'ab:3']) await storage.setItem(key, '1')
    await storage.removeItem('a:1')
    expect(await storage.getKeys()).toEqual(['a:2', 'ab:3'])
    // unstorage itself clears a base only where something is mounted there.
    await driver.clear?.('a:', {})
    expect(await storage.getKeys()).toEqual(['ab:3'])
    await storage.clear()
    await storage.clear()
    expect(await storage.getKeys()).toEqual([])
  })

  it('carries snapshots and prefixes of unstorage', async () => {
    await restoreSnapshot(storage, { 'p:initial': 'works' })
    expect(await prefixStorage(storage, 'p').getItem('initial')).toBe('works')
    expect(await snapshot(storage, '')).toEqual({ 'p:initial': 'works' })
  })

  it('tells of what is set and removed until nobody listens', async () => {
    const heard = vi.fn()
    const stop = await storage.watch(heard)
    await storage.setItem('a', '1')
    await storage.removeItem('b')
    await vi.waitFor(() =>
      expect(heard.mock.calls).toEqual([
        ['update', 'a'],
        ['remove', 'b'],
      ]),
    )
    await stop()
    await storage.setItem('c', '1')
    expect(heard).toHaveBeenCalledTimes(2)
  })
})

describe('the driver', () => {
  it('keeps items for their time, in seconds, its own or that of the driver', async () => {
    let now = 1_000_000
    const clock = { now: () => now, after: () => () => {} }
    const storage = createStorage({ driver: siltstoneDriver({ base: ':memory:', ttl: 10, clock }) })
    await storage.setItem('short', '1', { ttl: 1 })
    await storage.setItems([{ key: 'long', value: '2' }])
    now += 1000
    expect([await storage.hasItem('short'), await storage.hasItem('long')]).toEqual([false, true])
    now += 9000
    expect(await storage.getKeys()).toEqual([])
    await storage.dispose()
  })

  it('stands in a keyspace of an open store, and leaves it open', async () => {
    const db = await open(':memory:')
    const store = db.keyspace('items', { valueEncoding: 'buffer' })
    const storage = createStorage({ driver: siltstoneDriver({ store }) })
    await storage.setItem('a', '1')
    await storage.dispose()
    expect((await store.get('a'))?.toString()).toBe('1')
    await db.close()
  })

  it('finds everything again after it was disposed of', async () => {
    const base = join(folder, 'again')
    const first = createStorage({ driver: siltstoneDriver({ base }) })
    await first.setItem('a', { b: 1 })
    await first.dispose()
    const second = createStorage({ driver: siltstoneDriver({ base }) })
    expect(await second.getItem('a')).toEqual({ b: 1 })
    await second.dispose()
  })

  it('wants a place', () => {
    expect(() => siltstoneDriver({})).toThrow('base')
  })
})
