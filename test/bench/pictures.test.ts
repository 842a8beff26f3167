import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linearAxis, logarithmicAxis, markText } from '../../tools/pictures/axis.js'
import { barChart } from '../../tools/pictures/bar-chart.js'
import { lineChart } from '../../tools/pictures/line-chart.js'
import { rangeChart } from '../../tools/pictures/range-chart.js'
import { Sheet } from '../../tools/pictures/sheet.js'

/** A one, a two or a five with zeros before or behind it. */
function isRound(value: number): boolean {
  return value === 0 || /^[125]$/.test(Math.abs(value).toExponential().split('e')[0]!)
}

function places(svg: string, kind: string): { y: number; text: string }[] {
  const found = svg.matchAll(new RegExp(`<text x="[^"]+" y="([^"]+)"[^>]*${kind}[^>]*>([^<]*)<`, 'g'))
  return [...found].map(([, y, text]) => ({ y: Number(y), text: text! }))
}

describe('an axis', () => {
  const values = fc.array(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 20 })

  it('has round numbers around all values, few enough to read', () => {
    fc.assert(
      fc.property(values, (all) => {
        const { marks, at } = logarithmicAxis(all, 0, 100)
        expect(marks.every(isRound)).toBe(true)
        expect(marks.length).toBeGreaterThanOrEqual(2)
        expect(marks[0]!).toBeLessThanOrEqual(Math.min(...all) * (1 + 1e-9))
        expect(marks.at(-1)!).toBeGreaterThanOrEqual(Math.max(...all) * (1 - 1e-9))
        for (const value of all) expect(at(value)).toSatisfy((place: number) => place >= -1e-6 && place <= 100 + 1e-6)
      }),
    )
  })

  it('steps by a round number where it is linear', () => {
    fc.assert(
      fc.property(values, (all) => {
        const { marks, at } = linearAxis(all, 0, 100)
        expect(marks.length).toBeLessThanOrEqual(8)
        const step = marks[1]! - marks[0]!
        expect(isRound(Number(step.toPrecision(6)))).toBe(true)
        for (const value of all) expect(at(value)).toSatisfy((place: number) => place >= -1e-6 && place <= 100 + 1e-6)
      }),
    )
  })

  it('has a number for a single value', () => {
    expect(linearAxis([1], 0, 10).marks.length).toBeGreaterThan(1)
    expect(logarithmicAxis([1], 0, 10).marks).toEqual([1, 2])
  })

  it('writes thousands short', () => {
    expect([0.001, 0.5, 20, 5000, 2e6].map(markText)).toEqual(['0.001', '0.5', '20', '5 k', '2 M'])
  })
})

describe('a picture', () => {
  it('has colours for a light and a dark ground', () => {
    const svg = new Sheet('Title', 100, 'note').render(50)
    expect(svg).toContain('@media (prefers-color-scheme:dark)')
    expect(svg).toContain('<rect width="100%" height="100%" class="ground"/>')
  })

  it('escapes what it is given', () => {
    const sheet = new Sheet('<b>&"', 100)
    sheet.text(0, 0, '</text><script>')
    sheet.box({ x: 0, y: 0, width: 1, height: 1 }, 0, { facts: '<i>' })
    expect(sheet.render(10)).not.toMatch(/<script>|<b>|<i>/)
  })

  it('of lines keeps their names apart, inside the sheet', () => {
    const lines = Array.from({ length: 7 }, (_, colour) => ({
      label: `line ${colour}`,
      colour,
      points: [1, 10, 100].map((key): [number, number] => [key, 1 + colour / 1000]),
    }))
    const svg = lineChart('t', '', lines, { across: 'keys', unit: 'us', upward: 'linear' })
    const names = places(svg, '').filter(({ text }) => text.startsWith('line '))
    const heights = names.map(({ y }) => y).toSorted((a, b) => a - b)
    expect(names).toHaveLength(7)
    for (let i = 1; i < heights.length; i++) expect(heights[i]! - heights[i - 1]!).toBeGreaterThanOrEqual(16)
    expect(heights.at(-1)!).toBeLessThan(Number(/height="(\d+)/.exec(svg)![1]))
  })

  it('of bars and ranges has a heading for each group', () => {
    const bars = [{ label: 'a', value: 10, text: '10', colour: 0 }]
    const groups = ['one', 'two'].map((heading) => ({ heading, bars }))
    expect(places(barChart('t', '', groups), 'group').map(({ text }) => text)).toEqual(['one', 'two'])
    const ranges = [{ heading: 'put', rows: [{ label: 'a', colour: 0, values: [1, 2, 30] }] }]
    expect(places(rangeChart('t', '', ranges, String), 'group').map(({ text }) => text)).toEqual(['put'])
  })

  it('in the docs is of this style, or what a terminal shows', () => {
    for (const folder of ['docs/benchmarks', 'docs/guide/images']) {
      for (const name of readdirSync(folder)) {
        const svg = readFileSync(join(folder, name), 'utf8')
        expect(svg, name).toMatch(/prefers-color-scheme:dark|font-family="ui-monospace/)
      }
    }
  })
})
