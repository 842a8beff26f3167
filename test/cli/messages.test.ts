import { describe, expect, it } from 'vitest'
import { openSharded } from '../../src/shard.js'
import { temporaryDirectories } from '../store/temporary.js'
import { ended, jsonLines, kv, says, start } from './kv-cli.js'

const directory = temporaryDirectories()

describe('a queue', () => {
  it('keeps a message until it is acknowledged', async () => {
    const db = directory()
    const sent = await kv([
      'queue',
      'send',
      'mails',
      '{"to":"ada"}',
      '--parse',
      '--dedup-id',
      'x',
      '--json',
      '--db',
      db,
    ])
    expect(jsonLines(sent.out)).toMatchObject([{ duplicate: false }])
    const again = await kv(['queue', 'send', 'mails', '-', '--dedup-id', 'x', '--json', '--db', db], { input: 'b' })
    expect(jsonLines(again.out)).toMatchObject([{ duplicate: true }])
    expect((await kv(['queue', 'peek', 'mails', '--db', db])).out).toContain('{"to":"ada"}')
    const looked = jsonLines((await kv(['queue', 'receive', 'mails', '--json', '--db', db])).out)
    expect(looked).toMatchObject([{ body: { to: 'ada' }, attempts: 1 }])
    expect(jsonLines((await kv(['queue', 'stats', '--json', '--db', db])).out)).toMatchObject([
      { queue: 'mails', depth: 1 },
    ])
    const taken = jsonLines((await kv(['queue', 'receive', 'mails', '--ack', '--json', '--db', db])).out)
    expect(taken).toMatchObject([{ body: { to: 'ada' }, attempts: 2 }])
    expect(await kv(['queue', 'receive', 'mails', '--db', db])).toMatchObject({ code: 1, out: '' })
  })

  it('is emptied only when that was said twice, and never made by a mistyped name', async () => {
    const db = directory()
    await kv(['queue', 'send', 'mails', 'a', '--db', db])
    const asked = await kv(['queue', 'purge', 'mails', '--db', db])
    expect(asked).toMatchObject({ code: 2, err: expect.stringContaining('remove 1 message of') })
    expect(await kv(['queue', 'purge', 'mails', '--yes', '--db', db])).toMatchObject({ code: 0, out: '1 removed\n' })
    const mistyped = await kv(['queue', 'redrive', 'mail', '--db', db])
    expect(mistyped).toMatchObject({ code: 1, err: "kv-cli: There is no queue 'mail'; there are: mails\n" })
  })
})

describe('a message', () => {
  it('is handled by a command while it is held, and tried again where that fails', async () => {
    const db = directory()
    for (const body of ['first', 'second']) await kv(['queue', 'send', 'mails', body, '--db', db])
    const handled = await kv([
      'queue',
      'receive',
      'mails',
      '--max',
      '5',
      '--exec',
      'printf "$KV_MESSAGE_ID $KV_ATTEMPT "; cat; echo',
      '--db',
      db,
    ])
    expect(handled).toMatchObject({ code: 0, out: '0 1 first\n1 1 second\n', err: '' })
    await kv(['queue', 'send', 'mails', 'third', '--db', db])
    const failed = await kv(['queue', 'receive', 'mails', '--exec', 'exit 3', '--json', '--db', db])
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('The command failed for 1 of 1 messages') })
    expect(jsonLines(failed.out)).toEqual([{ id: '2', attempts: 1, done: false, problem: 'the command exited with 3' }])
    expect(jsonLines((await kv(['queue', 'stats', 'mails', '--json', '--db', db])).out)).toMatchObject([
      { depth: 1, acked: 2 },
    ])
    expect(await kv(['queue', 'receive', 'mails', '--follow', '--db', db])).toMatchObject({ code: 2 })
  })

  it('can be acknowledged by its id as long as it is the next one', async () => {
    const db = directory()
    for (const body of ['first', 'second']) await kv(['queue', 'send', 'mails', body, '--db', db])
    const [received] = jsonLines((await kv(['queue', 'receive', 'mails', '--json', '--db', db])).out) as {
      id: string
    }[]
    expect(await kv(['queue', 'ack', 'mails', '1', '--db', db])).toMatchObject({
      code: 1,
      err: "kv-cli: Message '1' of queue 'mails' is not among the next ones (next: 0); see 'kv-cli queue peek mails'\n",
    })
    expect(await kv(['queue', 'ack', 'mails', received!.id, '--db', db])).toMatchObject({ code: 0, err: '' })
    // Whoever was not meant has lost no attempt.
    expect(jsonLines((await kv(['queue', 'receive', 'mails', '--ack', '--json', '--db', db])).out)).toMatchObject([
      { id: '1', attempts: 1 },
    ])
  })

  it('is seen coming and going from beside', async () => {
    const db = directory()
    await kv(['queue', 'send', 'mails', 'first', '--db', db])
    const watching = start(['queue', 'watch', 'mails', '--every', '20ms', '--json', '--db', db])
    const end = ended(watching)
    await says(watching, /"depth":1/)
    const emptied = says(watching, /"depth":0.*"acked":1/)
    await kv(['queue', 'receive', 'mails', '--ack', '--db', db])
    await emptied
    watching.kill('SIGINT')
    expect(await end).toMatchObject({ code: 130, err: '' })
  })
})

