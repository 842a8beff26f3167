import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { openSharded } from '../../src/shard.js'
import type { Host } from '../../tools/kv-cli/host.js'
import { program } from '../../tools/kv-cli/program.js'
import { temporaryDirectories } from '../store/temporary.js'
import { BIN, ended, kv } from './kv-cli.js'

const directory = temporaryDirectories()

/** Go on until somebody ends them; they have tests of their own. */
const ENDLESS = /^kv-cli (watch|shell|stats --watch|log tail --since|log read .*--follow|queue watch mails$)/
/** Writes where only the reader's own configuration is. */
const AT_HOME = /~\//

/** Every command that does something, and the examples that its help shows. */
async function examplesOf(): Promise<Map<string, string[]>> {
  const host: Host = { whole: () => program([], host), run: async () => 0 }
  const examples = new Map<string, string[]>()
  const visit = (command: Command, path: string): void => {
    for (const each of command.commands) visit(each, `${path} ${each.name()}`.trim())
    if (command.commands.length > 0) return
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    examples.set(
      path,
      [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line]) => line!),
    )
  }
  visit(await host.whole(), '')
  return examples
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
  for (const body of ['welcome', 'goodbye']) await kv(['queue', 'send', 'mails', body], { cwd: at })
  await kv(['log', 'append', 'audit', 'it began'], { cwd: at })
  await kv(['topic', 'publish', 'orders', 'order 1'], { cwd: at })
  await kv(['topic', 'subscribe', 'orders', 'billing'], { cwd: at })
  const sharded = await openSharded(`${at}/sharded`, { shards: ['a', 'b', 'c'] })
  await sharded.put('user:1', 'ada')
  await sharded.close()
  return at
}

describe('the help of every command', () => {
  it('has an example that works', async () => {
    const [all, base] = await Promise.all([examplesOf(), world()])
    expect([...all.keys()]).toEqual(expect.arrayContaining(['get', 'dump sst', 'backup create', 'doctor']))
    const failures: string[] = []
    const work = [...all].map(([path, examples]) => async () => {
      if (examples.length === 0) failures.push(`${path} has none`)
      const at = directory()
      cpSync(base, at, { recursive: true })
      for (const line of examples.filter((each) => !ENDLESS.test(each) && !AT_HOME.test(each))) {
        const script = `kv-cli() { "${process.execPath}" "${BIN}" "$@"; }; set -o pipefail; ${line}`
        const { code, err } = await ended(spawn('bash', ['-c', script], { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] }))
        if (code !== 0) failures.push(`${line}: ${code} ${err}`)
      }
    })
    const worker = async (): Promise<void> => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next()
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    expect(failures).toEqual([])
  }, 180_000)
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
