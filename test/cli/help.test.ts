import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { BIN, ended, kv } from './kv-cli.js'

const directory = temporaryDirectories()

/** Go on until somebody ends them; they have tests of their own. */
const ENDLESS = /^kv-cli (watch|shell|stats --watch|log tail --since)/
/** Writes where only the reader's own configuration is. */
const AT_HOME = /~\//

async function namesOf(...path: string[]): Promise<string[][]> {
  const { out } = await kv([...path, '--help'])
  const names = [...out.matchAll(/^ {2}([a-z][\w-]*)(?: \[options\])?(?: [<[].*?[>\]])* {2,}/gm)].map(
    ([, name]) => name!,
  )
  const found = await Promise.all(
    names.map(async (name) => {
      const below = (await kv([...path, name, '--help'])).out.includes('\nCommands:')
      return below ? await namesOf(...path, name) : [[...path, name]]
    }),
  )
  return found.flat()
}

async function world(): Promise<string> {
  const at = directory()
  mkdirSync(at)
  writeFileSync(`${at}/package.json`, '{}')
  writeFileSync(`${at}/users.ndjson`, '{"key":"user:3","value":"hopper"}\n')
  const level = new ClassicLevel(`${at}/old-leveldb`)
  await level.put('a', '1')
  await level.close()
  const input = 'put\tuser:1\tada\nput\tuser:2\tgrace\nput\tsession:1\tada\n'
  await kv(['batch', '--db', `${at}/data`], { input })
  await kv(['flush', '--db', `${at}/data`])
  await kv(['put', 'a', '1', '--db', `${at}/old`])
  await kv(['backup', 'create', './backups'], { cwd: at })
  const { out } = await kv(['version', '--json'])
  expect(JSON.parse(out)).toMatchObject({ siltstone: expect.any(String) })
  return at
}

describe('the help of every command', () => {
  let commands: string[][] = []
  let base = ''
  beforeAll(async () => {
    ;[commands, base] = await Promise.all([namesOf(), world()])
  })

  it('is there', () => {
    const names = commands.map((path) => path.join(' '))
    expect(names).toEqual(expect.arrayContaining(['get', 'scan', 'import', 'dump sst', 'backup create', 'doctor']))
  })

  it('has an example that works', async () => {
    const failures: string[] = []
    const work = commands.map((path) => async () => {
      const { out } = await kv([...path, '--help'])
      const examples = [...out.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line]) => line!)
      if (examples.length === 0) failures.push(`${path.join(' ')} has none`)
      const at = directory()
      cpSync(base, at, { recursive: true })
      for (const line of examples.filter((each) => !ENDLESS.test(each) && !AT_HOME.test(each))) {
        const script = `kv-cli() { "${process.execPath}" "${BIN}" "$@"; }; set -o pipefail; ${line}`
        const { code, err } = await ended(spawn('bash', ['-c', script], { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] }))
        if (code !== 0) failures.push(`${line}: ${code} ${err}`)
      }
    })
    // Two at a time, as many as there are cores to count on.
    const worker = async (): Promise<void> => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next()
    }
    await Promise.all([worker(), worker()])
    expect(failures).toEqual([])
  })
})

describe('completion', () => {
  it('is a script that bash takes, and completes commands, verbs and options', async () => {
    const { out } = await kv(['completion', 'bash'])
    const ask = (...words: string[]): string[] => {
      const list = ['kv-cli', ...words].map((word) => `'${word}'`).join(' ')
      const script = `${out}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length}; _kv_cli; printf '%s\\n' "\${COMPREPLY[@]}"`
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split('\n')
    }
    expect(ask('del')).toEqual(['del', 'delrange'])
    expect(ask('dump', '')).toEqual(expect.arrayContaining(['sst', 'log', 'manifest']))
    expect(ask('--db', 'x', 'scan', '--pre')).toEqual(['--prefix'])
  })

  it('is there for zsh and fish, and for nothing else', async () => {
    expect((await kv(['completion', 'zsh'])).out).toContain('#compdef kv-cli')
    expect((await kv(['completion', 'fish'])).out).toContain("-a 'scan'")
    expect(await kv(['completion', 'csh'])).toMatchObject({ code: 2, err: expect.stringContaining('bash, zsh, fish') })
  })
})
