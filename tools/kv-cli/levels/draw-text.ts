import { shortField } from '../notation.js'
import { showBytes, showCount } from '../units.js'
import type { Picture, PictureLevel, PlacedTable } from './picture.js'

/*
 * A row is a line of keys, first to last. A cell is one of
 *
 *   █  covered by one table      ▓  by several, which only level 0 has
 *   ▒  by tables of which a third or more are deletions
 *   │  where one table ends and the next begins
 */

const MOST_ROWS_OF_LEVEL_0 = 8

export function drawText(picture: Picture, columns: number): string[] {
  const width = Math.max(20, columns - 12)
  const name = picture.keyspace === '' ? 'the default keyspace' : `keyspace ${picture.keyspace}`
  if (picture.levels.length === 0) return [`${name}: no tables; what was written is in the log`]
  const lines = [`${name}: ${showBytes(picture.bytes)}`]
  for (const level of picture.levels) {
    const { tables, bytes, entries, tombstones } = level
    const counts = `${showCount(tables.length)} ${tables.length === 1 ? 'table' : 'tables'}, ${showBytes(bytes)}`
    const dead = tombstones === 0 ? '' : `, ${showCount(tombstones)} tombstones`
    lines.push(`  level ${level.level}  ${counts}, ${showCount(entries)} entries${dead}`)
    for (const row of rowsOf(level)) lines.push(`           ${cellsOf(row, width)}`)
  }
  const last = picture.end === undefined ? '…' : shortField(picture.end, 30)
  const first = shortField(picture.start, 30)
  lines.push(`           ${first}${' '.repeat(Math.max(1, width - first.length - last.length))}${last}`)
  return lines
}

/** Each run of level 0 is a row, as far as there is room; every other level is one. */
function rowsOf({ level, tables }: PictureLevel): PlacedTable[][] {
  if (level > 0) return [[...tables]]
  const rows = tables.slice(0, MOST_ROWS_OF_LEVEL_0).map((table) => [table])
  rows.at(-1)!.push(...tables.slice(MOST_ROWS_OF_LEVEL_0))
  return rows
}

function cellsOf(tables: readonly PlacedTable[], width: number): string {
  const cells = new Array<string>(width).fill(' ')
  for (const { from, to, deadShare } of tables) {
    const first = Math.min(width - 1, Math.floor(from * width))
    const end = Math.max(first + 1, Math.ceil(to * width))
    for (let i = first; i < end && i < width; i++) {
      if (i === first && i > 0 && cells[i - 1] !== ' ' && end - first > 1) cells[i] = '│'
      else cells[i] = deadShare >= 1 / 3 ? '▒' : cells[i] === ' ' || cells[i] === '│' ? '█' : '▓'
    }
  }
  return cells.join('').trimEnd()
}
