import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What one installation took and left. */
export interface Installation {
  readonly version: string
  readonly ms: number
  /** The package and all that it depends on. */
  readonly packages: number
  /** Of all files that npm has put there. */
  readonly bytes: number
  readonly nativeFiles: number
  /** Whether a native addon was compiled because no binary of it was to be had. */
  readonly isCompiled: boolean
  /** Packages that run a program of their own when they are installed. */
  readonly scripts: number
}

const LIMIT_MS = 300_000
const IS_WINDOWS = process.platform === 'win32'

interface LockedPackage {
  readonly version?: string
  readonly hasInstallScript?: boolean
}

/** Installs a package into an empty project with an empty cache. Throws with what npm said where that fails. */
export function install(name: string, spec: string): Installation {
  const folder = mkdtempSync(join(tmpdir(), 'siltstone-install-'))
  try {
    const project = join(folder, 'project')
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), '{ "name": "a-project", "private": true }\n')
    const options = ['--cache', join(folder, 'cache'), '--no-audit', '--no-fund', '--loglevel=error']
    const startedAt = performance.now()
    const { status, stderr } = spawnSync(IS_WINDOWS ? 'npm.cmd' : 'npm', ['install', ...options, spec], {
      cwd: project,
      encoding: 'utf8',
      timeout: LIMIT_MS,
      shell: IS_WINDOWS,
    })
    const ms = performance.now() - startedAt
    if (status !== 0) throw new Error(reasonOf(stderr))
    return { ms, ...contentOf(join(project, 'node_modules'), name) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The line of npm's that says most. */
function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => /^npm error /.test(line))
  const said = lines.find((line) => /fail|error:|refused|not found|status/i.test(line)) ?? lines[0]
  return said?.replace(/^npm error /, '').trim() ?? `it took longer than ${LIMIT_MS / 1000} s`
}

function contentOf(folder: string, name: string): Omit<Installation, 'ms'> {
  const lock = JSON.parse(readFileSync(join(folder, '.package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const packages = Object.values(lock.packages)
  return {
    version: lock.packages[`node_modules/${name}`]!.version!,
    packages: packages.length,
    bytes: files.reduce((sum, { parentPath, name: file }) => sum + statSync(join(parentPath, file)).size, 0),
    // What node-gyp leaves of a build.
    isCompiled: files.some(({ parentPath, name: file }) => file === 'Makefile' && parentPath.endsWith('build')),
    nativeFiles: files.filter((file) => file.name.endsWith('.node')).length,
    scripts: packages.filter(({ hasInstallScript }) => hasInstallScript).length,
  }
}
