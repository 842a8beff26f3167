import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/*
 * The package as it is published, in a project that has nothing but it: the tarball unpacked where npm would put it, and beside it
 * links to what it declares to depend on, and to nothing else.
 */

const run = promisify(execFile)
const root = process.cwd()
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string
  version: string
  dependencies: Record<string, string>
  exports: Record<string, unknown>
}
/** 'siltstone', 'siltstone/level' and whatever else there is to import. */
const doors = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target === 'object')
  .map(([door]) => join(manifest.name, door))

let project: string
let packed: string[]

function link(name: string): void {
  const at = join(project, 'node_modules', name)
  mkdirSync(dirname(at), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), at, 'dir')
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'siltstone-package-'))
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: root,
    shell: process.platform === 'win32',
  })
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path)
  const home = join(project, 'node_modules', manifest.name)
  mkdirSync(home, { recursive: true })
  await run('tar', ['-xzf', join(project, filename), '-C', home, '--strip-components=1'])
  for (const name of Object.keys(manifest.dependencies)) link(name)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'a-project', private: true }))
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

async function runFile(name: string, code: string): Promise<string> {
  writeFileSync(join(project, name), code)
  // No warnings: importing Siltstone must not make Node say anything.
  const { stdout, stderr } = await run(process.execPath, [name], { cwd: project, timeout: 20_000 })
  expect(stderr.replace(/.*ExperimentalWarning: CommonJS module.*\n.*\n/, '')).toBe('')
  return stdout
}

const ROUND_TRIP = `
  const db = await open('./' + name, { writeBufferBytes: 65536 })
  for (let i = 0; i < 2000; i++) db.putSync(String(i).padStart(6, '0'), 'x'.repeat(100))
  // Flush and compaction run in a worker, which has to find its own files.
  await db.compact()
  console.log(await db.count(), await db.get('001234') === 'x'.repeat(100), db.stats().backgroundError)
  await db.close()`

describe('the package', () => {
  it('holds what was compiled, what there is to read, and nothing else', () => {
    const compiled = /^dist\/(?:src\/.*|kv-cli\/[^/]*)\.(d\.ts|js)$/
    const kinds = new Set(packed.map((path) => compiled.exec(path)?.[1] ?? path.replace(/^docs\/.*/, 'docs')))
    expect([...kinds].sort()).toEqual([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'd.ts',
      'dist/kv-cli/LICENSES.txt',
      'docs',
      'js',
      'package.json',
    ])
    for (const door of ['index.js', 'index.d.ts']) expect(packed).toContain(`dist/src/${door}`)
  })

  it('has whatever its README links to', () => {
    const readme = readFileSync('README.md', 'utf8')
    const links = [...readme.matchAll(/\]\((?![a-z]+:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path!)
    expect(links.length).toBeGreaterThan(20)
    expect(links.filter((path) => !packed.includes(path))).toEqual([])
  })

  it('has a kv-cli that finds everything, its worker too', async () => {
    const bin = join('node_modules', manifest.name, 'dist/kv-cli/main.js')
    const kv = async (...args: string[]): Promise<string> =>
      (await run(process.execPath, [bin, ...args, '--db', 'typed'], { cwd: project, timeout: 20_000 })).stdout
    await kv('put', 'a', '1')
    expect(await kv('compact')).toContain('in 1 table')
    expect(await kv('get', 'a')).toBe('1')
    expect(await kv('version')).toContain(manifest.version)
  })

  it('is used from an ES module', async () => {
    const code = `import { open } from 'siltstone'\nconst name = 'esm'\n${ROUND_TRIP}`
    expect(await runFile('esm.mjs', code)).toBe('2000 true undefined\n')
  })

  it('is used from CommonJS', async () => {
    const code = `const { open } = require('siltstone')\nconst name = 'cjs'\n;(async () => {${ROUND_TRIP}})()`
    expect(await runFile('cjs.cjs', code)).toBe('2000 true undefined\n')
  })

  it('opens every door in both ways', async () => {
    expect(doors.length).toBeGreaterThan(1)
    for (const [i, door] of doors.entries()) {
      const names = 'console.log(Object.keys(door).sort().join())'
      const imported = await runFile(`door-${i}.mjs`, `import * as door from '${door}'\n${names}`)
      const required = await runFile(`door-${i}.cjs`, `const door = require('${door}')\n${names}`)
      expect(imported.trim(), door).not.toBe('')
      expect(required, door).toBe(imported)
    }
  })

  it('ends by itself when a store was left open', async () => {
    const code = `import { open } from 'siltstone'\nconst db = await open('./left-open')\nawait db.put('a', '1')\nawait db.flush()`
    expect(await runFile('left-open.mjs', code)).toBe('')
  })
})

describe('the types of the package', () => {
  const USE = `
    import { open, type Database, SiltstoneError } from 'siltstone'
    interface User { name: string }
    export async function use(): Promise<User | undefined> {
      const db: Database = await open('./data')
      const raw = await open('./data', { keyEncoding: 'buffer', valueEncoding: 'buffer' })
      const bytes: Buffer | undefined = await raw.get(Buffer.from('a'))
      const users = await open<string, User>('./data', { valueEncoding: 'json' })
      for await (const [key, value] of db.entries({ prefix: 'user:' })) console.log(key.length, value.length, bytes)
      try { return await users.get('ada') } catch (error) {
        if (error instanceof SiltstoneError && error.code === 'SILT_NOT_OPEN') return undefined
        throw error
      }
    }`

  beforeAll(() => link('@types/node'))

  const settings: [string, string, ts.CompilerOptions][] = [
    ['NodeNext', 'use.mts', { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }],
    [
      'NodeNext, from CommonJS',
      'use.cts',
      { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    ],
    ['a bundler', 'use.ts', { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
  ]

  it.each(settings)('are sound under %s, libraries checked', (_, name, options) => {
    const file = join(project, name)
    const every = doors.map((door, i) => `import type * as door${i} from '${door}'\nexport type { door${i} }`)
    writeFileSync(file, `${every.join('\n')}\n${USE}`)
    const program = ts.createProgram([file], {
      ...options,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      typeRoots: [join(project, 'node_modules/@types')],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    })
    const problems = ts
      .getPreEmitDiagnostics(program)
      .map(({ file: at, messageText }) => `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
    expect(problems).toEqual([])
  })
})
