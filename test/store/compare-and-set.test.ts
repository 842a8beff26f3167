import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'
import { withSeeds } from '../simulation/reproduce.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

async function withStore(run: (db: Database) => Promise<void>, options: object = {}): Promise<void> {
  const db = await open(':memory:', { executor: 'inline', ...options })
  try {
    await run(db)
  } finally {
    await db.close()
  }
}

type Set = (db: Database, key: string, expected: string | undefined, value: string | undefined) => Promise<boolean>

const forms: [string, Set][] = [
  ['compareAndSet', (db, key, expected, value) => db.compareAndSet(key, expected, value)],
  ['compareAndSetSync', async (db, key, expected, value) => db.compareAndSetSync(key, expected, value)],
]

describe.each(forms)('%s', (_, set) => {
  it('sets what is as expected, and nothing else', () =>
    withStore(async (db) => {
      expect(await set(db, 'a', '1', '2')).toBe(false)
      expect(await db.has('a')).toBe(false)
      expect(await set(db, 'a', undefined, '1')).toBe(true)
      expect(await set(db, 'a', undefined, '2')).toBe(false)
      expect(await set(db, 'a', '10', '2')).toBe(false)
      expect(await set(db, 'a', '', '2')).toBe(false)
      expect(await db.get('a')).toBe('1')
      expect(await set(db, 'a', '1', '')).toBe(true)
      expect(await set(db, 'a', undefined, '2')).toBe(false)
      expect(await set(db, 'a', '', undefined)).toBe(true)
      expect(await db.has('a')).toBe(false)
      expect(await set(db, 'a', '', undefined)).toBe(false)
      expect(await set(db, 'a', undefined, undefined)).toBe(true)
    }))

  it('finds the value in tables too, and under a deletion of its range nothing', () =>
    withStore(async (db) => {
      await db.put('a', '1')
      await db.put('b', '1')
      await db.flush()
      expect(await set(db, 'a', '1', '2')).toBe(true)
      await db.flush()
      expect(await set(db, 'a', '1', '3')).toBe(false)
      await db.clear({ prefix: 'b' })
      expect(await set(db, 'b', '1', '2')).toBe(false)
      expect(await set(db, 'b', undefined, '2')).toBe(true)
    }))

  it.each<[string, (db: Database) => Promise<unknown>, string | undefined]>([
    ['a put', (db) => db.put('a', '2'), '2'],
    ['a synced put', (db) => db.put('a', '2', { sync: true }), '2'],
    ['a deletion', (db) => db.del('a'), undefined],
    ['the clearing of a range', (db) => db.clear({ prefix: 'a' }), undefined],
    ['the clearing of everything', (db) => db.clear(), undefined],
    [
      'a batch',
      (db) =>
        db.batch([
          { type: 'put', key: 'x', value: 'x' },
          { type: 'put', key: 'a', value: '2' },
        ]),
      '2',
    ],
    ['another one', (db) => db.compareAndSet('a', '1', '2'), '2'],
    [
      'many others',
      (db) => Promise.all(Array.from({ length: 1000 }, (_, i) => db.put(i === 500 ? 'a' : `x${i}`, '2'))),
      '2',
    ],
  ])('sees %s that is issued and not visible yet', (_, write, after) =>
    withStore(async (db) => {
      for (const expected of ['1', '2', undefined]) {
        await db.put('a', '1')
        const writing = write(db)
        expect(await set(db, 'a', expected, 'mine')).toBe(expected === after)
        await writing
        expect(await db.get('a')).toBe(expected === after ? 'mine' : after)
      }
    }),
  )

  it('does not wait for what touches other keys, keyspaces or ranges', () =>
    withStore(async (db) => {
      const other = db.keyspace('other')
      await Promise.all([db.put('a', '1'), other.put('a', '1')])
      const writing = [db.put('b', '1'), other.put('a', '2'), db.clear({ gt: 'a' }), other.clear()]
      expect(await set(db, 'a', '1', '2')).toBe(true)
      await Promise.all(writing)
    }))
})

it('of many who ask for the same change in one turn gives it to one', () =>
  withStore(async (db) => {
    for (const sync of [false, true]) {
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, i) => db.compareAndSet(`lock ${sync}`, undefined, String(i), { sync })),
      )
      expect(outcomes.filter((won) => won)).toHaveLength(1)
      expect(await db.get(`lock ${sync}`)).toBe(String(outcomes.indexOf(true)))
    }
  }))

