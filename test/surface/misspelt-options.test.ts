import { describe, expect, it } from 'vitest'
import { backup, destroy, indexed, listBackups, open, repair, replicate } from '../../src/index.js'
import { destroySharded, openSharded } from '../../src/shard.js'
import { declaredMethods } from './declared.js'
import { publicMethods, subjects } from './surface.js'

/*
 * An option that nobody knows is refused wherever options are taken. What a method takes before its options stands in this table; one that
 * stands nowhere fails, so that a new method is thought of.
 */

const nothing = (): void => {}

/** What stands before the options, by method; `Sync` forms take the same. */
const BEFORE: Record<string, readonly unknown[]> = {
  get: ['a'],
  has: ['a'],
  getMany: [['a']],
  hasMany: [['a']],
  entries: [],
  keys: [],
  values: [],
  count: [],
  put: ['k', 'v'],
  del: ['k'],
  compareAndSet: ['k', undefined, 'v'],
  clear: [],
  clearRange: [],
  batch: [[]],
  write: [],
  as: [],
  keyspace: ['of-its-own'],
  transaction: [nothing],
  changes: [],
  watch: [],
  follow: [],
  compact: [],
  approximateSize: [],
  metrics: [],
  queue: ['of-its-own'],
  topic: ['of-its-own'],
  send: ['body'],
  sendMany: [[]],
  receive: [],
  consume: [nothing],
  ackMany: [[]],
  peek: [],
  purge: [],
  redrive: [],
  repeat: ['name', { every: 1e9 }, 'body'],
  cancelRepeat: ['name'],
  ack: [],
  nack: [],
  publish: ['body'],
  publishMany: [[]],
  subscribe: ['of-its-own'],
  unsubscribe: ['none'],
  seek: ['earliest'],
  append: ['body'],
  appendMany: [[]],
  read: [],
  trim: [],
  addShard: ['c'],
  removeShard: ['b'],
  reweight: ['b', 2],
  moveSlot: [1, 'b'],
  assign: ['x', 'b'],
  split: ['x', 'b'],
  merge: ['x'],
}

const WITHOUT_OPTIONS = new Set([
  ...['checkpoint', 'close', 'flush', 'idle', 'refresh', 'snapshot', 'stats', 'verify', 'balance', 'locate', 'slotOf'],
  ...['keyspaceNames', 'queueNames', 'subscriptionNames', 'repeats', 'log', 'pause', 'resume', 'lag', 'extend'],
  ...['index', 'within', 'nextMany', 'toArray'],
])

// What takes no options although something of its name does.
const OTHERS = new Set([
  ...['scan.seek', 'sharded scan.seek', 'batch.clear', 'sharded batch.clear', 'batch.ack', 'sharded batch.ack'],
  // A message that is sent in a batch to a queue; what it takes is held to in the tests of queues.
  ...['batch.send', 'sharded batch.send'],
  // They take a handle.
  ...['snapshot.keyspace', 'sharded snapshot.keyspace'],
  // Refused as a whole.
  ...['store.changes', 'store.watch', 'sharded queue.repeat'],
])

async function answerOf(made: unknown): Promise<void> {
  const loop = made as AsyncGenerator
  if (typeof loop?.next === 'function') {
    await Promise.race([loop.next(), new Promise((resolve) => setImmediate(resolve))])
    await loop.return(undefined)
  } else await made
}

const REFUSED = expect.objectContaining({
  code: 'SILT_INVALID_ARGUMENT',
  message: expect.stringMatching(/knows no option 'misspelt'/),
})

