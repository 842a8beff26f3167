import { compareKeys } from '../bytes/compare.js'
import { isOutOfMemory, SiltstoneError } from '../bytes/errors.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import type { FileNumber } from '../bytes/units.js'
import { DataBlock } from './block.js'
import type { BlockWalk } from './block-walk.js'
import { EntryGroup } from './entry-group.js'
import { envelopeRawBytes, openEnvelope } from './envelope.js'
import { type EnvelopePlace, walkEnvelopes } from './envelope-walk.js'
import { FOOTER_BYTES } from './footer.js'
import { IndexNode, IndexWriter } from './index-node.js'
import { decodeProperties, type TableProperties } from './properties.js'
import { TableCursor } from './table-cursor.js'

/**
 * What can still be read of a damaged table: its sound blocks, under an index of their own. Made from the bytes of the whole
 * file; footer, index and filter are not needed for it.
 */
export class TableSalvage implements BlockWalk {
  /** Absent where they are damaged themselves. */
  readonly properties: TableProperties | undefined
  /** Empty where there are none, and where they are damaged. */
  readonly rangeTombstones: RangeTombstones
  readonly partitionCount: number
  entryCount = 0
  readonly #bytes: Uint8Array
  readonly #fileNumber: FileNumber
  readonly #path: string
  readonly #places: EnvelopePlace[] = []
  readonly #index: IndexNode

  constructor(bytes: Uint8Array, fileNumber: FileNumber, path: string) {
    this.#bytes = bytes
    this.#fileNumber = fileNumber
    this.#path = path
    const index = new IndexWriter()
    const others: EnvelopePlace[] = []
    let lastKey: Uint8Array | undefined
    for (const place of walkEnvelopes(bytes, bytes.length - FOOTER_BYTES, fileNumber)) {
      const block = this.#parse(place, (raw, end) => DataBlock.of(raw, end))
      const ends = block === undefined ? undefined : endsOf(block)
      // What looks like a block of data behind the index would have keys from the start again.
      if (ends === undefined || (lastKey !== undefined && compareKeys(lastKey, ends.first) >= 0)) {
        others.push(place)
        continue
      }
      lastKey = ends.last
      this.entryCount += ends.entryCount
      index.add(ends.first, place.offset, place.end - place.offset)
      this.#places.push(place)
    }
    const node = index.finish()
    this.#index = IndexNode.decode(node, node.length)
    this.partitionCount = index.count === 0 ? 0 : 1
    this.properties = this.#lastOf(others, decodeProperties)
    this.rangeTombstones = this.#findTombstones(others)
  }

  /** Sound blocks of entries. */
  get blockCount(): number {
    return this.#places.length
  }

  /** A walk over every version of every key, forwards only. */
  versionCursor(): TableCursor {
    return new TableCursor(this, undefined, Number.POSITIVE_INFINITY, 'skip')
  }

  partitionOf(): number {
    return 0
  }

  partition(): IndexNode {
    return this.#index
  }

  pick(): number {
    return -1
  }

  block(_partition: IndexNode, ordinal: number): DataBlock {
    const block = this.#parse(this.#places[ordinal]!, (raw, end) => DataBlock.of(raw, end))
    // It was parsed before.
    return block!
  }

  #findTombstones(places: readonly EnvelopePlace[]): RangeTombstones {
    const expected = this.properties?.rangeTombstoneCount
    const found = expected === 0 ? undefined : this.#lastOf(places, (raw, end) => RangeTombstones.decode(raw, 0, end))
    return found === undefined || (expected !== undefined && found.size !== expected) ? new RangeTombstones() : found
  }

  /** The last envelope that holds such a thing. */
  #lastOf<T>(places: readonly EnvelopePlace[], parse: (raw: Uint8Array, end: number) => T): T | undefined {
    for (let i = places.length - 1; i >= 0; i--) {
      const found = this.#parse(places[i]!, parse)
      if (found !== undefined) return found
    }
    return undefined
  }

  #parse<T>({ offset, end }: EnvelopePlace, parse: (raw: Uint8Array, end: number) => T): T | undefined {
    try {
      const raw = openEnvelope(this.#bytes, offset, end, this.#fileNumber, offset, this.#path, false)
      return parse(raw, envelopeRawBytes(this.#bytes, end))
    } catch (error) {
      // This Node cannot read it, another one can: then it is not to be given up.
      if (error instanceof SiltstoneError && error.code === 'SILT_NOT_SUPPORTED') throw error
      if (isOutOfMemory(error)) throw error
      return undefined
    }
  }
}

function endsOf(block: DataBlock): { first: Uint8Array; last: Uint8Array; entryCount: number } {
  const group = new EntryGroup()
  let first: Uint8Array | undefined
  let entryCount = 0
  for (let g = 0; g < block.restartCount; g++) {
    group.decodeAll(block, block.restart(g), block.restart(g + 1))
    first ??= group.keyBytes.slice(group.keyStartOf(0), group.keyEndOf(0))
    entryCount += group.count
  }
  const last = group.keyBytes.slice(group.keyStartOf(group.count - 1), group.keyEndOf(group.count - 1))
  return { first: first!, last, entryCount }
}
