import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CompressionName } from '../../src/bytes/compression.js'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { KIND_PUT } from '../../src/log/operation.js'
import { BlockCache } from '../../src/table/block-cache.js'
import { Table } from '../../src/table/table.js'
import { TableFiles } from '../../src/table/table-files.js'
import { TableWriter } from '../../src/table/table-writer.js'

export const KEY_BYTES = 16
export const NEWEST = Number.MAX_SAFE_INTEGER

const VALUE_BYTES = 100
const VALUE_COUNT = 10_000

let state = 1

/** From 0 up to, but without, `below`. */
export function random(below: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return (state >>> 8) % below
}

/** Keys of 16 bytes, one behind the other, each `step` above the one before it. */
export function keysOf(count: number, first = 0, step = 7): Uint8Array {
  const keys = new Uint8Array(count * KEY_BYTES)
  for (let i = 0; i < count; i++) {
    keys.set(Buffer.from(String(first + i * step).padStart(KEY_BYTES, '0')), i * KEY_BYTES)
  }
  return keys
}

/** Values of 100 bytes that compress to half. */
function valuesOf(count: number): Uint8Array {
  const values = new Uint8Array(count * VALUE_BYTES)
  for (let i = 0; i < values.length; i++) values[i] = i % 100 < 50 ? random(256) : values[i - 50]!
  return values
}

/** Tables on disk, in a directory that goes with them. */
export class SampleTables {
  private readonly directory = mkdtempSync(join(tmpdir(), 'siltstone-micro-'))
  private readonly files = new TableFiles(diskFileSystem)
  private readonly values = valuesOf(VALUE_COUNT)
  private readonly tables: Table[] = []
  private count = 0

  /** Writes keys that stand one behind the other, in order, and opens what was written. */
  add(keys: Uint8Array, compression: CompressionName = 'lz4', cacheBytes = 1 << 30): Table {
    const number = ++this.count
    const path = join(this.directory, `${number}.table`)
    const file = diskFileSystem.openSync(path, 'create')
    const writer = new TableWriter(file, {
      fileNumber: number,
      blockBytes: 4096,
      restartInterval: 16,
      filterBitsPerKey: 10,
      compression,
      level: 1,
      tree: 1,
      createdAt: 0,
    })
    const { values } = this
    for (let i = 0; i * KEY_BYTES < keys.length; i++) {
      const [key, value] = [i * KEY_BYTES, (i % VALUE_COUNT) * VALUE_BYTES]
      writer.add(keys, key, key + KEY_BYTES, KIND_PUT, i * 130 + number, 0, values, value, value + VALUE_BYTES)
    }
    writer.finish()
    file.closeSync()
    return this.open(path, number, cacheBytes)
  }

  /** Opens the newest table once more, with a cache of its own. */
  again(cacheBytes: number): Table {
    return this.open(join(this.directory, `${this.count}.table`), this.count, cacheBytes)
  }

  close(): void {
    for (const table of this.tables) table.close()
    rmSync(this.directory, { recursive: true })
  }

  private open(path: string, number: number, cacheBytes: number): Table {
    const table = Table.open(this.files, new BlockCache(cacheBytes), path, number)
    this.tables.push(table)
    return table
  }
}
