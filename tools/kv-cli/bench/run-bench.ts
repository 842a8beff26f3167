import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender, Opener } from './contender.js'
import { contenders } from './contenders.js'
import { Material, type Workload, workloads } from './workloads.js'

export interface BenchOptions {
  /** Stores are made below it, and removed. */
  readonly directory: string
  readonly keys: number
  readonly valueBytes: number
  readonly rounds: number
  readonly only: RegExp | undefined
  readonly signal: AbortSignal
  onStep(store: string, workload: string, round: number): void
}

/** The median of the rounds. */
export interface BenchResult {
  readonly workload: string
  readonly rates: ReadonlyMap<string, number>
}

interface Present {
  readonly name: string
  readonly open: Opener
}

/** The names of all who could take part. */
export const storeNames: readonly string[] = contenders.map(({ name }) => name)

/** Those of them that are installed. */
export async function presentStores(wanted: readonly string[] | undefined): Promise<Present[]> {
  const present: Present[] = []
  for (const { name, load } of contenders as readonly Contender[]) {
    if (wanted !== undefined && !wanted.includes(name)) continue
    const open = await load()
    if (open !== undefined) present.push({ name, open })
  }
  return present
}

/** Runs every workload on every store, in turn, so that what else the machine does hits all of them. */
export async function runBench(present: readonly Present[], options: BenchOptions): Promise<BenchResult[]> {
  const wanted = workloads.filter(({ name }) => options.only?.test(name) ?? true)
  const measured = new Map(wanted.map(({ name }) => [name, new Map<string, number[]>()]))
  const root = mkdtempSync(join(options.directory, 'kv-cli-bench-'))
  try {
    for (let round = 0; round < options.rounds; round++) {
      // Who goes first finds another machine than who comes last; so everybody is first in turn.
      const order = present.map((_, i) => present[(i + round) % present.length]!)
      for (const { name, open } of order) {
        await runRound(
          open,
          join(root, `${name}-${round}`),
          wanted,
          options,
          (workload, rate) => {
            const rates = measured.get(workload.name)
            if (rates !== undefined) rates.set(name, [...(rates.get(name) ?? []), rate])
          },
          (workload) => options.onStep(name, workload.name, round),
        )
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  return [...measured].map(([workload, rates]) => ({
    workload,
    rates: new Map([...rates].map(([name, values]) => [name, median(values)])),
  }))
}

async function runRound(
  open: Opener,
  directory: string,
  wanted: readonly Workload[],
  { keys, valueBytes, signal }: BenchOptions,
  onRate: (workload: Workload, rate: number) => void,
  onStep: (workload: Workload) => void,
): Promise<void> {
  const material = new Material(keys, valueBytes)
  for (const durable of [false, true]) {
    const chosen = workloads.filter((each) => (each.durable ?? false) === durable)
    if (!chosen.some((each) => wanted.includes(each))) continue
    const path = `${directory}${durable ? '-synced' : ''}`
    mkdirSync(path, { recursive: true })
    const ground = await open(path, durable)
    try {
      for (const workload of chosen) {
        const isWanted = wanted.includes(workload)
        if (signal.aborted || (!isWanted && workload.fills !== true)) continue
        onStep(workload)
        const startedAt = performance.now()
        const operations = await workload.run(ground, material)
        if (isWanted) onRate(workload, operations / ((performance.now() - startedAt) / 1000))
      }
    } finally {
      await ground.close()
      rmSync(path, { recursive: true, force: true })
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
