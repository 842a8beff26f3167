import { spawn, spawnSync } from 'node:child_process'
import { KEY_BYTES, VALUE_BYTES } from '../dataset.js'
import { diskBytes } from '../directory.js'
import { peakMemoryBytes, writtenBytes } from '../process-figures.js'
import type { Reading, Sample } from '../sample.js'
import { CACHE_BYTES, type ProgramErrand, type ProgramPeer, WRITE_BUFFER_BYTES } from './peer.js'

/*
 * RocksDB's own benchmark. It is C++ from end to end, so what it shows is what the engine can do, without the price of a
 * language boundary.
 */

interface Run {
  /** The row that it stands for. */
  readonly workload: string
  /** A list: of several, the last one counts. */
  readonly benchmarks: string
  readonly flags?: readonly string[]
  /** Makes the store with all keys, instead of doing as many operations as everybody on the one that is there. */
  readonly fills?: boolean
  readonly reads?: boolean
  readonly unit?: 'ms'
  /** Disk and write amplification are rows too. */
  readonly footprint?: boolean
}

// `filluniquerandom` is what everybody else does: every key once. `fillrandom` draws with replacement and misses a third.
const RUNS: Readonly<Record<string, readonly Run[]>> = {
  'in order': [{ workload: 'fillseq, one by one', benchmarks: 'fillseq', fills: true }],
  'at random': [{ workload: 'fillrandom, one by one', benchmarks: 'filluniquerandom', fills: true }],
  loaded: [
    {
      workload: 'fillbatch of 1000',
      benchmarks: 'filluniquerandom,waitforcompaction',
      flags: ['--batch_size=1000'],
      fills: true,
      footprint: true,
    },
    { workload: 'readrandom, sync, first time', benchmarks: 'readrandom', reads: true },
    { workload: 'readrandom, sync, second time', benchmarks: 'readrandom,readrandom', reads: true },
    { workload: 'compact', benchmarks: 'compact', unit: 'ms' },
    { workload: 'readrandom, sync, compacted', benchmarks: 'readrandom,readrandom', reads: true },
    { workload: 'readmissing, sync', benchmarks: 'readrandom,readmissing', reads: true },
    { workload: 'readseq, sync', benchmarks: 'readseq' },
    { workload: 'readreverse, sync', benchmarks: 'readreverse' },
    {
      workload: 'seekrandom + 10, sync',
      benchmarks: 'readrandom,seekrandom',
      flags: ['--seek_nexts=10'],
      reads: true,
    },
    { workload: 'readwhilewriting', benchmarks: 'readwhilewriting', reads: true },
    { workload: 'overwrite, one by one', benchmarks: 'overwrite' },
    { workload: 'deleterandom, one by one', benchmarks: 'deleterandom' },
  ],
  synced: [{ workload: 'fillsync, one by one', benchmarks: 'fillrandom', flags: ['--sync=1'], fills: true }],
  'long load': [
    {
      workload: 'random load',
      benchmarks: 'filluniquerandom,waitforcompaction',
      flags: ['--batch_size=100'],
      fills: true,
      footprint: true,
    },
  ],
}

const FLAGS = [
  `--key_size=${KEY_BYTES}`,
  `--value_size=${VALUE_BYTES}`,
  '--compression_ratio=0.5',
  '--compression_type=lz4',
  '--bloom_bits=10',
  `--cache_size=${CACHE_BYTES}`,
  `--write_buffer_size=${WRITE_BUFFER_BYTES}`,
  '--max_background_jobs=2',
  '--threads=1',
  '--seed=1',
]

const LOOK_EVERY_MS = 20

