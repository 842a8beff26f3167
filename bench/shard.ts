import { mkdirSync, writeFileSync } from 'node:fs'
import { Jump, type Placement, Rendezvous, Ring, Slots } from '../src/shard.js'
import { type Line, lineChart } from '../tools/pictures/line-chart.js'

const USAGE = `Usage: node dist/bench/shard.js [--keys N] [--draw]

Measures how evenly the placements deal keys out over 1 to 100 shards, what moves when one more comes and when a middle one goes, and
what a lookup costs.

  --keys N   keys (default 200000)
  --draw     also draws docs/guide/images/*.svg
`

const makers: Record<string, () => Placement> = {
  'ring, 100 points': () => new Ring({ vnodes: 100 }),
  'ring, 160 points': () => new Ring({ vnodes: 160 }),
  'ring, 1000 points': () => new Ring({ vnodes: 1000 }),
  jump: () => new Jump(),
  rendezvous: () => new Rendezvous(),
  slots: () => new Slots(),
}

const COUNTS = [1, 2, 3, 5, 10, 20, 50, 100]

interface Measured {
  readonly maxOverMean: number
  /** Share of the keys, and the best possible. */
  readonly movedByAdding: number
  readonly movedByRemoving: number
  readonly lookupNs: number
}

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(name)
  return at < 0 ? fallback : Number(process.argv[at + 1])
}

function filled(make: () => Placement, count: number): Placement {
  const placement = make()
  for (let i = 0; i < count; i++) placement.add(`shard-${i}`)
  return placement
}

/** Bytes of all keys, 16 each, and the owner of each. */
function ownersOf(placement: Placement, keys: Uint8Array, count: number): Uint16Array {
  const owners = new Uint16Array(count)
  for (let i = 0; i < count; i++) owners[i] = placement.ownerOf(keys, i * 16, i * 16 + 16)
  return owners
}

function movedBetween(before: Placement, after: Placement, keys: Uint8Array, count: number): number {
  const one = ownersOf(before, keys, count)
  const other = ownersOf(after, keys, count)
  let moved = 0
  for (let i = 0; i < count; i++) if (before.shards[one[i]!]!.name !== after.shards[other[i]!]!.name) moved++
  return moved / count
}

function measure(make: () => Placement, shards: number, keys: Uint8Array, count: number): Measured {
  const placement = filled(make, shards)
  ownersOf(placement, keys, Math.min(count, 50_000))
  const startedAt = performance.now()
  const owners = ownersOf(placement, keys, count)
  const lookupNs = ((performance.now() - startedAt) / count) * 1e6
  const held = new Array<number>(shards).fill(0)
  for (const owner of owners) held[owner]!++
  const more = placement.copy()
  more.add('one-more')
  const fewer = placement.copy()
  if (shards > 1) fewer.remove(`shard-${Math.floor(shards / 2)}`)
  return {
    maxOverMean: Math.max(...held) / (count / shards),
    movedByAdding: movedBetween(placement, more, keys, count),
    movedByRemoving: movedBetween(placement, fewer, keys, count),
    lookupNs,
  }
}

function main(): void {
  if (process.argv.includes('--help')) return void process.stdout.write(USAGE)
  const count = option('--keys', 200_000)
  const keys = Buffer.alloc(count * 16)
  for (let i = 0; i < count; i++) keys.write(String(i).padStart(16, '0'), i * 16)
  const table = new Map<string, Measured[]>()
  for (const [name, make] of Object.entries(makers)) {
    table.set(
      name,
      COUNTS.map((shards) => measure(make, shards, keys, count)),
    )
  }
  const row = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(8))).join('')
  const print = (title: string, cell: (measured: Measured, shards: number) => string): void => {
    const lines = [...table].map(([name, each]) => row([name, ...each.map((one, i) => cell(one, COUNTS[i]!))]))
    process.stdout.write(`\n${row([title, ...COUNTS.map(String)])}\n${lines.join('\n')}\n`)
  }
  process.stdout.write(`${count} keys of 16 B, Node ${process.version}\n`)
  print('max / mean', ({ maxOverMean }) => maxOverMean.toFixed(3))
  print('moved by adding, %', ({ movedByAdding }) => (movedByAdding * 100).toFixed(2))
  print('the best possible', (_, shards) => (100 / (shards + 1)).toFixed(2))
  print('moved by removing, %', ({ movedByRemoving }) => (movedByRemoving * 100).toFixed(2))
  print('lookup, ns', ({ lookupNs }) => lookupNs.toFixed(0))
  if (process.argv.includes('--draw')) draw(table, count)
}

function draw(table: ReadonlyMap<string, readonly Measured[]>, count: number): void {
  const lines = (of: (measured: Measured, shards: number) => number): Line[] =>
    [...table].map(([label, each], colour) => ({
      label,
      colour,
      points: each.map((one, i): [number, number] => [COUNTS[i]!, of(one, COUNTS[i]!)]),
    }))
  const across = `shards (${count.toLocaleString('en')} keys)`
  const pictures = {
    'shard-balance.svg': lineChart(
      'Keys of the fullest shard',
      'Times the mean of all shards. 1 is perfect.',
      lines(({ maxOverMean }) => maxOverMean),
      { across, unit: '', upward: 'linear', include: 1 },
    ),
    'shard-movement.svg': lineChart(
      'Keys moved by one more shard',
      'Times the share that the new shard should have. 1 is the least possible for an even placement.',
      lines(({ movedByAdding }, shards) => movedByAdding * (shards + 1)),
      { across, unit: '', upward: 'linear', include: 1 },
    ),
    'shard-lookup.svg': lineChart(
      'Cost of one lookup',
      'Lower is better.',
      lines(({ lookupNs }) => lookupNs),
      { across, unit: 'ns', upward: 'logarithmic' },
    ),
  }
  mkdirSync('docs/guide/images', { recursive: true })
  for (const [name, svg] of Object.entries(pictures)) writeFileSync(`docs/guide/images/${name}`, svg)
}

main()
