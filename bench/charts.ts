import { type Bar, barChart } from '../tools/pictures/bar-chart.js'
import { type Line, lineChart } from '../tools/pictures/line-chart.js'
import { type RangeRow, rangeChart } from '../tools/pictures/range-chart.js'
import { figure, ratioFigure } from './figure.js'
import { grouped } from './grouped.js'
import type { Report, Row } from './report.js'
import { LONG_LOAD } from './targets.js'

/*
 * The pictures of a report, by the name of their file. A picture that nothing was measured for is left out.
 */

const [FASTER, SLOWER] = [2, 3]
const PERCENTILES = ['p50', 'p99', 'p99.9']

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
  const compared = rows.filter(({ unit, cells }) => unit === 'ops/s' && cells[peer]?.ratio !== undefined)
  if (compared.length === 0) return undefined
  const groups = [...grouped(compared, ({ scenario }) => scenario)].map(([heading, group]) => ({
    heading,
    bars: group.map(({ workload, cells }): Bar => {
      const { ratio, target } = cells[peer]!
      const least = target?.atLeast
      return {
        label: workload,
        value: ratio!,
        text: `${ratioFigure(ratio!)}${least === undefined ? '' : ` (target ${least})`}`,
        colour: ratio! >= 1 ? FASTER! : SLOWER!,
        ...(least !== undefined && { target: least }),
      }
    }),
  }))
  const note = `Ratios of medians of ${settings.rounds} rounds, ${settings.keys.toLocaleString('en')} keys. Right of 1: ${peers[0]!.name} is faster. A stroke is a target.`
  return barChart(`Operations a second, ${peers[0]!.name} to ${peer}`, note, groups, 1)
}

function latencyChart(report: Report): string | undefined {
  const groups = LATENCIES.flatMap(([scenario, workload]) => {
    const separator = workload.endsWith('under load') ? ' ' : ': '
    const parts = PERCENTILES.map((part) => rowNamed(report, scenario, `${workload}${separator}${part}`))
    const rows = report.peers.flatMap(({ name }, colour): RangeRow[] => {
      const values = parts.flatMap((row) => row?.cells[name]?.median ?? [])
      return values.length < PERCENTILES.length ? [] : [{ label: name, colour, values }]
    })
    return rows.length === 0 ? [] : [{ heading: workload.replace(`${LONG_LOAD}: `, ''), rows }]
  })
  if (groups.length === 0) return undefined
  const note = `From the median (filled) over the 99th to the 99.9th percentile, medians of ${report.settings.rounds} rounds. Further left is better.`
  return rangeChart('Latency of one operation', note, groups, (value) => figure(value, 'ms'))
}

function sizeChart(report: Report, operation: string): string | undefined {
  const lines = report.peers.flatMap(({ name }, colour): Line[] => {
    const points = SIZES.flatMap(([scenario, times]): [number, number][] => {
      const perSecond = rowNamed(report, scenario, `${operation}, random`)?.cells[name]?.median
      return perSecond === undefined ? [] : [[report.settings.keys * times, 1e6 / perSecond]]
    })
    return points.length < 2 ? [] : [{ label: name, colour, points }]
  })
  if (lines.length === 0) return undefined
  return lineChart(`Cost of a random ${operation}`, 'Lower is better. A flat line: the cost does not grow.', lines, {
    across: 'keys in the store',
    unit: 'us',
    upward: 'logarithmic',
  })
}

function rowNamed({ rows }: Report, scenario: string, workload: string): Row | undefined {
  return rows.find((row) => row.scenario === scenario && row.workload === workload)
}
