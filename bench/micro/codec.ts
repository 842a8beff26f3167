/*
 * What compressing costs and saves, for a block of 4 KiB with half-compressible values. The baseline is a copy of it.
 */
import b from 'benny'
import { type CompressionName, compressionNamed } from '../../src/bytes/compression.js'
import { keysOf, SampleTables } from './sample-table.js'
import type { Suites } from './suites.js'

const NAMES: readonly CompressionName[] = ['lz4', 'deflate']

export const suites: Suites = async function* () {
  const tables = new SampleTables()
  const table = tables.add(keysOf(1000))
  const block = table.block(table.partition(0, 'keep'), 0, 'keep')
  // Its entries and the offsets behind them; a few bytes more or less make no difference.
  const raw = block.bytes.slice(0, block.entriesEnd + block.restartCount * 4)
  const target = new Uint8Array(raw.length)
  const codecs = NAMES.map((name) => {
    const compression = compressionNamed(name)
    return { name, compression, compressed: compression.compress(raw, 0, raw.length)!.slice() }
  })
  const percent = (compressed: Uint8Array): string => `${Math.round((compressed.length * 100) / raw.length)} %`

  yield await b.suite(
    'compress a block of 4 KiB',
    b.add('copy', () => target.set(raw)),
    ...codecs.map(({ name, compression, compressed }) =>
      b.add(`${name}, to ${percent(compressed)}`, () => {
        compression.compress(raw, 0, raw.length)
      }),
    ),
    b.cycle(),
  )
  yield await b.suite(
    'decompress a block of 4 KiB',
    b.add('copy', () => target.set(raw)),
    ...codecs.map(({ name, compression, compressed }) =>
      b.add(name, () => {
        compression.decompress(compressed, 0, compressed.length, raw.length, () => target)
      }),
    ),
    b.cycle(),
  )
  tables.close()
}
