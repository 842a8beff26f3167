import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksBelow, commandsOf, typed } from '../docs/console.js'
import { Registry } from './registry.js'

/*
 * A stranger, an empty folder and the README: whatever it says to type is typed, whatever it says to put into a file is put
 * there, and what it says is printed has to be printed. The registry that npm asks is one of this machine.
 */

const run = promisify(execFile)
const root = process.cwd()
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { name: string; version: string }
const tarball = `${manifest.name}-${manifest.version}.tgz`

let folder: string
let registry: Registry

/** An environment in which npm knows of the registry here, and of nothing that another npm has told this process. */
function environment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|KV_|NODE_OPTIONS)/i.test(name))
  return {
    ...Object.fromEntries(inherited),
    npm_config_registry: registry.address,
    npm_config_cache: join(folder, 'cache'),
    npm_config_userconfig: join(folder, 'npmrc'),
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'siltstone-stranger-'))
  // Where a clone would be, beside the stranger's folder.
  const clone = emptyFolder(manifest.name)
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', clone], { cwd: root })
  registry = await Registry.with(readFileSync(join(clone, tarball)), manifest, root)
})

afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function emptyFolder(name: string): string {
  const empty = join(folder, name)
  mkdirSync(empty)
  return empty
}

/** What an installation has put into a folder: by the lock file, the packages, and those that ran something meanwhile. */
function installedIn(cwd: string): { names: string[]; withScripts: string[] } {
  const { packages } = JSON.parse(readFileSync(join(cwd, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>
  }
  const names = Object.keys(packages)
  return { names, withScripts: names.filter((name) => packages[name]!.hasInstallScript === true) }
}

describe('who follows the README word for word', () => {
  it('has a first result', async () => {
    const cwd = emptyFolder('mine')
    const steps: string[] = []
    for (const { kind, code, before } of blocksBelow('README.md', '## First result')) {
      const commands = commandsOf(code)
      if (kind === 'ts') {
        const [, file] = /into a file `([^`]+)`/.exec(before)!
        writeFileSync(join(cwd, file!), code)
        steps.push('program')
      } else if (kind === 'sh') {
        // Typed in the clone. The clone beside this folder is one where that was done.
        expect(code.trim()).toBe('npm install && npm pack')
        steps.push('tarball')
      } else if (commands[0]!.startsWith('npm install')) {
        // A second way to install is for whoever has not taken the first. How long either takes is not for the page to say.
        const into = steps.includes('installation') ? emptyFolder('instead') : cwd
        expect(await typed(commands, into, environment())).toMatch(/^added \d+ packages in /m)
        const { names, withScripts } = installedIn(into)
        expect(names).toContain(`node_modules/${manifest.name}`)
        expect(withScripts).toEqual([])
        steps.push('installation')
      } else {
        expect(await typed(commands, cwd, environment())).toBe(code)
        steps.push('session')
      }
    }
    expect(steps).toEqual(['tarball', 'installation', 'program', 'session', 'installation'])
  })
})
