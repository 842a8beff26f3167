import { figure, ratioFigure } from './figure.js'
import type { Report, Row } from './report.js'
import { type Bar, barChart, type Line, lineChart } from './svg.js'
import { LONG_LOAD } from './targets.js'

/*
 * The pictures of a report, by the name of their file. A picture that nothing was measured for is left out.
 */

const COLOURS = ['#bf5b17', '#386cb0', '#7fc97f', '#8d6cab', '#666666']
const [FASTER, SLOWER] = ['#4d9221', '#c51b7d']

/** Rows whose latencies are shown: they are what somebody waits for. */
const LATENCIES = [
  ['loaded', 'put, awaited'],
  ['loaded', 'put, 64 in flight'],
  ['loaded', 'readrandom, awaited, compacted'],
  ['synced', 'fillsync, one by one'],
  ['synced', 'fillsync, 64 in flight'],
  ['long load', `${LONG_LOAD}: put under load`],
] as const

const SIZES = [
  ['tenth size', 0.1],
  ['whole size', 1],
  ['long load', 10],
] as const

export function charts(report: Report): Map<string, string> {
  const pictures = new Map<string, string>()
  const [, ...others] = report.peers
  for (const { name } of others) add(pictures, `ratios-${name}.svg`, ratioChart(report, name))
  add(pictures, 'latency.svg', latencyChart(report))
  for (const operation of ['get', 'seek + 10', 'put']) {
    add(pictures, `size-${operation.split(' ')[0]}.svg`, sizeChart(report, operation))
  }
  return pictures
}

function add(pictures: Map<string, string>, name: string, svg: string | undefined): void {
  if (svg !== undefined) pictures.set(name, svg)
}

function ratioChart({ rows, settings, peers }: Report, peer: string): string | undefined {
  const bars = rows.flatMap((row): Bar[] => {
    const cell = row.cells[peer]
    if (row.unit !== 'ops/s' || cell?.ratio === undefined) return []
    const target = cell.target?.atLeast
    return [
      {
        label: `${row.scenario}: ${row.workload}`,
        value: cell.ratio,
        text: `${ratioFigure(cell.ratio)}${target === undefined ? '' : ` (target ${target})`}`,
        colour: cell.ratio >= 1 ? FASTER! : SLOWER!,
        ...(target !== undefined && { target }),
      },
    ]
  })
  if (bars.length === 0) return undefined
  const note = `Ratios of medians of ${settings.rounds} rounds, ${settings.keys.toLocaleString('en')} keys. Right of 1: ${peers[0]!.name} is faster.`
  return barChart(`Operations a second, ${peers[0]!.name} to ${peer}`, note, bars, 1)
}

function latencyChart(report: Report): string | undefined {
  const bars = LATENCIES.flatMap(([scenario, workload]) =>
    report.peers.flatMap(({ name }, i) =>
      ['p50', 'p99', 'p99.9'].flatMap((part): Bar[] => {
        const separator = workload.endsWith('under load') ? ' ' : ': '
        const row = rowNamed(report, scenario, `${workload}${separator}${part}`)
        const cell = row?.cells[name]
        if (cell === undefined) return []
        const label = `${shortened(workload)}, ${name}, ${part}`
        return [{ label, value: cell.median, text: figure(cell.median, 'ms'), colour: COLOURS[i % COLOURS.length]! }]
      }),
    ),
  )
  if (bars.length === 0) return undefined
  return barChart('Latency in milliseconds', 'Medians of the rounds. Shorter is better.', bars)
}

function shortened(workload: string): string {
  return workload.replace(`${LONG_LOAD}: `, '').replace(', compacted', '')
}

function sizeChart(report: Report, operation: string): string | undefined {
  const lines = report.peers.flatMap(({ name }, i): Line[] => {
    const points = SIZES.flatMap(([scenario, times]): [number, number][] => {
      const perSecond = rowNamed(report, scenario, `${operation}, random`)?.cells[name]?.median
      return perSecond === undefined ? [] : [[report.settings.keys * times, 1e6 / perSecond]]
    })
    return points.length < 2 ? [] : [{ label: name, colour: COLOURS[i % COLOURS.length]!, points }]
  })
  if (lines.length === 0) return undefined
  return lineChart(`Cost of a random ${operation} by the keys in the store`, 'Microseconds.', lines, 'us')
}

function rowNamed({ rows }: Report, scenario: string, workload: string): Row | undefined {
  return rows.find((row) => row.scenario === scenario && row.workload === workload)
}
