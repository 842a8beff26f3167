import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, open, type Scan, type ScanOptions } from '../../src/index.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

const KEYS = ['', 'a', 'aa', 'ab', 'b', 'ba', 'c', 'é', '\u{10ffff}']

/** The same keys three times: in memory, in tables, and some here and some there, with what was deleted in between. */
const places: Record<string, (db: Database) => Promise<void>> = {
  'in memory': async (db) => {
    for (const key of KEYS) await db.put(key, `value of ${key}`)
  },
  'in tables': async (db) => {
    for (const key of KEYS) await db.put(key, `value of ${key}`)
    await db.compact()
  },
  'in both': async (db) => {
    for (const key of [...KEYS, 'a0', 'bb']) await db.put(key, key === 'c' ? 'older' : `value of ${key}`)
    await db.flush()
    for (const key of ['a', 'c', 'é']) await db.put(key, `value of ${key}`)
    for (const key of ['a0', 'bb', 'never there']) await db.del(key)
  },
}

function isInside(key: string, options: ScanOptions<string>): boolean {
  const { gt, gte, lt, lte, prefix } = options
  if (gt !== undefined && !(key > gt)) return false
  if (gte !== undefined && !(key >= gte)) return false
  if (lt !== undefined && !(key < lt)) return false
  if (lte !== undefined && !(key <= lte)) return false
  return prefix === undefined || key.startsWith(prefix)
}

/** What a scan should give. */
function expected(options: ScanOptions<string>): string[] {
  const keys = KEYS.filter((key) => isInside(key, options))
  if (options.reverse) keys.reverse()
  return keys.slice(0, options.limit)
}

describe.each(Object.entries(places))('a scan over keys %s', (_, fill) => {
  let db: Database
  beforeEach(async () => {
    db = await open(':memory:')
    await fill(db)
    return () => db.close()
  })

  it('honours every combination of bounds, direction and limit', async () => {
    const lows: ScanOptions<string>[] = [{}, { gt: 'a' }, { gte: 'a' }, { gt: 'a0' }, { gte: '' }, { gt: '' }]
    const highs: ScanOptions<string>[] = [{}, { lt: 'ba' }, { lte: 'ba' }, { lt: 'zz' }, { lte: '' }, { lt: 'a' }]
    const prefixes: ScanOptions<string>[] = [{}, { prefix: 'a' }, { prefix: '' }, { prefix: 'x' }, { prefix: 'é' }]
    const ways: ScanOptions<string>[] = [{}, { reverse: true }, { limit: 2 }, { reverse: true, limit: 1 }, { limit: 0 }]
    for (const low of lows) {
      for (const high of highs) {
        for (const prefix of prefixes) {
          for (const way of ways) {
            const options = { ...low, ...high, ...prefix, ...way }
            const keys = expected(options)
            expect([...db.keys(options)], JSON.stringify(options)).toEqual(keys)
            expect(await db.keys(options).toArray(), JSON.stringify(options)).toEqual(keys)
          }
        }
      }
    }
  })

  it('gives the same in every form', async () => {
    const keys = expected({ gte: 'a', lt: 'c' })
    const range = { gte: 'a', lt: 'c' }
    const entries = keys.map((key) => [key, `value of ${key}`])
    const values = keys.map((key) => `value of ${key}`)
    expect([...db.entries(range)]).toEqual(entries)
    expect([...db.values(range)]).toEqual(values)
    expect(db.entries(range).toArraySync()).toEqual(entries)
    expect(await db.entries(range).toArray()).toEqual(entries)
    expect(await db.values(range).toArray()).toEqual(values)
    const looped = []
    for await (const entry of db.entries(range)) looped.push(entry)
    expect(looped).toEqual(entries)
    expect(await db.count(range)).toBe(keys.length)
    expect(db.countSync(range)).toBe(keys.length)
  })

  it('is taken in slices, in either form', async () => {
    const scan = db.keys()
    expect(await scan.nextMany(2)).toEqual(KEYS.slice(0, 2))
    expect(scan.nextManySync(3)).toEqual(KEYS.slice(2, 5))
    expect(await scan.nextMany(0)).toEqual([])
    expect(scan.nextManySync(100)).toEqual(KEYS.slice(5))
    expect(await scan.nextMany(100)).toEqual([])
    expect(scan.nextManySync(1)).toEqual([])
    scan.close()
  })

  it('is sought in, inside and outside of its bounds, in both directions', async () => {
    for (const reverse of [false, true]) {
      for (const target of ['', 'a', 'a0', 'b', 'bb', 'c', 'zz', '\u{10ffff}']) {
        const options = { gt: '', lt: 'é', reverse }
        const scan = db.keys(options)
        const keys = isInside(target, options)
          ? expected(options).filter((key) => (reverse ? key <= target : key >= target))
          : []
        scan.seek(target)
        expect(scan.nextManySync(100), `${target} ${reverse}`).toEqual(keys)
        scan.close()
      }
    }
  })

  it('gives no more than its limit, sought in or not', async () => {
    const scan = db.keys({ limit: 3 })
    expect(await scan.nextMany(2)).toEqual(KEYS.slice(0, 2))
    scan.seek('')
    expect(await scan.nextMany(2)).toEqual([''])
    expect(await scan.nextMany(2)).toEqual([])
    scan.close()
  })
})

