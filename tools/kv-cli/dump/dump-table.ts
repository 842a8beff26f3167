import { loadHash } from '../../../src/bytes/hash.js'
import type { FileNumber } from '../../../src/bytes/units.js'
import { KIND_DELETE, KIND_PUT_EXPIRING } from '../../../src/log/operation.js'
import { BlockCache } from '../../../src/table/block-cache.js'
import { Table } from '../../../src/table/table.js'
import { TableFiles } from '../../../src/table/table-files.js'
import { jsonField } from '../notation.js'
import { unlockedDisk } from '../unlocked-disk.js'
import type { DumpedRecord } from './dumped-record.js'

/** The properties of a table, its range tombstones, and every version of every key in it. */
export async function* dumpTable(path: string, number: FileNumber): AsyncGenerator<DumpedRecord> {
  await loadHash()
  const table = Table.open(new TableFiles(unlockedDisk), new BlockCache(0), path, number)
  try {
    yield { record: 'properties', ...propertiesOf(table) }
    const { rangeTombstones } = table
    for (let i = 0; i < rangeTombstones.size; i++) {
      const end = rangeTombstones.fragmentEnd(i)
      yield {
        record: 'clear',
        gte: jsonField(rangeTombstones.fragmentStart(i), 'text'),
        lt: end === undefined ? null : jsonField(end, 'text'),
        positions: rangeTombstones.fragmentPositions(i),
      }
    }
    const cursor = table.versionCursor()
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      const key = jsonField(cursor.keyBytes.subarray(cursor.keyStart, cursor.keyEnd), 'text')
      const { kind, position } = cursor
      if (kind === KIND_DELETE) {
        yield { record: 'del', key, position }
        continue
      }
      const value = jsonField(cursor.valueBytes.subarray(cursor.valueStart, cursor.valueEnd), 'text')
      const expiry = kind === KIND_PUT_EXPIRING ? { expiresAt: cursor.expiresAt } : {}
      yield { record: 'put', key, value, position, ...expiry }
    }
  } finally {
    table.close()
  }
}

function propertiesOf({ properties, fileBytes }: Table): Record<string, unknown> {
  const shown: Record<string, unknown> = { fileBytes }
  for (const [name, value] of Object.entries(properties)) {
    shown[name] = value instanceof Uint8Array ? jsonField(value, 'text') : value
  }
  return shown
}
