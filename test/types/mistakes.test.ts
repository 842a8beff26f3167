import { describe, expectTypeOf, it } from 'vitest'
import { type Database, indexed, type Keyspace, open, type Queue, type Topic, tuples } from '../../src/index.js'
import { openSharded, type ShardedStore } from '../../src/shard.js'

/*
 * Mistakes that the compiler finds before a program runs. `npm run check` holds the types to it: each of these lines is an error, and one
 * that is none any more is an error, too. None of them is run.
 */

interface User {
  name: string
  age: number
}

interface Tree {
  children: Tree[]
  note?: string
}

declare const db: Database
declare const users: Keyspace<string, User>
declare const store: ShardedStore
declare const q: Queue<{ to: string }>
declare const topic: Topic<{ to: string }>

const ada: User = { name: 'ada', age: 36 }

const typesWithoutEncodings = async (): Promise<void> => {
  // @ts-expect-error: texts would come back
  await open<string, User>('./a')
  // @ts-expect-error: the same with options that say nothing of it
  await open<string, User>('./a', { sync: true })
  // @ts-expect-error: keys, too
  await open<number>('./a', { valueEncoding: 'json' })
  // @ts-expect-error: 'utf8' gives texts
  await open<string, User>('./a', { valueEncoding: 'utf8' })
  // @ts-expect-error: as the store's are text
  db.keyspace<string, User>('users')
  // @ts-expect-error: the same
  db.keyspace<string, User>('users', { compaction: 'tiered' })
  // @ts-expect-error: the same
  db.as<string, User>({})
  // @ts-expect-error: the same over shards
  await openSharded<string, User>('./a', { shards: ['a'] })
  // @ts-expect-error: the same over shards
  store.keyspace<string, User>('users')

  await open<string, User>('./a', { valueEncoding: 'json' })
  await open<number, User>('./a', { keyEncoding: 'json', valueEncoding: 'json' })
  await open<string, string>('./a')
  await open<string>('./a', { cacheBytes: 1 })
  await openSharded<string, User>('./a', { shards: ['a'], valueEncoding: 'json' })
  db.keyspace<string, string>('texts')
  db.keyspace('orders', { valueEncoding: 'json', compaction: 'tiered' })
  store.keyspace<string, User>('users', { valueEncoding: 'json' })
  const typed = await open<string, User>('./a', { valueEncoding: 'json' })
  typed.keyspace('more')
}

const whatJsonDoesNotGiveBack = (): void => {
  // @ts-expect-error: a date comes back as a text
  db.keyspace<string, { at: Date }>('dates', { valueEncoding: 'json' })
  // @ts-expect-error: a map comes back empty
  db.keyspace<string, Map<string, number>>('maps', { valueEncoding: 'json' })
  // @ts-expect-error: there is no text for it
  db.keyspace<string, { n: bigint }>('bigints', { valueEncoding: 'json' })
  // @ts-expect-error: anywhere inside
  db.keyspace<string, { deep: { at: Date }[] }>('deep', { valueEncoding: 'json' })
  // @ts-expect-error: bytes come back as an object
  db.keyspace<string, { image: Uint8Array }>('images', { valueEncoding: 'json' })

  db.keyspace<string, Tree>('trees', { valueEncoding: 'json' })
  db.keyspace<string, { at: string; tags: readonly string[]; more?: number | null }>('fine', { valueEncoding: 'json' })
  db.keyspace<string, unknown>('anything', { valueEncoding: 'json' })
  const at = { encode: (value: Date) => value.toISOString(), decode: (bytes: Uint8Array) => new Date(String(bytes)) }
  db.keyspace<string, Date>('dates', { valueEncoding: at })
}

