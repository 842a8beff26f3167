import { cpus, totalmem } from 'node:os'
import { grouped } from './grouped.js'
import type { Options } from './options.js'
import type { PeerDescription } from './peers/peer.js'
import type { Durability, Sample, Unit } from './sample.js'
import { type Target, targets } from './targets.js'

/*
 * All that a run came to. The JSON file is exactly this; charts and page are made of it.
 */

export interface Report {
  /** Raised when a reader of older reports would misunderstand. */
  readonly format: 1
  readonly createdAt: string
  readonly machine: Machine
  readonly settings: Settings
  readonly peers: readonly ({ readonly name: string } & PeerDescription)[]
  /** Who was asked for and could not take part, and scenarios that somebody did not come through. */
  readonly missing: readonly Missing[]
  readonly rows: readonly Row[]
}

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
}

export interface Settings extends Pick<Options, 'full' | 'keys' | 'rounds' | 'seconds'> {
  readonly keyBytes: number
  readonly valueBytes: number
  readonly cacheBytes: number
  readonly writeBufferBytes: number
  /** The ratios are meant for this many keys. */
  readonly targetKeys: number
}

export interface Missing {
  readonly peer: string
  readonly scenario?: string
  readonly reason: string
}

export interface Row {
  readonly scenario: string
  readonly workload: string
  readonly durability: Durability
  readonly unit: Unit
  /** By peer. */
  readonly cells: Readonly<Record<string, Cell>>
}

export interface Cell {
  /** One value for each round. */
  readonly values: readonly number[]
  readonly median: number
  /** Of medians, the first peer's to this one's. */
  readonly ratio?: number
  readonly target?: { readonly atLeast?: number; readonly atMost?: number; readonly met: boolean }
}

export function machine(): Machine {
  const [first, ...others] = cpus()
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: others.length + 1,
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  }
}

/** Samples in the order in which they came, by peer, as rows. */
export function rowsOf(samples: readonly (Sample & { readonly peer: string })[], ours: string): Row[] {
  const byRow = grouped(samples, ({ scenario, workload }) => `${scenario}\n${workload}`)
  const rows = [...byRow.values()].map((group): Row => {
    const { scenario, workload, durability, unit } = group[0]!
    const byPeer = grouped(group, ({ peer }) => peer)
    const values = (peer: string): number[] => (byPeer.get(peer) ?? []).map(({ value }) => value)
    const cells = [...byPeer.keys()].map((peer) => [peer, cellOf(values(peer), values(ours), peer, ours)] as const)
    return { scenario, workload, durability, unit, cells: Object.fromEntries(cells) }
  })
  return [...rows, ...growthRows(rows, ours)].map((row) => withTargets(row, ours))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function cellOf(theirs: readonly number[], ours: readonly number[], peer: string, us: string): Cell {
  const cell = { values: theirs, median: median(theirs) }
  return peer === us || ours.length === 0 ? cell : { ...cell, ratio: median(ours) / cell.median }
}

/** What an operation on the largest store costs, in units of what it costs on the smallest. */
function growthRows(rows: readonly Row[], ours: string): Row[] {
  return rows
    .filter(({ scenario }) => scenario === 'tenth size')
    .flatMap((small): Row[] => {
      const { workload, durability } = small
      const large = rows.find((row) => row.scenario === 'long load' && row.workload === workload)
      if (large === undefined) return []
      const growth = (peer: string): number[] => [small.cells[peer]!.median / large.cells[peer]!.median]
      const names = Object.keys(large.cells).filter((peer) => small.cells[peer] !== undefined)
      const us = names.includes(ours) ? growth(ours) : []
      const cells = names.map((peer) => [peer, cellOf(growth(peer), us, peer, ours)] as const)
      const title = `${workload}: cost with 100 times the keys`
      return [{ scenario: 'growth', workload: title, durability, unit: 'times', cells: Object.fromEntries(cells) }]
    })
}

function withTargets(row: Row, ours: string): Row {
  const own = targets.filter(({ scenario, workload }) => scenario === row.scenario && workload === row.workload)
  const cells = { ...row.cells }
  for (const target of own) {
    const peer = target.peer ?? ours
    const cell = cells[peer]
    const value = target.peer === undefined ? cell?.median : cell?.ratio
    if (cell !== undefined && value !== undefined) cells[peer] = { ...cell, target: judged(target, value) }
  }
  return { ...row, cells }
}

function judged({ atLeast, atMost }: Target, value: number): NonNullable<Cell['target']> {
  if (atLeast !== undefined) return { atLeast, met: value >= atLeast }
  return { atMost: atMost!, met: value <= atMost! }
}
