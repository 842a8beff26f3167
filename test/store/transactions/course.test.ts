import { describe, expect, it, vi } from 'vitest'
import { type Database, open, SiltstoneError, type Transaction } from '../../../src/index.js'
import { PrivateSegment } from '../../../src/store/private-segment.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

async function withStore(run: (db: Database) => Promise<void>, options: object = {}): Promise<void> {
  const db = await open(':memory:', { executor: 'inline', ...options })
  try {
    await run(db)
  } finally {
    await db.close()
  }
}

const refused = (code: string) => expect.objectContaining({ code })

describe('a conflict is noticed', () => {
  const between: [string, (db: Database) => Promise<unknown>][] = [
    ['in memory', async () => {}],
    ['through a flush', (db) => db.flush()],
    [
      'through a compaction',
      async (db) => {
        await db.flush()
        await db.put('z', '1')
        await db.compact()
      },
    ],
  ]
  const changes: [string, (db: Database) => Promise<unknown>][] = [
    ['a put', (db) => db.put('b', '2')],
    ['a deletion', (db) => db.del('b')],
    ['the clearing of a range', (db) => db.clear({ gte: 'a', lt: 'c' })],
    ['a put that has expired', (db) => db.put('b', '2', { ttl: 1 })],
    ['a put and its undoing', (db) => db.put('b', '2').then(() => db.put('b', '1'))],
  ]
  const reads: [string, (tx: Transaction) => Promise<unknown>][] = [
    ['get', (tx) => tx.get('b')],
    ['getMany', (tx) => tx.getMany(['a', 'b'])],
    ['has', (tx) => tx.has('b')],
    ['a scan', (tx) => tx.keys().toArray()],
    ['a scan backwards', (tx) => tx.keys({ reverse: true, gte: 'b' }).toArray()],
    ['a count', (tx) => tx.count({ prefix: 'b' })],
    [
      'a scan that seeks',
      async (tx) => {
        const scan = tx.keys()
        scan.seek('b')
        await scan.nextMany(1)
        scan.close()
      },
    ],
  ]
  const cases = between.flatMap(([where, settle]) =>
    changes.flatMap(([what, change]) => reads.map(([how, read]) => [how, what, where, read, change, settle] as const)),
  )

  it.each(cases)('of %s with %s %s', async (_how, _what, _where, read, change, settle) => {
    const clock = new ManualClock()
    await withStore(
      async (db) => {
        for (const key of ['a', 'b', 'c']) await db.put(key, '1')
        await db.flush()
        const outcome = db.transaction(
          async (tx) => {
            await read(tx)
            await change(db)
            clock.advance(10)
            await settle(db)
            await tx.put('mine', '1')
          },
          { retries: 0 },
        )
        await expect(outcome).rejects.toMatchObject({ code: 'SILT_CONFLICT' })
        expect(await db.has('mine')).toBe(false)
      },
      { clock },
    )
  })

  it('only where there is one', () =>
    withStore(async (db) => {
      const other = db.keyspace('other')
      for (const key of ['a', 'b', 'c']) await db.put(key, '1')
      await db.transaction(
        async (tx) => {
          await tx.get('a')
          await tx.keys({ gte: 'a', lt: 'b' }).toArray()
          await tx.put('b', '2')
          await db.put('c', '2')
          await other.put('a', '2')
          await db.clear({ gte: 'c' })
          await db.compact()
        },
        { retries: 0 },
      )
      expect(await db.get('b')).toBe('2')
    }))

  it('never of a transaction that only reads: it is what it was when it began', () =>
    withStore(async (db) => {
      await db.put('a', '1')
      const seen = await db.transaction(
        async (tx) => {
          const before = await tx.get('a')
          await db.put('a', '2')
          return [before, await tx.get('a'), await tx.values().toArray()]
        },
        { retries: 0 },
      )
      expect(seen).toEqual(['1', '1', ['1']])
    }))
})

