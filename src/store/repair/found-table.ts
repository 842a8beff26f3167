import { compressionNamed } from '../../bytes/compression.js'
import type { FileNumber } from '../../bytes/units.js'
import type { FileSystem } from '../../fs/file-system.js'
import { BlockCache } from '../../table/block-cache.js'
import type { TableProperties } from '../../table/properties.js'
import { Table } from '../../table/table.js'
import type { AuditFinding } from '../../table/table-audit.js'
import { TableFiles } from '../../table/table-files.js'
import { TableSalvage } from '../../table/table-salvage.js'
import { tableName } from '../../tree/file-names.js'
import { readOrigin, type TableOrigin } from '../../tree/table-origin.js'
import type { Turn } from '../turn.js'
import { isDamage, readableBytes } from './readable-bytes.js'

/** A table that is there, and what is left of it. */
export interface FoundTable {
  readonly number: FileNumber
  readonly file: string
  readonly path: string
  readonly bytes: number
  /** Absent where they are damaged. */
  readonly properties: TableProperties | undefined
  readonly origin: TableOrigin
  /** The first thing that is wrong with it; absent where it is whole. */
  readonly damage: AuditFinding | undefined
  /** How much of a damaged one can be read. */
  readonly rest?: TableRest
}

export interface TableRest {
  readonly blocks: number
  readonly entries: number
  readonly rangeTombstones: number
}

/** Reads a whole table and judges it. */
export async function findTable(
  fs: FileSystem,
  directory: string,
  number: FileNumber,
  turn: Turn,
): Promise<FoundTable> {
  const file = tableName(number)
  const path = `${directory}/${file}`
  const bytes = fs.statusSync(path)?.bytes ?? 0
  const { properties, damage } = await auditOf(fs, path, number, turn)
  if (damage === undefined) return { number, file, path, bytes, properties, origin: originOf(properties), damage }
  const salvage = await salvageOf(fs, { path, number }, turn)
  const { blockCount: blocks, entryCount: entries, rangeTombstones } = salvage
  const rest = { blocks, entries, rangeTombstones: rangeTombstones.size }
  const found = salvage.properties ?? properties
  return { number, file, path, bytes, properties: found, origin: originOf(found), damage, rest }
}

/** What can be read of a damaged table. */
export function salvageOf(
  fs: FileSystem,
  { path, number }: { path: string; number: FileNumber },
  turn: Turn,
): Promise<TableSalvage> {
  return TableSalvage.read(readableBytes(fs, path), number, path, () => turn.breathe())
}

function originOf(properties: TableProperties | undefined): TableOrigin {
  return properties === undefined ? {} : readOrigin(properties)
}

async function auditOf(
  fs: FileSystem,
  path: string,
  number: FileNumber,
  turn: Turn,
): Promise<{ properties?: TableProperties; damage: AuditFinding | undefined }> {
  let table: Table
  try {
    table = Table.open(new TableFiles(fs, { maxOpenFiles: 1 }), new BlockCache(0), path, number)
  } catch (error) {
    if (!isDamage(error)) throw error
    const { message: problem, offset } = error
    return { damage: { file: path, problem, ...(offset === undefined ? {} : { offset }) } }
  }
  try {
    const { properties } = table
    // A table that only this Node cannot read is not damaged: says so.
    compressionNamed(properties.compression)
    const audit = table.verifySteps()
    for (;;) {
      const step = audit.next()
      if (step.done === true) return { properties, damage: step.value[0] }
      if (turn.isDue()) await turn.next()
    }
  } finally {
    table.close()
  }
}