export const rocksdb: ProgramPeer = {
  name: 'rocksdb',
  scenarios: Object.keys(RUNS),

  async describe() {
    const asked = spawnSync('db_bench', ['--version'], { encoding: 'utf8' })
    if (asked.error !== undefined) throw new Error('db_bench is not installed (Debian: apt-get install rocksdb-tools)')
    const version = /version ([\d.]+)/.exec(asked.stdout + asked.stderr)?.[1] ?? 'of unknown version'
    return { version, settings: ['db_bench, C++', ...FLAGS, 'written: --sync=0; synced: --sync=1'] }
  },

  async *run(errand) {
    const runs = RUNS[errand.scenario] ?? []
    const wanted = (run: Run): boolean => errand.isWanted(run.workload)
    if (!runs.some(wanted)) return
    let peakBytes = 0
    for (const run of runs) {
      if (!run.fills && !wanted(run) && run.workload !== 'compact') continue
      errand.starts(run.workload)
      const done = await dbBench(errand, run)
      peakBytes = Math.max(peakBytes, done.peakBytes)
      if (!wanted(run)) continue
      yield sampleOf(errand, run.workload, reading(run, done.output))
      if (run.footprint)
        for (const each of footprint(errand, done.writtenBytes)) yield sampleOf(errand, run.workload, each)
    }
    if (errand.reportsMemory && errand.isWanted('peak memory')) {
      yield sampleOf(errand, 'peak memory', { unit: 'bytes', value: peakBytes })
    }
  },
}

/** The rows that the program has numbers for, by scenario. */
export function rocksdbRows(): { readonly scenario: string; readonly workload: string }[] {
  return Object.entries(RUNS).flatMap(([scenario, runs]) => runs.map(({ workload }) => ({ scenario, workload })))
}

function sampleOf({ scenario, durability }: ProgramErrand, workload: string, { part, unit, value }: Reading): Sample {
  return { scenario, workload: part === undefined ? workload : `${workload}: ${part}`, durability, unit, value }
}

function footprint({ directory, keys }: ProgramErrand, written: number): Reading[] {
  return [
    { part: 'disk when settled', unit: 'bytes', value: diskBytes(directory) },
    { part: 'write amplification', unit: 'times', value: written / (keys * (KEY_BYTES + VALUE_BYTES)) },
  ]
}

/** `readrandom   :       1.705 micros/op 585411 ops/sec 0.034 seconds 20000 operations; …`, of the last benchmark timed. */
export function reading(run: Pick<Run, 'unit' | 'benchmarks'>, output: string): Reading {
  const name = run.benchmarks.split(',').findLast((each) => each !== 'waitforcompaction')
  const lines = output.split('\n').filter((line) => line.startsWith(`${name} `))
  const found = /([\d.]+) micros\/op +(\d+) ops\/sec/.exec(lines.at(-1) ?? '')
  if (found === null) throw new Error(`db_bench printed no rate for ${name}`)
  return run.unit === 'ms' ? { unit: 'ms', value: Number(found[1]) / 1000 } : { unit: 'ops/s', value: Number(found[2]) }
}

interface Done {
  readonly output: string
  readonly peakBytes: number
  readonly writtenBytes: number
}

function dbBench(errand: ProgramErrand, run: Run): Promise<Done> {
  const { directory, keys, operations } = errand
  const amount = run.reads
    ? [`--reads=${operations}`]
    : run.unit === undefined && !run.fills && !run.benchmarks.startsWith('read')
      ? [`--writes=${operations}`, `--deletes=${operations}`]
      : []
  const flags = [
    `--benchmarks=${run.benchmarks}`,
    `--db=${directory}`,
    `--num=${run.flags?.includes('--sync=1') ? operations : keys}`,
    `--use_existing_db=${run.fills ? 0 : 1}`,
    ...(run.flags?.includes('--sync=1') ? [`--duration=${Math.ceil(errand.seconds)}`] : amount),
    ...FLAGS,
    ...(run.flags ?? []),
  ]
  return new Promise((resolve, reject) => {
    const program = spawn('db_bench', flags, { stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, errors] = ['', '']
    let [peak, written] = [0, 0]
    const look = (): void => {
      peak = peakMemoryBytes(program.pid!) ?? peak
      written = writtenBytes(program.pid!) ?? written
    }
    // What it wrote between the last look and its end is missed: a fiftieth of a second.
    const looking = setInterval(look, LOOK_EVERY_MS)
    program.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    program.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    program.on('error', reject)
    program.on('close', (status) => {
      clearInterval(looking)
      if (status === 0) resolve({ output, peakBytes: peak, writtenBytes: written })
      else reject(new Error(`db_bench failed: ${errors.trim().split('\n').at(-1) || output.trim().split('\n').at(-1)}`))
    })
  })
}
