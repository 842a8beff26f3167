import { type Axis, linearAxis, logarithmicAxis, markText } from './axis.js'
import { Sheet } from './sheet.js'

/** A line of a chart. */
export interface Line {
  readonly label: string
  readonly colour: number
  readonly points: readonly (readonly [number, number])[]
}

/** What the axes of a line chart say. */
export interface LineAxes {
  readonly across: string
  /** Unit of the upward axis, after each of its numbers. */
  readonly unit: string
  readonly upward: 'linear' | 'logarithmic'
  /** A value that the upward axis has to show. */
  readonly include?: number
}

const WIDTH = 900
const LEFT = 76
const RIGHT = 200
const TOP = 70
const BOTTOM = 360

/** Lines over a logarithmic axis, each named at its end. */
export function lineChart(title: string, note: string, lines: readonly Line[], axes: LineAxes): string {
  const points = lines.flatMap((each) => each.points)
  const keys = [...new Set(points.map(([key]) => key))].toSorted((a, b) => a - b)
  const values = [...points.map(([, value]) => value), ...(axes.include === undefined ? [] : [axes.include])]
  const across = logarithmicBetween(keys, LEFT, WIDTH - RIGHT)
  const upward = (axes.upward === 'linear' ? linearAxis : logarithmicAxis)(values, BOTTOM, TOP)
  const sheet = new Sheet(title, WIDTH, note)
  for (const mark of upward.marks) {
    sheet.line(LEFT, upward.at(mark), WIDTH - RIGHT, upward.at(mark))
    const unit = axes.unit === '' ? '' : ` ${axes.unit}`
    sheet.text(LEFT - 10, upward.at(mark) + 4, `${markText(mark)}${unit}`, { anchor: 'end', kind: 'note' })
  }
  for (const mark of across.marks) {
    sheet.line(across.at(mark), BOTTOM, across.at(mark), BOTTOM + 5)
    sheet.text(across.at(mark), BOTTOM + 20, markText(mark), { anchor: 'middle', kind: 'note' })
  }
  sheet.text((LEFT + WIDTH - RIGHT) / 2, BOTTOM + 42, axes.across, { anchor: 'middle', kind: 'note' })
  for (const { colour, points } of lines) {
    const places = points.map(([key, value]) => [across.at(key), upward.at(value)] as const)
    sheet.path(places, colour)
    for (const [x, y] of places) sheet.dot(x, y, colour, { radius: 3 })
  }
  // All names stand right of the plot, where no line runs; a dotted stroke leads to a line that ends before.
  const heights = spread(lines.map(({ points }) => upward.at(points.at(-1)![1])))
  for (const [i, { label, colour, points }] of lines.entries()) {
    const [key, value] = points.at(-1)!
    const end = WIDTH - RIGHT
    const y = heights[i]!
    if (across.at(key) < end - 1) sheet.leader(across.at(key) + 8, upward.at(value), end + 6, y)
    sheet.dot(end + 14, y, colour, { radius: 4 })
    sheet.text(end + 24, y + 4, label)
  }
  return sheet.render(BOTTOM + 58)
}

/** From the first key to the last, with a mark at each. */
function logarithmicBetween(keys: readonly number[], from: number, to: number): Axis {
  const [first, last] = [Math.log(keys[0]!), Math.log(keys.at(-1)!)]
  const scale = last === first ? 0 : (to - from) / (last - first)
  return { marks: keys, at: (key) => from + (Math.log(key) - first) * scale }
}

/** Names that would stand on each other move down, and all of them up where the last would leave the plot. */
function spread(places: readonly number[]): number[] {
  const step = 17
  const order = places.map((place, i) => ({ place, i })).toSorted((a, b) => a.place - b.place)
  const moved: number[] = []
  let lowest = Number.NEGATIVE_INFINITY
  for (const { place, i } of order) {
    lowest = Math.max(place, lowest + step)
    moved[i] = lowest
  }
  let highest = BOTTOM
  for (const { i } of order.toReversed()) {
    moved[i] = Math.min(moved[i]!, highest)
    highest = moved[i]! - step
  }
  return moved
}