describe('a prefix', () => {
  it('may end in bytes of 0xff', async () => {
    const encoding = { keyEncoding: 'buffer' as const, valueEncoding: 'utf8' as const }
    await using db = await open<Buffer, string>(':memory:', encoding)
    const keys = [[0xfe], [0xfe, 0xff], [0xfe, 0xff, 0], [0xff], [0xff, 0xfe], [0xff, 0xff], [0xff, 0xff, 1]]
    for (const key of keys) await db.put(Buffer.from(key), '')
    const found = async (prefix: number[], reverse: boolean): Promise<number[][]> => {
      const all = await db.keys({ prefix: Buffer.from(prefix), reverse }).toArray()
      return (reverse ? all.reverse() : all).map((key) => [...key])
    }
    for (const settle of [async () => {}, () => db.compact()]) {
      await settle()
      for (const prefix of [[0xfe, 0xff], [0xff], [0xff, 0xff], [0xff, 0xff, 0xff], []]) {
        const inside = keys.filter((key) => prefix.every((byte, i) => key[i] === byte))
        expect(await found(prefix, false)).toEqual(inside)
        expect(await found(prefix, true)).toEqual(inside)
        expect(await db.count({ prefix: Buffer.from(prefix) })).toBe(inside.length)
      }
    }
    await db.clear({ prefix: Buffer.from([0xff]) })
    expect(await found([], false)).toEqual(keys.slice(0, 3))
  })
})

