import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { charts } from './charts.js'
import { figure, ratioFigure } from './figure.js'
import { grouped } from './grouped.js'
import type { Report, Row } from './report.js'
import { targetText } from './result-table.js'

/*
 * docs/BENCHMARKS.md, made of what a run left behind: npm run docs:benchmarks -- FILE.json
 */

const PICTURES = 'benchmarks'
const ALTERNATIVES: Record<string, string> = {
  latency: 'Latencies at the 50th, 99th and 99.9th percentile',
  size: 'Cost of an operation by the size of the store',
  ratios: 'Ratios of operations a second',
}

/** The page, with its pictures beside it in a folder. */
export function benchmarksPage(report: Report, pictures: readonly string[]): string {
  const { settings, machine } = report
  const count = settings.keys.toLocaleString('en')
  return [
    '# Benchmarks',
    '',
    `${count} keys of ${settings.keyBytes} bytes, values of ${settings.valueBytes} bytes that compress to half; medians of`,
    `${settings.rounds} interleaved rounds, every peer in a process of its own. Measured on ${report.createdAt.slice(0, 10)} on`,
    `${machine.processor} (${machine.cores} cores, ${figure(machine.memoryBytes, 'bytes')} of memory), ${machine.platform}, Node ${machine.node}.`,
    '',
    '## When it is faster, and when not',
    '',
    ...summaries(report),
    '',
    '## How to read the tables',
    '',
    'A number is operations a second unless it has a unit. A ratio is our median to theirs: of operations a second more is better, of times',
    'and bytes less. `-` says that a store has no such operation, or did not come through.',
    '',
    '| mark | meaning |',
    '|---|---|',
    '| `6.16 (≥5 ✓)` | 6.16 times as much as theirs; at least 5 was wanted, and is met |',
    '| `0.63 (≥1.2 ✗)` | 0.63 of theirs; at least 1.2 was wanted, and is missed |',
    '| `0.17 (≤1 ✓)` | 0.17 of theirs where less is better; at most 1 was wanted |',
    '| *(written)* after a heading | writes count as done once they survive the death of the process |',
    '| *(synced)* after a heading | writes count as done once they survive a loss of power |',
    '',
    '## To reproduce',
    '',
    '```sh',
    `npm run bench -- ${settings.full ? '--full ' : ''}--keys ${settings.keys} --rounds ${settings.rounds} ${settings.seconds === undefined ? '' : `--seconds ${settings.seconds} `}--json benchmarks.json`,
    'npm run docs:benchmarks -- benchmarks.json',
    '```',
    '',
    'The machine should be idle. LMDB and SQLite are installed by the first run; RocksDB takes part where `db_bench` is on the',
    'PATH (Debian: `apt-get install rocksdb-tools`).',
    '',
    '## Who takes part, and how',
    '',
    `All get a cache of ${figure(settings.cacheBytes, 'bytes')} and a write buffer of ${figure(settings.writeBufferBytes, 'bytes')}, as far as they can be told.`,
    '',
    ...report.peers.map((peer) => `* **${peer.name}** ${peer.version}: ${peer.settings.join(', ')}`),
    ...[
      ...grouped(
        report.missing,
        ({ peer, scenario }) => `${peer} is missing${scenario === undefined ? '' : ` in '${scenario}'`}`,
      ),
    ].map(([what, [first]]) => `* ${what}: ${first!.reason}`),
    '',
    ...pictures.flatMap((name) => [`![${ALTERNATIVES[name.split(/[-.]/)[0]!]}](${PICTURES}/${name})`, '']),
    ...scenarioTables(report),
  ].join('\n')
}

/** For each peer: how many rows of operations a second we are ahead in, and which ones we are not. */
function summaries({ rows, peers }: Report): string[] {
  const [, ...others] = peers.map(({ name }) => name)
  return others.flatMap((name) => {
    const compared = rows.filter(({ unit, cells }) => unit === 'ops/s' && cells[name]?.ratio !== undefined)
    if (compared.length === 0) return []
    const behind = compared
      .filter(({ cells }) => cells[name]!.ratio! < 1)
      .toSorted((a, b) => a.cells[name]!.ratio! - b.cells[name]!.ratio!)
      .map(({ workload, scenario, cells }) => `${workload} [${scenario}] ${ratioFigure(cells[name]!.ratio!)}`)
    const slower = behind.length === 0 ? '' : ` Slower: ${behind.join('; ')}.`
    return [
      `* **${name}**: as fast or faster in ${compared.length - behind.length} of ${compared.length} rows.${slower}`,
    ]
  })
}

function scenarioTables({ rows, peers }: Report): string[] {
  const [first, ...others] = peers.map(({ name }) => name)
  const header = `| | ${first} | ${others.map((name) => `${name} | ratio`).join(' | ')} |`
  const rule = `|---|${'--:|'.repeat(1 + others.length * 2)}`
  return [...grouped(rows, ({ scenario }) => scenario)].flatMap(([scenario, group]) => [
    `## ${scenario[0]!.toUpperCase()}${scenario.slice(1)} (${group[0]!.durability})`,
    '',
    header,
    rule,
    ...group.map((row) => tableRow(row, first!, others)),
    '',
  ])
}

function tableRow(row: Row, first: string, others: readonly string[]): string {
  const own = row.cells[first]
  const limit = own?.target?.atMost
  const ownText = own === undefined ? '-' : figure(own.median, row.unit)
  const judged = limit === undefined ? '' : ` (≤${figure(limit, row.unit)} ${own!.target!.met ? '✓' : '✗'})`
  const cells = others.flatMap((name) => {
    const cell = row.cells[name]
    if (cell === undefined) return ['-', '']
    const ratio = cell.ratio === undefined ? '' : ratioFigure(cell.ratio)
    const target = targetText(cell)
    return [figure(cell.median, row.unit), target === '' ? ratio : `${ratio} (${target})`]
  })
  return `| ${row.workload} | ${ownText}${judged} | ${cells.join(' | ')} |`
}

function main(path: string): void {
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report
  if (report.format !== 1) throw new Error(`${path} has format ${report.format}, this page is made of format 1`)
  const docs = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs')
  const pictures = charts(report)
  mkdirSync(join(docs, PICTURES), { recursive: true })
  for (const [name, svg] of pictures) writeFileSync(join(docs, PICTURES, name), svg)
  writeFileSync(join(docs, 'BENCHMARKS.md'), `${benchmarksPage(report, [...pictures.keys()]).trimEnd()}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path] = process.argv.slice(2)
  if (path !== undefined) main(path)
  else {
    process.stderr.write('Usage: npm run docs:benchmarks -- FILE.json (what npm run bench -- --json FILE.json wrote)\n')
    process.exitCode = 2
  }
}
