import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { BIN, ended, jsonLines, kv, start } from './kv-cli.js'

const directory = temporaryDirectories()

describe('export and import', () => {
  it('carry every byte over, as NDJSON and as TSV', async () => {
    const from = directory()
    await kv(['put', '00ff', '0a09', '--hex', '--db', from])
    await kv(['put', 'a\tb', 'c\\d', '--db', from])
    await kv(['put', 'k', 'v', '--keyspace', 'other', '--db', from])
    for (const format of ['ndjson', 'tsv']) {
      const to = directory()
      const { out } = await kv(['export', '--format', format, '--db', from])
      expect(await kv(['import', '-', '--format', format, '--db', to], { input: out })).toMatchObject({ code: 0 })
      expect((await kv(['scan', '--hex', '--db', to])).out).toBe((await kv(['scan', '--hex', '--db', from])).out)
    }
    const file = `${directory()}.ndjson`
    const copy = directory()
    expect(await kv(['export', file, '--all', '--db', from])).toMatchObject({ code: 0, out: '' })
    expect(jsonLines((await kv(['import', file, '--json', '--db', copy])).out)).toEqual([
      { imported: 3, before: 0, complete: true },
    ])
    expect((await kv(['scan', '--keyspace', 'other', '--db', copy])).out).toBe('k\tv\n')
  })

  it('name the line that is not right', async () => {
    const db = directory()
    const input = '{"key":"a","value":"1"}\n{"key":"b"}\n'
    expect(await kv(['import', '-', '--db', db], { input })).toMatchObject({
      code: 2,
      err: 'kv-cli: The value on line 2 of standard input must be a text or {"base64": "…"}, not missing\n',
    })
  })

  it('goes on after it was killed, without a gap and without doing anything twice', async () => {
    const db = directory()
    const file = `${directory()}.ndjson`
    const count = 120_000
    const lines = Array.from(
      { length: count },
      (_, i) => `{"key":"${String(i).padStart(7, '0')}","value":"value ${i}"}\n`,
    )
    writeFileSync(file, lines.join(''))
    const doomed = start(['import', file, '--batch', '50', '--db', db])
    const death = ended(doomed)
    let there = 0
    while (there === 0 && doomed.exitCode === null) {
      const counted = await kv(['count', '--db', db])
      there = Number(counted.out)
    }
    doomed.kill('SIGKILL')
    expect((await death).code).toBe(null)
    const survived = Number((await kv(['count', '--db', db])).out)
    expect(survived).toBeGreaterThan(0)
    const [outcome] = jsonLines((await kv(['import', file, '--json', '--db', db])).out)
    expect(outcome).toEqual({ imported: count - survived, before: survived, complete: true })
    expect((await kv(['count', '--db', db])).out).toBe(`${count}\n`)
    // Once it is complete nothing of it is remembered: the same command does it again.
    const [again] = jsonLines((await kv(['import', file, '--batch', '5000', '--json', '--db', db])).out)
    expect(again).toMatchObject({ before: 0, complete: true })
  })

  /** A directory of LevelDB with so many entries. */
  async function levelDb(count: number): Promise<string> {
    const path = directory()
    const level = new ClassicLevel(path)
    await level.batch(Array.from({ length: count }, (_, i) => ({ type: 'put', key: `key ${1e6 + i}`, value: `${i}` })))
    await level.close()
    return path
  }

  it('brings in a directory of LevelDB, verified', async () => {
    const old = await levelDb(2)
    const db = directory()
    expect(await kv(['import', old, '--db', db])).toMatchObject({ code: 0 })
    expect((await kv(['scan', '--db', db])).out).toBe('key 1000000\t0\nkey 1000001\t1\n')
    const [outcome] = jsonLines((await kv(['import', old, '--keyspace', 'old', '--json', '--db', db])).out)
    expect(outcome).toEqual({
      imported: 2,
      before: 0,
      complete: true,
      checksum: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
    expect(await kv(['import', old, '--db', db])).toMatchObject({
      code: 1,
      err: 'kv-cli: The default keyspace is not empty; import into another keyspace, or say --replace to remove what it holds\n',
    })
    expect(await kv(['import', await levelDb(1), '--replace', '--db', db])).toMatchObject({ code: 0 })
    expect((await kv(['scan', '--db', db])).out).toBe('key 1000000\t0\n')
    expect(await kv(['import', old, '--restart', '--db', db])).toMatchObject({ code: 2 })
    expect(await kv(['import', '-', '--replace', '--db', db])).toMatchObject({ code: 2 })
  })

  it('goes on with a directory of LevelDB after it was interrupted or killed', async () => {
    const old = await levelDb(120_000)
    const db = directory()
    let before = 0
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      const doomed = start(['import', old, '--batch', '5', '--db', db])
      const death = ended(doomed)
      for (let there = before; there === before && doomed.exitCode === null; ) {
        there = Number((await kv(['count', '--db', db])).out)
      }
      doomed.kill(signal)
      const { code, err } = await death
      const survived = Number((await kv(['count', '--db', db])).out)
      expect(survived).toBeGreaterThan(before)
      expect(survived).toBeLessThan(120_000)
      if (before > 0) expect(err).toContain(`Going on after the ${before.toLocaleString('en')} entries`)
      if (signal === 'SIGINT') {
        expect(code).toBe(130)
        expect(err).toContain(`Interrupted after ${survived.toLocaleString('en')} entries`)
      }
      before = survived
    }
    const [outcome] = jsonLines((await kv(['import', old, '--json', '--db', db])).out)
    expect(outcome).toMatchObject({ imported: 120_000 - before, before, complete: true })
    expect((await kv(['count', '--db', db])).out).toBe('120000\n')
  })

  it('says what to install where LevelDB cannot be read', async () => {
    const alone = directory()
    cpSync(dirname(BIN), alone, { recursive: true })
    const child = spawn(process.execPath, [join(alone, 'main.js'), 'import', await levelDb(1), '--db', directory()], {
      cwd: alone,
    })
    expect(await ended(child)).toMatchObject({
      code: 1,
      err: 'kv-cli: Reading a LevelDB directory needs the package classic-level; run: npm install classic-level\n',
    })
  })

  it('says what is wrong with a source', async () => {
    const empty = directory()
    mkdirSync(empty)
    expect(await kv(['import', empty, '--db', directory()])).toMatchObject({
      code: 1,
      err: expect.stringContaining('without a database of LevelDB'),
    })
    expect(await kv(['import', 'nowhere.tsv', '--db', directory()])).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no file nowhere.tsv'),
    })
  })
})
