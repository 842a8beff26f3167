import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

let directory: string

beforeEach(() => {
  // Below the root, because what is run there imports vitest.
  mkdirSync(join(root, '.tmp'), { recursive: true })
  directory = mkdtempSync(join(root, '.tmp', 'reporter-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

function tally(
  files: Record<string, string>,
  ...args: string[]
): { status: number | null; passed: number; failed: number } {
  for (const [name, body] of Object.entries(files)) {
    writeFileSync(join(directory, `${name}.test.js`), `import { beforeAll, describe, it } from 'vitest'\n${body}`)
  }
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--root',
      directory,
      '--reporter',
      join(root, 'test/reporter.ts'),
      ...args,
    ],
    { env: { ...process.env, TALLY_FILE: join(directory, 'tally.json') }, stdio: 'ignore' },
  )
  return { status, ...JSON.parse(readFileSync(join(directory, 'tally.json'), 'utf8')) }
}

it('counts the test cases that passed', () => {
  const body = "it('a', () => {}); describe('b', () => { it('c', () => {}); it.each([1, 2])('%d', () => {}) })"
  expect(tally({ one: body, two: "it('d', () => {})" })).toEqual({ status: 0, passed: 5, failed: 0 })
})

it('counts what failed, in whatever way', () => {
  const files = {
    fails: "it('a', () => {}); it('b', () => { throw new Error('no') })",
    doesNotLoad: "throw new Error('no')",
    doesNotBegin: "describe('c', () => { beforeAll(() => { throw new Error('no') }); it('d', () => {}) })",
    failsTooLate:
      "it('e', async () => { setTimeout(() => { throw new Error('no') }); await new Promise((r) => setTimeout(r, 50)) })",
  }
  const { status, passed, failed } = tally(files)
  expect(status).toBe(1)
  expect(passed).toBe(2)
  expect(failed).toBeGreaterThanOrEqual(4)
})

it('counts a test that was skipped as one that failed', () => {
  expect(tally({ one: "it('a', () => {}); it.skip('b', () => {}); it.todo('c')" })).toMatchObject({
    passed: 1,
    failed: 2,
  })
})

it('does not count what was not asked for', () => {
  const body = "it('torn tail', () => {}); it('rot', () => { throw new Error('no') })"
  expect(tally({ one: body, two: "it('another', () => {})" }, '-t', 'torn')).toEqual({
    status: 0,
    passed: 1,
    failed: 0,
  })
})
