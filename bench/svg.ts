/*
 * Charts as SVG text: horizontal bars and lines on logarithmic axes, because what is compared spans powers of ten.
 */

const FONT = 'font-family="system-ui, sans-serif" font-size="12"'
const INK = '#24292f'
const FAINT = '#d0d7de'
const WIDTH = 860

export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. */
  readonly text: string
  readonly colour: string
  /** A stroke across the bar, where a target is. */
  readonly target?: number
}

/** Bars on a logarithmic axis. `base`, where one is given, is where they begin; otherwise at the left end. */
export function barChart(title: string, note: string, bars: readonly Bar[], base?: number): string {
  const [left, right, top, step] = [300, 110, 64, 22]
  const { low, high } = axis([...bars.flatMap(({ value, target }) => [value, target ?? value]), base ?? bars[0]!.value])
  const x = logarithmic(low, high, left, WIDTH - right)
  const height = top + bars.length * step + 16
  const bottom = top + bars.length * step
  const parts = [...heading(title, note)]
  for (let mark = low; mark <= high; mark *= 10) {
    parts.push(line(x(mark), top - 4, x(mark), bottom, FAINT), text(x(mark), top - 8, short(mark), 'middle'))
  }
  for (const [i, bar] of bars.entries()) {
    const y = top + i * step
    const [from, to] = [x(base ?? low), x(bar.value)].toSorted((a, b) => a - b) as [number, number]
    parts.push(
      text(left - 8, y + 14, bar.label, 'end'),
      `<rect x="${round(from)}" y="${y + 3}" width="${round(Math.max(1, to - from))}" height="${step - 7}" fill="${bar.colour}"/>`,
      text(Math.max(to, x(bar.target ?? base ?? low)) + 6, y + 14, bar.text, 'start'),
    )
    if (bar.target !== undefined) parts.push(line(x(bar.target), y + 1, x(bar.target), y + step - 2, INK, 2))
  }
  if (base !== undefined) parts.push(line(x(base), top - 4, x(base), bottom, INK))
  return svg(title, height, parts)
}

export interface Line {
  readonly label: string
  readonly colour: string
  readonly points: readonly (readonly [number, number])[]
}

/** Lines on logarithmic axes. */
export function lineChart(title: string, note: string, lines: readonly Line[], unit: string): string {
  const [left, right, top, bottom] = [70, 250, 64, 340]
  const points = lines.flatMap((each) => each.points)
  const across = axis(points.map(([key]) => key))
  const up = axis(points.map(([, value]) => value))
  const x = logarithmic(across.low, across.high, left, WIDTH - right)
  const y = logarithmic(up.low, up.high, bottom, top)
  const parts = [...heading(title, note)]
  for (let mark = across.low; mark <= across.high; mark *= 10) {
    parts.push(line(x(mark), top, x(mark), bottom, FAINT), text(x(mark), bottom + 18, short(mark), 'middle'))
  }
  for (let mark = up.low; mark <= up.high; mark *= 10) {
    parts.push(line(left, y(mark), WIDTH - right, y(mark), FAINT))
    parts.push(text(left - 8, y(mark) + 4, `${short(mark)} ${unit}`, 'end'))
  }
  const ends = spread(lines.map(({ points }) => y(points.at(-1)![1]) + 4))
  for (const [i, { label, colour, points }] of lines.entries()) {
    const path = points.map(([key, value]) => `${round(x(key))},${round(y(value))}`)
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`)
    for (const [key, value] of points) {
      parts.push(`<circle cx="${round(x(key))}" cy="${round(y(value))}" r="3" fill="${colour}"/>`)
    }
    parts.push(text(x(points.at(-1)![0]) + 8, ends[i]!, label, 'start', colour))
  }
  return svg(title, bottom + 36, parts)
}

/** Labels that would stand on each other move down. */
function spread(places: readonly number[]): number[] {
  const order = places.map((place, i) => ({ place, i })).toSorted((a, b) => a.place - b.place)
  const moved: number[] = []
  let lowest = Number.NEGATIVE_INFINITY
  for (const { place, i } of order) {
    lowest = Math.max(place, lowest + 14)
    moved[i] = lowest
  }
  return moved
}

/** Whole powers of ten around all values. */
function axis(values: readonly number[]): { low: number; high: number } {
  const positive = values.filter((value) => value > 0)
  const low = 10 ** Math.floor(Math.log10(Math.min(...positive)) + 1e-9)
  const high = 10 ** Math.ceil(Math.log10(Math.max(...positive)) - 1e-9)
  return { low, high: high > low ? high : low * 10 }
}

function logarithmic(low: number, high: number, from: number, to: number): (value: number) => number {
  const scale = (to - from) / Math.log(high / low)
  return (value) => from + Math.log(Math.max(low, value) / low) * scale
}

function heading(title: string, note: string): string[] {
  return [
    `<text x="16" y="24" font-family="system-ui, sans-serif" font-size="15" font-weight="600" fill="${INK}">${escaped(title)}</text>`,
    text(16, 42, note, 'start'),
  ]
}

function text(x: number, y: number, content: string, anchor: string, colour = INK): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" ${FONT} fill="${colour}">${escaped(content)}</text>`
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, width = 1): string {
  const place = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`
  return `<line ${place} stroke="${colour}" stroke-width="${width}"/>`
}

function svg(title: string, height: number, parts: readonly string[]): string {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`
  const ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${[`<title>${escaped(title)}</title>`, ground, ...parts].join('\n')}\n</svg>\n`
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6} M`
  if (value >= 1e3) return `${value / 1e3} k`
  return String(Number(value.toPrecision(3)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
