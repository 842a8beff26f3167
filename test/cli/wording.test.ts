import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.js'
import { cliWords } from '../../tools/kv-cli/wording.js'
import { temporaryDirectories } from '../store/temporary.js'
import { kv } from './kv-cli.js'

const directory = temporaryDirectories()

/** What means something in a program and nothing at a prompt. */
const API =
  /\{ \w+ ?[:,}?]|\b\w+\(\)|\b(?:db|store|keyspace)\.\w+|\b(?:readOnly|createIfMissing|errorIfExists|maxOpenFiles|logRetention|valueEncoding|keyEncoding|openSharded|dryRun)\b/

/** Every sentence with which the sources make an error of some code other than those for mistakes in a program, and of the advice. */
function sentences(): { file: string; sentence: string }[] {
  const found: { file: string; sentence: string }[] = []
  for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.startsWith('faces')) continue
    const text = readFileSync(join('src', name), 'utf8')
    const errors =
      /(?:new SiltstoneError\(\s*'SILT_(?!INVALID_ARGUMENT)\w+',|corruption\([^`']*)\s*(`[^`]*`|'[^']*'|"[^"]*")/g
    for (const [, literal] of text.matchAll(errors)) found.push({ file: name, sentence: literal!.slice(1, -1) })
    const advice = /^ {2}E[A-Z]+: ('[^']*'),$/gm
    for (const [, literal] of text.matchAll(advice)) found.push({ file: name, sentence: literal!.slice(1, -1) })
  }
  return found.map(({ file, sentence }) => ({ file, sentence: sentence.replaceAll(/\$\{[^}]*(?:\}|$)/g, 'x') }))
}

// Of what no command does: transactions, snapshots, subscriptions and workers of a program's own.
const NOT_AT_A_PROMPT =
  /transaction|subscribe again|snapshot|scan is closed|batch was written|signed|storeOf|expose|a queue over shards sends nothing/i

describe('errors', () => {
  it('of every code speak of flags and commands, never of the interface of programs', () => {
    const all = sentences()
    expect(all.length).toBeGreaterThan(60)
    const foreign = all
      .filter(({ sentence }) => !NOT_AT_A_PROMPT.test(sentence))
      .map(({ file, sentence }) => ({ file, said: cliWords(sentence) }))
      .filter(({ said }) => API.test(said))
    expect(foreign).toEqual([])
  })

  it('about options name flags', () => {
    expect(cliWords('Option ttl must be a number of milliseconds')).toBe('--ttl must be a number of milliseconds')
    expect(cliWords('Option visibilityTimeout must be above 0')).toBe('--visibility-timeout must be above 0')
  })
})

describe('help', () => {
  it('is a command, too', async () => {
    const whole = await kv(['help'])
    expect(whole).toMatchObject({ code: 0, err: '' })
    expect(whole.out).toBe((await kv([])).out)
    for (const command of [['get'], ['queue', 'send']]) {
      const { code, out } = await kv(['help', ...command])
      expect(code).toBe(0)
      expect(out).toBe((await kv([...command, '--help'])).out)
    }
    expect(await kv(['help', 'gett'])).toMatchObject({ code: 2, err: expect.stringContaining("did you mean 'get'?") })
  })
})

describe('keyspaces', () => {
  it('are listed with what they have', async () => {
    const path = directory()
    const db = await open(path)
    await db.put('a', '1')
    for (let i = 0; i < 3; i++) await db.keyspace('users').put(`${i}`, 'x')
    await db.close()
    const { code, out } = await kv(['keyspaces', '--db', path])
    expect(code).toBe(0)
    expect(out.split('\n').map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      expect.stringMatching(/^1 key .* \(the default one\)$/),
      expect.stringMatching(/^3 keys .* users$/),
      '',
    ])
    const lines = (await kv(['keyspaces', '--json', '--db', path])).out.trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { keyspace: '', keys: 1, counted: true },
      { keyspace: 'users', keys: 3, counted: true },
    ])
  })
})

describe('doctor', () => {
  async function withTable(): Promise<{ path: string; table: string }> {
    const path = directory()
    const db = await open(path)
    for (let i = 0; i < 2000; i++) db.putSync(`key ${i}`, `value ${i}`)
    await db.flush()
    await db.close()
    const table = readdirSync(path).find((name) => name.endsWith('.sst'))!
    return { path, table: join(path, table) }
  }

  it('calls a store good after it has read it', async () => {
    const { path } = await withTable()
    const { code, out } = await kv(['doctor', '--db', path])
    expect(out).toMatch(/good store +1 table; closed in order; \d+ files read, nothing wrong/)
    expect(code).toBe(0)
  })

  it('never calls one good of which a block is damaged', async () => {
    const { path, table } = await withTable()
    const bytes = readFileSync(table)
    bytes[100]! ^= 1
    writeFileSync(table, bytes)
    const { code, out } = await kv(['doctor', '--db', path])
    expect(out).toMatch(/bad +store .*\.sst/)
    expect(out).not.toMatch(API)
    expect(code).toBe(1)
  })

  it('never calls one good of which a file cannot be read', async () => {
    const { path, table } = await withTable()
    rmSync(table)
    mkdirSync(table)
    const { code, out } = await kv(['doctor', '--db', path])
    expect(out).toMatch(/bad +store .*\.sst/)
    expect(code).toBe(1)
  })
})