it('loses no increment of many counters that try until they succeed', () =>
  withSeeds(3, async (random) => {
    const fs = new SimulatedDisk(random.uint32())
    const db = await open('/store', { fs, executor: 'inline', writeBufferBytes: 64 * 1024 })
    const keys = ['a', 'b', 'c']
    const added = new Map<string, number>()
    let refused = 0
    const count = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        const key = random.pick(keys)
        const sync = random.chance(0.1)
        for (;;) {
          const seen = await db.get(key)
          const next = String(Number(seen ?? '0') + 1)
          if (random.chance(0.02)) await db.flush()
          const isSet = random.chance(0.2)
            ? db.compareAndSetSync(key, seen, next)
            : await db.compareAndSet(key, seen, next, { sync })
          if (isSet) break
          refused++
        }
        added.set(key, (added.get(key) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: 16 }, count))
    expect(refused).toBeGreaterThan(0)
    for (const key of keys) expect(Number(await db.get(key))).toBe(added.get(key))
    await db.close()
  }))

it('is a step in the order of writes: what is issued after it comes after it', () =>
  withStore(async (db) => {
    await db.put('a', '1')
    await Promise.all([db.compareAndSet('a', '1', '2'), db.put('a', '3')])
    expect(await db.get('a')).toBe('3')
  }))

it('takes expiry and durability, and sees what has expired as absent', async () => {
  const clock = new ManualClock()
  await withStore(
    async (db) => {
      expect(await db.compareAndSet('lease', undefined, 'me', { ttl: 1000, sync: true })).toBe(true)
      expect(db.stats().log.syncedPosition).toBe(db.stats().log.position)
      expect(await db.compareAndSet('lease', undefined, 'you')).toBe(false)
      clock.advance(1000)
      expect(await db.compareAndSet('lease', 'me', 'me')).toBe(false)
      expect(await db.compareAndSet('lease', undefined, 'you')).toBe(true)
    },
    { clock },
  )
})

it('compares bytes, whatever they encode', () =>
  withStore(async (db) => {
    const json = db.keyspace<number[], { a: number; b: number }>('json', { keyEncoding: 'json', valueEncoding: 'json' })
    await json.put([1], { a: 1, b: 2 })
    expect(await json.compareAndSet([1], { b: 2, a: 1 }, { a: 2, b: 2 })).toBe(false)
    expect(await json.compareAndSet([1], { a: 1, b: 2 }, { a: 2, b: 2 })).toBe(true)
    const raw = db.as({ valueEncoding: 'buffer' })
    const bytes = Buffer.from([0, 255, 0])
    expect(await raw.compareAndSet('raw', undefined, bytes)).toBe(true)
    expect(await raw.compareAndSet('raw', Buffer.from([0, 255]), Buffer.alloc(0))).toBe(false)
    expect(raw.compareAndSetSync('raw', bytes, Buffer.alloc(0))).toBe(true)
  }))

it('takes what it is given as it is at the call', () =>
  withStore(async (db) => {
    const raw = db.as({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const [key, value] = [Buffer.from('key'), Buffer.from('value')]
    const others = db.put('key', '1')
    const expected = Buffer.from('1')
    const setting = raw.compareAndSet(key, expected, value)
    for (const bytes of [key, value, expected]) bytes.fill(0)
    await others
    expect(await setting).toBe(true)
    expect(await db.entries().toArray()).toEqual([['key', 'value']])
  }))

it('refuses what put refuses, before anything is compared', () =>
  withStore(async (db) => {
    const nothing = null as unknown as string
    await expect(db.compareAndSet(nothing, undefined, '1')).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(db.compareAndSet('a', nothing, '1')).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(db.compareAndSet('a', undefined, nothing)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(db.compareAndSet('a', '1', nothing)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(db.compareAndSet('a', '1', '2', { ttl: -1 })).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    expect(() => db.compareAndSetSync('a', '1', nothing)).toThrow(
      expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
    )
    await db.close()
    await expect(db.compareAndSet('a', undefined, '1')).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
  }))
