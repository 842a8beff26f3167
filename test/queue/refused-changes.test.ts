import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SiltstoneError } from '../../src/bytes/errors.js'
import { CommitLog } from '../../src/log/commit-log.js'
import type { Message } from '../../src/queue/message.js'
import type { Database } from '../../src/queue/messaging-database.js'
import type { Queue } from '../../src/queue/queue.js'
import type { Subscription } from '../../src/queue/subscription.js'
import { TreeReader } from '../../src/queue/tree-reader.js'
import { CommitPipeline } from '../../src/store/commit-pipeline.js'
import { indexed } from '../../src/store/indexes/indexed-keyspace.js'
import { OperationList } from '../../src/store/operation-list.js'
import { settled, TestStore } from './stores.js'

/*
 * A change that is refused leaves no trace. Every kind of change is refused at every step on its way: each operation that it adds, each
 * read that it makes, the room for its record, the closing of the record, the write to the file. Then everything there is to be seen of
 * the store, what it does next, what it holds when it is opened again, and each operation of its log are those of a twin that never tried.
 */

/** Counts the steps of what runs while it is armed, and refuses one of them. */
class Seam {
  isArmed = false
  /** Steps since it was armed. */
  steps = 0
  refusedIn = ''
  private refused = 0
  /** Says that nothing fits, once: what was added is taken back and added anew. */
  deniesRoom = false

  arm(step: number): void {
    this.refused = step
    this.refusedIn = ''
    this.steps = 0
    this.isArmed = true
  }

  step(name: string): void {
    if (!this.isArmed || ++this.steps !== this.refused) return
    this.refusedIn = name
    throw new SiltstoneError('SILT_IO', 'Refused by the test')
  }
}

let seam = new Seam()

// biome-ignore lint/suspicious/noExplicitAny: methods of any class
type AnyPrototype = any

function refuseIn(prototype: AnyPrototype, names: readonly string[], onRefused?: (self: never) => void): void {
  for (const name of names) {
    const original = prototype[name]
    vi.spyOn(prototype, name).mockImplementation(function (this: never, ...args: unknown[]) {
      try {
        seam.step(name)
      } catch (error) {
        onRefused?.(this)
        throw error
      }
      return original.apply(this, args)
    })
  }
}

function installSeam(): void {
  seam = new Seam()
  // Backoffs have jitter.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  refuseIn(OperationList.prototype, ['put', 'del', 'clear'])
  refuseIn(TreeReader.prototype, ['get', 'getResident', 'slice'])
  refuseIn(CommitPipeline.prototype, ['begin'])
  refuseIn(CommitLog.prototype, ['endRecord'])
  // A disk that takes nothing.
  refuseIn(CommitLog.prototype, ['writePending'], (log: CommitLog) => log.dropPending())
  const { fits } = CommitPipeline.prototype
  vi.spyOn(CommitPipeline.prototype, 'fits').mockImplementation(function (this: CommitPipeline, bytes) {
    if (!seam.isArmed || !seam.deniesRoom || bytes === 0) return fits.call(this, bytes)
    seam.deniesRoom = false
    return false
  })
}

/** A store in which something of everything is under way. */
class World {
  readonly store: TestStore
  held: Message[] = []
  grouped: Message[] = []
  last!: Message
  forgettable!: Message
  read!: Message
  /** A handle that sends three messages and then one a second. */
  limited!: Queue
  sub!: Subscription
  people!: Awaited<ReturnType<typeof peopleOf>>
  /** What the steps after the attempt have seen. */
  readonly seen: unknown[] = []

  constructor(store: TestStore) {
    this.store = store
  }

  get db(): Database {
    return this.store.db
  }

  q(name = 'q') {
    const backoff = { base: 1000, max: 1000, jitter: false }
    if (name === 'groups') return this.db.queue(name, { ordering: 'group', backoff })
    if (name === 'newest') return this.db.queue(name, { maxLength: 2, overflow: 'drop-oldest' })
    if (name === 'diverting') return this.db.queue(name, { maxLength: 1, overflow: 'dead-letter' })
    if (name === 'full') return this.db.queue(name, { maxLength: 1 })
    if (name === 'new') return this.db.queue(name)
    if (name === 'forgetting') return this.db.queue(name, { deadLetter: false, maxAttempts: 1, backoff })
    return this.db.queue(name, { maxAttempts: 2, backoff })
  }

