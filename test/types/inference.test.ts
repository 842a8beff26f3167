import { describe, expectTypeOf, it } from 'vitest'
import {
  type CustomEncoding,
  type Database,
  type EncodingOption,
  type Keyspace,
  type OpenOptions,
  open,
  type Scan,
  type Snapshot,
} from '../../src/index.js'

/*
 * What the types say; `npm run check` holds them to it, and running these only shows that the calls are real ones.
 */

interface User {
  readonly name: string
}

const date: CustomEncoding<Date> = {
  encode: (value) => value.toISOString(),
  decode: (bytes) => new Date(Buffer.from(bytes).toString()),
}

describe('open', () => {
  it('gives text where nothing is said', async () => {
    await using db = await open(':memory:')
    expectTypeOf(db).toEqualTypeOf<Database<string, string>>()
    await using sized = await open(':memory:', { cacheBytes: 1024 })
    expectTypeOf(sized).toEqualTypeOf<Database<string, string>>()
  })

  it('gives what the encodings give', async () => {
    await using raw = await open(':memory:', { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    expectTypeOf(raw).toEqualTypeOf<Database<Buffer, Buffer>>()
    await using view = await open(':memory:', { valueEncoding: 'view' })
    expectTypeOf(view).toEqualTypeOf<Database<string, Uint8Array>>()
    await using json = await open(':memory:', { keyEncoding: 'utf8', valueEncoding: 'json' })
    // biome-ignore lint/suspicious/noExplicitAny: that is what JSON gives
    expectTypeOf(json).toEqualTypeOf<Database<string, any>>()
    await using custom = await open(':memory:', { valueEncoding: date })
    expectTypeOf(custom).toEqualTypeOf<Database<string, Date>>()
    await using inline = await open(':memory:', {
      keyEncoding: { encode: (value: number) => String(value), decode: (bytes) => bytes.length },
    })
    expectTypeOf(inline).toEqualTypeOf<Database<number, string>>()
  })

  it('gives what it is told', async () => {
    await using users = await open<string, User>(':memory:', { valueEncoding: 'json' })
    expectTypeOf(users).toEqualTypeOf<Database<string, User>>()
    const meant: Database<string, User> = await open(':memory:', { valueEncoding: 'json' })
    await meant.close()
  })

  it('takes options that were put together before', async () => {
    const options: OpenOptions = { cacheBytes: 1024 }
    await using db = await open(':memory:', options)
    expectTypeOf(db).toEqualTypeOf<Database<string, string>>()
    const typed: OpenOptions<string, User> = { valueEncoding: 'json' }
    await using users = await open(':memory:', typed)
    expectTypeOf(users).toEqualTypeOf<Database<string, User>>()
    const encoding: EncodingOption<number> = 'json'
    await using numbers = await open(':memory:', { valueEncoding: encoding as EncodingOption<number> })
    expectTypeOf(numbers).toEqualTypeOf<Database<string, number>>()
  })

  it('refuses options that are none', () => {
    const wrong = async (): Promise<void> => {
      // @ts-expect-error: an option that there is not
      await open(':memory:', { cacheSize: 1 })
      // @ts-expect-error: an encoding that there is not
      await open(':memory:', { valueEncoding: 'xml' })
      // @ts-expect-error: half an encoding
      await open(':memory:', { valueEncoding: { encode: (value: Date) => value.toISOString() } })
      // @ts-expect-error: a number is no flag
      await open(':memory:', { sync: 1 })
    }
    expectTypeOf(wrong).toBeFunction()
  })
})

describe('a keyspace', () => {
  it('has the types of its encodings, and of its store where it has none', async () => {
    await using db = await open(':memory:', { keyEncoding: 'buffer' })
    expectTypeOf(db.keyspace('a')).toEqualTypeOf<Keyspace<Buffer, string>>()
    expectTypeOf(db.keyspace('b', { compaction: 'tiered' })).toEqualTypeOf<Keyspace<Buffer, string>>()
    expectTypeOf(db.keyspace('c', { valueEncoding: 'view' })).toEqualTypeOf<Keyspace<Buffer, Uint8Array>>()
    expectTypeOf(db.keyspace('d', { keyEncoding: 'utf8', valueEncoding: date })).toEqualTypeOf<Keyspace<string, Date>>()
    expectTypeOf(db.keyspace<string, User>('e', { keyEncoding: 'utf8', valueEncoding: 'json' })).toEqualTypeOf<
      Keyspace<string, User>
    >()
    expectTypeOf(db.as({ valueEncoding: 'buffer' })).toEqualTypeOf<Keyspace<Buffer, Buffer>>()
    expectTypeOf(db.as<string, User>({ keyEncoding: 'utf8', valueEncoding: 'json' })).toEqualTypeOf<
      Keyspace<string, User>
    >()
  })
})

describe('reads and writes', () => {
  it('have the types of their keyspace', async () => {
    await using db = await open<string, User>(':memory:', { valueEncoding: 'json' })
    expectTypeOf(db.get('a')).resolves.toEqualTypeOf<User | undefined>()
    expectTypeOf(db.getSync('a')).toEqualTypeOf<User | undefined>()
    expectTypeOf(db.getMany(['a'])).resolves.toEqualTypeOf<(User | undefined)[]>()
    expectTypeOf(db.has('a')).resolves.toEqualTypeOf<boolean>()
    expectTypeOf(db.entries()).toEqualTypeOf<Scan<string, [string, User]>>()
    expectTypeOf(db.keys().toArray()).resolves.toEqualTypeOf<string[]>()
    expectTypeOf(db.values().nextManySync(1)).toEqualTypeOf<User[]>()
    using snapshot = db.snapshot()
    expectTypeOf(snapshot).toEqualTypeOf<Snapshot<string, User>>()
    expectTypeOf(snapshot.keyspace(db.as({ valueEncoding: 'buffer' }))).toEqualTypeOf<Snapshot<string, Buffer>>()
  })

  it('refuse what is of another type', async () => {
    const wrong = async (db: Database<string, User>): Promise<void> => {
      // @ts-expect-error: no user
      await db.put('a', 'ada')
      // @ts-expect-error: no key
      await db.get(7)
      // @ts-expect-error: no bound
      db.entries({ gte: 7 })
      // @ts-expect-error: no value
      await db.batch([{ type: 'put', key: 'a' }])
      // @ts-expect-error: no user
      db.batch().put('a', 'ada')
    }
    expectTypeOf(wrong).toBeFunction()
  })

  it('of other keyspaces go with a batch of any', async () => {
    await using db = await open(':memory:')
    const orders = db.keyspace('orders', { valueEncoding: 'json' })
    await db.batch([
      { type: 'put', key: 'a', value: 'text' },
      { type: 'put', key: '7', value: { total: 12 }, keyspace: orders, ttl: 1000 },
      { type: 'del', key: '8', keyspace: 'orders' },
    ])
    await db.batch().put('a', 'text').put('7', { total: 12 }, { keyspace: orders, ttl: 1000 }).write({ sync: true })
  })
})
