import { compareKeys } from '../../src/bytes/compare.js'
import { type Cursor, Found } from '../../src/bytes/cursor.js'
import { loadHash } from '../../src/bytes/hash.js'
import type { RangeTombstones } from '../../src/bytes/range-tombstones.js'
import { KIND_DELETE, KIND_PUT, KIND_PUT_EXPIRING } from '../../src/log/operation.js'
import { BlockCache } from '../../src/table/block-cache.js'
import { keyHash } from '../../src/table/filter.js'
import { Table } from '../../src/table/table.js'
import { TableFiles } from '../../src/table/table-files.js'
import { type TableSummary, TableWriter, type TableWriterOptions } from '../../src/table/table-writer.js'
import type { SeededRandom } from './random.js'
import { TestFiles } from './test-files.js'

await loadHash()

/** What a table holds, as a test thinks of it. */
export interface Entry {
  key: Uint8Array
  kind: number
  position: number
  expiresAt: number
  value: Uint8Array
}

export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
export const bytes = (string: string): Uint8Array => new Uint8Array(Buffer.from(string, 'latin1'))

export function put(key: Uint8Array | string, position: number, value: Uint8Array | string = ''): Entry {
  return {
    key: typeof key === 'string' ? bytes(key) : key,
    kind: KIND_PUT,
    position,
    expiresAt: 0,
    value: typeof value === 'string' ? bytes(value) : value,
  }
}

/** Keys ascending, the versions of a key newest first: the order in which a table is written. */
export function inOrder(entries: Entry[]): Entry[] {
  return entries.toSorted((a, b) => compareKeys(a.key, b.key) || b.position - a.position)
}

/** Entries with keys of all shapes, several versions of some of them, every kind, and no position twice. */
export function randomEntries(random: SeededRandom, keyCount: number): Entry[] {
  const entries: Entry[] = []
  const seen = new Set<string>()
  const longHead = random.bytes(300)
  let position = 1
  for (let i = 0; i < keyCount; i++) {
    const shape = random.integer(0, 3)
    const key =
      shape === 0
        ? random.bytes(random.integer(0, 6))
        : shape === 1
          ? bytes(`user:${String(random.integer(0, keyCount * 4)).padStart(9, '0')}`)
          : shape === 2
            ? Uint8Array.of(...longHead, ...random.bytes(random.integer(0, 3)))
            : new Uint8Array(random.integer(0, 200)).fill(0xff)
    if (seen.has(text(key))) continue
    seen.add(text(key))
    for (let versions = random.integer(0, 9) === 0 ? random.integer(2, 40) : 1; versions > 0; versions--) {
      const kind = random.pick([KIND_PUT, KIND_PUT, KIND_PUT_EXPIRING, KIND_DELETE])
      position += random.integer(1, random.integer(0, 20) === 0 ? 2 ** 33 : 200)
      entries.push({
        key,
        kind,
        position,
        expiresAt: kind === KIND_PUT_EXPIRING ? random.integer(1, 2 ** 42) : 0,
        value: kind === KIND_DELETE ? new Uint8Array(0) : random.bytes(random.pick([0, 1, 30, 127, 128, 300])),
      })
    }
  }
  // Positions are handed out anew, so that they do not ascend with the keys.
  const positions = entries.map((entry) => entry.position)
  for (const entry of entries) entry.position = positions.splice(random.integer(0, positions.length - 1), 1)[0]!
  return inOrder(entries)
}

export const DEFAULTS: TableWriterOptions = {
  fileNumber: 7,
  blockBytes: 512,
  restartInterval: 16,
  filterBitsPerKey: 10,
  compression: 'lz4',
  level: 1,
  tree: 3,
  createdAt: 1_700_000_000_000,
  origin: { inputs: [1, 2] },
}

export function writeTable(
  files: TestFiles,
  entries: readonly Entry[],
  options: Partial<TableWriterOptions> = {},
  tombstones?: RangeTombstones,
): TableSummary {
  const merged = { ...DEFAULTS, ...options }
  const file = files.openSync(`${merged.fileNumber}.table`, 'create')
  const writer = new TableWriter(file, merged)
  for (const { key, kind, position, expiresAt, value } of entries) {
    writer.add(key, 0, key.length, kind, position, expiresAt, value, 0, value.length)
  }
  if (tombstones !== undefined) writer.addRangeTombstones(tombstones)
  const summary = writer.finish()
  file.closeSync()
  return summary
}

export interface Opened {
  files: TestFiles
  cache: BlockCache
  table: Table
}

export function openTable(
  files: TestFiles,
  { cacheBytes = 1 << 20, fileNumber = 7, cache = new BlockCache(cacheBytes, files.now) } = {},
): Opened {
  const table = Table.open(new TableFiles(files.asFileSystem()), cache, `${fileNumber}.table`, fileNumber)
  return { files, cache, table }
}

/** Writes entries and opens what was written. */
export function tableOf(
  entries: readonly Entry[],
  options: Partial<TableWriterOptions> = {},
  tombstones?: RangeTombstones,
): Opened {
  const files = new TestFiles()
  writeTable(files, entries, options, tombstones)
  return openTable(files)
}

/** What a lookup answers. */
export function find(table: Table, key: Uint8Array, limit = Number.MAX_SAFE_INTEGER): Entry | undefined {
  const found = new Found()
  if (!table.lookup(key, 0, key.length, keyHash(key, 0, key.length), limit, found)) return undefined
  const { kind, position, expiresAt } = found
  return { key, kind, position, expiresAt, value: found.bytes.slice(found.start, found.end) }
}

/** What a cursor stands on. */
export function current(cursor: Cursor): Entry | undefined {
  if (!cursor.valid) return undefined
  const { kind, position, expiresAt } = cursor
  return {
    key: cursor.keyBytes.slice(cursor.keyStart, cursor.keyEnd),
    kind,
    position,
    expiresAt,
    value: cursor.valueBytes.slice(cursor.valueStart, cursor.valueEnd),
  }
}
