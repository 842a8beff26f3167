import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { indexed, MemoryFileSystem, open } from '../../src/index.js'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { TestStore } from '../queue/stores.js'

/*
 * Two names that are one on disk are one keyspace, queue or group after reopening. A surrogate without its partner has no UTF-8, so
 * every place that takes a name refuses it.
 */

const HALVES = ['\ud800', '\udfff', 'a\ud83d', '\ude00b', '\ude00\ud83d', '\ud83d\ud83d\ude00']
const WHOLE = ['a', '\ufffd', '\ud83d\ude00', 'ä', '\u2028', ' ', '\u0001']

let store: TestStore
let shards: ShardedStore

beforeAll(async () => {
  store = await TestStore.open()
  shards = await openSharded('/shards', { fs: new MemoryFileSystem(), executor: 'inline', shards: ['s1', 's2'] })
})

afterAll(async () => {
  await store.db.close()
  await shards.close()
})

const places: Record<string, (name: string) => unknown> = {
  keyspace: (name) => store.db.keyspace(name).put('k', 'v'),
  'keyspace of a batch': (name) => store.db.batch([{ type: 'put', key: 'k', value: 'v', keyspace: name }]),
  'keyspace of a chained batch': (name) => store.db.batch().put('k', 'v', { keyspace: name }).write(),
  'keyspace of a transaction': (name) =>
    store.db.transaction((tx) => tx.keyspace(store.db.keyspace(name)).put('k', 'v')),
  index: (name) => indexed(store.db.keyspace('indexed'), { [name]: () => [] }),
  queue: (name) => store.db.queue(name).send('body'),
  'queue of dead letters': (name) => store.db.queue('buried', { deadLetter: name }).send('body'),
  group: (name) => store.db.queue('groups').send('body', { group: name }),
  'dedup id': (name) => store.db.queue('dedup').send('body', { dedupId: name }),
  repetition: (name) => store.db.queue('repeated').repeat(name, { every: 1000 }, 'body'),
  topic: (name) => store.db.topic(name).publish('body'),
  'key of a topic': (name) => store.db.topic('keys').publish('body', { key: name }),
  subscription: (name) => store.db.topic('subscribed').subscribe(name).close(),
  log: (name) => store.db.log(name).append('body'),
  'sharded keyspace': (name) => shards.keyspace(name).put('k', 'v'),
  'sharded queue': (name) => shards.queue(name).send('body'),
  'sharded topic': (name) => shards.topic(name).publish('body'),
  'sharded subscription': (name) => shards.topic('subscribed').subscribe(name).close(),
  'sharded log': (name) => shards.log(name).append('body'),
}

describe.each(Object.entries(places))('the name of a %s', (_, use) => {
  it('is well-formed Unicode', async () => {
    for (const name of HALVES) {
      await expect(async () => use(name)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
    for (const name of WHOLE) await use(name)
  })
})

it('the name of a shard is too', async () => {
  const code = { code: 'SILT_INVALID_ARGUMENT' }
  for (const name of HALVES) {
    await expect(
      openSharded('/other', { fs: new MemoryFileSystem(), executor: 'inline', shards: [name] }),
    ).rejects.toMatchObject(code)
    await expect(async () => shards.addShard(name)).rejects.toMatchObject(code)
  }
})

it('names that are taken are the same after reopening', async () => {
  const db = await store.reopen()
  expect(db.keyspaceNames()).toEqual(expect.arrayContaining(WHOLE))
  for (const name of WHOLE) {
    expect(await db.keyspace(name).get('k')).toBe('v')
    expect(db.queue(name).stats().depth).toBe(1)
  }
})

it('of a key or a value in UTF-8, what is half of a pair becomes U+FFFD, as in Level', async () => {
  await using db = await open(':memory:')
  await db.put('key\ud800', 'value\udfff')
  expect(await db.get('key\ufffd')).toBe('value\ufffd')
  expect(await db.get('key\udc00')).toBe('value\ufffd')
  expect(await db.keys().toArray()).toEqual(['key\ufffd'])
  // JSON writes it as an escape, so nothing is lost there.
  const json = db.keyspace<string, string>('json', { keyEncoding: 'json', valueEncoding: 'json' })
  await json.put('key\ud800', 'value\udfff')
  await json.put('key\ud801', 'other')
  expect(await json.entries().toArray()).toEqual([
    ['key\ud800', 'value\udfff'],
    ['key\ud801', 'other'],
  ])
})
