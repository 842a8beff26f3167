import type { Database } from '../../store/database.js'
import { LEVEL_COUNT, type TableMeta } from '../../tree/table-meta.js'

/*
 * The properties of LevelDB, in LevelDB's own words, of the keyspace that Level sees.
 *
 *   leveldb.num-files-at-level<N>      how many tables a level has
 *   leveldb.stats                      a line per level that has tables
 *   leveldb.sstables                   a line per table: file number, bytes and key range
 *   leveldb.approximate-memory-usage   bytes of memtables and cache
 */

const FILES_AT_LEVEL = /^num-files-at-level(\d+)$/
const MIB = 1024 * 1024

/** What LevelDB would answer; of what it does not know, an empty text. */
export function levelProperty(database: Database<Buffer, Buffer>, property: string): string {
  if (!property.startsWith('leveldb.')) return ''
  const name = property.slice('leveldb.'.length)
  const files = FILES_AT_LEVEL.exec(name)
  if (files !== null) return levelsOf(database)[Number(files[1])]?.length.toString() ?? ''
  if (name === 'stats') return statsOf(database)
  if (name === 'sstables') return tablesOf(database)
  if (name === 'approximate-memory-usage') return memoryOf(database).toString()
  return ''
}

function levelsOf(database: Database<Buffer, Buffer>): readonly (readonly TableMeta[])[] {
  return database.state.tree?.version.metas() ?? Array.from({ length: LEVEL_COUNT }, () => [])
}

/** LevelDB counts time and traffic per level; here they are counted as a whole, and stand with the store's own statistics. */
function statsOf(database: Database<Buffer, Buffer>): string {
  const rows = levelsOf(database).flatMap((tables, level) => {
    if (tables.length === 0) return []
    const mib = tables.reduce((sum, { bytes }) => sum + bytes, 0) / MIB
    return [`${level.toString().padStart(3)} ${tables.length.toString().padStart(8)} ${mib.toFixed(0).padStart(8)}`]
  })
  const heading = ['         Tables', 'Level  Files Size(MB)', '---------------------']
  return `${[...heading, ...rows].join('\n')}\n`
}

function tablesOf(database: Database<Buffer, Buffer>): string {
  const lines = levelsOf(database).flatMap((tables, level) => [
    `--- level ${level} ---`,
    ...tables.map(({ number, bytes, start, end }) => ` ${number}:${bytes}['${text(start)}' .. '${text(end)}']`),
  ])
  return `${lines.join('\n')}\n`
}

/** Without the zero byte that makes the end of a range of the last key in it; `undefined` is the end of all keys. */
function text(key: Uint8Array | undefined): string {
  if (key === undefined) return ''
  return Buffer.from(key.at(-1) === 0 ? key.subarray(0, -1) : key).toString()
}

function memoryOf(database: Database<Buffer, Buffer>): number {
  const { segments, indexes, cache } = database.stats().memory
  return segments + indexes + cache
}
