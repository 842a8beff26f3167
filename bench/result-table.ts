import { figure, ratioFigure } from './figure.js'
import type { Cell, Report, Row } from './report.js'

/*
 * A report as text: one table, and around it what a reader has to know to believe it.
 */

export function printed(report: Report): string {
  return `${[...preamble(report), '', ...table(report), '', ...closing(report)].join('\n')}\n`
}

function preamble({ settings, machine, peers, missing }: Report): string[] {
  const { keys, rounds, keyBytes, valueBytes } = settings
  return [
    `${count(keys)} keys of ${keyBytes} B, values of ${valueBytes} B that compress to half; medians of ${rounds} interleaved rounds`,
    `${machine.processor}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`,
    '',
    ...peers.map(({ name, version, settings }) => `${name} ${version}: ${settings.join(', ')}`),
    ...missing.map(({ peer, scenario, reason }) =>
      scenario === undefined
        ? `${peer} is passed over: ${reason}`
        : `${peer} did not come through '${scenario}': ${reason}`,
    ),
  ]
}

function closing({ rows, settings }: Report): string[] {
  const judged = rows.flatMap(({ cells }) => Object.values(cells)).filter(({ target }) => target !== undefined)
  if (judged.length === 0) return []
  const met = judged.filter(({ target }) => target!.met).length
  const lines = [`${met} of ${judged.length} targets met (✓); ratios are ours to theirs, of medians.`]
  if (settings.keys !== settings.targetKeys) {
    lines.push(
      `The targets are meant for ${count(settings.targetKeys)} keys: with ${count(settings.keys)} they are a hint.`,
    )
  }
  return lines
}

/** Rows under the name of their scenario, and of each peer its median, our ratio to it, and the target. */
function table({ rows, peers }: Report): string[] {
  const [first, ...others] = peers.map(({ name }) => name)
  if (first === undefined) return []
  const lines: string[][] = [
    ['operations a second, or as stated', first, '', ...others.flatMap((name) => [name, 'ratio', 'target'])],
  ]
  let scenario = ''
  for (const row of rows) {
    if (row.scenario !== scenario) lines.push([`${row.scenario} (${row.durability})`])
    scenario = row.scenario
    lines.push([`  ${row.workload}`, ...ownCells(row, first), ...others.flatMap((name) => cells(row, name))])
  }
  return aligned(lines)
}

function ownCells(row: Row, peer: string): string[] {
  const cell = row.cells[peer]
  if (cell === undefined) return ['-', '']
  const { atMost } = cell.target ?? {}
  return [figure(cell.median, row.unit), atMost === undefined ? '' : `≤${figure(atMost, row.unit)} ${mark(cell)}`]
}

function cells(row: Row, peer: string): string[] {
  const cell = row.cells[peer]
  if (cell === undefined) return ['-', '', '']
  return [figure(cell.median, row.unit), cell.ratio === undefined ? '' : ratioFigure(cell.ratio), targetText(cell)]
}

/** `≥2.5 ✓`; empty where there is none. */
export function targetText(cell: Cell): string {
  const { target } = cell
  if (target === undefined) return ''
  return `${target.atLeast === undefined ? `≤${Number(target.atMost?.toFixed(2))}` : `≥${target.atLeast}`} ${mark(cell)}`
}

function mark({ target }: Cell): string {
  return target?.met ? '✓' : '✗'
}

function aligned(lines: readonly string[][]): string[] {
  const widths: number[] = []
  for (const line of lines.filter(({ length }) => length > 1)) {
    for (const [i, text] of line.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length)
  }
  return lines.map((line) =>
    line
      .map((text, i) => (i === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

function count(number: number): string {
  return number.toLocaleString('en')
}
