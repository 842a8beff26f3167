import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openClassicLevel } from './peers/classic-level.js'
import type { PeerOpener } from './peers/peer.js'
import { openSiltstone } from './peers/siltstone.js'
import { Dataset, workloads } from './workloads.js'

const USAGE = `Usage: npm run bench -- [--keys N] [--rounds N]

Runs the workloads on Siltstone and on classic-level in turn and prints operations a second (medians) and their ratio.

  --keys N     keys in the store (default 200000)
  --rounds N   rounds of each engine (default 3)
`

const openers: Record<string, PeerOpener> = { siltstone: openSiltstone, 'classic-level': openClassicLevel }

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  if (at < 0) return fallback
  const value = Number(process.argv[at + 1])
  if (Number.isInteger(value) && value > 0) return value
  process.stderr.write(`${name} takes a whole number above 0\n\n${USAGE}`)
  process.exit(2)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(USAGE)
    return
  }
  const keys = option('--keys', 200_000)
  const rounds = option('--rounds', 3)
  const rates = new Map<string, number[]>()
  for (let round = 1; round <= rounds; round++) {
    for (const [name, opener] of Object.entries(openers)) {
      process.stderr.write(`round ${round} of ${rounds}: ${name}\n`)
      await runRound(name, opener, keys, rates)
    }
  }
  print(rates, keys, rounds)
}

async function runRound(name: string, opener: PeerOpener, keys: number, rates: Map<string, number[]>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-bench-'))
  try {
    const data = new Dataset(keys)
    const peer = await opener(directory)
    for (const workload of workloads) {
      const measured = await workload.run(peer, data)
      if (measured === undefined) continue
      const cell = `${workload.name}|${name}`
      rates.set(cell, [...(rates.get(cell) ?? []), measured.operations / measured.seconds])
      await peer.settle()
    }
    await peer.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function print(rates: Map<string, number[]>, keys: number, rounds: number): void {
  const row = (...cells: string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(14))).join('')
  const lines = [
    `${keys} keys of 16 B, values of 100 B, not synced; medians of ${rounds} interleaved rounds, Node ${process.version}`,
    '',
    row('operations a second', 'siltstone', 'classic-level', 'ratio'),
  ]
  for (const { name } of workloads) {
    const [ours, theirs] = Object.keys(openers).map((peer) => median(rates.get(`${name}|${peer}`) ?? []))
    const format = (rate: number): string => (Number.isNaN(rate) ? '-' : Math.round(rate).toLocaleString('en'))
    const ratio = Number.isNaN(theirs!) ? '-' : (ours! / theirs!).toFixed(1)
    lines.push(row(name, format(ours!), format(theirs!), ratio))
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

await main()
