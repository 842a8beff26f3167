import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Record<string, string>
}

interface Published {
  readonly manifest: Manifest
  readonly tarball: Buffer
}

/**
 * A registry on this machine, for `npm install` without a network: it has one package that was packed, and what that depends
 * on as it is installed here.
 */
export class Registry implements AsyncDisposable {
  private readonly server = createServer((request, response) => {
    const body = this.answer(decodeURIComponent(request.url!.slice(1)))
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
  private readonly published: readonly Published[]

  private constructor(published: readonly Published[]) {
    this.published = published
  }

  static async with(tarball: Buffer, manifest: Manifest, root: string): Promise<Registry> {
    const needed = new Map<string, Manifest>()
    gather(manifest, root, needed)
    const others = [...needed].map(async ([folder, each]) => ({ manifest: each, tarball: await packed(folder) }))
    const registry = new Registry([{ manifest, tarball }, ...(await Promise.all(others))])
    await once(registry.server.listen(0, '127.0.0.1'), 'listening')
    return registry
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  /** `NAME` has its versions, `NAME/-/VERSION.tgz` is one of them. */
  private answer(path: string): string | Buffer | undefined {
    const [name, version] = path.split(/\/-\/|\.tgz$/)
    const found = this.published.filter(({ manifest }) => manifest.name === name)
    if (version !== undefined) return found.find(({ manifest }) => manifest.version === version)?.tarball
    if (found.length === 0) return undefined
    const versions = found.map(({ manifest, tarball }) => {
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
      const dist = { tarball: `${this.address}${name}/-/${manifest.version}.tgz`, integrity }
      return [manifest.version, { ...manifest, dist }]
    })
    return JSON.stringify({
      name,
      'dist-tags': { latest: versions.at(-1)![0] },
      versions: Object.fromEntries(versions),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}

/** Everything that a package depends on, by the folder in which Node finds it. */
function gather(manifest: Manifest, home: string, found: Map<string, Manifest>): void {
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    const folder = folderOf(name, home)
    if (found.has(folder)) continue
    const its = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    found.set(folder, its)
    gather(its, folder, found)
  }
}

function folderOf(name: string, from: string): string {
  const folder = join(from, 'node_modules', name)
  if (existsSync(folder)) return folder
  if (dirname(from) === from) throw new Error(`${name} is not installed`)
  return folderOf(name, dirname(from))
}

/** A folder of node_modules as a tarball: all of it is below `package`, and what it has installed for itself is not in it. */
async function packed(folder: string): Promise<Buffer> {
  const stage = mkdtempSync(join(tmpdir(), 'siltstone-registry-'))
  try {
    symlinkSync(folder, join(stage, 'package'), 'dir')
    const tar = spawn('tar', ['-chzf', '-', '--exclude=node_modules', '-C', stage, 'package'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return await buffer(tar.stdout)
  } finally {
    rmSync(stage, { recursive: true })
  }
}