describe('a scan', () => {
  /** A store that has something of everything going on. */
  async function busy(): Promise<{ db: Database; keys: string[] }> {
    const db = await open('/db', { fs: new SimulatedDisk(1), writeBufferBytes: 64 * 1024, blockBytes: 256 })
    const keys = Array.from({ length: 2000 }, (_, i) => String(i).padStart(5, '0'))
    for (const key of keys) db.putSync(key, `old ${key}`)
    return { db, keys }
  }

  const disturbances: [string, (db: Database, keys: string[]) => Promise<void>][] = [
    ['overwriting', async (db, keys) => db.batch(keys.map((key) => ({ type: 'put', key, value: 'new'.repeat(50) })))],
    ['deleting', (db, keys) => db.batch(keys.map((key) => ({ type: 'del', key })))],
    ['adding', (db, keys) => db.batch(keys.map((key) => ({ type: 'put', key: `${key}+`, value: 'new' })))],
    ['clearing', (db) => db.clear()],
    ['flushing', (db) => db.flush()],
    ['clearing and compacting', (db) => db.clear().then(() => db.compact())],
  ]

  it.each(disturbances)('sees the store as it was when it was made, through %s', async (_, disturb) => {
    const { db, keys } = await busy()
    const scans = [db.entries(), db.entries({ reverse: true }), db.entries()]
    const seen = await Promise.all(scans.map((scan) => scan.nextMany(100)))
    await disturb(db, keys)
    for (const [i, scan] of scans.entries()) {
      if (i === 2) for await (const entry of scan) seen[i]!.push(entry)
      else seen[i]!.push(...(await scan.toArray()))
    }
    const entries = keys.map((key) => [key, `old ${key}`])
    expect(seen).toEqual([entries, entries.toReversed(), entries])
    await db.close()
  })

  it('made before a write that was issued, but not awaited, does not see it', async () => {
    await using db = await open(':memory:')
    const write = db.put('a', '')
    const scan = db.keys()
    await write
    expect(await scan.toArray()).toEqual([])
    expect(await db.keys().toArray()).toEqual(['a'])
  })

  it('goes on where it was left when slices are asked for all at once', async () => {
    const { db, keys } = await busy()
    await db.compact()
    const scan = db.keys()
    const slices = await Promise.all([scan.nextMany(300), scan.nextMany(700), scan.nextMany(1), scan.nextMany(5000)])
    expect(slices).toEqual([keys.slice(0, 300), keys.slice(300, 1000), keys.slice(1000, 1001), keys.slice(1001)])
    await db.close()
  })

  it('hands every entry out once when its iterator is asked for many at once', async () => {
    const { db, keys } = await busy()
    await db.compact()
    const iterator = db.keys({ limit: 100 })[Symbol.asyncIterator]()
    const results = await Promise.all(Array.from({ length: 120 }, () => iterator.next()))
    expect(results.slice(0, 100).map(({ value }) => value)).toEqual(keys.slice(0, 100))
    expect(results.slice(100).every(({ done }) => done)).toBe(true)
    await db.close()
  })

  it('that is sought in inside a loop goes on from there', async () => {
    const { db } = await busy()
    // The loop reads ahead; what it had read used to come before what was sought.
    for (const loop of ['for await', 'for']) {
      const scan = db.keys({ limit: 6 })
      const seen: string[] = []
      const step = (key: string): void => {
        seen.push(key)
        if (key === '00002') scan.seek('01000')
      }
      if (loop === 'for') for (const key of scan) step(key)
      else for await (const key of scan) step(key)
      expect(seen, loop).toEqual(['00000', '00001', '00002', '01000', '01001', '01002'])
    }
    await db.close()
  })

  it('gives a slice from where the loop around it is', async () => {
    const { db } = await busy()
    for (const take of ['nextMany', 'nextManySync'] as const) {
      const seen: string[] = []
      for await (const key of db.keys({ limit: 6 })) {
        seen.push(key)
        break
      }
      const scan = db.keys({ limit: 6 })
      for await (const key of scan) seen.push(key, ...(await scan[take](2)))
      expect(seen).toEqual(['00000', '00000', '00001', '00002', '00003', '00004', '00005'])
    }
    await db.close()
  })

  it('refuses limits, directions and counts that are none', async () => {
    await using db = await open(':memory:')
    const invalid = expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' })
    for (const limit of [-1, 1.5, Number.NaN, '10', null]) expect(() => db.keys({ limit } as never)).toThrow(invalid)
    for (const reverse of [1, 'yes', null]) expect(() => db.keys({ reverse } as never)).toThrow(invalid)
    for (const signal of [1, {}, null]) expect(() => db.keys({ signal } as never)).toThrow(invalid)
    for (const snapshot of [1, {}, null]) expect(() => db.keys({ snapshot } as never)).toThrow(invalid)
    for (const options of [1, 'a', null]) expect(() => db.keys(options as never)).toThrow(invalid)
    const scan = db.keys()
    for (const count of [-1, 1.5, Number.NaN, undefined]) {
      await expect(scan.nextMany(count as number)).rejects.toEqual(invalid)
      expect(() => scan.nextManySync(count as number)).toThrow(invalid)
    }
    scan.close()
  })
})