const batchesOverKeyspaces = async (): Promise<void> => {
  // @ts-expect-error: no user
  await db.batch([{ type: 'put', key: 'a', value: { nope: 1 }, keyspace: users }])
  // @ts-expect-error: no key of users
  await db.batch([{ type: 'put', key: 5, value: ada, keyspace: users }])
  // @ts-expect-error: no key of users
  await db.batch([{ type: 'del', key: 5, keyspace: users }])
  await db.batch([
    { type: 'put', key: 'a', value: 'text' },
    // @ts-expect-error: one of several
    { type: 'put', key: 'b', value: 'b', keyspace: users },
  ])
  // @ts-expect-error: the same on this thread
  db.batchSync([{ type: 'put', key: 'a', value: { nope: 1 }, keyspace: users }])
  // @ts-expect-error: the same, chained
  db.batch().put('a', { nope: 1 }, { keyspace: users })
  // @ts-expect-error: the same, chained
  db.batch().del(5, { keyspace: users })
  // @ts-expect-error: no text
  await db.batch([{ type: 'put', key: 'a', value: { nope: 1 } }])
  // @ts-expect-error: an option that there is not
  await db.batch([{ type: 'put', key: 'a', value: '1', tll: 5 }])

  await db.batch([
    { type: 'put', key: 'a', value: 'text' },
    { type: 'put', key: 'b', value: ada, keyspace: users, ttl: 5 },
    { type: 'del', key: 'c', keyspace: users },
    { type: 'put', key: 'd', value: 7, keyspace: 'by-name' },
  ])
  await db.batch().put('b', ada, { keyspace: users, ttl: 5 }).del('c', { keyspace: users }).write()
  for await (const { operations } of db.changes({ since: 0, raw: true })) {
    await (db as unknown as Database<Uint8Array, Uint8Array>).batch(operations)
  }
}

const optionsThatExcludeEachOther = async (): Promise<void> => {
  // @ts-expect-error: one key or a range
  db.watch({ key: 'a', prefix: 'b' })
  // @ts-expect-error: one key or a range
  db.watch({ key: 'a', gte: 'b' })
  // @ts-expect-error: a pattern or a distance
  await q.repeat('a', { cron: '* * * * *', every: 5 }, { to: 'x' })
  // @ts-expect-error: time zones are for patterns
  await q.repeat('a', { every: 5, timezone: 'UTC' }, { to: 'x' })
  db.watch({ key: 'a' })
  db.watch({ prefix: 'b' })
  db.watch()
  await q.repeat('a', { cron: '* * * * *', timezone: 'UTC' }, { to: 'x' })
}

const optionsThatThereAreNot = async (): Promise<void> => {
  // @ts-expect-error
  await users.put('a', ada, { tll: 5 })
  // @ts-expect-error
  await users.get('a', { snapshto: db.snapshot() })
  // @ts-expect-error
  users.entries({ perfix: 'a' })
  // @ts-expect-error
  await open('./a', { cacheByte: 1 })
  // @ts-expect-error
  db.queue('q', { visibilityTimeOut: 5 })
  // @ts-expect-error
  await q.send({ to: 'x' }, { dealy: 5 })
  // @ts-expect-error
  await q.send({ tu: 'x' })
  // @ts-expect-error
  await topic.publish({ to: 'x' }, { kay: 'a' })
  // @ts-expect-error
  topic.subscribe('s', { form: 'earliest' })
  // @ts-expect-error
  await db.transaction(async () => 5, { retry: 5 })
  // @ts-expect-error
  db.changes({ sinc: 0 })
  // @ts-expect-error
  await store.put('a', 'b', { tll: 5 })
  // @ts-expect-error: no snapshot
  db.getSync('a', { snapshot: 5 })
}

const wrongKeysAndValues = async (): Promise<void> => {
  // @ts-expect-error: no user
  await users.put('a', { name: 1, age: 2 })
  // @ts-expect-error: half a user
  await users.put('a', { name: 'x' })
  // @ts-expect-error: no key
  await users.put(1, ada)
  // @ts-expect-error: use del
  await users.put('a', undefined)
  // @ts-expect-error: it may not be there
  ;(await users.get('a')).name
  // @ts-expect-error: half a user
  await users.compareAndSet('a', undefined, { name: 'x' })
  // @ts-expect-error: a date in a tuple
  await db.keyspace('t', { keyEncoding: tuples, valueEncoding: 'json' }).put(['a', new Date()], 1)
  const people = await indexed(users, { byAge: (user: User): [number][] => [[user.age]] })
  // @ts-expect-error: no such index
  people.index('byName')
  // @ts-expect-error: a number comes first
  people.index('byAge').keys({ prefix: ['text'] })
}

describe('the types refuse', () => {
  it('what would be found only when it runs', () => {
    const mistakes = [
      typesWithoutEncodings,
      whatJsonDoesNotGiveBack,
      batchesOverKeyspaces,
      optionsThatExcludeEachOther,
      optionsThatThereAreNot,
      wrongKeysAndValues,
    ]
    for (const each of mistakes) expectTypeOf(each).toBeFunction()
  })
})
