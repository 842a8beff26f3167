// The long versions of the tests that everything rests on: `npm run test:crash -- --rounds N` (a crash and a fault at every call,
// N seeds; every byte damaged), `npm run test:kill -- --rounds N` (N processes killed while they write),
// `npm run test:sealed -- --rounds N` (N hundreds of files that make no sense under checksums that are right), and
// `npm run test:bank -- --rounds N` (N lives of a bank in each isolation, and how many transfers a second it made).
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const KINDS = {
  crash: {
    variable: 'SILTSTONE_CRASH_ROUNDS',
    files: ['simulation/crash-sweep', 'simulation/fault-sweep', 'simulation/rot-sweep', 'faces/import/interruption'],
    rounds: '3',
  },
  kill: {
    variable: 'SILTSTONE_KILL_ROUNDS',
    files: ['simulation/kill', 'store/transactions/bank', 'store/replicate/kill', 'queue/orders', 'queue/hours'],
    rounds: '1000',
  },
  sealed: { variable: 'SILTSTONE_SEALED_ROUNDS', files: ['simulation/sealed/sealed'], rounds: '10' },
  bank: { variable: 'SILTSTONE_KILL_ROUNDS', files: ['store/transactions/bank'], rounds: '200' },
}

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string' } },
  allowPositionals: true,
})
const kind = KINDS[positionals[0]]
const rounds = Number(values.rounds ?? kind?.rounds)
if (kind === undefined || !Number.isInteger(rounds) || rounds < 1) {
  console.error('Usage: npm run test:crash -- --rounds N; the same with test:kill, test:sealed and test:bank')
  process.exit(2)
}
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'test/vitest.config.ts',
    ...kind.files.map((name) => `test/${name}.test.ts`),
    ...positionals.slice(1),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, [kind.variable]: String(rounds) } },
)
process.exitCode = status ?? 1
