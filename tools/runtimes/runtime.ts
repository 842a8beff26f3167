import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A program that runs JavaScript, and the package of the registry that brings its binary. */
export interface Runtime {
  readonly name: string
  /** Name and version for npm; `undefined` for the program that is running now. */
  readonly package: string | undefined
  /** The program below the package. */
  readonly binary: string
  /** Between the program and the script. */
  readonly before: readonly string[]
  /** Whether the tests can run under it, and have to pass. */
  readonly isNode: boolean
}

const PLATFORM = process.platform === 'win32' ? 'win' : process.platform
const BUN_ARCH = process.arch === 'arm64' ? 'aarch64' : process.arch
const DENO_PLATFORM = process.platform === 'linux' ? 'linux' : process.platform
const DENO_LIBC = process.platform === 'linux' ? '-glibc' : ''
const EXE = process.platform === 'win32' ? '.exe' : ''

const nodeOf = (major: number): Runtime => ({
  name: `Node ${major}`,
  package: `node-${PLATFORM}-${process.arch}@${major}`,
  binary: `bin/node${EXE}`,
  before: [],
  isNode: true,
})

export const RUNTIMES: readonly Runtime[] = [
  { name: 'this Node', package: undefined, binary: process.execPath, before: [], isNode: true },
  ...[20, 22, 24].filter((major) => major !== Number.parseInt(process.versions.node, 10)).map(nodeOf),
  {
    name: 'Bun',
    package: `@oven/bun-${process.platform === 'win32' ? 'windows' : process.platform}-${BUN_ARCH}`,
    binary: `bin/bun${EXE}`,
    before: [],
    isNode: false,
  },
  {
    name: 'Deno',
    package: `@deno/${DENO_PLATFORM}-${process.arch}${DENO_LIBC}`,
    binary: `deno${EXE}`,
    before: ['run', '--allow-all', '--quiet'],
    isNode: false,
  },
]

/** Installs a runtime below a folder and returns its program; says why where it is not to be had. */
export function fetchRuntime(runtime: Runtime, cache: string): { program: string } | { problem: string } {
  if (runtime.package === undefined) return { program: runtime.binary }
  const home = join(cache, runtime.name.toLowerCase().replace(' ', '-'))
  mkdirSync(home, { recursive: true })
  // A project of its own: npm would install into the one around it.
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--force', '--loglevel=error']
  const done = spawnSync(npm, ['install', ...options, runtime.package], {
    cwd: home,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  const name = runtime.package.replace(/(?!^)@.*/, '')
  const program = join(home, 'node_modules', name, runtime.binary)
  if (done.status === 0 && existsSync(program)) return { program }
  const said = done.stderr.trim().split('\n').at(-1)
  return { problem: `${runtime.package} is not to be had: ${said || `${runtime.binary} is not in it`}` }
}

/** What the program says its version is, without what it calls itself. */
export function versionOf(program: string): string {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? '?'
}
