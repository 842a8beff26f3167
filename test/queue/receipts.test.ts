import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, open } from '../../src/queue/messaging-database.js'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()

/** What a message looks like to whoever settles it, of one store or over shards. */
interface Held {
  readonly body: unknown
  ack(): Promise<void>
  nack(options?: { delay?: number }): Promise<void>
  extend(ms: number): unknown
}

interface Place {
  receive(options?: { max?: number; wait?: number }): Promise<Held[]>
}

/** The part of the surface that both kinds of stores have. */
interface Store {
  queue(name: string): Place & {
    send(body: unknown): Promise<unknown>
    ackMany(messages: unknown): Promise<void>
    purge(): Promise<number>
    stats(): Record<string, number>
  }
  topic(name: string): {
    publish(body: unknown): Promise<unknown>
    subscribe(name: string, options?: object): Place & { lag(): number; close(): Promise<void> }
    unsubscribe(name: string): Promise<boolean>
  }
  batch(): Batch
  batch(operations: readonly object[]): Promise<void>
  get(key: string): Promise<unknown>
  close(): Promise<void>
}

interface Batch {
  put(key: string, value: string): Batch
  ack(message: unknown): Batch
  write(): Promise<void>
  writeSync(): void
}

interface Kind {
  readonly name: string
  /** Opens, or opens again, the store of that name. */
  open(home: Home, name: string): Promise<Store>
}

interface Home {
  readonly path: string
  readonly fs: MemoryFileSystem
}

const KINDS: readonly Kind[] = [
  {
    name: 'a store',
    open: async ({ fs }, name) => (await open(`/${name}`, { fs, executor: 'inline' })) as unknown as Store,
  },
  {
    name: 'a store over shards',
    open: async ({ fs }, name) =>
      (await openSharded(`/${name}`, { fs, executor: 'inline', shards: ['a', 'b'] })) as unknown as Store,
  },
  {
    name: 'a store over shards in threads',
    open: async ({ path }, name) =>
      (await openSharded(`${path}/${name}`, { threads: true, shards: ['a', 'b'] })) as unknown as Store,
  },
]

// All of them on one shard, so that their messages have the same numbers.
const QUEUE = '{x}q'
const OTHER = '{x}other'
const TOPIC = '{x}t'

/** A store in which one message each of two queues and a subscription is in flight, and two wait. */
class Scene {
  readonly home: Home = { path: directory(), fs: new MemoryFileSystem() }
  readonly kind: Kind
  store!: Store
  readonly bodies: string[] = ['0', '1', '2']
  subscription!: ReturnType<ReturnType<Store['topic']>['subscribe']>
  good!: Held
  ofOther!: Held
  ofSubscription!: Held

  constructor(kind: Kind) {
    this.kind = kind
  }

  async set(): Promise<void> {
    this.store = await this.kind.open(this.home, 'store')
    const topic = this.store.topic(TOPIC)
    this.subscription = topic.subscribe('s', { from: 'earliest', ordering: 'none' })
    for (const body of this.bodies) {
      await this.store.queue(QUEUE).send(body)
      await this.store.queue(OTHER).send(body)
      await topic.publish(body)
    }
    await this.take()
  }

  private async take(): Promise<void> {
    this.good = await one(this.store.queue(QUEUE))
    this.ofOther = await one(this.store.queue(OTHER))
    this.ofSubscription = await one(this.subscription)
  }

  async reopen(): Promise<void> {
    await this.store.close()
    this.store = await this.kind.open(this.home, 'store')
    this.subscription = this.store.topic(TOPIC).subscribe('s', { ordering: 'none' })
    await this.take()
  }

  /** Everything that a call could have changed. */
  state(): object {
    const without = ({ oldestAge: _, ...stats }: Record<string, number>): object => stats
    return {
      queue: without(this.store.queue(QUEUE).stats()),
      other: without(this.store.queue(OTHER).stats()),
      lag: this.subscription.lag(),
    }
  }

  /** What is there after closing and opening again. */
  async end(): Promise<Record<string, unknown[]>> {
    await this.store.close()
    this.store = await this.kind.open(this.home, 'store')
    const all = async (place: Place): Promise<unknown[]> =>
      (await place.receive({ max: 100, wait: 100 })).map(({ body }) => body).sort()
    const found = {
      queue: await all(this.store.queue(QUEUE)),
      other: await all(this.store.queue(OTHER)),
      topic: await all(this.store.topic(TOPIC).subscribe('s', { ordering: 'none' })),
    }
    for (const name of [QUEUE, OTHER])
      for (const [figure, count] of Object.entries(this.store.queue(name).stats()))
        expect(count, `${figure} of ${name}`).toBeGreaterThanOrEqual(0)
    await this.store.close()
    return found
  }
}

async function one(place: Place): Promise<Held> {
  const [message] = await place.receive({ wait: 10_000 })
  return message!
}

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