describe('closing a scan', () => {
  let db: Database
  beforeEach(async () => {
    db = await open(':memory:')
    for (const key of KEYS) await db.put(key, '')
    return () => db.close()
  })
  const closed = expect.objectContaining({ code: 'SILT_NOT_OPEN' })
  const openScans = (): number => db.stats().pins.count

  it('ends every use of it, and closing it twice is closing it once', async () => {
    const scan = db.keys()
    expect(await scan.nextMany(1)).toEqual([''])
    expect(openScans()).toBe(1)
    scan.close()
    scan.close()
    expect(openScans()).toBe(0)
    await expect(scan.nextMany(1)).rejects.toEqual(closed)
    await expect(scan.toArray()).rejects.toEqual(closed)
    expect(() => scan.nextManySync(1)).toThrow(closed)
    expect(() => scan.toArraySync()).toThrow(closed)
    expect(() => scan.seek('a')).toThrow(closed)
    expect(() => [...scan]).toThrow(closed)
    await expect(async () => {
      for await (const _ of scan);
    }).rejects.toEqual(closed)
  })

  const loops: [string, (scan: Scan<string, string>, visit: (key: string) => void) => Promise<void>][] = [
    [
      'for',
      async (scan, visit) => {
        for (const key of scan) visit(key)
      },
    ],
    [
      'for await',
      async (scan, visit) => {
        for await (const key of scan) visit(key)
      },
    ],
  ]

  it.each(loops)('is what the end of a %s loop does', async (_, loop) => {
    const scan = db.keys()
    await loop(scan, () => {})
    expect(openScans()).toBe(0)
    expect(() => scan.nextManySync(1)).toThrow(closed)
  })

  it.each(loops)('is what leaving a %s loop with an error does', async (_, loop) => {
    const visit = (key: string): void => {
      if (key === 'b') throw new RangeError('enough')
    }
    await expect(loop(db.keys(), visit)).rejects.toThrow('enough')
    expect(openScans()).toBe(0)
  })

  it('is what breaking out of a loop does', async () => {
    for await (const key of db.keys()) if (key === 'b') break
    expect(openScans()).toBe(0)
    for (const key of db.keys()) if (key === 'b') break
    expect(openScans()).toBe(0)
  })

  it.each(loops)('inside a %s loop stops it with SILT_NOT_OPEN', async (_, loop) => {
    const scan = db.keys()
    const seen: string[] = []
    const visit = (key: string): void => {
      seen.push(key)
      if (key === 'b') scan.close()
    }
    await expect(loop(scan, visit)).rejects.toEqual(closed)
    expect(seen).toEqual(['', 'a', 'aa', 'ab', 'b'])
  })

  it('is what toArray, count and `using` do', async () => {
    await db.keys().toArray()
    db.keys().toArraySync()
    await db.count()
    db.countSync()
    {
      using scan = db.keys()
      expect(scan.nextManySync(1)).toEqual([''])
      expect(openScans()).toBe(1)
    }
    expect(openScans()).toBe(0)
  })
})

describe('a signal', () => {
  let db: Database
  beforeEach(async () => {
    db = await open(':memory:')
    for (let i = 0; i < 5000; i++) db.putSync(String(i).padStart(5, '0'), '')
    return () => db.close()
  })

  it('that was aborted before rejects at once, with its reason', async () => {
    const reason = new Error('changed my mind')
    const signal = AbortSignal.abort(reason)
    await expect(db.keys({ signal }).toArray()).rejects.toBe(reason)
    await expect(db.keys({ signal }).nextMany(1)).rejects.toBe(reason)
    expect(() => db.keys({ signal }).nextManySync(1)).toThrow(reason)
    await expect(async () => {
      for await (const _ of db.entries({ signal })) throw new Error('an entry came')
    }).rejects.toBe(reason)
    expect(() => [...db.keys({ signal })]).toThrow(reason)
  })

  it('that aborts inside a loop ends it there, whatever was read ahead', async () => {
    for (const loop of ['for await', 'for']) {
      const controller = new AbortController()
      const seen: string[] = []
      const visit = (key: string): void => {
        seen.push(key)
        if (key === '00003') controller.abort('enough')
      }
      const run = async (): Promise<void> => {
        if (loop === 'for') for (const key of db.keys({ signal: controller.signal })) visit(key)
        else for await (const key of db.keys({ signal: controller.signal })) visit(key)
      }
      await expect(run(), loop).rejects.toBe('enough')
      expect(seen, loop).toHaveLength(4)
      expect(db.stats().pins.count, loop).toBe(0)
    }
  })

  it('whose scan is at its end has nothing to say', async () => {
    const controller = new AbortController()
    const keys = await db.keys({ signal: controller.signal, limit: 2 }).toArray()
    controller.abort()
    expect(keys).toHaveLength(2)
  })
})
