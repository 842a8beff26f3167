import { cpSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { npm, packTarball } from '../packed.js'

/** An empty project with the tarball installed, and the checks beside it. */
export function makeProject(root: string): { folder: string; checks: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'siltstone-runtimes-'))
  writeFileSync(join(folder, 'package.json'), '{ "name": "a-project", "private": true }\n')
  npm(['install', '--no-audit', '--no-fund', '--loglevel=error', packTarball(root, folder)], folder)
  const checks = join(root, 'tools/runtimes/checks')
  cpSync(checks, folder, { recursive: true })
  return { folder, checks: readdirSync(checks).sort() }
}
