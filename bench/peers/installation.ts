import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * LMDB and SQLite are native: where no binary fits they are compiled, which takes a minute and a compiler. Nobody who installs,
 * builds or tests Siltstone should wait or fail for that, so they have a package.json of their own, with exact versions, and come
 * with the first benchmark, beside its compiled code. There is no lock file: `npm ci` refuses one in which binaries for other
 * platforms are missing, and registries do not have all of them.
 */

const compiled = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(dirname(dirname(compiled)), 'bench')

const INSTALL = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1']

/** Whether they were installed as the package.json says. Those that could not be built count: they were tried. */
export function arePackagesInstalled(): boolean {
  const stamp = join(compiled, 'node_modules', '.package-lock.json')
  return existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(join(source, 'package.json')).mtimeMs
}

/** Installs them. Resolves to what npm said last where it failed. */
export function installPackages(): Promise<string | undefined> {
  copyFileSync(join(source, 'package.json'), join(compiled, 'package.json'))
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  return new Promise((resolve) => {
    const program = spawn(npm, INSTALL, {
      cwd: compiled,
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: process.platform === 'win32',
    })
    let errors = ''
    program.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    program.on('error', (error) => resolve(error.message))
    program.on('close', (status) => {
      resolve(status === 0 ? undefined : errors.trim().split('\n').at(-1) || `npm ended with status ${status}`)
    })
  })
}
