import { indexed, open } from '../../src/index.js'
import { openSharded } from '../../src/shard.js'

/*
 * Everything that a program can call on a store, found on the objects themselves: what is added later is found as well.
 */

export interface Subject {
  readonly name: string
  readonly object: object
}

/** The stores and all that stands on them, each with something in it. */
export async function subjects(): Promise<{ all: Subject[]; close(): Promise<void> }> {
  const db = await open(':memory:', { executor: 'inline' })
  const store = await openSharded(':memory:', { shards: ['a', 'b'], executor: 'inline' })
  await db.put('a', '1')
  await store.put('a', '1')
  const json = db.keyspace('json', { valueEncoding: 'json' })
  await json.put('a', { n: 1 })
  const people = await indexed(db.keyspace('people'), { byValue: (value: string): [string][] => [[value]] })
  await people.put('a', 'ada')
  const queue = db.queue('q', { visibilityTimeout: 1e9 })
  await queue.sendMany([{ body: 1 }, { body: 2 }])
  const [message] = await queue.receive()
  const topic = db.topic('t')
  const subscription = topic.subscribe('s', { from: 'earliest' })
  await topic.publish('first')
  const log = db.log('l')
  await log.append('first')
  const sharded = store.queue('q', { visibilityTimeout: 1e9 })
  await sharded.send(1)
  const [shardedMessage] = await sharded.receive({ wait: 1000 })
  const shardedTopic = store.topic('t')
  const all = {
    db,
    keyspace: json,
    snapshot: db.snapshot(),
    scan: db.entries(),
    batch: db.batch(),
    indexed: people,
    index: people.index('byValue'),
    queue,
    message,
    topic,
    subscription,
    log,
    store,
    'sharded keyspace': store.keyspace('k'),
    'sharded snapshot': store.snapshot(),
    'sharded scan': store.entries(),
    'sharded batch': store.batch(),
    'sharded queue': sharded,
    'sharded message': shardedMessage,
    'sharded topic': shardedTopic,
    'sharded subscription': shardedTopic.subscribe('s'),
    'sharded log': store.log('l'),
  }
  return {
    all: Object.entries(all).map(([name, object]) => ({ name, object: object as object })),
    close: async () => {
      await db.close()
      await store.close()
    },
  }
}

/** What the sources call `private`, `protected` or `@internal`: types keep programs from calling it, objects do not show it. */
export function publicMethods(object: object, declared: ReadonlySet<string>): string[] {
  const names = new Set<string>()
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype && at !== null; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && name !== 'constructor' && declared.has(`${at.constructor.name}.${name}`)) {
        names.add(name)
      }
    }
  }
  return [...names].sort()
}
