import { logarithmicAxis, markText } from './axis.js'
import { Sheet } from './sheet.js'

/** A bar of a chart. */
export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. */
  readonly text: string
  readonly colour: number
  /** A stroke across the bar, where a target is. */
  readonly target?: number
}

/** Bars that belong together, under a heading. */
export interface BarGroup {
  readonly heading: string
  readonly bars: readonly Bar[]
}

const WIDTH = 900
const LEFT = 270
const RIGHT = 130
const TOP = 84
const STEP = 22

/** Groups of bars on a logarithmic axis. They begin at `base`, or at the left end where none is given. */
export function barChart(title: string, note: string, groups: readonly BarGroup[], base?: number): string {
  const bars = groups.flatMap((group) => group.bars)
  const values = bars.flatMap(({ value, target }) => [value, target ?? value])
  const axis = logarithmicAxis([...values, base ?? bars[0]!.value], LEFT, WIDTH - RIGHT)
  const start = axis.at(base ?? axis.marks[0]!)
  const bottom = TOP + (bars.length + groups.length) * STEP
  const sheet = new Sheet(title, WIDTH, note)
  for (const mark of axis.marks) {
    sheet.line(axis.at(mark), TOP - 6, axis.at(mark), bottom)
    sheet.text(axis.at(mark), TOP - 12, markText(mark), { anchor: 'middle', kind: 'note' })
  }
  let y = TOP
  for (const { heading, bars } of groups) {
    sheet.text(16, y + 16, heading, { kind: 'group' })
    y += STEP
    for (const bar of bars) {
      const end = axis.at(bar.value)
      const [from, to] = start < end ? [start, end] : [end, start]
      sheet.text(LEFT - 10, y + 15, bar.label, { anchor: 'end' })
      sheet.box({ x: from, y: y + 4, width: Math.max(1, to - from), height: STEP - 8 }, bar.colour)
      const target = bar.target === undefined ? undefined : axis.at(bar.target)
      if (target !== undefined) sheet.line(target, y + 1, target, y + STEP - 1, 'ink', 2)
      sheet.text(Math.max(to, target ?? 0) + 7, y + 15, bar.text)
      y += STEP
    }
  }
  if (base !== undefined) sheet.line(start, TOP - 6, start, bottom, 'ink')
  return sheet.render(bottom + 14)
}
