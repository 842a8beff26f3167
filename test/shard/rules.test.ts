import { describe, expect, it, vi } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import type { QueueRules, Retention } from '../../src/index.js'
import { type Database, open } from '../../src/queue/messaging-database.js'
import { changedRules, defaultRules, type Rules } from '../../src/queue/rules.js'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { CommitPipeline } from '../../src/store/commit-pipeline.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()
const QUEUES = ['p', 'q', '{r}']
const TOPIC = 't'

type Store = Database | ShardedStore

function isSharded(store: Store): store is ShardedStore {
  return 'addShard' in store
}

/** What a queue, a topic and its subscription were given last. */
class Model {
  readonly queues = new Map<string, Rules>(QUEUES.map((name) => [name, defaultRules(name)]))
  retention: Retention = {}
  subscription: QueueRules = {}
}

function someRules(random: SeededRandom): QueueRules {
  return {
    ...(random.chance(0.4) && { ordering: random.pick(['none', 'group', 'strict'] as const) }),
    ...(random.chance(0.4) && { maxAttempts: random.between(1, 9) }),
    ...(random.chance(0.3) && { visibilityTimeout: random.between(20_000, 90_000) }),
    ...(random.chance(0.3) && { backoff: { base: random.between(0, 100) } }),
    ...(random.chance(0.3) && { deadLetter: random.pick(['graves', false] as const) }),
    ...(random.chance(0.3) && { ttl: random.pick([undefined, 3_600_000]) as number }),
    ...(random.chance(0.3) && { maxLength: random.pick([Number.POSITIVE_INFINITY, 1000]) }),
  }
}

/** The rules as each shard's part has them; those of a store without shards. */
function rulesEverywhere(store: Store, name: string): Rules[] {
  if (!isSharded(store)) return [store.queue(name).rules]
  const { mail } = store.group
  store.queue(name)
  return mail.shardNames().map((shard) => mail.shard(shard).mail.queue(name, {}).rules())
}

function expectKept(store: Store, model: Model, after: string): void {
  for (const name of QUEUES) {
    expect(store.queue(name).rules, `${name} ${after}`).toEqual(model.queues.get(name))
    for (const rules of rulesEverywhere(store, name)) expect(rules, `${name} ${after}`).toEqual(model.queues.get(name))
  }
}

