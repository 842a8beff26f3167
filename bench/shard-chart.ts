/** One line of a chart: a value for each place on its axis. */
export interface Series {
  readonly name: string
  readonly values: readonly number[]
}

const WIDTH = 760
const HEIGHT = 360
const LEFT = 56
const TOP = 44
const PLOT_WIDTH = 520
const PLOT_HEIGHT = 260
// Told apart by people who see few colours, on a light and on a dark ground.
const COLOURS = ['#e69f00', '#0072b2', '#56b4e9', '#009e73', '#cc79a7', '#d55e00']

/** A line chart over numbers of shards, as SVG. */
export function chart(title: string, counts: readonly number[], series: readonly Series[], keys: number): string {
  const all = series.flatMap(({ values }) => values)
  const low = Math.min(0, ...all) || Math.min(...all) * 0.98
  const floor = Math.min(...all) > 0.5 && Math.max(...all) < 3 ? low : 0
  const high = Math.max(...all) * 1.02
  const x = (i: number): number => LEFT + (i / (counts.length - 1)) * PLOT_WIDTH
  const y = (value: number): number => TOP + PLOT_HEIGHT * (1 - (value - floor) / (high - floor))
  const text = (at: readonly [number, number], content: string, extra = ''): string =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${extra}>${content}</text>`
  const ticks = Array.from({ length: 6 }, (_, i) => floor + ((high - floor) * i) / 5)
  const digits = high < 3 ? 2 : 0
  const parts = [
    text([LEFT, 22], title, 'font-weight="bold"'),
    ...ticks.map((tick) => `<path d="M${LEFT} ${y(tick).toFixed(1)}h${PLOT_WIDTH}" stroke="#8884"/>`),
    ...ticks.map((tick) => text([LEFT - 8, y(tick) + 4], tick.toFixed(digits), 'text-anchor="end"')),
    ...counts.map((count, i) => text([x(i), TOP + PLOT_HEIGHT + 20], String(count), 'text-anchor="middle"')),
    text(
      [LEFT + PLOT_WIDTH / 2, TOP + PLOT_HEIGHT + 42],
      `shards (${keys.toLocaleString('en')} keys)`,
      'text-anchor="middle"',
    ),
    ...series.map(({ values }, i) => {
      const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
      return `<polyline points="${points}" fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2"/>`
    }),
    ...series.map(({ name }, i) => {
      const at = TOP + 14 + i * 22
      const line = `<path d="M${LEFT + PLOT_WIDTH + 20} ${at - 4}h20" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2"/>`
      return line + text([LEFT + PLOT_WIDTH + 46, at], name)
    }),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="#777">\n${parts.join('\n')}\n</svg>\n`
}
