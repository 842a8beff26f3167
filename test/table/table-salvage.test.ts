import { beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoryFileSystem, open } from '../../src/index.js'
import { FOOTER_BYTES } from '../../src/table/footer.js'
import { TableSalvage } from '../../src/table/table-salvage.js'
import { parseStoreFile } from '../../src/tree/file-names.js'

const hashed = vi.hoisted(() => ({ bytes: 0 }))

vi.mock('../../src/bytes/hash.js', async (original) => {
  const hash = await original<typeof import('../../src/bytes/hash.js')>()
  return {
    ...hash,
    blockHash: (bytes: Uint8Array, start: number, end: number, seed: number) => {
      hashed.bytes += end - start
      return hash.blockHash(bytes, start, end, seed)
    },
  }
})

const FREE_BYTES = 64 << 20

beforeEach(() => {
  hashed.bytes = 0
})

interface Made {
  readonly bytes: Uint8Array
  readonly number: number
}

/** A table of three keys, the middle one with a value that somebody else has chosen. */
async function tableWith(value: Uint8Array): Promise<Made> {
  const fs = new MemoryFileSystem()
  const db = await open('/db', { fs, compression: 'none', valueEncoding: 'buffer' })
  await db.put('a', Buffer.from('first'))
  await db.put('comment', Buffer.from(value))
  await db.put('z', Buffer.from('last'))
  await db.flush()
  await db.close()
  const name = fs.listSync('/db').find((each) => each.endsWith('.sst'))!
  const file = fs.openSync(`/db/${name}`, 'read')
  const bytes = new Uint8Array(file.sizeSync())
  file.readSync(bytes, 0, bytes.length, 0)
  return { bytes, number: parseStoreFile(name)!.number }
}

async function salvage({ bytes, number }: Made): Promise<{ salvage: TableSalvage; pauses: number }> {
  let pauses = 0
  const found = await TableSalvage.read(bytes, number, '/db/table', async () => void pauses++)
  return { salvage: found, pauses }
}

/** Bytes of which each could end a block: raw, of a length that leads back as far as it goes, or compressed. */
const VALUES: [string, (bytes: number) => Uint8Array][] = [
  ['zeros', (bytes) => new Uint8Array(bytes)],
  ['ones', (bytes) => new Uint8Array(bytes).fill(1)],
  ['ends of raw blocks', (bytes) => endings(bytes, 0)],
  ['ends of compressed blocks', (bytes) => endings(bytes, 1)],
]

function endings(bytes: number, codec: number): Uint8Array {
  const value = new Uint8Array(bytes)
  const view = new DataView(value.buffer)
  for (let at = 0; at + 9 <= bytes; at += 9) {
    view.setUint32(at, codec === 0 ? at : 60_000, true)
    value[at + 4] = codec
  }
  return value
}

describe('a damaged table', () => {
  it.each(VALUES)('is looked through by its index, whatever a value holds: %s', async (_, chosen) => {
    const made = await tableWith(chosen(1 << 19))
    made.bytes[3] ^= 1
    const { salvage: found } = await salvage(made)
    expect(found.entryCount).toBeGreaterThanOrEqual(1)
    expect(hashed.bytes).toBeLessThan(8 * made.bytes.length)
  })

  it.each(VALUES)('without an index takes time by its bytes, whatever a value holds: %s', async (_, chosen) => {
    for (const size of [1 << 17, 1 << 18]) {
      const made = await tableWith(chosen(size))
      made.bytes[3] ^= 1
      made.bytes.fill(0x33, made.bytes.length - FOOTER_BYTES)
      hashed.bytes = 0
      const { pauses } = await salvage(made)
      expect(hashed.bytes).toBeLessThan(2 * FREE_BYTES + 260 * made.bytes.length)
      expect(pauses).toBeGreaterThan(made.bytes.length / (1 << 16))
    }
  })
})
