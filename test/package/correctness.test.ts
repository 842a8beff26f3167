import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/*
 * What the public tools for the correctness of packages say of the tarball.
 */

const run = promisify(execFile)
const root = process.cwd()
let folder: string
let tarball: Uint8Array

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'siltstone-correctness-'))
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', pack, { cwd: root, shell: process.platform === 'win32' })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  tarball = new Uint8Array(readFileSync(join(folder, filename)))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the tarball', () => {
  it('has nothing that publint would mend', async () => {
    const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer as ArrayBuffer }, strict: true })
    // The address of the repository is not known before the package has one.
    const findings = messages.filter(({ code }) => !/REPOSITORY/.test(code))
    expect(findings.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  it('has types that are right for everybody who can load it', async () => {
    const result = await checkPackage(createPackageFromTarballData(tarball))
    if (!result.types) throw new Error('The package has no types')
    // The package is made of ES modules, which Node 20.19 and newer `require`; TypeScript's resolution before `exports` is not served.
    const problems = result.problems.filter(
      (problem) =>
        problem.kind !== 'CJSResolvesToESM' &&
        !('resolutionKind' in problem && problem.resolutionKind === 'node10') &&
        !('resolutionOption' in problem && problem.resolutionOption === 'node10'),
    )
    expect(problems).toEqual([])
    expect(Object.keys(result.entrypoints)).toEqual(
      expect.arrayContaining(['.', './level', './shard', './keyv', './unstorage']),
    )
  })

  it('is left out of a bundle but for what is used', async () => {
    const size = async (code: string): Promise<number> => {
      const input = 'virtual:entry'
      const bundle = await rolldown({
        input,
        cwd: root,
        platform: 'node',
        external: (id) => !id.startsWith('siltstone') && !/^[./]|^virtual:/.test(id),
        plugins: [
          {
            name: 'entry',
            resolveId: (id) => {
              if (id === input) return id
              return /^siltstone/.test(id) ? join(root, 'dist/src', `${id.split('/')[1] ?? 'index'}.js`) : undefined
            },
            load: (id) => (id === input ? code : undefined),
          },
        ],
      })
      const { output } = await bundle.generate()
      await bundle.close()
      return output.reduce((sum, chunk) => sum + (chunk.type === 'chunk' ? chunk.code.length : 0), 0)
    }
    const nothing = await size("import 'siltstone'\nimport 'siltstone/shard'\nimport 'siltstone/level'")
    const ring = await size("import { Ring } from 'siltstone/shard'\nconsole.log(Ring)")
    const all = await size("import * as all from 'siltstone'\nconsole.log(all)")
    expect(nothing).toBeLessThan(all / 100)
    expect(ring).toBeLessThan(all / 10)
  })
})