  static async make(): Promise<World> {
    const store = await TestStore.open()
    const world = new World(store)
    const { db } = world
    await db.batch().put('a', '1').put('b', '2').put('c', '3').write()
    world.people = await peopleOf(db)
    await world.people.put('ada', { city: 'London' })
    const q = world.q()
    await q.send('dies')
    for (let attempt = 0; attempt < 2; attempt++) {
      const [message] = await q.receive()
      await message!.nack({ reason: 'no' })
      await store.advance(1000)
    }
    await q.sendMany(['one', 'two', 'three', 'four', 'five'].map((body) => ({ body })))
    await q.sendMany([
      { body: 'high', priority: 1 },
      { body: 'late', delay: 5000 },
      { body: 'brief', ttl: 60_000 },
      { body: 'once', dedupId: 'once' },
    ])
    await q.repeat('tick', { every: 3_600_000 }, 'tick')
    // Due again, and at its last attempt.
    const [retried] = await q.receive()
    await retried!.nack()
    await store.advance(1000)
    world.held = await q.receive({ max: 3 })
    world.last = world.held.find(({ attempts }) => attempts === 2)!
    const groups = world.q('groups')
    await groups.sendMany(['a', 'b', 'a', 'a', 'b'].map((group, i) => ({ body: i, group })))
    world.grouped = await groups.receive({ max: 1 })
    const newest = world.q('newest')
    await newest.sendMany([{ body: 1 }, { body: 2 }])
    await world.q('diverting').send(1)
    await world.q('full').send(1)
    await world.q('forgetting').send('forget')
    ;[world.forgettable] = (await world.q('forgetting').receive()) as [Message]
    world.limited = db.queue('limited', { rateLimit: { perSecond: 1, burst: 3 } })
    await world.limited.send('limited')
    const topic = db.topic('t', { retention: { count: 4, bytes: 2000 } })
    world.sub = topic.subscribe('sub', { from: 'earliest' })
    for (let i = 0; i < 4; i++) await topic.publish(i, { key: 'k' })
    world.read = (await world.sub.receive())[0]!
    await db.log('l').appendMany(['x', 'y', 'z'])
    // A handle has a number of its own, though nothing was ever written with it.
    db.topic('new')
    db.log('new')
    await settled(2)
    return world
  }

  /** What can be seen at once. */
  async figures(): Promise<unknown> {
    const { db } = this
    const { queues } = db.messageNames()
    return plain([
      queues.map((name) => [name, db.queue(name).stats(), db.queue(name).repeats()]),
      [db.topic('t').stats(), db.topic('t').subscriptionNames(), db.log('l').stats(), this.sub.lag()],
      [db.keyspaceNames(), db.keys().toArraySync(), db.stats().log.position],
    ])
  }

  /** Everything that there is to be seen. */
  async state(): Promise<unknown> {
    const { db } = this
    const { queues } = db.messageNames()
    const state: Record<string, unknown> = { ...db.messageNames() }
    for (const name of queues) {
      const queue = db.queue(name)
      const peeked = await queue.peek({ max: 100 })
      state[`queue ${name}`] = { stats: queue.stats(), peeked, repeats: queue.repeats() }
    }
    state['topic'] = db.topic('t').stats()
    state['subscriptions'] = db.topic('t').subscriptionNames()
    const entries: unknown[] = []
    for await (const entry of db.log('l').read()) entries.push(entry)
    state['log'] = { entries, stats: db.log('l').stats() }
    for (const name of ['', ...db.keyspaceNames()]) {
      state[`keys ${name}`] = await (name === '' ? db : db.keyspace(name)).entries().toArray()
    }
    const commits: unknown[] = []
    for await (const { position, operations } of db.changes({ since: 0, raw: true, follow: false })) {
      commits.push([position, ...operations])
    }
    state['commits'] = commits
    return plain(state)
  }