const INVALID = 'SILT_INVALID_ARGUMENT'
const STALE = 'SILT_STALE_RECEIPT'

/** A wrong receipt, and what each way to settle says to it; without a code that way is the right one for it. */
interface Wrong {
  readonly name: string
  make(scene: Scene): Promise<unknown> | unknown
  /** Nothing like a receipt: more of them, to be tried as well. */
  readonly like?: readonly unknown[]
  readonly ackMany: string
  /** Tried in threads as well. */
  readonly isFew?: boolean
  readonly batch?: string
  readonly own?: string
}

function wrongs(kind: Kind): Wrong[] {
  const junk = [null, 'x', 7, {}, [], { id: '0', body: '0' }, { entry: {}, fence: 1 }, { receipt: 1 }]
  return [
    { name: 'of another queue', make: ({ ofOther }) => ofOther, ackMany: INVALID, isFew: true },
    { name: 'of a subscription', make: ({ ofSubscription }) => ofSubscription, ackMany: INVALID },
    {
      name: 'of another store',
      make: (scene) => fromElsewhere(kind, scene),
      ackMany: INVALID,
      batch: INVALID,
    },
    ...KINDS.filter((each) => each.name !== kind.name && !each.name.includes('threads')).map((each) => ({
      name: `of ${each.name}`,
      make: (scene: Scene) => fromElsewhere(each, scene),
      ackMany: INVALID,
      batch: INVALID,
    })),
    { name: 'that is none', make: () => undefined, like: junk, isFew: true, ackMany: INVALID, batch: INVALID },
    {
      name: 'of an earlier opening',
      isFew: true,
      make: async (scene) => {
        const { good } = scene
        await scene.reopen()
        return good
      },
      ackMany: STALE,
      batch: STALE,
      own: 'SILT_NOT_OPEN',
    },
    {
      name: 'of an earlier opening, of a subscription',
      make: async (scene) => {
        const { ofSubscription } = scene
        await scene.reopen()
        return ofSubscription
      },
      ackMany: STALE,
      batch: STALE,
      own: 'SILT_NOT_OPEN',
    },
    {
      name: 'of an earlier delivery',
      isFew: true,
      make: async (scene) => {
        const { good } = scene
        await good.nack({ delay: 0 })
        scene.good = await one(scene.store.queue(QUEUE))
        return good
      },
      ackMany: STALE,
      batch: STALE,
      own: STALE,
    },
    {
      name: 'that was settled',
      make: async (scene) => {
        const message = await one(scene.store.queue(QUEUE))
        await scene.store.queue(QUEUE).ackMany([message])
        scene.bodies.splice(scene.bodies.indexOf(message.body as string), 1)
        return message
      },
      ackMany: STALE,
      batch: STALE,
      own: STALE,
    },
    {
      name: 'that was purged',
      make: async (scene) => {
        const { good } = scene
        await scene.store.queue(QUEUE).purge()
        scene.bodies.splice(0)
        for (const body of ['3', '4']) await scene.store.queue(QUEUE).send(body)
        scene.bodies.push('3', '4')
        scene.good = await one(scene.store.queue(QUEUE))
        return good
      },
      ackMany: STALE,
      batch: STALE,
      own: STALE,
    },
    {
      name: 'of a subscription that was closed',
      isFew: true,
      make: async (scene) => {
        const closing = scene.store.topic(TOPIC).subscribe('s', { ordering: 'none' })
        const message = await one(closing)
        await closing.close()
        return message
      },
      ackMany: INVALID,
      batch: STALE,
      own: STALE,
    },
    {
      name: 'of a subscription that was forgotten and begun anew',
      make: async (scene) => {
        const topic = scene.store.topic(TOPIC)
        const gone = topic.subscribe('gone', { from: 'earliest' })
        const message = await one(gone)
        await topic.unsubscribe('gone')
        topic.subscribe('gone', { from: 'earliest' })
        return message
      },
      ackMany: INVALID,
      batch: STALE,
      own: STALE,
    },
  ]
}

let elsewhere = 0

/** A message with the same number, of a queue of the same name in another store. */
async function fromElsewhere(kind: Kind, scene: Scene): Promise<Held> {
  const store = await kind.open(scene.home, `elsewhere${elsewhere++}`)
  others.push(store)
  await store.queue(QUEUE).send('not here')
  return one(store.queue(QUEUE))
}

const others: Store[] = []