describe('retries', () => {
  it('come after pauses that are drawn by chance and grow, by the clock of the store', async () => {
    const clock = new ManualClock()
    const pauses: number[] = []
    vi.spyOn(clock, 'after').mockImplementation((ms, callback) => {
      pauses.push(ms)
      queueMicrotask(callback)
      return () => {}
    })
    await withStore(
      async (db) => {
        const outcome = db.transaction(
          async (tx) => {
            await db.put('a', 'theirs')
            await tx.put('a', 'mine')
          },
          { retries: 40 },
        )
        await expect(outcome).rejects.toMatchObject({ code: 'SILT_CONFLICT', message: expect.stringContaining('41') })
      },
      { clock },
    )
    // The first retry comes at once.
    expect(pauses).toHaveLength(39)
    for (const [i, ms] of pauses.entries()) {
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThanOrEqual(Math.min(64, 2 ** (i + 1)))
    }
    expect(new Set(pauses.slice(6)).size).toBeGreaterThan(5)
  })

  it('are as many as asked for, and each sees what is there then', () =>
    withStore(async (db) => {
      for (const retries of [0, 1, 5]) {
        const seen: (string | undefined)[] = []
        const outcome = db.transaction(
          async (tx) => {
            seen.push(await tx.get('a'))
            await db.put('a', String(seen.length))
            await tx.put('a', 'mine')
          },
          { retries },
        )
        await expect(outcome).rejects.toMatchObject({ code: 'SILT_CONFLICT' })
        expect(seen).toHaveLength(retries + 1)
        expect(seen.slice(1)).toEqual(seen.slice(1).map((_, i) => String(i + 1)))
      }
    }))

  it('stop with success, and return what the function returned then', () =>
    withStore(async (db) => {
      let attempt = 0
      const result = await db.transaction(async (tx) => {
        if (++attempt < 3) await db.put('a', String(attempt))
        await tx.put('a', `mine ${attempt}`)
        return attempt
      })
      expect(result).toBe(3)
      expect(await db.get('a')).toBe('mine 3')
    }))
})

describe('an error of the function', () => {
  it('rolls everything back and comes out as it is, without another attempt', () =>
    withStore(async (db) => {
      let attempts = 0
      const mistake = new TypeError('mine')
      const outcome = db.transaction(async (tx) => {
        attempts++
        await tx.put('a', '1')
        await db.put('b', 'theirs')
        throw mistake
      })
      await expect(outcome).rejects.toBe(mistake)
      expect(() =>
        db.transactionSync((tx) => {
          tx.putSync('a', '1')
          throw mistake
        }),
      ).toThrow(mistake)
      expect(attempts).toBe(1)
      expect(await db.keys().toArray()).toEqual(['b'])
      expect(db.stats().pins.count).toBe(0)
    }))

  it('of the disk leaves nothing of the transaction', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/store', { fs: disk, executor: 'inline' })
    await db.put('a', '1')
    const mend = disk.failEvery('write', 'ENOSPC')
    const outcome = db.transaction(async (tx) => {
      await tx.put('a', '2')
      await tx.put('b', '2')
    })
    await expect(outcome).rejects.toMatchObject({ code: 'SILT_NO_SPACE' })
    mend()
    expect(await db.entries().toArray()).toEqual([['a', '1']])
    await db.close()
  })
})

describe('a transaction that is over', () => {
  it('does nothing more', () =>
    withStore(async (db) => {
      let escaped!: Transaction
      await db.transaction(async (tx) => {
        escaped = tx
        await tx.put('a', '1')
      })
      await expect(escaped.put('a', '2')).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
      await expect(escaped.del('a')).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
      await expect(escaped.clear()).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
      await expect(escaped.get('a')).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
      expect(() => escaped.getSync('a')).toThrow(refused('SILT_NOT_OPEN'))
      expect(() => escaped.keys()).toThrow(refused('SILT_NOT_OPEN'))
      expect(() => escaped.keyspace(db)).toThrow(refused('SILT_NOT_OPEN'))
      expect(await db.get('a')).toBe('1')
    }))

  it('takes nothing from what was not awaited in it, not even while its commit is on its way', () =>
    withStore(async (db) => {
      let late: Promise<unknown> | undefined
      await db.transaction(
        async (tx) => {
          await tx.put('a', '1')
          void db.idle().then(() => {})
          // Runs behind the return of this function, when the commit waits for the disk.
          queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => (late = tx.put('b', '1').catch((e) => e)))))
        },
        { sync: true },
      )
      expect(await late).toMatchObject({ code: 'SILT_NOT_OPEN' })
      expect(await db.keys().toArray()).toEqual(['a'])
    }))

  it('has its scans closed, and holds on to nothing', () =>
    withStore(async (db) => {
      await db.put('a', '1')
      const scans = await db.transaction(async (tx) => {
        await tx.put('b', '1')
        const scan = tx.keys()
        await scan.nextMany(1)
        return [scan, tx.values()]
      })
      for (const scan of scans) await expect(scan.nextMany(1)).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
      expect(db.stats().pins.count).toBe(0)
    }))

  it('is over when the store is closed', async () => {
    const db = await open(':memory:')
    const outcome = db.transaction(async (tx) => {
      await tx.put('a', '1')
      await db.close()
      await tx.get('a')
    })
    await expect(outcome).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
  })
})

