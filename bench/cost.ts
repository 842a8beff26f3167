import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Database, indexed, open } from '../src/index.js'

/*
 * What each feature costs those who do not use it. Two stores that differ in one thing do the same in turns, a slice at a time, so that
 * whatever else the machine does falls on both; the quotient of each pair of slices is one sample. The first line compares a store with
 * one just like it: what it shows is what this machine cannot tell apart.
 */

const USAGE = `Usage: npm run bench:cost -- [--pairs N] [--operations N]

Time of put and get beside a feature that they do not use, over their time without it, as median and quartiles over pairs.

  --pairs N        slices of each of the two stores (default 60)
  --operations N   operations in a slice (default 5000)
`

type Store = Database<string, string>

/** One feature: how a store comes to have it, and how the other does without. */
interface Feature {
  readonly name: string
  readonly retention?: { readonly bytes: number }
  /** Brings the feature into the store; what it returns ends it. */
  readonly use?: (db: Store) => unknown
  /** Takes out of the other store what every store has. */
  readonly without?: (db: Store) => void
}

const FEATURES: readonly Feature[] = [
  { name: 'nothing (the noise)' },
  { name: 'transactions: one ran before', use: (db) => db.transaction((tx) => tx.put('~once', '1')) },
  { name: 'logRetention: 1 GiB', retention: { bytes: 2 ** 30 } },
  {
    name: 'changes: a feed that was left',
    use: (db) => db.changes().return(),
  },
  { name: 'watch: of another key', use: (db) => void db.watch({ key: '~other' }) },
  {
    name: 'indexes: of another keyspace',
    use: async (db) => {
      const words = await indexed(db.keyspace<string, string>('words'), { byLength: (word) => [[word.length]] })
      await words.put('a', 'stone')
    },
  },
  { name: 'histograms: of commits', without: (db) => removeHistogram(db) },
]

/** Commits of this store are not measured. */
function removeHistogram({ engine }: Store): void {
  const pipeline = engine.pipeline as unknown as { measuringFrom: () => number }
  pipeline.measuringFrom = () => 0
}

const KEYS = 50_000
const VALUE = 'v'.repeat(100)
const keyOf = (i: number): string => `key ${String((i * 7919) % KEYS).padStart(6, '0')}`

/** What is timed: so many operations, from the number of the first one on. */
type Workload = (db: Store, from: number, count: number) => Promise<void> | void

const WORKLOADS: Readonly<Record<string, Workload>> = {
  putSync: (db, from, count) => {
    for (let i = from; i < from + count; i++) db.putSync(keyOf(i), VALUE)
  },
  'put, 64 at once': async (db, from, count) => {
    for (let i = from; i < from + count; i += 64) {
      const puts: Promise<void>[] = []
      for (let j = i; j < Math.min(i + 64, from + count); j++) puts.push(db.put(keyOf(j), VALUE))
      await Promise.all(puts)
    }
  },
  getSync: (db, from, count) => {
    for (let i = from; i < from + count; i++) db.getSync(keyOf(i))
  },
}

async function timeOf(run: () => Promise<void> | void): Promise<number> {
  const startedAt = performance.now()
  await run()
  return performance.now() - startedAt
}

/** Quotients of slices, sorted. Which of the two goes first takes turns as well. */
async function compare(
  workload: Workload,
  plain: Store,
  other: Store,
  pairs: number,
  count: number,
): Promise<number[]> {
  const quotients: number[] = []
  for (let pair = -2; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [plain, other] : [other, plain]
    const times = new Map<Store, number>()
    for (const db of order) times.set(db, await timeOf(() => workload(db, (pair + 2) * count, count)))
    // The first pairs are for the compiler.
    if (pair >= 0) quotients.push(times.get(other)! / times.get(plain)!)
  }
  return quotients.sort((a, b) => a - b)
}

function line(name: string, quotients: readonly number[]): string {
  const at = (part: number): string => quotients[Math.floor((quotients.length - 1) * part)]!.toFixed(3)
  return `  ${name.padEnd(20)}${at(0.5).padStart(8)}   ${at(0.25)} to ${at(0.75)}\n`
}

async function measure(feature: Feature, base: string, pairs: number, count: number): Promise<void> {
  const openOne = (name: string, retention: Feature['retention']): Promise<Store> =>
    open(join(base, name), retention === undefined ? {} : { logRetention: retention })
  const plain = await openOne('plain', undefined)
  const other = await openOne('other', feature.retention)
  try {
    feature.without?.(plain)
    for (const db of [plain, other]) for (let i = 0; i < KEYS; i++) db.putSync(keyOf(i), VALUE)
    await feature.use?.(other)
    process.stdout.write(`${feature.name}\n`)
    for (const [name, workload] of Object.entries(WORKLOADS)) {
      process.stdout.write(line(name, await compare(workload, plain, other, pairs, count)))
    }
  } finally {
    await plain.close()
    await other.close()
  }
}

function wholeNumber(text: string, name: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new Error(`--${name} must be a whole number above 0, not ${text}`)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pairs: { type: 'string', default: '60' },
      operations: { type: 'string', default: '5000' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const [pairs, count] = [wholeNumber(values.pairs, 'pairs'), wholeNumber(values.operations, 'operations')]
  const base = mkdtempSync(join(tmpdir(), 'siltstone-cost-'))
  try {
    process.stdout.write('time with / time without, median, and quartiles\n\n')
    for (const [i, feature] of FEATURES.entries()) await measure(feature, join(base, String(i)), pairs, count)
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
