import { shortField } from '../notation.js'
import { showBytes, showCount } from '../units.js'
import type { Picture, PlacedTable } from './picture.js'

const WIDTH = 960
const LEFT = 90
const ROW = 18
const GAP = 6
const PLOT = WIDTH - LEFT - 20

/** The same picture as a file of its own, every table with its facts under the pointer. */
export function drawSvg(pictures: readonly Picture[]): string {
  const body: string[] = []
  let y = 24
  for (const picture of pictures) {
    const name = picture.keyspace === '' ? 'default keyspace' : `keyspace ${picture.keyspace}`
    body.push(text(10, y, `${name}, ${showBytes(picture.bytes)}`, 'title'))
    y += 12
    for (const { level, tables } of picture.levels) {
      body.push(text(10, y + ROW - 5, `level ${level}`))
      // Runs of level 0 overlap, so each has a row of its own.
      const rows = level === 0 ? tables.map((table) => [table]) : [tables]
      for (const row of rows) {
        for (const table of row) body.push(rectangle(table, y))
        y += ROW + 2
      }
      y += GAP
    }
    body.push(text(LEFT, y + 10, shortField(picture.start, 40)))
    const end = picture.end === undefined ? '…' : shortField(picture.end, 40)
    body.push(text(LEFT + PLOT, y + 10, end, 'end'))
    y += 44
  }
  const style =
    'text{font:12px system-ui,sans-serif;fill:#333}.title{font-weight:600}.end{text-anchor:end}rect{stroke:#fff;fill:#5b7f95}'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}">`,
    `<style>${style}</style><rect width="${WIDTH}" height="${y}" style="fill:#fff"/>`,
    ...body,
    '</svg>\n',
  ].join('\n')
}

function rectangle({ meta, from, to, deadShare }: PlacedTable, y: number): string {
  const x = LEFT + from * PLOT
  const width = Math.max(2, (to - from) * PLOT)
  const dead = deadShare > 0 ? `, ${Math.round(deadShare * 100)} % deletions` : ''
  const facts = `table ${meta.number}: ${showBytes(meta.bytes)}, ${showCount(meta.entryCount)} entries${dead}`
  // The more of it is deletions, the redder.
  const fill = deadShare > 0 ? ` style="fill:hsl(${Math.round(203 - 190 * Math.min(1, deadShare))} 35% 50%)"` : ''
  return `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW}"${fill}><title>${escaped(facts)}</title></rect>`
}

function text(x: number, y: number, content: string, kind = ''): string {
  return `<text x="${x}" y="${y}"${kind === '' ? '' : ` class="${kind}"`}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
