import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { SiltstoneLevel } from '../../../src/level.js'
import { scratchDirectory } from './scratch.js'

/*
 * Programs written for classic-level, run with it and with the one line changed that says which class. Both must print the
 * same.
 */

type Level = ClassicLevel<string, string>
type Print = (...values: unknown[]) => void

const programs: Record<string, (db: Level, print: Print) => Promise<void>> = {
  'reads and writes': async (db, print) => {
    await db.put('a', '1')
    await db.batch([
      { type: 'put', key: 'b', value: '2' },
      { type: 'put', key: '', value: '' },
      { type: 'del', key: 'a' },
    ])
    await db.batch().put('c', '3').put('d', '4').del('c').put('ä€\u{1f600}', 'ü').write({ sync: true })
    print(await db.get('a'), await db.get('b'), db.getSync(''), db.getSync('none'))
    print(await db.getMany(['a', 'b', 'ä€\u{1f600}']), await db.has('d'), await db.hasMany(['c', 'd', 'e']))
    print(await db.get('ä€\u{1f600}', { valueEncoding: 'hex' }), await db.get('b', { valueEncoding: 'json' }))
    print(Buffer.isBuffer(await db.get('b', { valueEncoding: 'buffer' })), await db.get('b', { fillCache: false }))
    await db.put('json', { deep: [1, null] } as never, { valueEncoding: 'json' })
    print(await db.iterator({ keyEncoding: 'base64' }).all())
  },

  'iterators in every shape': async (db, print) => {
    for (let i = 0; i < 50; i++) await db.put(String(i), 'x'.repeat(i))
    for (const range of [
      {},
      { gt: '3', lte: '42' },
      { gte: '49', gt: '1' },
      { lt: '', gte: '' },
      { gt: '9', lt: '1' },
    ]) {
      for (const reverse of [false, true]) {
        for (const limit of [-1, 0, 3]) {
          const options = { ...range, reverse, limit }
          print(
            await db.keys(options).all(),
            (await db.values(options).all()).map(({ length }) => length),
          )
          const found = []
          for await (const [key] of db.iterator(options)) found.push(key)
          print(found, await db.iterator({ ...options, values: false }).nextv(2))
          for (const target of ['', '3', '30', '42', '43', 'z']) {
            const iterator = db.iterator(options)
            await iterator.next()
            iterator.seek(target)
            print(await iterator.next(), await iterator.next(), iterator.count)
            await iterator.close()
          }
        }
      }
    }
  },

  'slices of so many bytes': async (db, print) => {
    for (let i = 0; i < 30; i++) await db.put(`key ${i}`, 'v'.repeat(i * 100))
    for (const highWaterMarkBytes of [0, 1, 7, 1000, 20_000, -1, Number.POSITIVE_INFINITY, 'default']) {
      const options = typeof highWaterMarkBytes === 'string' ? {} : { highWaterMarkBytes }
      for (const iterator of [db.iterator(options), db.keys(options), db.values(options)]) {
        print((await iterator.nextv(100)).length, (await iterator.nextv(100)).length, (await iterator.all()).length)
      }
    }
  },

  'what an iterator and a snapshot see': async (db, print) => {
    await db.put('a', '1')
    const iterator = db.keys()
    const snapshot = db.snapshot()
    await db.put('b', '2')
    await db.put('a', 'changed')
    print(await iterator.all(), await db.get('a', { snapshot }), db.getSync('b', { snapshot }))
    print(await db.iterator({ snapshot }).all(), await db.has('b', { snapshot }), await db.hasMany(['b'], { snapshot }))
    await db.clear({ snapshot })
    print(await db.keys().all())
    await snapshot.close()
    print(await codeOf(() => db.get('a', { snapshot })))
  },

  clear: async (db, print) => {
    const refill = () => db.batch([...'abcdefgh'].map((key) => ({ type: 'put', key, value: '' })))
    for (const options of [
      {},
      { gt: 'c' },
      { lte: 'c' },
      { gte: 'c', lt: 'f' },
      { limit: 2 },
      { gte: 'd', reverse: true, limit: 2 },
    ]) {
      await refill()
      await db.clear(options)
      print(await db.keys().all())
    }
  },

  sublevels: async (db, print) => {
    const people = db.sublevel<string, { born: number }>('people', { valueEncoding: 'json' })
    const names = people.sublevel('names')
    await people.put('ada', { born: 1815 })
    await names.put('a', 'ada')
    await db.batch([{ type: 'put', sublevel: names as never, key: 'b', value: 'bob' }])
    await db
      .batch()
      .put('c', 'carol', { sublevel: names as never })
      .write()
    print(await people.get('ada'), await names.keys().all(), await db.keys().all(), await people.keys().all())
    await names.clear({ lt: 'b' })
    print(await db.keys({ gt: '!' }).all(), await names.values({ reverse: true }).all())
  },

  'events and hooks': async (db, print) => {
    db.on('write', (operations) => print(operations.map(({ type, key }: { type: string; key: string }) => type + key)))
    db.on('clear', (options) => print(options))
    db.hooks.prewrite.add((operation, batch) => {
      if (operation.key === 'a') batch.add({ type: 'put', key: 'index', value: 'a' })
    })
    await db.put('a', '1')
    await db.del('a')
    await db.batch().put('b', '2').write()
    await db.clear({ gt: 'i' })
    print(await db.iterator().all())
  },

  'properties of the caller on operations': async (db, print) => {
    const operation = { type: 'put' as const, key: 'a', value: '1', ttl: 1, keyspace: 'mine', sync: 'yes' }
    await db.batch([operation])
    await db.batch([operation], { sync: true })
    await db
      .batch()
      .put('b', '2', operation as object)
      .write()
    print(await db.iterator().all())
  },

  'closing and opening again': async (db, print) => {
    await db.put('a', '1')
    const iterator = db.iterator()
    const pending = db.put('b', '2')
    await db.close()
    await pending
    print(db.status, await codeOf(() => db.get('a')), await codeOf(async () => db.getSync('a')))
    print(await codeOf(() => iterator.next()), await codeOf(() => db.approximateSize('a', 'b')))
    print(await codeOf(async () => db.getProperty('leveldb.stats')), await codeOf(async () => db.iterator()))
    const opening = db.open()
    print(db.status, await db.get('b'))
    await opening
    print(db.status, await codeOf(() => db.open({ errorIfExists: true })))
  },

  mistakes: async (db, print) => {
    print(await codeOf(() => db.put(null as never, '')), await codeOf(() => db.put('a', undefined as never)))
    print(await codeOf(() => db.get(undefined as never)), await codeOf(() => db.get('a', { valueEncoding: 'none' })))
    await db.put('a', 'not json')
    print(await codeOf(() => db.get('a', { valueEncoding: 'json' })))
    const controller = new AbortController()
    const reading = db.iterator({ signal: controller.signal }).all()
    controller.abort()
    print(await codeOf(() => reading))
    print(await messageOf(async () => db.getProperty(1 as never)))
  },

  'sizes and properties': async (db, print) => {
    await db.batch(Array.from({ length: 10 }, (_, i) => ({ type: 'put', key: `foo${i}`, value: 'x'.repeat(100_000) })))
    await db.compactRange('!', '~')
    print(
      await db.approximateSize('foo', 'foo'),
      await db.approximateSize('g', 'h'),
      await db.approximateSize('z', 'a'),
    )
    print(typeof (await db.approximateSize('!', '~')), db.getProperty('leveldb.num-files-at-level0'))
    print(db.getProperty('leveldb.num-files-at-level7'), db.getProperty('leveldb.x'), db.getProperty('x'))
    print(db.getProperty('leveldb.sstables').match(/--- level \d ---/g))
    print(Object.entries(db.supports).sort(), db.location.endsWith('db'))
  },
}

async function codeOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run()
  } catch (error) {
    return (error as { code?: string }).code
  }
}

async function messageOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run()
  } catch (error) {
    return String(error)
  }
}

async function outputOf(db: Level, program: (db: Level, print: Print) => Promise<void>): Promise<string[]> {
  const lines: string[] = []
  await program(db, (...values) => lines.push(JSON.stringify(values)))
  await db.close()
  return lines
}

describe('a program for classic-level prints the same with one line changed:', () => {
  for (const [name, program] of Object.entries(programs)) {
    it(name, async () => {
      const expected = await outputOf(new ClassicLevel(scratchDirectory()), program)
      const actual = await outputOf(new SiltstoneLevel(scratchDirectory()) as unknown as Level, program)
      expect(actual).toEqual(expected)
      expect(actual.length).toBeGreaterThan(0)
    })
  }
})
