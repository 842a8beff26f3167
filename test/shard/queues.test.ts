import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { openSharded, type ShardedMessage, type ShardedOptions, type ShardedStore } from '../../src/shard.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()
const code = (expected: string) => expect.objectContaining({ code: expected })
const GROUPS = Array.from({ length: 24 }, (_, i) => `customer:${i}`)

let store: ShardedStore | undefined

afterEach(async () => {
  await store?.close()
  store = undefined
})

interface Job {
  group: string
  step: number
}

/** Sends steps of all groups, each group on its own. */
async function sendSteps(db: ShardedStore, from: number, to: number): Promise<void> {
  const queue = db.queue<Job>('jobs')
  for (let step = from; step < to; step++) {
    await Promise.all(GROUPS.map((group) => queue.send({ group, step }, { group })))
  }
}

/** Takes and acknowledges until nothing is left, and returns the steps of each group in the order in which they came. */
async function takeAll(db: ShardedStore): Promise<Map<string, number[]>> {
  const steps = new Map<string, number[]>()
  const queue = db.queue<Job>('jobs')
  for (;;) {
    const messages = await queue.receive({ max: 10 })
    if (messages.length === 0) return steps
    // One message of a group is under way at a time.
    expect(new Set(messages.map(({ group }) => group)).size).toBe(messages.length)
    for (const { body } of messages) steps.set(body.group, [...(steps.get(body.group) ?? []), body.step])
    for (const message of messages) await message.ack()
  }
}

function stepsTo(count: number): Map<string, number[]> {
  return new Map(GROUPS.map((group) => [group, Array.from({ length: count }, (_, i) => i)]))
}

const WAYS: { name: string; threads: boolean }[] = [
  { name: 'on this thread', threads: false },
  { name: 'in threads', threads: true },
]