describe('a misspelt option is refused', () => {
  it('by every method of a store and of what stands on it', async () => {
    const declared = declaredMethods()
    const { all, close } = await subjects()
    const accepted: string[] = []
    for (const { name, object } of all) {
      const methods = publicMethods(object, declared)
      expect(methods, name).not.toEqual([])
      for (const method of methods) {
        const base = method.replace(/Sync$/, '')
        if (WITHOUT_OPTIONS.has(base) || OTHERS.has(`${name}.${method}`)) continue
        const before = BEFORE[base]
        expect(before, `What ${name}.${method} takes before its options`).toBeDefined()
        let answer: unknown = 'nothing was thrown'
        try {
          await answerOf(Reflect.apply(Reflect.get(object, method), object, [...before!, { misspelt: 1 }]))
        } catch (error) {
          answer = error
        }
        if (!REFUSED.asymmetricMatch(answer)) accepted.push(`${name}.${method}: ${answer}`)
      }
    }
    await close()
    expect(accepted).toEqual([])
  })

  it('by a transaction, and by what stands in a batch', async () => {
    await using db = await open(':memory:')
    await db.transaction(async (tx) => {
      const misspelt = { misspelt: 1 } as object
      await expect(tx.get('a', misspelt)).rejects.toEqual(REFUSED)
      await expect(tx.put('a', '1', misspelt)).rejects.toEqual(REFUSED)
      await expect(tx.clear(misspelt)).rejects.toEqual(REFUSED)
      expect(() => tx.putSync('a', '1', misspelt)).toThrow(REFUSED)
      expect(() => tx.keys(misspelt)).toThrow(REFUSED)
    })
    const q = db.queue('q')
    await q.send('x')
    const [message] = await q.receive()
    const operations = [
      { type: 'put', key: 'a', value: '1' },
      { type: 'del', key: 'a' },
      { type: 'clear', prefix: 'a' },
      { type: 'clear', range: { start: new Uint8Array(0), end: undefined } },
      { type: 'send', queue: q, body: 'x' },
      { type: 'send', queue: q, body: 'x', options: { misspelt: 1 }, isInside: true },
      { type: 'ack', message },
    ]
    for (const { isInside, ...operation } of operations as { isInside?: boolean }[]) {
      const given = isInside ? operation : { ...operation, misspelt: 1 }
      await expect(db.batch([given as never]), JSON.stringify(Object.keys(operation))).rejects.toEqual(REFUSED)
    }
    expect(await db.count()).toBe(0)
    expect(q.stats()).toMatchObject({ depth: 1, inFlight: 1 })
  })

  it('by functions of the package', async () => {
    await using db = await open(':memory:')
    const misspelt = { misspelt: 1 } as object
    await expect(open(':memory:', misspelt)).rejects.toEqual(REFUSED)
    await expect(destroy('./none', misspelt)).rejects.toEqual(REFUSED)
    await expect(repair('./none', misspelt)).rejects.toEqual(REFUSED)
    await expect(backup(db, './none', misspelt)).rejects.toEqual(REFUSED)
    await expect(listBackups('./none', misspelt)).rejects.toEqual(REFUSED)
    await expect(replicate(db, db, misspelt)).rejects.toEqual(REFUSED)
    await expect(indexed(db, { a: { tuples: () => [], misspelt: 1 } as never })).rejects.toEqual(REFUSED)
    await expect(openSharded(':memory:', misspelt)).rejects.toEqual(REFUSED)
    await expect(openSharded(':memory:', { shards: [{ name: 'a', misspelt: 1 } as never] })).rejects.toEqual(REFUSED)
    await expect(destroySharded('./none', misspelt)).rejects.toEqual(REFUSED)
  })

  it('with the nearest that is known', async () => {
    await using db = await open(':memory:')
    await expect(db.put('a', '1', { tll: 5 } as object)).rejects.toThrow(
      "put knows no option 'tll'; did you mean 'ttl'?",
    )
    expect(() => db.entries({ perfix: 'a' } as object)).toThrow("did you mean 'prefix'?")
  })
})

describe('a bound that is undefined', () => {
  it('is refused where without it more would be removed or followed', async () => {
    await using db = await open(':memory:')
    await db.put('a', '1')
    const bound = { prefix: undefined } as object
    const WIDER = expect.objectContaining({ message: expect.stringMatching(/^Bound prefix of .* is undefined/) })
    await expect(db.clear(bound)).rejects.toEqual(WIDER)
    await expect(db.batch([{ type: 'clear', ...bound }])).rejects.toEqual(WIDER)
    await expect(db.transaction((tx) => tx.clear(bound))).rejects.toEqual(WIDER)
    expect(() => db.clearSync(bound)).toThrow(WIDER)
    expect(() => db.batch().clearRange(bound)).toThrow(WIDER)
    expect(() => db.watch(bound)).toThrow(WIDER)
    expect(() => db.watch({ key: undefined as never })).toThrow('Bound key of watch is undefined')
    await expect(db.compact({ gte: undefined as never })).rejects.toThrow('Bound gte of compact is undefined')
    const people = await indexed(db, { byValue: (value: string): [string][] => [[value]] })
    await expect(people.clear(bound)).rejects.toEqual(WIDER)
    await using store = await openSharded(':memory:', { shards: ['a', 'b'] })
    await expect(store.clear(bound)).rejects.toEqual(WIDER)
    expect(await db.count()).toBe(1)
  })
})
