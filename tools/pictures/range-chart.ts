import { logarithmicAxis } from './axis.js'
import { Sheet } from './sheet.js'

/** A line of a chart of ranges: values in rising order, the first and the last of which are written beside it. */
export interface RangeRow {
  readonly label: string
  readonly colour: number
  readonly values: readonly number[]
}

/** Rows that are compared with each other, under a heading. */
export interface RangeGroup {
  readonly heading: string
  readonly rows: readonly RangeRow[]
}

const WIDTH = 900
const LEFT = 150
const RIGHT = 40
const TOP = 84
const STEP = 22

/**
 * Groups of rows, each a stroke from its least value to its greatest with a dot at every value, on a logarithmic axis. The first dot is
 * filled; `show` writes a value.
 */
export function rangeChart(
  title: string,
  note: string,
  groups: readonly RangeGroup[],
  show: (value: number) => string,
): string {
  const rows = groups.flatMap((group) => group.rows)
  // Room for what is written at both ends of a row.
  const axis = logarithmicAxis(
    rows.flatMap(({ values }) => values),
    LEFT + 70,
    WIDTH - RIGHT - 70,
  )
  const bottom = TOP + rows.length * STEP + groups.length * (STEP + 6)
  const sheet = new Sheet(title, WIDTH, note)
  for (const mark of axis.marks) {
    sheet.line(axis.at(mark), TOP - 6, axis.at(mark), bottom)
    sheet.text(axis.at(mark), TOP - 12, show(mark).replace(/\.0+(?=\D|$)/, ''), { anchor: 'middle', kind: 'note' })
  }
  let y = TOP
  for (const { heading, rows } of groups) {
    y += 6
    sheet.text(16, y + 16, heading, { kind: 'group' })
    y += STEP
    for (const { label, colour, values } of rows) {
      const middle = y + STEP / 2
      const places = values.map((value) => axis.at(value))
      sheet.text(LEFT - 10, middle + 4, label, { anchor: 'end' })
      sheet.path(
        [places[0]!, places.at(-1)!].map((x) => [x, middle] as const),
        colour,
        3,
      )
      for (const [i, x] of places.entries()) sheet.dot(x, middle, colour, { open: i > 0 })
      sheet.text(places[0]! - 9, middle + 4, show(values[0]!), { anchor: 'end' })
      if (values.length > 1) sheet.text(places.at(-1)! + 9, middle + 4, show(values.at(-1)!))
      y += STEP
    }
  }
  return sheet.render(bottom + 14)
}
