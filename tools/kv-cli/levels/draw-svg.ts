import { Sheet } from '../../pictures/sheet.js'
import { shortField } from '../notation.js'
import { showBytes, showCount } from '../units.js'
import type { Picture, PlacedTable } from './picture.js'

const WIDTH = 960
const LEFT = 90
const ROW = 18
const GAP = 6
const PLOT = WIDTH - LEFT - 20
const TABLE_COLOUR = 1

/** The same picture as a file of its own, every table with its facts under the pointer. */
export function drawSvg(pictures: readonly Picture[]): string {
  const sheet = new Sheet('Levels', WIDTH)
  let y = 56
  for (const picture of pictures) {
    const name = picture.keyspace === '' ? 'default keyspace' : `keyspace ${picture.keyspace}`
    sheet.text(16, y, `${name}, ${showBytes(picture.bytes)}`, { kind: 'group' })
    y += 12
    for (const { level, tables } of picture.levels) {
      sheet.text(16, y + ROW - 5, `level ${level}`)
      // Runs of level 0 overlap, so each has a row of its own.
      const rows = level === 0 ? tables.map((table) => [table]) : [tables]
      for (const row of rows) {
        for (const table of row) drawTable(sheet, table, y)
        y += ROW + 2
      }
      y += GAP
    }
    sheet.text(LEFT, y + 10, shortField(picture.start, 40), { kind: 'note' })
    const end = picture.end === undefined ? '…' : shortField(picture.end, 40)
    sheet.text(LEFT + PLOT, y + 10, end, { anchor: 'end', kind: 'note' })
    y += 44
  }
  return sheet.render(y)
}

function drawTable(sheet: Sheet, { meta, from, to, deadShare }: PlacedTable, y: number): void {
  const x = LEFT + from * PLOT
  // A gap of one between neighbours, so that each can be told apart.
  const width = Math.max(2, (to - from) * PLOT - 1)
  const dead = deadShare > 0 ? `, ${Math.round(deadShare * 100)} % deletions` : ''
  const facts = `table ${meta.number}: ${showBytes(meta.bytes)}, ${showCount(meta.entryCount)} entries${dead}`
  // The more of it is deletions, the redder.
  const style = deadShare > 0 ? `fill:hsl(${Math.round(203 - 190 * Math.min(1, deadShare))} 55% 50%)` : undefined
  sheet.box({ x, y, width, height: ROW }, TABLE_COLOUR, style === undefined ? { facts } : { facts, style })
}
