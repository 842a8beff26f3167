import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { ended, jsonLines, kv, says, start } from './kv-cli.js'

const directory = temporaryDirectories()
const db = directory()

beforeAll(async () => {
  const lines = ['a', 'b:1', 'b:2', 'b:3', 'c'].map((key, i) => `put\t${key}\t${i}\n`)
  await kv(['batch', '--db', db], { input: lines.join('') })
})

async function scanned(...args: string[]): Promise<string> {
  const { code, out, err } = await kv(['scan', ...args, '--db', db])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  return out
}

describe('a scan', () => {
  it('goes over a range, either way, as far as it is asked to', async () => {
    expect(await scanned()).toBe('a\t0\nb:1\t1\nb:2\t2\nb:3\t3\nc\t4\n')
    expect(await scanned('--prefix', 'b:', '--limit', '2')).toBe('b:1\t1\nb:2\t2\n')
    expect(await scanned('--gt', 'b:1', '--lte', 'c', '--reverse', '--keys-only')).toBe('c\nb:3\nb:2\n')
    expect(await scanned('--gte', 'b:3', '--lt', 'c', '--values-only')).toBe('3\n')
    expect(jsonLines(await scanned('--prefix', 'b:', '--limit', '1', '--keys-only', '--json'))).toEqual([
      { key: 'b:1' },
    ])
  })

  it('refuses what contradicts itself', async () => {
    expect(await kv(['scan', '--keys-only', '--values-only', '--db', db])).toMatchObject({ code: 2 })
    expect(await kv(['scan', '--limit', 'many', '--db', db])).toMatchObject({
      code: 2,
      err: "kv-cli: 'many' is no count; write a whole number such as 10\n",
    })
  })
})

describe('a range', () => {
  it('is counted', async () => {
    expect((await kv(['count', '--prefix', 'b:', '--db', db])).out).toBe('3\n')
    expect(jsonLines((await kv(['count', '--json', '--db', db])).out)).toEqual([{ count: 5 }])
  })

  it('is removed only when that was said twice', async () => {
    const own = directory()
    await kv(['batch', '--db', own], { input: 'put\ta\t1\nput\tb\t2\n' })
    expect(await kv(['delrange', '--yes', '--db', own])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--all'),
    })
    const asked = await kv(['delrange', '--prefix', 'a', '--db', own])
    expect(asked).toMatchObject({ code: 2, err: expect.stringContaining('would remove 1 key from') })
    expect((await kv(['count', '--db', own])).out).toBe('2\n')
    expect(jsonLines((await kv(['delrange', '--prefix', 'a', '--yes', '--json', '--db', own])).out)).toEqual([
      { removed: 1 },
    ])
    expect((await kv(['scan', '--db', own])).out).toBe('b\t2\n')
  })
})

describe('watch', () => {
  it('tells what another process commits, and ends in order on Ctrl-C', async () => {
    const own = directory()
    await kv(['put', 'config:a', '1', '--db', own])
    const watching = start(['watch', '--prefix', 'config:', '--json', '--db', own])
    const end = ended(watching)
    // Whatever was committed before it looked is not news, so write until it has seen something.
    const seen = says(watching, /config:b/)
    let value = 0
    let done = false
    void seen.then(() => (done = true))
    while (!done) await kv(['put', 'config:b', String(++value), '--db', own])
    watching.kill('SIGINT')
    const { code, out } = await end
    expect(code).toBe(130)
    expect(jsonLines(out)[0]).toMatchObject({ type: 'put', key: 'config:b', position: expect.any(Number) })
  })
})