describe.each(KINDS)('a wrong receipt at $name', (kind) => {
  // Starting threads takes its time; what differs there is how receipts travel.
  const few = (each: Wrong): boolean => !kind.name.includes('threads') || each.isFew === true
  it.each(wrongs(kind).filter(few))('$name is refused by every way to settle, and changes nothing', async (wrong) => {
    const scene = new Scene(kind)
    await scene.set()
    const message = await wrong.make(scene)
    const { store, good } = scene
    const before = scene.state()
    for (const like of wrong.like ?? []) {
      expect(await codeOf(() => store.queue(QUEUE).ackMany([good, like]))).toBe(wrong.ackMany)
      expect(await codeOf(() => store.batch().ack(good).ack(like).write())).toBe(wrong.batch)
    }
    const refused = async (how: string, expected: string, run: () => unknown): Promise<void> => {
      expect(await codeOf(run), how).toBe(expected)
      expect(scene.state(), how).toEqual(before)
    }
    const queue = store.queue(QUEUE)
    await refused('ackMany', wrong.ackMany, () => queue.ackMany([message]))
    await refused('ackMany behind a good one', wrong.ackMany, () => queue.ackMany([good, message]))
    await refused('ackMany before a good one', wrong.ackMany, () => queue.ackMany([message, good]))
    if (wrong.batch !== undefined) {
      await refused('batch().ack', wrong.batch, () => store.batch().put('k{x}', 'v').ack(message).write())
      await refused('batch().ack behind a good one', wrong.batch, () => store.batch().ack(good).ack(message).write())
      await refused('batch().ack on this thread', wrong.batch, () => store.batch().ack(message).ack(good).writeSync())
      await refused('batch([ack])', wrong.batch, () =>
        store.batch([
          { type: 'put', key: 'k{x}', value: 'v' },
          { type: 'ack', message },
        ]),
      )
    }
    if (wrong.own !== undefined) {
      const held = message as Held
      await refused('ack', wrong.own, () => held.ack())
      await refused('nack', wrong.own, () => held.nack())
      await refused('nack at once', wrong.own, () => held.nack({ delay: 0 }))
      await refused('extend', wrong.own, () => held.extend(60_000))
    }
    expect(await store.get('k{x}')).toBeUndefined()
    // The right one is still good, once.
    await queue.ackMany([good])
    expect(await codeOf(() => queue.ackMany([good]))).toBe(STALE)
    scene.bodies.splice(scene.bodies.indexOf(good.body as string), 1)
    expect(await scene.end()).toEqual({ queue: scene.bodies, other: ['0', '1', '2'], topic: ['0', '1', '2'] })
    for (const other of others.splice(0)) await other.close()
  })

  it('is refused where it stands twice, or is no list', async () => {
    const scene = new Scene(kind)
    await scene.set()
    const before = scene.state()
    const queue = scene.store.queue(QUEUE)
    expect(await codeOf(() => queue.ackMany([scene.good, scene.good]))).toBe(STALE)
    for (const given of ['x', undefined, 7, scene.good, new Set([scene.good])]) {
      expect(await codeOf(() => queue.ackMany(given))).toBe(INVALID)
    }
    expect(scene.state()).toEqual(before)
    await scene.store.close()
  })
})

it('receipts of a shard that has left are stale, also where one of its name has come back', async () => {
  const fs = new MemoryFileSystem()
  const store: ShardedStore = await openSharded('/left', { fs, executor: 'inline', shards: ['a', 'b'] })
  const queue = store.queue('q')
  const groups = Array.from({ length: 16 }, (_, i) => `g${i}`)
  for (const group of groups) await queue.send(group, { group })
  const old = (await queue.receive({ max: 16 })).filter(({ id }) => id.startsWith('b/'))
  expect(old.length).toBeGreaterThan(0)
  await queue.purge()
  await store.removeShard('b')
  await store.idle()
  for (const message of old) {
    expect(await codeOf(() => message.ack())).toBe(STALE)
    expect(await codeOf(() => message.nack())).toBe(STALE)
    expect(await codeOf(() => message.extend(1000))).toBe(STALE)
    expect(await codeOf(() => queue.ackMany([message]))).toBe(STALE)
    expect(await codeOf(() => store.batch().ack(message).write())).toBe(STALE)
  }
  await store.addShard('b')
  for (const group of groups) await queue.send(group, { group })
  await queue.receive({ max: 16 })
  const before = queue.stats()
  for (const message of old) {
    expect(await codeOf(() => message.ack())).toBe(STALE)
    expect(await codeOf(() => queue.ackMany([message]))).toBe(STALE)
    expect(await codeOf(() => store.batch().ack(message).write())).toBe(STALE)
  }
  expect({ ...queue.stats(), oldestAge: 0 }).toEqual({ ...before, oldestAge: 0 })
  await store.close()
})

it('receipts stay good where a store that writes is refreshed', async () => {
  const db: Database = await open(':memory:')
  const queue = db.queue('q')
  await queue.send(1)
  const [message] = await queue.receive()
  await db.refresh()
  await db.queue('q').ackMany([message!])
  expect(db.queue('q').stats()).toMatchObject({ depth: 0, inFlight: 0, acked: 1 })
  expect(await queue.receive()).toEqual([])
  await db.close()
})