  /** What it does next: whatever was out of order would come out here. */
  async goOn(): Promise<void> {
    const { db, store, seen } = this
    await settled(2)
    seen.push(await this.state())
    for (const name of ['q', 'groups', 'newest', 'diverting', 'full.x', 'priorities', 'new']) {
      await this.q(name).send(`later in ${name}`, { priority: 2 })
    }
    for (let sent = 0; sent < 3; sent++) {
      seen.push(
        await this.limited.send(sent).then(
          ({ id }) => id,
          ({ code }) => code,
        ),
      )
    }
    await db.topic('t').publish('later')
    await db.log('l').append('later')
    await db.put('later', '1')
    await store.advance(2000)
    for (const name of ['q', 'groups', 'newest', 'diverting', 'diverting.dead', 'q.dead', 'limited', 'forgetting']) {
      const received = await this.q(name).receive({ max: 4 })
      seen.push([name, received.map(({ id, body, attempts, fence }) => ({ id, body, attempts, fence }))])
      await received[0]?.ack()
      await received[1]?.nack()
    }
    if (db.topic('t').subscriptionNames().includes('sub')) {
      const sub = db.topic('t').subscribe('sub')
      const messages = await sub.receive({ max: 2 })
      seen.push(messages.map(({ offset, attempts, sentAt }) => [offset, attempts, sentAt]))
      for (const message of messages) await message.ack()
      seen.push(sub.lag())
    }
    // What was in flight is given up, and handed out again.
    await store.advance(60_000)
    seen.push(await this.state())
    for (let round = 0; round < 6; round++) {
      const messages = await this.q('groups').receive({ max: 2 })
      seen.push(messages.map(({ id, body, attempts }) => [id, body, attempts]))
      for (const message of messages) await message.ack()
    }
    await store.reopen()
    seen.push(await this.state())
    const all: unknown[] = []
    for (const name of this.db.messageNames().queues) all.push(await this.q(name).purge())
    seen.push(plain(all))
  }
}

function peopleOf(db: Database) {
  const people = db.keyspace<string, { city: string }>('people', { valueEncoding: 'json' })
  return indexed(people, { byCity: ({ city }: { city: string }): [string][] => [[city]] })
}

/** What can be compared, bytes as text. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, each) => (each instanceof Uint8Array ? Buffer.from(each).toString('latin1') : each)),
  )
}

type Operation = (world: World) => Promise<unknown>

const operations: Record<string, Operation> = {
  put: ({ db }) => db.put('a', 'other'),
  'put in a new keyspace': ({ db }) => db.keyspace('new').put('a', 'other', { ttl: 1e6 }),
  putSync: async ({ db }) => db.putSync('a', 'other', { sync: true }),
  del: ({ db }) => db.del('a'),
  clear: ({ db }) => db.clear({ gte: 'b' }),
  compareAndSet: ({ db }) => db.compareAndSet('a', '1', 'other'),
  transaction: ({ db }) =>
    db.transaction(async (tx) => {
      await tx.put('a', `${await tx.get('b')}`)
      await tx.keyspace(db.keyspace('new')).put('x', 'y')
      await tx.clear({ gte: 'c' })
    }),
  'an indexed put': ({ people }) => people.put('ada', { city: 'Paris' }),
  batch: ({ db }) =>
    db.batch([
      { type: 'put', key: 'a', value: 'other' },
      { type: 'put', key: 'n', value: 'new', keyspace: 'new' },
      { type: 'clear', gte: 'b' },
    ]),
  'a batch with messages': (world) =>
    world.db
      .batch()
      .put('a', 'other')
      .ack(world.held[0]!)
      .send(world.q('groups'), 'in a batch', { group: 'a' })
      .send(world.db.topic('t'), 'in a batch')
      .send(world.limited, 'in a batch')
      .ack(world.held[1]!)
      .write(),
  'a batch with messages, on this thread': async (world) =>
    world.db.batch().send(world.q(), 'a').ack(world.grouped[0]!).send(world.q('new'), 'b').writeSync({ sync: true }),
  send: (world) => world.q().send('more'),
  'the first send': (world) => world.q('new').send('more'),
  'send with a new priority': (world) => world.q().send('more', { priority: 7 }),
  'send with a delay': (world) => world.q().send('more', { delay: 1500 }),
  'send with a ttl': (world) => world.q().send('more', { ttl: 1500 }),
  'send with a dedup id': (world) => world.q().send('more', { dedupId: 'x' }),
  'send of a duplicate': (world) => world.q().send('more', { dedupId: 'once' }),
  'send with a limited rate': (world) => world.limited.send('more'),
  sendMany: (world) =>
    world.q('groups').sendMany([
      { body: 1, group: 'a' },
      { body: 2, delay: 10 },
      { body: 3, dedupId: 'y', ttl: 100 },
      { body: 4, priority: -3 },
    ]),
  'send that drops the oldest': (world) => world.q('newest').sendMany([{ body: 'x' }, { body: 'y' }]),
  'send that is diverted': (world) => world.q('diverting').send('x'),
  'send to a full queue': (world) => world.q('full').send('x'),
  'sendMany beyond what fits': (world) => world.q('full').sendMany([{ body: 'x' }, { body: 'y' }]),
  receive: (world) => world.q().receive({ max: 3 }),
  'receive of a group': (world) => world.q('groups').receive({ max: 5 }),
  ack: (world) => world.held[0]!.ack(),
  'ack of a group': (world) => world.grouped[0]!.ack(),
  ackMany: (world) => world.q().ackMany(world.held as Message<unknown>[]),
  nack: (world) => world.held.find(({ attempts }) => attempts === 1)!.nack({ reason: 'why' }),
  'nack of a group': (world) => world.grouped[0]!.nack({ delay: 100 }),
  'the last nack': (world) => world.last.nack({ reason: 'why' }),
  'the last nack where nothing is kept': (world) => world.forgettable.nack(),
  purge: (world) => world.q().purge(),
  'purge of groups': (world) => world.q('groups').purge(),
  redrive: (world) => world.q().redrive({ max: 1 }),
  repeat: (world) => world.q().repeat('other', { every: 1000 }, 'x'),
  'repeat anew': (world) => world.q().repeat('tick', { every: 5000 }, 'y'),
  cancelRepeat: (world) => world.q().cancelRepeat('tick'),
  publish: ({ db }) => db.topic('t').publish('more'),
  publishMany: ({ db }) => db.topic('t').publishMany([{ body: 'x' }, { body: 'y', key: 'k' }]),
  'the first publish': ({ db }) => db.topic('new').publish('more'),
  'receive from a subscription': (world) => world.sub.receive({ max: 2 }),
  'ack of a subscription': (world) => world.read.ack(),
  seek: (world) => world.sub.seek('latest'),
  'a new subscription': async ({ db }) => db.topic('t').subscribe('another', { from: 'earliest' }),
  'other rules of a subscription': async ({ db }) => db.topic('t').subscribe('sub', { maxAttempts: 7 }),
  'other rules of a queue': async ({ db }) => db.queue('q', { maxAttempts: 7 }),
  extend: async (world) => world.held[0]!.extend(90_000),
  append: ({ db }) => db.log('l').append('more'),
  'the first append': ({ db }) => db.log('new').appendMany(['more', 'and more']),
  trim: ({ db }) => db.log('l').trim({ before: 2 }),
}

function withoutCommits(seen: readonly unknown[]): unknown[] {
  return seen.map((each) => (typeof each === 'object' ? { ...each, commits: undefined } : each))
}

type Ending = 'done' | 'refused'

async function attempt(world: World, operation: Operation, step: number): Promise<Ending> {
  seam.arm(step)
  try {
    await operation(world)
    return 'done'
  } catch {
    return 'refused'
  } finally {
    seam.isArmed = false
  }
}

/** What a world sees from here on, to its end. */
async function lifeOf(world: World): Promise<readonly unknown[]> {
  await world.goOn()
  await world.store[Symbol.asyncDispose]()
  return world.seen
}

