import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { BIN, ended, kv, says, start } from './kv-cli.js'
import { Terminal } from './terminal.js'

const directory = temporaryDirectories()

describe('what was typed wrongly', () => {
  it('is answered with the nearest right command, and 2', async () => {
    expect(await kv(['gett', 'a'])).toMatchObject({
      code: 2,
      err: "kv-cli: unknown command 'gett'; did you mean 'get'?\n",
    })
    expect(await kv(['scan', '--limt', '3'])).toMatchObject({
      code: 2,
      err: "kv-cli: unknown option '--limt'; did you mean '--limit'?\n",
    })
    expect(await kv(['get'])).toMatchObject({
      code: 2,
      err: "kv-cli: missing required argument 'key'; see 'kv-cli get --help'\n",
    })
    expect(await kv(['dump'])).toMatchObject({
      code: 2,
      err: "kv-cli: dump needs one more word; see 'kv-cli dump --help'\n",
    })
    expect(await kv(['dump', 'sstt', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining("did you mean 'sst'?"),
    })
  })

  it('never shows a stack trace, unless --debug asks for one', async () => {
    const db = directory()
    expect((await kv(['get', 'a', '--db', db])).err.trim().split('\n')).toHaveLength(1)
    expect((await kv(['get', 'a', '--db', db, '--debug'])).err).toContain('    at ')
  })
})

describe('where the store is', () => {
  it('is said by --db, by KV_DB, or is ./data', async () => {
    const cwd = directory()
    mkdirSync(cwd)
    await kv(['put', 'a', 'in data'], { cwd })
    await kv(['put', 'a', 'in env'], { cwd, env: { KV_DB: 'env' } })
    await kv(['--db', 'opt', 'put', 'a', 'in opt'], { cwd, env: { KV_DB: 'env' } })
    expect(readdirSync(cwd).sort()).toEqual(['data', 'env', 'opt'])
    expect((await kv(['get', 'a'], { cwd })).out).toBe('in data')
    expect((await kv(['get', 'a', '--db', 'opt'], { cwd, env: { KV_DB: 'env' } })).out).toBe('in opt')
  })
})

describe('two processes at once', () => {
  it('read together, and the second that writes is told who does', async () => {
    const db = directory()
    await kv(['put', 'a', '1', '--db', db])
    const holder = start(['shell', '--db', db])
    const gone = ended(holder)
    // Its answer shows that it has opened the store.
    const holds = says(holder, /1/)
    holder.stdin!.write('get a\n')
    await holds
    const refused = await kv(['put', 'b', '2', '--db', db])
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(`written to by process ${holder.pid}`)
    expect(refused.err).toContain('--read-only')
    expect(refused.err.trim().split('\n')).toHaveLength(1)
    expect(await kv(['get', 'a', '--db', db])).toMatchObject({ code: 0, out: '1' })
    expect(await kv(['get', 'a', '--read-only', '--db', db])).toMatchObject({ code: 0, out: '1' })
    expect(await kv(['verify', '--db', db])).toMatchObject({ code: 0 })
    expect(await kv(['repair', '--dry-run', '--db', db])).toMatchObject({ code: 0 })
    holder.stdin!.end()
    expect(await gone).toMatchObject({ code: 0 })
    expect(await kv(['put', 'b', '2', '--db', db])).toMatchObject({ code: 0 })
  })

  it('write only where that was not forbidden', async () => {
    const db = directory()
    expect(await kv(['put', 'a', '1', '--read-only', '--db', db])).toMatchObject({ code: 2 })
  })
})

describe('a pipe', () => {
  it('that is closed ends a command quietly', async () => {
    const db = directory()
    const lines = Array.from({ length: 20_000 }, (_, i) => `put\tkey ${i}\t${'value '.repeat(20)}\n`)
    await kv(['batch', '--db', db], { input: lines.join('') })
    const shell = spawn('sh', ['-c', `"$0" "$1" scan --db "$2" | head -n 1; true`, process.execPath, BIN, db])
    const { out, err } = await ended(shell)
    expect(out).toMatch(/^key 0\t/)
    expect(err).toBe('')
  })

  it('gets no colour and no progress', async () => {
    const db = directory()
    const input = '{"key":"a","value":"1"}\n'
    const { out, err } = await kv(['import', '-', '--db', db], { input })
    expect(`${out}${err}`).not.toContain('\x1b')
    expect(`${out}${err}`).not.toContain('\r')
  })
})

describe('a terminal', () => {
  it('gets no progress where NO_COLOR is set', async () => {
    const db = directory()
    const line = `seq 300000 | awk '{print $1"\\t"$1}' | ${process.execPath} ${BIN} import - --format tsv --db ${db}`
    const terminal = new Terminal(['sh', '-c', line], { NO_COLOR: '1' })
    expect(await terminal.end()).toBe(0)
    expect(terminal.sent).toMatch(/^300,000 entries in/)
    expect(terminal.sent).not.toContain('\x1b')
  })
})
