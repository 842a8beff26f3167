// Installs and builds whatever is missing or stale; the first half of `npm start` and `npm test`. Needs nothing but Node.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const installedStamp = join(root, 'node_modules', '.package-lock.json')
const builtStamp = join(root, 'dist', '.built')

function modifiedAt(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

function newestSource(directory) {
  let newest = 0
  for (const entry of readdirSync(join(root, directory), { withFileTypes: true, recursive: true })) {
    if (/\.(ts|json|mjs)$/.test(entry.name)) newest = Math.max(newest, modifiedAt(join(entry.parentPath, entry.name)))
  }
  return newest
}

function run(what, command, args) {
  process.stderr.write(`${what} …\n`)
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 'inherit'] })
  return done.status === 0
}

function fail(what) {
  process.stderr.write(`${what} failed; what is above says why\n`)
  process.exit(1)
}

if (modifiedAt(installedStamp) < modifiedAt(join(root, 'package-lock.json'))) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  // A lock file made on another platform may lack optional packages of this one, which `npm ci` refuses and `npm install` mends.
  const isInstalled =
    run('Installing packages', npm, ['ci', '--loglevel=error']) ||
    run('Installing packages without the lock file', npm, ['install', '--no-save', '--loglevel=error'])
  if (!isInstalled) fail('Installing packages')
}

const sources = Math.max(...['src', 'tools', 'bench'].map(newestSource), modifiedAt(join(root, 'tsconfig.json')))
if (modifiedAt(builtStamp) < sources) {
  const startedAt = new Date()
  const built = run('Building', process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    'src/tsconfig.json',
  ])
  // Types that do not fit are for `npm test` to count; what was emitted runs all the same.
  if (!built && !existsSync(dirname(builtStamp))) fail('Building')
  if (!run('Bundling kv-cli', process.execPath, [join(root, 'tools/bundle.mjs')])) fail('Bundling kv-cli')
  if (built) writeFileSync(builtStamp, `${startedAt.toISOString()}\n`)
}