async function live(random: SeededRandom, sharded: boolean): Promise<void> {
  const fs = new MemoryFileSystem()
  const begin = async (path: string): Promise<Store> =>
    sharded
      ? openSharded(path, { fs, executor: 'inline', moveBytesPerSecond: Number.POSITIVE_INFINITY, ...made() })
      : open(path, { fs, executor: 'inline' })
  const made = (): { shards?: string[] } => (fs.statusSync('/store') === undefined ? { shards: ['a', 'b', 'c'] } : {})
  let store = await begin('/store')
  const model = new Model()
  let copies = 0
  let added = 0

  const give = (): void => {
    const name = random.pick(QUEUES)
    const rules = someRules(random)
    const before = model.queues.get(name)!
    const { maxLength, ...rest } = rules
    const given =
      maxLength === undefined ? rest : { ...rest, maxLength: Number.isFinite(maxLength) ? maxLength : undefined }
    const next = changedRules(before, given as QueueRules)
    const isBusy = store.queue(name).stats().depth > 0
    if (next.ordering !== before.ordering && isBusy) {
      expect(() => store.queue(name, rules)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
      return
    }
    store.queue(name, rules)
    model.queues.set(name, next)
    // The same again writes nothing.
    const begun = vi.spyOn(CommitPipeline.prototype, 'begin')
    store.queue(name, rules)
    store.queue(name)
    expect(begun.mock.calls.length, 'writes for rules that are there').toBe(0)
    begun.mockRestore()
  }
  const giveTopic = (): void => {
    model.retention = { count: random.between(1, 4) }
    store.topic(TOPIC, { retention: model.retention })
    const { ordering: _, ...rules } = someRules(random)
    const { maxAttempts, visibilityTimeout } = rules
    const given = { ...(maxAttempts && { maxAttempts }), ...(visibilityTimeout && { visibilityTimeout }) }
    store.topic(TOPIC).subscribe('s', { from: 'earliest', ...given } as never)
    model.subscription = { ...model.subscription, ...given }
  }
  const work = async (): Promise<void> => {
    const name = random.pick(QUEUES)
    const queue = store.queue<number>(name)
    for (let i = random.between(0, 6); i > 0; i--) await queue.send(i, { group: random.pick(['x', 'y', 'z']) })
    const taken = await queue.receive({ max: 10 })
    if (model.queues.get(name)!.ordering === 'strict') {
      expect(taken.length, `in flight of strict '${name}'`).toBeLessThanOrEqual(1)
      if (taken.length > 0) expect(await queue.receive({ max: 10 }), `beside one of strict '${name}'`).toEqual([])
    }
    for (const message of taken) await message.ack()
  }
  const drain = async (): Promise<void> => {
    for (const name of QUEUES) {
      for (;;) {
        const taken = await store.queue(name).receive({ max: 100 })
        if (taken.length === 0) break
        for (const message of taken) await message.ack()
      }
    }
  }
  const reshape = async (): Promise<void> => {
    if (!isSharded(store)) return
    // One of a strict queue stays in flight while shards come and go.
    const strict = QUEUES.filter((name) => model.queues.get(name)!.ordering === 'strict')
    const held = await Promise.all(strict.map(async (name) => (await store.queue(name).receive({ max: 10 })).at(0)))
    if (random.chance(0.6) || store.shards.length < 2) await store.addShard(`n${added++}`)
    else {
      // A topic stays where it was made.
      const leaving = store.shards.find((name) => name.startsWith('n'))
      if (leaving !== undefined) await store.removeShard(leaving).catch(() => {})
    }
    for (const [i, name] of strict.entries()) {
      for (let body = 0; body < 5; body++) await store.queue(name).send(body)
      if (held[i] === undefined) continue
      expect(await store.queue(name).receive({ max: 10 }), `beside one of strict '${name}'`).toEqual([])
      await held[i].ack()
    }
  }
  const copy = async (): Promise<void> => {
    const path = `/copy${copies++}`
    await store.checkpoint(path)
    const opened = await begin(path)
    expectKept(opened, model, 'in a copy of this moment')
    await opened.close()
  }
  for (let act = 0; act < 30; act++) {
    const way = random.below(12)
    if (way < 4) give()
    else if (way === 4) giveTopic()
    else if (way < 8) await work()
    else if (way === 8) await drain()
    else if (way === 9) await reshape()
    else if (way === 10) await copy()
    else {
      await store.close()
      store = await begin('/store')
    }
    if (random.chance(0.3)) expectKept(store, model, `after act ${act}, way ${way}`)
  }
  await store.close()
  store = await begin('/store')
  expectKept(store, model, 'at the end')
  const { count = Number.POSITIVE_INFINITY } = model.retention
  for (let i = 0; i < 40; i++) await store.topic(TOPIC).publish(i, { key: `k${i % 8}` })
  const { first, next } = store.topic(TOPIC).stats()
  const shards = isSharded(store) ? store.shards.length : 1
  if (Number.isFinite(count)) expect(next - first).toBeLessThanOrEqual(count * shards)
  else expect(first).toBe(0)
  const { rules } = (store.topic(TOPIC) as never as { subscribe(name: string): { rules: Rules } }).subscribe('s')
  if (rules !== undefined) expect(rules).toMatchObject(model.subscription)
  await store.close()
}

describe('rules', () => {
  it('of a store are what was given last, stored at once', () => withSeeds(12, (random) => live(random, false)))

  it('of a store over shards are that on every shard, whatever comes and goes', () =>
    withSeeds(12, (random) => live(random, true)))

  it('hold in threads as well, at the next opening and on a shard that is added', async () => {
    const path = directory()
    let store = await openSharded(path, { shards: ['a', 'b'], threads: true })
    const given: QueueRules = { ordering: 'strict', maxAttempts: 2, deadLetter: 'graves' }
    store.queue('q', given)
    store.topic('t', { retention: { count: 2 } })
    store.topic('t').subscribe('s', { from: 'earliest', maxAttempts: 3 })
    expect(() => store.topic('t', { retention: { cuont: 2 } as never })).toThrow('cuont')
    await store.close()
    store = await openSharded(path, { threads: true })
    await store.addShard('c')
    const { mail } = store.group
    expect(store.queue('q').rules).toMatchObject(given)
    for (const name of ['a', 'b', 'c']) expect(mail.shard(name).mail.queue('q', {}).rules()).toMatchObject(given)
    for (let i = 0; i < 6; i++) await store.queue('q').send(i)
    expect(await store.queue('q').receive({ max: 10 })).toHaveLength(1)
    expect(await store.queue('q').receive({ max: 10 })).toEqual([])
    for (let i = 0; i < 9; i++) await store.topic('t').publish(i)
    expect(store.topic('t').stats()).toMatchObject({ first: 7, next: 9 })
    await store.close()
  })

  it('given to a shard store of before, which only some shards know, hold on all of them', async () => {
    const fs = new MemoryFileSystem()
    let store = await openSharded('/store', { fs, executor: 'inline', shards: ['a', 'b', 'c'] })
    // As it was: one part has them, with its first message; the others and the directory have nothing.
    const part = store.group.mail.shard('b').mail.queue('q', { ordering: 'strict', maxAttempts: 7 })
    await part.sendMany([{ body: 1 }], {})
    await store.close()
    store = await openSharded('/store', { fs, executor: 'inline' })
    expect(store.queue('q').rules).toMatchObject({ ordering: 'strict', maxAttempts: 7 })
    for (const rules of rulesEverywhere(store, 'q')) expect(rules).toMatchObject({ ordering: 'strict', maxAttempts: 7 })
    await store.close()
  })

  it('cannot be given to a store that is read only, whose handles read all the same', async () => {
    const fs = new MemoryFileSystem()
    const writer = await open('/store', { fs, executor: 'inline' })
    writer.queue('q', { maxAttempts: 3 })
    writer.topic('t', { retention: { count: 3 } })
    await writer.queue('q').send('x')
    await writer.close()
    const reader = await open('/store', { fs, executor: 'inline', readOnly: true })
    expect(reader.queue('q').rules.maxAttempts).toBe(3)
    expect(reader.queue('q', { maxAttempts: 3 }).stats().depth).toBe(1)
    expect(reader.topic('t', { retention: { count: 3 } }).stats()).toMatchObject({ next: 0 })
    const refused = expect.objectContaining({ code: 'SILT_READ_ONLY' })
    expect(() => reader.queue('q', { maxAttempts: 4 })).toThrow(refused)
    expect(() => reader.queue('new', { maxAttempts: 4 })).toThrow(refused)
    expect(() => reader.topic('t', { retention: { count: 4 } })).toThrow(refused)
    expect(reader.queue('q').rules.maxAttempts).toBe(3)
    expect(await reader.queue('q').peek()).toHaveLength(1)
    await reader.close()
  })

  it('cannot be given to a store that has failed, whose handles read all the same', async () => {
    const disk = new SimulatedDisk(1)
    const db = await open('/store', { fs: disk, executor: 'inline' })
    await db.queue('q', { maxAttempts: 3 }).send('x')
    disk.failEvery('sync', 'EIO')
    await expect(db.put('k', 'v', { sync: true })).rejects.toMatchObject({ code: 'SILT_FAILED' })
    expect(() => db.queue('q', { maxAttempts: 4 })).toThrow(expect.objectContaining({ code: 'SILT_FAILED' }))
    expect(() => db.topic('t', { retention: { count: 4 } })).toThrow(expect.objectContaining({ code: 'SILT_FAILED' }))
    expect(db.queue('q', { maxAttempts: 3 }).rules.maxAttempts).toBe(3)
    expect(db.queue('q').stats().depth).toBe(1)
    await db.close().catch(() => {})
  })

  it('that the disk had no space for are carried by the next commit, or by closing, which says if it cannot', async () => {
    const disk = new SimulatedDisk(1)
    const begin = (): Promise<Database> => open('/store', { fs: disk, executor: 'inline' })
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    let db = await begin()
    await db.put('k', 'v')
    let heal = disk.failEvery('write', 'ENOSPC')
    db.queue('next', { maxAttempts: 3 })
    db.topic('next', { retention: { count: 3 } })
    db.queue('closing', { maxAttempts: 4 })
    db.topic('closing', { retention: { count: 4 } })
    await turn()
    heal()
    await db.queue('next').send('x')
    await db.topic('next').publish('x')
    await db.close()
    db = await begin()
    expect(db.queue('next').rules.maxAttempts).toBe(3)
    expect(db.queue('closing').rules.maxAttempts).toBe(4)
    for (let i = 0; i < 9; i++) await Promise.all(['next', 'closing'].map((name) => db.topic(name).publish(i)))
    expect(db.topic('next').stats()).toMatchObject({ first: 7, next: 10 })
    expect(db.topic('closing').stats()).toMatchObject({ first: 5, next: 9 })
    heal = disk.failEvery('write', 'ENOSPC')
    db.queue('next', { maxAttempts: 8 })
    await expect(db.close()).rejects.toMatchObject({ code: 'SILT_NO_SPACE' })
    heal()
    db = await begin()
    expect(db.queue('next').rules.maxAttempts).toBe(3)
    await db.close()
  })
})