describe('a log', () => {
  it('is appended to, and read from any place, beside whoever appends', async () => {
    const db = directory()
    expect(await kv(['log', 'append', 'audit', 'a\tb', '--db', db])).toMatchObject({ code: 0, out: '0\n' })
    const input = 'one\ntwo\n'
    expect((await kv(['log', 'append', 'audit', '-', '--lines', '--db', db], { input })).out).toBe('1\n2\n')
    expect((await kv(['log', 'read', 'audit', '--db', db])).out).toBe('0\ta\\tb\n1\tone\n2\ttwo\n')
    expect(
      jsonLines((await kv(['log', 'read', 'audit', '--from', '1', '--limit', '1', '--json', '--db', db])).out),
    ).toEqual([{ offset: 1, time: expect.any(Number), body: 'one' }])
    expect((await kv(['log', 'read', 'audit', '--from', '2999-01-01', '--db', db])).out).toBe('')
    const following = start(['log', 'read', 'audit', '--from', '2', '--follow', '--limit', '2', '--db', db])
    const end = ended(following)
    await says(following, /two/)
    await kv(['log', 'append', 'audit', '-', '--db', db], { input: 'three' })
    expect(await end).toMatchObject({ code: 0, out: '2\ttwo\n3\tthree\n' })
    expect(await kv(['log', 'read', 'audti', '--db', db])).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no log 'audti'"),
    })
    expect(await kv(['log', 'read', 'audit', '--from', 'noon', '--db', db])).toMatchObject({ code: 2 })
  })
})

describe('a topic', () => {
  it('is read by every subscription for itself, again after a seek', async () => {
    const db = directory()
    for (const body of ['a', 'b', 'c']) await kv(['topic', 'publish', 'news', body, '--db', db])
    const first = await kv(['topic', 'subscribe', 'news', 'mine', '--limit', '2', '--db', db])
    expect(first.out).toBe('0\ta\n1\tb\n')
    expect((await kv(['topic', 'lag', 'news', 'mine', '--db', db])).out).toBe('1\n')
    expect((await kv(['topic', 'subscribe', 'news', 'mine', '--db', db])).out).toBe('2\tc\n')
    await kv(['topic', 'seek', 'news', 'mine', '1', '--db', db])
    expect((await kv(['topic', 'subscribe', 'news', 'mine', '--db', db])).out).toBe('1\tb\n2\tc\n')
    expect(await kv(['topic', 'lag', 'news', 'yours', '--db', db])).toMatchObject({ code: 1 })
  })
})

describe('shards', () => {
  it('are located, balanced, planned, added and removed', async () => {
    const db = directory()
    const store = await openSharded(db, { shards: ['a', 'b'] })
    for (let i = 0; i < 200; i++) await store.put(`key:${i}`, String(i))
    const owner = store.locate('key:7')
    await store.close()
    expect((await kv(['shard', 'locate', 'key:7', '--db', db])).out).toBe(`key:7\t${owner}\n`)
    const plan = jsonLines((await kv(['shard', 'plan', 'add', 'c', '--json', '--db', db])).out)
    expect(plan).toMatchObject([{ keysMoved: 0, movedShare: expect.any(Number) }])
    const added = jsonLines((await kv(['shard', 'add', 'c', '--json', '--db', db])).out)
    expect((added[0] as { keysMoved: number }).keysMoved).toBeGreaterThan(0)
    expect(await kv(['shard', 'remove', 'a', '--db', db])).toMatchObject({ code: 2 })
    expect(await kv(['shard', 'remove', 'a', '--yes', '--db', db])).toMatchObject({ code: 0 })
    const shards = jsonLines((await kv(['shard', 'balance', '--json', '--db', db])).out) as {
      shard: string
      keys: number
    }[]
    expect(shards.map(({ shard }) => shard).sort()).toEqual(['b', 'c'])
    expect(shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(200)
  })

  it('of a ring are dealt out without a store', async () => {
    const shares = jsonLines((await kv(['shard', 'ring', 'a', 'b', '--json'])).out) as { share: number }[]
    expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
  })
})