describe.each(WAYS)('messages over shards $name', ({ threads }) => {
  let path = ''
  let fs = new MemoryFileSystem()

  async function openStore(options: ShardedOptions = {}): Promise<ShardedStore> {
    const fast = { moveBytesPerSecond: Number.POSITIVE_INFINITY }
    store = threads
      ? await openSharded(path, { ...fast, ...options, threads })
      : await openSharded('/store', { ...fast, ...options, fs, executor: 'inline' })
    return store
  }

  async function fresh(shards: ShardedOptions['shards'] = ['a', 'b', 'c']): Promise<ShardedStore> {
    path = directory()
    fs = new MemoryFileSystem()
    return openStore({ shards })
  }

  async function reopen(): Promise<ShardedStore> {
    await store!.close()
    return openStore()
  }

  it('keep the order of a group, and are dealt out by groups', async () => {
    const db = await fresh()
    db.queue('jobs', { ordering: 'group' })
    await sendSteps(db, 0, 4)
    expect(db.queue('jobs').stats()).toMatchObject({ depth: 96, sent: 96, ready: 96 })
    expect(db.queueNames()).toEqual(['jobs'])
    const first = await db.queue<Job>('jobs').peek({ max: 24 })
    const shards = new Set(first.map(({ id }) => id.split('/')[0]))
    expect(shards.size).toBe(3)
    expect(await takeAll(db)).toEqual(stepsTo(4))
    expect(db.queue('jobs').stats()).toMatchObject({ depth: 0, acked: 96 })
  })

  it('wait for messages of any shard, and hand bodies over as they were sent', async () => {
    const db = await fresh()
    const queue = db.queue('mixed')
    const waiting = queue.receive({ wait: 60_000 })
    const { id } = await queue.send({ a: 1, at: new Date(0) }, { headers: { trace: 'x' } })
    const [message] = await waiting
    expect(message).toMatchObject({ id, body: { a: 1, at: '1970-01-01T00:00:00.000Z' }, headers: { trace: 'x' } })
    await message!.ack()
    await expect(message!.ack()).rejects.toThrow(code('SILT_STALE_RECEIPT'))
    await queue.send(Buffer.from('bytes'))
    const [second] = await queue.receive({ max: 5 })
    expect(second!.body).toEqual(Buffer.from('bytes'))
    await second!.nack({ delay: 0 })
    const [again] = await queue.receive()
    expect(again).toMatchObject({ id: second!.id, attempts: 2 })
    await again!.ack()
    const ending = new AbortController()
    const endless = queue.receive({ wait: Number.POSITIVE_INFINITY, signal: ending.signal })
    ending.abort(new Error('enough'))
    await expect(endless).rejects.toThrow('enough')
    await expect(queue.repeat()).rejects.toThrow(code('SILT_NOT_SUPPORTED'))
  })

  it('feed workers, and die where they were', async () => {
    const db = await fresh()
    const queue = db.queue<number>('work', { maxAttempts: 1 })
    for (let i = 0; i < 30; i++) await queue.send(i, { group: `g${i}` })
    const seen: number[] = []
    const worker = queue.consume(
      (message) => {
        seen.push(message.body)
        if (message.body % 10 === 0) throw new Error('no tens')
      },
      { concurrency: 4 },
    )
    while (seen.length < 30) await new Promise((resolve) => setImmediate(resolve))
    await worker.stop()
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i))
    const dead = await db.queue<number>('work.dead').receive({ max: 10 })
    expect(dead.map(({ body }) => body).sort((a, b) => a - b)).toEqual([0, 10, 20])
    expect(dead[0]!.deadLetter).toMatchObject({ queue: 'work', reason: 'no tens' })
    await db.queue('work.dead').ackMany([], {})
    for (const message of dead) await message.nack({ delay: 0 })
    expect(await queue.redrive()).toBe(3)
    expect(queue.stats().depth).toBe(3)
    expect(await queue.purge()).toBe(3)
  })

  it('go into one commit with keys of their shard, and with those of another only if it need not be one', async () => {
    const db = await fresh()
    const queue = db.queue<string>('{42}dispatch')
    await db.batch().put('order:{42}', 'open').send(queue, 'first').write()
    const [message] = await queue.receive()
    await db.batch([
      { type: 'put', key: 'done:{42}', value: 'yes' },
      { type: 'ack', message: message! },
      { type: 'send', queue, body: 'second' },
    ])
    expect(await db.getMany(['order:{42}', 'done:{42}'])).toEqual(['open', 'yes'])
    expect(queue.stats()).toMatchObject({ depth: 1, acked: 1 })
    // What has neither group nor tag goes along with the keys.
    const loose = db.queue<string>('loose')
    for (const key of ['k1', 'k2', 'k3', 'k4']) await db.batch().put(key, '1').send(loose, key).write()
    expect(
      new Set((await loose.peek({ max: 4 })).map(({ body, id }) => `${db.locate(body)} ${id.split('/')[0]}`)),
    ).toEqual(new Set(['k1', 'k2', 'k3', 'k4'].map((key) => `${db.locate(key)} ${db.locate(key)}`)))
    const other = ['a', 'b', 'c', 'd', 'e', 'f'].find((key) => db.locate(key) !== db.locate('{42}'))!
    const across = db.batch().put(other, '1').send(queue, 'third')
    await expect(across.write()).rejects.toThrow(code('SILT_CROSS_SHARD'))
    expect(await db.get(other)).toBeUndefined()
    expect(queue.stats().depth).toBe(1)
    await across.write({ atomic: false })
    expect(await db.get(other)).toBe('1')
    expect(queue.stats().depth).toBe(2)
    const items = GROUPS.map((group) => ({ body: 'x', group }))
    await expect(loose.sendMany(items)).rejects.toThrow(code('SILT_CROSS_SHARD'))
    expect(loose.stats().depth).toBe(4)
    await loose.sendMany(items, { atomic: false })
    const all = await loose.receive({ max: 100 })
    expect(all).toHaveLength(28)
    await expect(loose.ackMany(all)).rejects.toThrow(code('SILT_CROSS_SHARD'))
    await loose.ackMany(all, { atomic: false })
    expect(loose.stats()).toMatchObject({ depth: 0, inFlight: 0 })
  })

  it('keep the order of a group while shards come and go, and the process ends', async () => {
    let db = await fresh()
    db.queue('jobs', { ordering: 'group' })
    await sendSteps(db, 0, 2)
    const held = await db.queue<Job>('jobs').receive({ max: 5 })
    await db.addShard('d')
    await sendSteps(db, 2, 3)
    for (const message of held) await message.nack({ delay: 0 })
    db = await reopen()
    await sendSteps(db, 3, 4)
    await db.removeShard('a')
    await sendSteps(db, 4, 5)
    db = await reopen()
    expect(db.shards).toEqual(['b', 'c', 'd'])
    expect(db.queue('jobs').stats().depth).toBe(24 * 5)
    expect(await takeAll(db)).toEqual(stepsTo(5))
    // Now that all is drained, the groups go where the placement says, the new shard included.
    await sendSteps(db, 5, 6)
    const at = (await db.queue<Job>('jobs').peek({ max: 24 })).map(({ id, group }) => [group, id.split('/')[0]])
    expect(at.sort()).toEqual(GROUPS.map((group) => [group, db.locate(group)]).sort())
    await db.idle()
    const place = threads ? `${path}/a` : '/store/a'
    expect(threads ? existsSync(place) : fs.statusSync(place) !== undefined).toBe(false)
  })

  it('moves a group only when its old shard holds nothing of the queue', async () => {
    const db = await fresh(['a', 'b'])
    const queue = db.queue<Job>('jobs', { ordering: 'group' })
    await sendSteps(db, 0, 1)
    const before = new Map(GROUPS.map((group) => [group, db.locate(group)]))
    await db.addShard('c')
    const moving = GROUPS.filter((group) => db.locate(group) === 'c')
    expect(moving.length).toBeGreaterThan(0)
    const shardOfNext = async (group: string): Promise<string> =>
      (await queue.send({ group, step: 1 }, { group })).id.split('/')[0]!
    for (const group of moving) expect(await shardOfNext(group)).toBe(before.get(group))
    const taken = await takeAll(db)
    for (const group of moving) expect(taken.get(group)).toEqual([0, 1])
    for (const group of moving) expect(await shardOfNext(group)).toBe('c')
    // That is kept in mind when the process ends, whatever the old shards hold by then.
    for (const group of GROUPS) if (!moving.includes(group)) await shardOfNext(group)
    const again = (await reopen()).queue<Job>('jobs')
    for (const group of moving) {
      expect((await again.send({ group, step: 2 }, { group })).id.split('/')[0]).toBe('c')
    }
  })

  it('wakes whoever waits when the message comes on a shard that has joined', async () => {
    const db = await fresh(['a'])
    const queue = db.queue<string>('jobs')
    const waiting = queue.receive({ wait: 60_000 })
    await db.addShard('b')
    const group = GROUPS.find((each) => db.locate(each) === 'b')!
    const { id } = await queue.send('hello', { group })
    expect(id.startsWith('b/')).toBe(true)
    const [message] = await waiting
    expect(message!.id).toBe(id)
    await message!.ack()
  })

  it('keep the order of a key in topics, for each subscription', async () => {
    let db = await fresh()
    const topic = db.topic<Job>('orders')
    const early = topic.subscribe('early', { from: 'earliest' })
    for (let step = 0; step < 3; step++) {
      for (const group of GROUPS) await topic.publish({ group, step }, { key: group })
    }
    expect(early.lag()).toBe(72)
    expect(topic.stats()).toMatchObject({ first: 0, next: 72 })
    await db.addShard('d')
    for (const group of GROUPS) await topic.publish({ group, step: 3 }, { key: group })
    await db.batch().put('{7}', 'x').send(topic, { group: 'none', step: 0 }).write({ atomic: false })
    const read = async (from: typeof early): Promise<Map<string, number[]>> => {
      const steps = new Map<string, number[]>()
      while (from.lag() > 0) {
        for (const message of await from.receive({ max: 20, wait: 60_000 })) {
          steps.set(message.body.group, [...(steps.get(message.body.group) ?? []), message.body.step])
          await message.ack()
        }
      }
      steps.delete('none')
      return steps
    }
    expect(await read(early)).toEqual(stepsTo(4))
    await early.seek('earliest')
    expect(await read(early)).toEqual(stepsTo(4))
    await expect(early.seek({ offset: 0 } as never)).rejects.toThrow(code('SILT_NOT_SUPPORTED'))
    await early.close()
    await expect(early.receive()).rejects.toThrow(code('SILT_NOT_OPEN'))
    const odd = topic.subscribe<string>('odd', {
      from: 'earliest',
      filter: ({ body }: ShardedMessage<Job>) => body.step % 2 === 1,
      map: ({ body }) => `${body.group}:${body.step}`,
    })
    const seen: string[] = []
    for (let found = await odd.receive({ max: 10 }); found.length > 0; found = await odd.receive({ max: 10 })) {
      for (const message of found) {
        seen.push(message.body)
        await message.ack()
      }
    }
    expect(seen.sort()).toEqual(GROUPS.flatMap((group) => [`${group}:1`, `${group}:3`]).sort())
    expect(topic.subscriptionNames()).toEqual(['early', 'odd'])
    expect(await topic.unsubscribe('odd')).toBe(true)
    // Its messages stay where they are: a shard that has some cannot go.
    await expect(db.removeShard('a')).rejects.toThrow(code('SILT_NOT_SUPPORTED'))
    await expect(db.removeShard('a', { dryRun: true })).rejects.toThrow(code('SILT_NOT_SUPPORTED'))
    expect(db.shards).toEqual(['a', 'b', 'c', 'd'])
    db = await reopen()
    const again = db.topic<Job>('orders').subscribe('early')
    expect(again.lag()).toBe(0)
    await again.close()
  })

  it('stand in logs on one shard', async () => {
    let db = await fresh()
    const log = db.log('audit')
    const home = db.locate('audit')
    expect(await log.appendMany(['a', 'b'])).toEqual([0, 1])
    await db.addShard('d')
    expect(await log.append('c')).toBe(2)
    db = await reopen()
    const again = db.log('audit')
    const bodies: string[] = []
    const ending = new AbortController()
    const following = (async () => {
      for await (const { body, offset } of again.read({ from: 1, follow: true, signal: ending.signal })) {
        bodies.push(`${offset}${body.toString()}`)
        if (bodies.length === 3) break
      }
    })()
    await again.append('d')
    await following
    expect(bodies).toEqual(['1b', '2c', '3d'])
    await again.trim({ before: 2 })
    expect(again.stats()).toMatchObject({ first: 2, next: 4 })
    await expect(db.removeShard(home)).rejects.toThrow(code('SILT_NOT_SUPPORTED'))
  })
})

describe('messages over shards in shards', () => {
  it('keep the order of a group', async () => {
    const fs = new MemoryFileSystem()
    store = await openSharded('/store', {
      fs,
      executor: 'inline',
      shards: ['a', { name: 'b', sharded: { shards: ['x', 'y'] } }],
    })
    store.queue('jobs', { ordering: 'group' })
    await sendSteps(store, 0, 3)
    expect(new Set((await store.queue('jobs').peek({ max: 72 })).map(({ id }) => id.replace(/\/[^/]*$/, '')))).toEqual(
      new Set(['a', 'b/x', 'b/y']),
    )
    expect(await takeAll(store)).toEqual(stepsTo(3))
  })
})
