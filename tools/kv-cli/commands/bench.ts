import { existsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Command } from 'commander'
import { command, countOption, sizeOption, withJson } from '../command.js'
import { Failure, usage } from '../failure.js'
import { hasProgress, out, remark, stopSignal } from '../terminal.js'
import { showCount } from '../units.js'

interface BenchCommandOptions {
  readonly keys: number
  readonly valueBytes: number
  readonly rounds: number
  readonly only?: string
  readonly stores?: string
  readonly dir?: string
  readonly json?: boolean
}

const LEAST_KEYS = 100

/** Measures. */
export function commands(): Command[] {
  return [bench()]
}

function bench(): Command {
  const made = command(
    'bench',
    'run a few workloads on this machine, on Siltstone and on whatever else is installed (classic-level, lmdb, better-sqlite3)',
    'kv-cli bench --keys 2000 --rounds 1',
    'kv-cli bench --only read --stores siltstone --keys 2000 --json',
  )
  made
    .addOption(countOption('--keys <n>', 'keys in a store').default(50_000))
    .addOption(sizeOption('--value-bytes <size>', 'bytes of a value').default(100))
    .addOption(countOption('--rounds <n>', 'rounds; what is printed is the median of them').default(3))
    .option('--only <pattern>', 'only workloads whose name matches this regular expression')
    .option('--stores <names>', 'only these, separated by commas (default: all that are installed)')
    .option('--dir <path>', 'make the stores below it (default: the folder for temporary files); they are removed')
    .addHelpText(
      'after',
      "\nStores are new and in one process; none of this touches the store of --db. The repository has a longer one: 'npm run bench'.",
    )
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<BenchCommandOptions>()
    const { keys, valueBytes, rounds, json } = options
    if (keys < LEAST_KEYS) throw usage(`--keys must be at least ${LEAST_KEYS}`)
    if (rounds < 1) throw usage('--rounds must be at least 1')
    const directory = options.dir ?? tmpdir()
    if (!existsSync(directory) || !statSync(directory).isDirectory()) {
      throw new Failure(`There is no folder ${directory}; make it, or name another one with --dir`)
    }
    const { presentStores, runBench, storeNames } = await import('../bench/run-bench.js')
    const wanted = options.stores?.split(',').map((name) => name.trim())
    const unknown = wanted?.find((name) => !storeNames.includes(name))
    if (unknown !== undefined) throw usage(`There is no store '${unknown}'; choose of ${storeNames.join(', ')}`)
    const present = await presentStores(wanted)
    const absent = wanted?.find((name) => !present.some((each) => each.name === name))
    if (absent !== undefined) throw new Failure(`${absent} is not installed here; run: npm install ${absent}`)
    const results = await runBench(present, {
      directory,
      keys,
      valueBytes,
      rounds,
      only: patternOf(options.only),
      signal: stopSignal,
      onStep(store, workload, round) {
        if (hasProgress) process.stderr.write(`\r\x1b[Kround ${round + 1} of ${rounds}  ${store}  ${workload}`)
      },
    })
    if (hasProgress) process.stderr.write('\r\x1b[K')
    if (stopSignal.aborted) return
    if (results.length === 0) throw usage(`No workload matches '${options.only}'; leave --only out to see their names`)
    const names = present.map(({ name }) => name)
    if (!json) out.line(tableRow('operations a second', names))
    for (const { workload, rates } of results) {
      if (json) {
        for (const name of names) {
          out.json({
            workload,
            store: name,
            operationsPerSecond: Math.round(rates.get(name)!),
            keys,
            valueBytes,
            rounds,
          })
        }
      } else
        out.line(
          tableRow(
            workload,
            names.map((name) => cell(rates, name)),
          ),
        )
    }
    if (!json && names.length === 1 && wanted === undefined) {
      remark('Nobody is installed here to compare with; try: npm install classic-level')
    }
  })
}

function patternOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined
  try {
    return new RegExp(text, 'i')
  } catch {
    throw usage(`'${text}' is no regular expression; write such as read or 'scan|seek'`)
  }
}

/** The rate, and beside another one than Siltstone's how many times quicker Siltstone is. */
function cell(rates: ReadonlyMap<string, number>, name: string): string {
  const rate = rates.get(name)!
  const own = rates.get('siltstone')
  const ratio = name === 'siltstone' || own === undefined ? '' : ` (${(own / rate).toFixed(1)}x)`
  return `${showCount(rate)}${ratio}`
}

function tableRow(head: string, cells: readonly string[]): string {
  return `${head.padEnd(36)}${cells.map((text) => text.padStart(22)).join('')}`
}
