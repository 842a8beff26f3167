import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { charts } from './charts.js'
import { KEY_BYTES, VALUE_BYTES } from './dataset.js'
import { isWanted } from './errand.js'
import { type Options, parseOptions, USAGE } from './options.js'
import { send } from './peer-process.js'
import { arePackagesInstalled, installPackages } from './peers/installation.js'
import { CACHE_BYTES, type PeerDescription, WRITE_BUFFER_BYTES } from './peers/peer.js'
import { PACKAGED, peerNamed, peers } from './peers/peers.js'
import { Progress } from './progress.js'
import { type Missing, machine, type Report, rowsOf } from './report.js'
import { printed } from './result-table.js'
import type { Sample } from './sample.js'
import { scenarios } from './workloads/scenarios.js'
import type { Pace, Scenario } from './workloads/workload.js'

const QUICK: Pace = { operations: 100_000, seconds: 0.2, fillSeconds: 8, stillMs: 200 }
const FULL: Pace = { operations: 500_000, seconds: 2, fillSeconds: 240, stillMs: 3000 }

const TARGET_KEYS = 1_000_000
const QUICK_QUEUE_SCALE = '0.2'
/** The slowest peers fill a store at about this rate: also of many keys a fill is to come to its end. */
const SLOW_KEYS_A_SECOND = 35_000
const LONGEST_DESCRIPTION_MS = 20_000
/** Beside the time for its fills, what a child may take for everything else before it counts as stuck. */
const QUICK_PATIENCE_MS = 60_000
const FULL_PATIENCE_MS = 15 * 60_000

async function main(options: Options): Promise<void> {
  const { full, keys, rounds } = options
  const { present, missing } = await callPeers(options)
  const samples = await measure(options, present, missing)
  const report: Report = {
    format: 1,
    createdAt: new Date().toISOString(),
    machine: machine(),
    settings: {
      full,
      keys,
      rounds,
      seconds: options.seconds,
      keyBytes: KEY_BYTES,
      valueBytes: VALUE_BYTES,
      cacheBytes: CACHE_BYTES,
      writeBufferBytes: WRITE_BUFFER_BYTES,
      targetKeys: TARGET_KEYS,
    },
    peers: present,
    missing,
    rows: rowsOf(samples, peers[0]!.name),
  }
  process.stdout.write(printed(report))
  if (options.json !== undefined) write(options.json, `${JSON.stringify(report, null, 2)}\n`)
  if (options.svg !== undefined) for (const [name, svg] of charts(report)) write(join(options.svg, name), svg)
  if (options.only === undefined) measureQueues(options)
}

/** The rows of queues, which have a peer of their own, in a process of their own. */
function measureQueues({ full, json, svg }: Options): void {
  process.stdout.write('\nqueues: messages of 100 bytes\n')
  const args = ['--scale', full ? '1' : QUICK_QUEUE_SCALE]
  if (json !== undefined) args.push('--json', json.replace(/(\.json)?$/, '-queues.json'))
  if (svg !== undefined) args.push('--svg', join(svg, 'queues.svg'))
  spawnSync(process.execPath, [fileURLToPath(new URL('queue.js', import.meta.url)), ...args], { stdio: 'inherit' })
}

/** Finds out who can take part: each peer says so itself, in a process of its own, because loading one may end a process. */
async function callPeers(options: Options) {
  if (options.peers.some((name) => PACKAGED.includes(name)) && !arePackagesInstalled()) {
    process.stderr.write('Installing the peers that come as packages (once; compiling them may take a minute) …\n')
    const failure = await installPackages()
    if (failure !== undefined) process.stderr.write(`They could not be installed: ${failure}\n`)
  }
  const present: ({ name: string } & PeerDescription)[] = []
  const missing: Missing[] = []
  for (const name of options.peers) {
    const reason = await send({ peer: name, keys: 1, pace: QUICK }, LONGEST_DESCRIPTION_MS, (message) => {
      if (message.kind === 'described') present.push({ name, ...message.description })
    })
    if (reason !== undefined) missing.push({ peer: name, reason })
  }
  return { present, missing }
}

/** Round by round, scenario by scenario, each peer in turn: what changes on the machine meanwhile meets all of them. */
async function measure(
  options: Options,
  present: readonly { readonly name: string }[],
  missing: Missing[],
): Promise<(Sample & { peer: string })[]> {
  const usual = options.full
    ? FULL
    : { ...QUICK, fillSeconds: Math.max(QUICK.fillSeconds, options.keys / SLOW_KEYS_A_SECOND) }
  const { seconds } = options
  const pace = seconds === undefined ? usual : { ...usual, seconds, operations: FULL.operations }
  const patience = pace.fillSeconds * 2000 + (options.full ? FULL_PATIENCE_MS : QUICK_PATIENCE_MS)
  const errands = errandsOf(options, present)
  const progress = new Progress(errands.length)
  const samples: (Sample & { peer: string })[] = []
  for (const { round, scenario, peer } of errands) {
    progress.starts(`round ${round} of ${options.rounds}, ${scenario.name}: ${peer}`)
    const { name, keysTimes = 1 } = scenario
    const keys = Math.max(10, Math.round(options.keys * keysTimes))
    const errand = { peer, scenario: name, keys, pace, ...(options.only !== undefined && { only: options.only }) }
    const reason = await send(errand, patience, (message) => {
      if (message.kind === 'measured') samples.push({ ...message.sample, peer })
      else if (message.kind === 'started') progress.step(message.workload)
    })
    if (reason !== undefined) missing.push({ peer, scenario: name, reason })
    progress.ends()
  }
  progress.close()
  return samples
}

function errandsOf({ full, only, rounds }: Options, present: readonly { readonly name: string }[]) {
  const rows = ({ name, reportsMemory, workloads }: Scenario): boolean =>
    [...workloads.map(({ title }) => title), ...(reportsMemory ? ['peak memory'] : [])].some((title) =>
      isWanted(only, name, title),
    )
  const planned = scenarios.filter((scenario) => (full || !scenario.onlyFull) && rows(scenario))
  const errands: { round: number; scenario: Scenario; peer: string }[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of planned) {
      if (scenario.once && round > 1) continue
      for (const { name } of present) {
        const peer = peerNamed(name)
        if ('scenarios' in peer && !peer.scenarios.includes(scenario.name)) continue
        errands.push({ round, scenario, peer: name })
      }
    }
  }
  return errands
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  process.stderr.write(`wrote ${path}\n`)
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(USAGE)
  else await main(options)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
