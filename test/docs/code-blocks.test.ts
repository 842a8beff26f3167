import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checked, examples, pages } from './snippets.js'
import { putStandIns } from './stand-ins.js'

/*
 * Every TypeScript block of README and docs/, and every example of a comment, is compiled against the package as others see it
 * and run, each in a directory of its own. A value in a comment behind a statement is what the statement has to give.
 */

const run = promisify(execFile)
const snippets = [...pages(), ...examples()]
const root = process.cwd()
let folder: string
let program: ts.Program

const fileOf = (i: number): string => join(folder, `${i}.mts`)

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
}

beforeAll(() => {
  mkdirSync(join(root, '.tmp'), { recursive: true })
  // Inside the package, which is where `import 'siltstone'` finds it.
  folder = mkdtempSync(join(root, '.tmp', 'code-'))
  putStandIns(folder)
  for (const [i, snippet] of snippets.entries()) writeFileSync(fileOf(i), checked(snippet))
  program = ts.createProgram(
    snippets.map((_, i) => fileOf(i)),
    options,
  )
  program.emit()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('code that readers may copy', () => {
  it('is seen by this test', () => {
    const names = snippets.map(({ name }) => name)
    expect(names).toContain('README.md')
    expect(names).toContain('docs/errors.md')
    expect(names.filter((name) => name.startsWith('src/store/')).length).toBeGreaterThan(15)
  })

  it('has the right types', () => {
    const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const i = Number(/(\d+)\.mts$/.exec(file?.fileName ?? '')?.[1])
      const line = file === undefined ? '' : file.text.slice(start).split('\n')[0]
      return `${snippets[i]?.name ?? relative(root, file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, '\n')} at ${line}`
    })
    expect(problems).toEqual([])
  })

  it.each(snippets.map(({ name }, i) => [name, i] as const))('runs: %s', async (_, i) => {
    const cwd = join(folder, `run-${i}`)
    mkdirSync(cwd)
    await run(process.execPath, ['--no-warnings', join(folder, `${i}.mjs`)], { cwd, timeout: 20_000 })
  })
})