/** Lets an operation go through, and counts its steps. */
async function done(operation: Operation): Promise<{ ending: Ending; steps: number; seen: readonly unknown[] }> {
  const world = await World.make()
  const ending = await attempt(world, operation, Number.POSITIVE_INFINITY)
  const { steps } = seam
  return { ending, steps, seen: await lifeOf(world) }
}

describe('a change that is refused leaves no trace', () => {
  let untouched: readonly unknown[]

  beforeEach(async () => {
    installSeam()
    untouched ??= await lifeOf(await World.make())
  })

  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const [name, operation] of Object.entries(operations)) {
    it(name, async () => {
      const expected = await done(operation)
      // What does not fit at first is taken back, and is added anew: perhaps in other commits, but to the same end.
      seam.deniesRoom = true
      const { ending, seen } = await done(operation)
      expect(ending).toBe(expected.ending)
      expect(withoutCommits(seen), 'added anew').toEqual(withoutCommits(expected.seen))
      seam.deniesRoom = false
      let world = await World.make()
      const before = await world.figures()
      for (let step = 1; step <= expected.steps; step++) {
        const ending = await attempt(world, operation, step)
        await settled(2)
        if (ending === 'refused') {
          expect(await world.figures(), `step ${step} of ${expected.steps}`).toEqual(before)
          continue
        }
        // There were fewer steps this time, because something is known by now; or it can do without one: retention waits until what it
        // would read can be read.
        expect(['', 'get'], `step ${step} of ${expected.steps}`).toContain(seam.refusedIn)
        const isWhole = seam.refusedIn === ''
        const life = await lifeOf(world)
        if (isWhole) expect(withoutCommits(life), `step ${step}, done`).toEqual(withoutCommits(expected.seen))
        world = await World.make()
      }
      const life = await lifeOf(world)
      // A queue of which a purge was refused looks for what was set aside from the beginning, and its figures say so.
      if (name.startsWith('purge'))
        expect(withoutCommits(life), 'after all refusals').toEqual(withoutCommits(untouched))
      else expect(life, 'after all refusals').toEqual(untouched)
    })
  }
})
