/*
 * What the parts of a table cost, one by one: `node dist/bench/micro/table.js`. A million keys of 16 bytes with half-compressible
 * values of 100, as everywhere in the measurements. An operation of the scans is a hundred entries.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import b from 'benny'
import { type CompressionName, compressionNamed } from '../../src/bytes/compression.js'
import { Found } from '../../src/bytes/cursor.js'
import { loadHash } from '../../src/bytes/hash.js'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { KIND_PUT } from '../../src/log/operation.js'
import { findInBlock } from '../../src/table/block.js'
import { BlockCache } from '../../src/table/block-cache.js'
import { keyHash } from '../../src/table/filter.js'
import { Table } from '../../src/table/table.js'
import { TableFiles } from '../../src/table/table-files.js'
import { TableWriter } from '../../src/table/table-writer.js'

const KEY_COUNT = 1_000_000
const KEY_BYTES = 16
const VALUE_BYTES = 100
const VALUE_COUNT = 10_000
const NEWEST = Number.MAX_SAFE_INTEGER

let state = 1
function random(below: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return (state >>> 8) % below
}

const keys = new Uint8Array(KEY_COUNT * KEY_BYTES)
for (let i = 0; i < KEY_COUNT; i++) keys.set(Buffer.from(String(i * 7).padStart(KEY_BYTES, '0')), i * KEY_BYTES)
const values = new Uint8Array(VALUE_COUNT * VALUE_BYTES)
for (let i = 0; i < values.length; i++) values[i] = i % 100 < 50 ? random(256) : values[i - 50]!

function writeTable(path: string, compression: CompressionName): void {
  const file = diskFileSystem.openSync(path, 'create')
  const writer = new TableWriter(file, {
    fileNumber: 1,
    blockBytes: 4096,
    restartInterval: 16,
    filterBitsPerKey: 10,
    compression,
    level: 1,
    tree: 1,
    createdAt: 0,
  })
  for (let i = 0; i < KEY_COUNT; i++) {
    const value = (i % VALUE_COUNT) * VALUE_BYTES
    writer.add(keys, i * KEY_BYTES, (i + 1) * KEY_BYTES, KIND_PUT, i * 130 + 1, 0, values, value, value + VALUE_BYTES)
  }
  writer.finish()
  file.closeSync()
}

await loadHash()
const directory = mkdtempSync(join(tmpdir(), 'siltstone-micro-'))
const path = join(directory, 'lz4.table')
writeTable(path, 'lz4')
const files = new TableFiles(diskFileSystem)
const table = Table.open(files, new BlockCache(1 << 30), path, 1)
const squeezed = Table.open(files, new BlockCache(8 << 20), path, 1)

const found = new Found()
function lookup(from: Table): void {
  const key = random(KEY_COUNT) * KEY_BYTES
  from.lookup(keys, key, key + KEY_BYTES, keyHash(keys, key, key + KEY_BYTES), NEWEST, found)
}

const partition = table.partition(0, 'keep')
const block = table.block(partition, 0, 'keep')
const blockEnd = block.entriesEnd + block.restartCount * 4 + 12
const [forwards, backwards] = [table.cursor(NEWEST, 'keep'), table.cursor(NEWEST, 'keep')]

function codec(name: CompressionName) {
  const compression = compressionNamed(name)
  const compressed = compression.compress(block.bytes, 0, blockEnd)!.slice()
  return [
    b.add(`${name}: compress a block of 4 KiB`, () => {
      compression.compress(block.bytes, 0, blockEnd)
    }),
    b.add(`${name}: decompress it`, () => {
      compression.decompress(compressed, 0, compressed.length, blockEnd)
    }),
  ]
}

await b.suite(
  'table',
  b.add('search a block', () => {
    const key = random(30) * KEY_BYTES
    findInBlock(block, keys, key, key + KEY_BYTES, NEWEST, found)
  }),
  b.add('hash a key and ask the filter', () => {
    const key = random(KEY_COUNT) * KEY_BYTES
    table.mayContain(keyHash(keys, key, key + KEY_BYTES))
  }),
  b.add('look up, all cached', () => lookup(table)),
  b.add('look up, cache of 8 MiB', () => lookup(squeezed)),
  b.add('scan 100 entries forwards', () => {
    for (let i = 0; i < 100; i++) forwards.valid ? forwards.next() : forwards.seekToFirst()
  }),
  b.add('scan 100 entries backwards', () => {
    for (let i = 0; i < 100; i++) backwards.valid ? backwards.prev() : backwards.seekToLast()
  }),
  ...codec('lz4'),
  ...codec('deflate'),
  b.cycle(),
)
table.close()
squeezed.close()
rmSync(directory, { recursive: true })
