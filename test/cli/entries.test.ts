import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fingerprint, temporaryDirectories } from '../store/temporary.js'
import { jsonLines, kv } from './kv-cli.js'

const directory = temporaryDirectories()

describe('entries', () => {
  it('go in and come out', async () => {
    const db = directory()
    expect(await kv(['put', 'a', '1', '--db', db])).toMatchObject({ code: 0, out: '', err: '' })
    expect(await kv(['get', 'a', '--db', db])).toMatchObject({ code: 0, out: '1', err: '' })
    expect(await kv(['get', 'b', '--db', db])).toMatchObject({ code: 1, out: '', err: "kv-cli: There is no key 'b'\n" })
    expect(jsonLines((await kv(['get', 'a', '--json', '--db', db])).out)).toEqual([
      { key: 'a', found: true, value: '1' },
    ])
    expect(await kv(['del', 'a', '--db', db])).toMatchObject({ code: 0 })
    expect(await kv(['get', 'a', '--db', db])).toMatchObject({ code: 1 })
  })

  it('are any bytes, both ways', async () => {
    const db = directory()
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    await kv(['put', 'ff00', '-', '--hex', '--db', db], { input: bytes })
    expect((await kv(['get', 'ff00', '--hex', '--db', db])).out).toBe(`${bytes.toString('hex')}\n`)
    expect((await kv(['get', '/wA=', '--base64', '--db', db])).out).toBe(`${bytes.toString('base64')}\n`)
    expect(jsonLines((await kv(['scan', '--json', '--db', db])).out)).toEqual([
      { key: { base64: '/wA=' }, value: { base64: bytes.toString('base64') } },
    ])
    await kv(['put', 'raw', '-', '--db', db], { input: bytes })
    expect((await kv(['get', 'raw', '--db', db])).bytes).toEqual(bytes)
  })

  it('are refused where they are not in the notation that was said', async () => {
    const db = directory()
    const refused = await kv(['put', 'xyz', '00', '--hex', '--db', db])
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("'xyz' is no even number of the digits") })
    expect(existsSync(db)).toBe(false)
  })

  it('come back many at a time, and a missing one is an exit code of 1', async () => {
    const db = directory()
    await kv(['batch', '--db', db], { input: 'put\ta\t1\nput\tb\ttwo\\twords\ndel\tc\n' })
    expect(await kv(['mget', 'a', 'b', '--db', db])).toMatchObject({ code: 0, out: 'a\t1\nb\ttwo\\twords\n' })
    const missing = await kv(['mget', '-', '--json', '--db', db], { input: 'a\nc\n' })
    expect(missing.code).toBe(1)
    expect(missing.err).toBe("kv-cli: There is no key 'c'\n")
    expect(jsonLines(missing.out)).toEqual([
      { key: 'a', found: true, value: '1' },
      { key: 'c', found: false, value: null },
    ])
  })

  it('live in keyspaces', async () => {
    const db = directory()
    await kv(['put', 'a', 'in orders', '--keyspace', 'orders', '--db', db])
    expect((await kv(['get', 'a', '--keyspace', 'orders', '--db', db])).out).toBe('in orders')
    expect((await kv(['get', 'a', '--db', db])).code).toBe(1)
    const unknown = await kv(['get', 'a', '--keyspace', 'order', '--db', db])
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('there are: orders') })
  })

  it('expire', async () => {
    const db = directory()
    await kv(['put', 'a', '1', '--ttl', '1ms', '--db', db])
    expect((await kv(['get', 'a', '--db', db])).code).toBe(1)
    const noUnit = await kv(['put', 'a', '1', '--ttl', '30', '--db', db])
    expect(noUnit).toMatchObject({ code: 2, err: expect.stringMatching(/^kv-cli: '30' is no length of time; .* 30s/) })
  })

  it('are committed all together or not at all', async () => {
    const db = directory()
    await kv(['put', 'a', '1', '--db', db])
    const input = '{"type":"put","key":"b","value":"2"}\n{"type":"set","key":"c"}\n'
    const refused = await kv(['batch', '-', '--db', db], { input })
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('On line 2 the type must be put or del') })
    const committed = await kv(['batch', '-', '--json', '--db', db], {
      input: '{"type":"put","key":"b","value":"2","keyspace":"k","ttl":"1h"}\n{"type":"del","key":"a"}\n',
    })
    expect(jsonLines(committed.out)).toEqual([{ operations: 2 }])
    expect((await kv(['scan', '--db', db])).out).toBe('')
    expect((await kv(['scan', '--keyspace', 'k', '--db', db])).out).toBe('b\t2\n')
  })
})

describe('reading', () => {
  it('never makes a store', async () => {
    const db = directory()
    for (const args of [['get', 'a'], ['scan'], ['count'], ['stats'], ['levels'], ['verify'], ['del', 'a']]) {
      const { code, err } = await kv([...args, '--db', db])
      expect({ args, code, err }).toMatchObject({ args, code: 1, err: expect.stringContaining('There is no store in') })
    }
    expect(existsSync(db)).toBe(false)
  })

  it('changes nothing on disk', async () => {
    const db = directory()
    await kv(['put', 'a', '1', '--db', db])
    const before = fingerprint(db)
    for (const args of [
      ['get', 'a'],
      ['scan'],
      ['stats'],
      ['levels'],
      ['verify'],
      ['repair', '--dry-run'],
      ['dump', 'log'],
    ]) {
      expect(await kv([...args, '--db', db])).toMatchObject({ code: 0 })
    }
    expect(fingerprint(db)).toEqual(before)
  })
})
