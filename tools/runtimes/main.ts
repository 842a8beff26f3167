import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeProject } from './project.js'
import { fetchRuntime, RUNTIMES, type Runtime, versionOf } from './runtime.js'

/*
 * `npm run test:nodes`: the packed package in an empty project under several versions of Node, and under Bun and Deno; then tests
 * of this repository under those of Node. `--full` runs the whole suite, patterns of files run what they name, `--only 'Node 22'`
 * leaves the other runtimes out. A warning of the runtime is a failure: nobody asked for it.
 */

// From dist/tools/runtimes to the root.
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const CACHE = join(root, 'node_modules/.cache/runtimes')
const BIN = 'node_modules/siltstone/dist/kv-cli/main.js'
const LIMIT_MS = 120_000

/** What stands for the whole where time is short: every floor that touches the platform. */
const PART = [
  'test/fs',
  'test/log',
  'test/store/conformance',
  'test/queue/queue',
  'test/shard/threads',
  'test/faces',
  'test/package',
  'test/cli/entries',
]

const { values, positionals } = parseArgs({
  options: { full: { type: 'boolean', default: false }, only: { type: 'string', multiple: true } },
  allowPositionals: true,
})

interface Outcome {
  readonly what: string
  /** `undefined` where all is well. */
  readonly problem: string | undefined
}

interface Row {
  readonly runtime: string
  readonly checks: string
  readonly tests: string
  readonly isFailed: boolean
}

function runProgram(
  runtime: Runtime,
  program: string,
  args: readonly string[],
  cwd: string,
): { stdout: string; problem: string | undefined } {
  const { status, signal, stdout, stderr } = spawnSync(program, [...runtime.before, ...args], {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, RUNTIME_ARGUMENTS: JSON.stringify(runtime.before) },
  })
  const said = stderr.trim()
  if (status !== 0) return { stdout, problem: `ended with ${signal ?? status}\n${said || stdout}` }
  return { stdout, problem: said === '' ? undefined : `said:\n${said}` }
}

function runCommandLine(runtime: Runtime, program: string, cwd: string): string | undefined {
  const steps: [args: string[], expected: string][] = [
    [['put', 'a', '1'], ''],
    [['compact'], 'in 1 table'],
    [['get', 'a'], '1'],
    [['stats'], 'level'],
    [['verify'], ''],
  ]
  for (const [args, expected] of steps) {
    const { stdout, problem } = runProgram(runtime, program, [BIN, ...args, '--db', './typed'], cwd)
    if (problem !== undefined) return `${args.join(' ')}: ${problem}`
    if (!stdout.includes(expected)) return `${args.join(' ')} said ${stdout}`
  }
  return undefined
}

function runChecks(runtime: Runtime, program: string): Outcome[] {
  const { folder, checks } = makeProject(root)
  try {
    const outcomes = checks.map((what) => ({ what, problem: runProgram(runtime, program, [what], folder).problem }))
    return [...outcomes, { what: 'kv-cli', problem: runCommandLine(runtime, program, folder) }]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runTests(program: string): { passed: number; failed: number } {
  const folder = mkdtempSync(join(tmpdir(), 'siltstone-tally-'))
  const tally = join(folder, 'tally.json')
  const patterns = positionals.length > 0 ? positionals : values.full ? [] : PART
  try {
    const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'test/vitest.config.ts', ...patterns]
    const { status } = spawnSync(program, args, {
      cwd: root,
      stdio: ['ignore', 2, 2],
      // What tests start by the name of node is this node.
      env: { ...process.env, TALLY_FILE: tally, PATH: `${dirname(program)}${delimiter}${process.env['PATH']}` },
    })
    const { passed, failed } = readTally(tally)
    return { passed, failed: status === 0 ? failed : Math.max(1, failed) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readTally(file: string): { passed: number; failed: number } {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { passed: number; failed: number }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

function tryRuntime(runtime: Runtime): Row {
  process.stderr.write(`${runtime.name} …\n`)
  const fetched = fetchRuntime(runtime, CACHE)
  if ('problem' in fetched)
    return { runtime: runtime.name, checks: fetched.problem, tests: '', isFailed: runtime.isNode }
  const { program } = fetched
  const outcomes = runChecks(runtime, program)
  const bad = outcomes.filter(({ problem }) => problem !== undefined)
  for (const { what, problem } of bad) process.stderr.write(`${runtime.name}: ${what} ${problem}\n`)
  const tests = runtime.isNode ? runTests(program) : undefined
  return {
    runtime: `${runtime.name.replace(/ \d+$/, '')} ${versionOf(program)}`,
    checks: `${outcomes.length - bad.length} of ${outcomes.length}${bad.length === 0 ? '' : `, not ${bad.map(({ what }) => what).join(', ')}`}`,
    tests: tests === undefined ? '' : `${tests.passed} passed, ${tests.failed} failed`,
    // Of the others it is said what they can and cannot do.
    isFailed: runtime.isNode && (bad.length > 0 || (tests?.failed ?? 0) > 0),
  }
}

const chosen = RUNTIMES.filter(({ name }) => values.only?.includes(name) ?? true)
const rows = chosen.map(tryRuntime)
const suite = positionals.length > 0 ? positionals.join(' ') : values.full ? 'the whole suite' : 'a part of the suite'
process.stdout.write(`| runtime | checks of the package | ${suite} |\n|---|---|---|\n`)
for (const { runtime, checks, tests } of rows) process.stdout.write(`| ${runtime} | ${checks} | ${tests} |\n`)
process.exitCode = rows.some(({ isFailed }) => isFailed) ? 1 : 0
