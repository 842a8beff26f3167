import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../../src/fs/memory-file-system.js'
import type { OpenOptions } from '../../../src/index.js'
import type { ScanOptions } from '../../../src/store/scan.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { withSeeds } from '../../simulation/reproduce.js'
import type { StoreFactory, StoreUnderTest } from './store-under-test.js'

const code = (expected: string) => expect.objectContaining({ code: expected })

// Held together by a tag, so that what must be atomic can be, however many shards there are.
const t = (name: string): string => `{t}${name}`

/** What every store promises, single or dealt out over shards. */
export function storeConformance({ name, open: openAny, hasClock = true }: StoreFactory): void {
  const open = openAny as (fs: FileSystem, options: OpenOptions) => Promise<StoreUnderTest>

  describe(`the store '${name}'`, () => {
    let fs: MemoryFileSystem
    let clock: ManualClock
    let db: StoreUnderTest

    beforeEach(async () => {
      fs = new MemoryFileSystem()
      clock = new ManualClock()
      db = await open(fs, { clock, executor: 'inline' })
    })

    afterEach(() => db.close())

    const reopen = async (): Promise<void> => {
      await db.close()
      db = await open(fs, { clock, executor: 'inline' })
    }

    const fill = async (count: number): Promise<string[]> => {
      const keys = Array.from({ length: count }, (_, i) => `key-${String(i).padStart(5, '0')}`)
      await Promise.all(keys.map((key) => db.put(key, `value of ${key}`)))
      return keys
    }

    describe('keys and values', () => {
      it('are read back, missing ones as undefined', async () => {
        await db.put('a', '1')
        db.putSync('b', '2')
        expect(await db.get('a')).toBe('1')
        expect(db.getSync('b')).toBe('2')
        expect(await db.get('c')).toBeUndefined()
        expect(await db.has('a')).toBe(true)
        expect(db.hasSync('c')).toBe(false)
        await db.del('a')
        db.delSync('b')
        expect(await db.getMany(['a', 'b'])).toEqual([undefined, undefined])
      })

      it('may be empty', async () => {
        await db.put('', '')
        expect(await db.get('')).toBe('')
        expect(await db.entries().toArray()).toEqual([['', '']])
      })

      it('are answered in the order in which they were asked for', async () => {
        const keys = await fill(200)
        const asked = [...keys.slice(50, 60), 'missing', keys[0]!, keys[0]!]
        const expected = asked.map((key) => (key === 'missing' ? undefined : `value of ${key}`))
        expect(await db.getMany(asked)).toEqual(expected)
        expect(db.getManySync(asked)).toEqual(expected)
        expect(await db.hasMany(asked)).toEqual(expected.map((each) => each !== undefined))
        expect(await db.getMany([])).toEqual([])
      })

      it('refuses what is neither', async () => {
        await expect(db.put(null as never, 'a')).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        await expect(db.put('a', undefined as never)).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        await expect(db.get(undefined as never)).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        await expect(db.put('k'.repeat(65_536), 'a')).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        expect(() => db.putSync('a', null as never)).toThrow(code('SILT_INVALID_ARGUMENT'))
      })

      it('are the caller’s own, before and after', async () => {
        const raw = db.as<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
        const value = Buffer.from('abc')
        const done = raw.put(Buffer.from('k'), value)
        value.fill(0)
        await done
        const read = (await raw.get(Buffer.from('k')))!
        expect(Buffer.isBuffer(read)).toBe(true)
        expect(read.toString()).toBe('abc')
        read.fill(0)
        expect(raw.getSync(Buffer.from('k'))!.toString()).toBe('abc')
      })

      it('survive a reopening', async () => {
        const keys = await fill(300)
        await reopen()
        expect(await db.keys().toArray()).toEqual(keys)
        await db.flush()
        await db.compact()
        await reopen()
        expect(await db.getMany(keys)).toEqual(keys.map((key) => `value of ${key}`))
      })

      // Where time cannot be moved, its passing is not this suite's to test.
      const withClock = hasClock ? it : () => undefined
      withClock('expire', async () => {
        await db.put('short', '1', { ttl: 100 })
        await db.put('long', '2', { ttl: 1000 })
        const snapshot = db.snapshot()
        clock.advance(500)
        expect(await db.get('short')).toBeUndefined()
        expect(await snapshot.get('short')).toBeUndefined()
        expect(await db.keys().toArray()).toEqual(['long'])
        snapshot.close()
        await expect(db.put('a', '1', { ttl: 0 })).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
      })
    })

    describe('a scan', () => {
      it('goes through all keys in order, both ways', async () => {
        const keys = await fill(500)
        expect(await db.keys().toArray()).toEqual(keys)
        expect(db.keys({ reverse: true }).toArraySync()).toEqual(keys.toReversed())
        expect([...db.values({ limit: 3 })]).toEqual(keys.slice(0, 3).map((key) => `value of ${key}`))
        const seen: string[] = []
        for await (const [key, value] of db.entries()) {
          expect(value).toBe(`value of ${key}`)
          seen.push(key)
        }
        expect(seen).toEqual(keys)
      })

      it('keeps to bounds and limits', async () => {
        const keys = await fill(300)
        const cases: ScanOptions<string>[] = [
          { gte: keys[10]!, lt: keys[200]! },
          { gt: keys[10]!, lte: keys[200]! },
          { prefix: 'key-001' },
          { prefix: 'key-001', reverse: true },
          { gte: keys[250]!, limit: 7 },
          { lt: keys[250]!, limit: 7, reverse: true },
          { limit: 0 },
          { gte: 'z' },
        ]
        for (const options of cases) {
          const { gte, gt, lt, lte, prefix, reverse, limit } = options
          let expected = keys.filter(
            (key) =>
              (gte === undefined || key >= gte) &&
              (gt === undefined || key > gt) &&
              (lt === undefined || key < lt) &&
              (lte === undefined || key <= lte) &&
              (prefix === undefined || key.startsWith(prefix)),
          )
          if (reverse) expected = expected.reverse()
          if (limit !== undefined) expected = expected.slice(0, limit)
          expect(await db.keys(options).toArray()).toEqual(expected)
          expect(db.keys(options).toArraySync()).toEqual(expected)
        }
        expect(await db.count({ gte: keys[10]!, lt: keys[60]! })).toBe(50)
        expect(db.countSync()).toBe(300)
      })

      it('seeks and takes slices', async () => {
        const keys = await fill(300)
        const scan = db.keys({ lt: keys[200]! })
        expect(await scan.nextMany(3)).toEqual(keys.slice(0, 3))
        scan.seek(keys[100]!)
        expect(scan.nextManySync(2)).toEqual(keys.slice(100, 102))
        scan.seek(keys[50]!)
        expect(await scan.nextMany(1)).toEqual([keys[50]])
        scan.seek(keys[250]!)
        expect(await scan.nextMany(5)).toEqual([])
        scan.close()
        await expect(scan.nextMany(1)).rejects.toThrow(code('SILT_NOT_OPEN'))
        const back = db.keys({ reverse: true })
        back.seek(`${keys[10]!}!`)
        expect(back.nextManySync(2)).toEqual([keys[10], keys[9]])
        back.close()
      })

      it('sees the store as it was when it was made', async () => {
        const keys = await fill(100)
        const scan = db.keys()
        await db.clear()
        await db.put('new', '1')
        expect(await scan.toArray()).toEqual(keys)
        expect(await db.keys().toArray()).toEqual(['new'])
      })

      it('ends when its signal aborts', async () => {
        await fill(100)
        const controller = new AbortController()
        const scan = db.keys({ signal: controller.signal })
        await scan.nextMany(1)
        controller.abort(new Error('enough'))
        await expect(scan.nextMany(1)).rejects.toThrow('enough')
        scan.close()
      })
    })

    describe('a batch', () => {
      it('is written as a whole, in an array or chained', async () => {
        const orders = db.keyspace('orders') as never
        await db.batch([
          { type: 'put', key: t('a'), value: '1' },
          { type: 'put', key: t('b'), value: '2', keyspace: orders },
          { type: 'del', key: t('c') },
        ])
        await db.batch().put(t('d'), '4').put(t('e'), '5', { ttl: 100_000 }).del(t('a')).write()
        db.batchSync([{ type: 'put', key: t('f'), value: '6' }])
        expect(await db.keys().toArray()).toEqual([t('d'), t('e'), t('f')])
        expect(await db.keyspace('orders').entries().toArray()).toEqual([[t('b'), '2']])
        if (!hasClock) return
        clock.advance(100_000)
        expect(await db.get(t('e'))).toBeUndefined()
      })

      it('is refused as a whole', async () => {
        const batch = [
          { type: 'put', key: t('a'), value: '1' },
          { type: 'put', key: t('b'), value: null },
        ]
        await expect(db.batch(batch as never)).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        await expect(db.batch([{ type: 'nothing', key: 'a' }] as never)).rejects.toThrow(code('SILT_INVALID_ARGUMENT'))
        expect(await db.count()).toBe(0)
      })

      it('is written once', async () => {
        const batch = db.batch().put(t('a'), '1')
        expect(batch.length).toBe(1)
        await batch.write()
        expect(() => batch.put(t('b'), '2')).toThrow(code('SILT_NOT_OPEN'))
      })
    })

    it('clears ranges', async () => {
      const keys = await fill(200)
      await db.clear({ gte: keys[50]!, lt: keys[150]! })
      expect(await db.keys().toArray()).toEqual([...keys.slice(0, 50), ...keys.slice(150)])
      db.clearSync()
      expect(db.countSync()).toBe(0)
    })

    it('keeps keyspaces apart, each with its encodings', async () => {
      const users = db.keyspace<string, { age: number }>('users', { valueEncoding: 'json' })
      const others = db.keyspace('others')
      await users.put('ada', { age: 36 })
      await others.put('ada', 'lovelace')
      expect(await users.get('ada')).toEqual({ age: 36 })
      expect(await others.get('ada')).toBe('lovelace')
      expect(await db.get('ada')).toBeUndefined()
      expect(db.keyspaceNames().sort()).toEqual(['others', 'users'])
      await reopen()
      expect(db.keyspaceNames().sort()).toEqual(['others', 'users'])
    })

    describe('a snapshot', () => {
      it('stays as it was, over all keyspaces', async () => {
        const orders = db.keyspace('orders')
        const keys = await fill(50)
        await orders.put('o', '1')
        const snapshot = db.snapshot()
        await db.clear()
        await orders.put('o', '2')
        await db.flush()
        expect(await snapshot.keys().toArray()).toEqual(keys)
        expect(await snapshot.getMany([keys[3]!])).toEqual([`value of ${keys[3]}`])
        expect(snapshot.getSync(keys[4]!)).toBe(`value of ${keys[4]}`)
        expect(await orders.get('o', { snapshot: snapshot as never })).toBe('1')
        expect(await snapshot.keyspace(orders as never).get('o' as never)).toBe('1')
        snapshot.close()
        await expect(snapshot.get('o')).rejects.toThrow(code('SILT_NOT_OPEN'))
      })
    })

    describe('a transaction', () => {
      it('reads its own writes and commits as one', async () => {
        await db.put(t('n'), '1')
        const result = await db.transaction(async (tx) => {
          await tx.put(t('n'), String(Number(await tx.get(t('n'))) + 1))
          await tx.put(t('m'), 'new')
          expect(await tx.keys({ prefix: '{t}' }).toArray()).toEqual([t('m'), t('n')])
          expect(await db.get(t('m'))).toBeUndefined()
          return 'done'
        })
        expect(result).toBe('done')
        expect(await db.getMany([t('n'), t('m')])).toEqual(['2', 'new'])
        db.transactionSync((tx) => tx.delSync(t('m')))
        expect(await db.has(t('m'))).toBe(false)
      })

      it('loses no update', async () => {
        await db.put(t('n'), '0')
        const add = () =>
          db.transaction(async (tx) => tx.put(t('n'), String(Number(await tx.get(t('n'))) + 1)), { retries: 100 })
        await Promise.all(Array.from({ length: 10 }, add))
        expect(await db.get(t('n'))).toBe('10')
      })

      it('writes nothing when its function throws, and gives up after its retries', async () => {
        const failing = db.transaction(async (tx) => {
          await tx.put(t('n'), '1')
          throw new Error('no')
        })
        await expect(failing).rejects.toThrow('no')
        const conflicting = db.transaction(
          async (tx) => {
            await tx.get(t('n'))
            await db.put(t('n'), 'other')
            await tx.put(t('n'), 'mine')
          },
          { retries: 1 },
        )
        await expect(conflicting).rejects.toThrow(code('SILT_CONFLICT'))
        expect(await db.get(t('n'))).toBe('other')
      })
    })

    it('refuses everything once it is closed', async () => {
      const scan = db.keys()
      const snapshot = db.snapshot()
      await db.close()
      await expect(db.get('a')).rejects.toThrow(code('SILT_NOT_OPEN'))
      await expect(db.put('a', '1')).rejects.toThrow(code('SILT_NOT_OPEN'))
      expect(() => db.getSync('a')).toThrow(code('SILT_NOT_OPEN'))
      expect(() => db.snapshot()).toThrow(code('SILT_NOT_OPEN'))
      await expect(scan.nextMany(1)).rejects.toThrow(code('SILT_NOT_OPEN'))
      await expect(snapshot.get('a')).rejects.toThrow(code('SILT_NOT_OPEN'))
      await db.close()
    })

    it('agrees with a map after any list of operations', async () => {
      // Threads take a while to start, and every reopening starts some.
      const [runs, length] = hasClock ? [5, 400] : [1, 120]
      await withSeeds(runs, async (random) => {
        await db.clear()
        const model = new Map<string, string>()
        for (let i = 0; i < length; i++) {
          const key = `k${random.below(60)}`
          const choice = random.below(20)
          if (choice < 12) {
            await db.put(key, `v${i}`)
            model.set(key, `v${i}`)
          } else if (choice < 16) {
            db.delSync(key)
            model.delete(key)
          } else if (choice === 16) {
            await db.clear({ gte: key, lt: `${key}5` })
            for (const each of model.keys()) if (each >= key && each < `${key}5`) model.delete(each)
          } else if (choice === 17) await db.flush()
          else if (choice === 18) await reopen()
          else {
            const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
            expect(await db.entries().toArray()).toEqual(expected)
            expect(db.entries({ reverse: true }).toArraySync()).toEqual(expected.toReversed())
          }
        }
      })
    })
  })
}
