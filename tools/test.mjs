// The second half of `npm test`: lint, type check, tests, each counted; the last line says how many passed and failed.
// Arguments go to vitest: `npm test -- test/fs` runs one folder, `npm test -- -t 'torn tail'` what has that in its name.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function run(program, args, env = {}) {
  const path = join(root, 'node_modules', program)
  const { status, signal } = spawnSync(process.execPath, [path, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
  return status === 0 && signal === null
}

function check(name, program, args) {
  const ok = run(program, args)
  console.log(`${ok ? '✓' : '✗'} ${name}`)
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

function tests(args) {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-tally-'))
  const file = join(directory, 'tally.json')
  try {
    const ok = run('vitest/vitest.mjs', ['run', '--config', 'test/vitest.config.ts', ...args], { TALLY_FILE: file })
    const { passed, failed } = readTally(file)
    // A run that ends badly has at least one failure, also when it came too late to be counted or found nothing to run.
    return { passed, failed: ok ? failed : Math.max(1, failed) }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 1 }
  }
}

const results = [
  check('lint and format', '@biomejs/biome/bin/biome', ['check', '.']),
  check('types', 'typescript/bin/tsc', ['-p', 'tsconfig.json']),
  tests(process.argv.slice(2)),
]
const passed = results.reduce((sum, result) => sum + result.passed, 0)
const failed = results.reduce((sum, result) => sum + result.failed, 0)
process.exitCode = failed === 0 ? 0 : 1
console.log(`${passed} passed, ${failed} failed`)