describe('db inside a transaction', () => {
  it('is not part of it: its writes stay when the transaction does not, and are a conflict where both meet', () =>
    withStore(async (db) => {
      const outcome = db.transaction(
        async (tx) => {
          await tx.put('a', 'mine')
          await db.put('log', 'tried')
          expect(await db.get('a')).toBeUndefined()
          await db.put('a', 'theirs')
        },
        { retries: 0 },
      )
      await expect(outcome).rejects.toMatchObject({ code: 'SILT_CONFLICT' })
      expect(await db.entries().toArray()).toEqual([
        ['a', 'theirs'],
        ['log', 'tried'],
      ])
    }))

  it('may hold another transaction, which comes first', () =>
    withStore(async (db) => {
      await db.transaction(
        async (outer) => {
          await outer.put('outer', '1')
          await db.transaction(async (inner) => {
            expect(await inner.get('outer')).toBeUndefined()
            await inner.put('inner', '1')
          })
          expect(await outer.get('inner')).toBeUndefined()
        },
        { isolation: 'snapshot', retries: 0 },
      )
      expect(await db.keys().toArray()).toEqual(['inner', 'outer'])
    }))
})

describe('transactionSync', () => {
  it('commits before it returns, behind everything that was issued', () =>
    withStore(async (db) => {
      const issued = [db.put('n', '1'), db.put('n', '2', { sync: true })]
      const n = db.transactionSync((tx) => {
        const next = Number(tx.getSync('n')) + 1
        tx.putSync('n', String(next))
        return next
      })
      expect(n).toBe(3)
      expect(db.getSync('n')).toBe('3')
      await Promise.all(issued)
    }))

  it('meets only what its function writes past it', () =>
    withStore(async (db) => {
      let attempts = 0
      const run = (tx: Transaction): void => {
        attempts++
        tx.getSync('a')
        if (attempts < 3) db.putSync('a', 'theirs')
        tx.putSync('b', String(attempts))
      }
      db.transactionSync(run)
      expect([attempts, db.getSync('b')]).toEqual([3, '3'])
      attempts = 0
      expect(() => db.transactionSync(run, { retries: 1 })).toThrow(refused('SILT_CONFLICT'))
    }))

  it('refuses a function that returns a promise', () =>
    withStore(async (db) => {
      expect(() => db.transactionSync(async (tx) => tx.put('a', '1'))).toThrow(refused('SILT_INVALID_ARGUMENT'))
      expect(await db.has('a')).toBe(false)
    }))
})

it('refuses what it cannot mean', () =>
  withStore(async (db) => {
    const run = async () => {}
    for (const options of [{ isolation: 'dirty' }, { retries: -1 }, { retry: 1 }, { sync: 1 }]) {
      await expect(db.transaction(run, options as never)).rejects.toBeInstanceOf(SiltstoneError)
    }
    await expect(db.transaction('run' as never)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    const other = await open(':memory:')
    const foreign = db.transaction(async (tx) => void tx.keyspace(other))
    await expect(foreign).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await other.close()
    const segment = new PrivateSegment(100)
    expect(() => segment.add(db.state, 2 ** 30 + 1, () => 0)).toThrow(refused('SILT_INVALID_ARGUMENT'))
  }))
