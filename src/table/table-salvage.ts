import { compareBytes, compareKeys } from '../bytes/compare.js'
import { isOutOfMemory, SiltstoneError } from '../bytes/errors.js'
import { RangeTombstones } from '../bytes/range-tombstones.js'
import { type FileNumber, LAST_NUMBER } from '../bytes/units.js'
import { DataBlock } from './block.js'
import type { BlockWalk } from './block-walk.js'
import { EntryGroup } from './entry-group.js'
import { ENVELOPE_BYTES, envelopeRawBytes, openEnvelope } from './envelope.js'
import { type EnvelopePlace, EnvelopeWalk } from './envelope-walk.js'
import { decodeFooter, FOOTER_BYTES } from './footer.js'
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
  readonly entryCount: number
  readonly #bytes: Uint8Array
  readonly #fileNumber: FileNumber
  readonly #path: string
  readonly #places: readonly EnvelopePlace[]
  readonly #index: IndexNode

  private constructor(bytes: Uint8Array, fileNumber: FileNumber, path: string, blocks: FoundBlocks) {
    this.#bytes = bytes
    this.#fileNumber = fileNumber
    this.#path = path
    const node = blocks.index.finish()
    this.#index = IndexNode.decode(node, node.length, bytes.length)
    this.#places = blocks.places
    this.entryCount = blocks.entryCount
    this.partitionCount = blocks.places.length === 0 ? 0 : 1
    this.properties = this.#lastOf(blocks.others, decodeProperties)
    this.rangeTombstones = this.#findTombstones(blocks.others)
  }

  /** Looks a table through. `breathe` is called now and then and lets others run. */
  static async read(
    bytes: Uint8Array,
    fileNumber: FileNumber,
    path: string,
    breathe: () => Promise<void>,
  ): Promise<TableSalvage> {
    const found: FoundBlocks = { index: new IndexWriter(), places: [], others: [], entryCount: 0 }
    const known = knownPlaces(bytes, fileNumber, path)
    let lastKey: Uint8Array | undefined
    for (const place of new EnvelopeWalk(bytes, bytes.length - FOOTER_BYTES, fileNumber, known).places()) {
      await breathe()
      if (place === undefined) continue
      const block = parseAt(bytes, fileNumber, path, place, (raw, end) => DataBlock.of(raw, end))
      const ends = block === undefined ? undefined : endsOf(block)
      // What looks like a block of data behind the index would have keys from the start again.
      if (ends === undefined || (lastKey !== undefined && compareKeys(lastKey, ends.first) >= 0)) {
        found.others.push(place)
        continue
      }
      lastKey = ends.last
      found.entryCount += ends.entryCount
      found.index.add(ends.first, place.offset, place.end - place.offset)
      found.places.push(place)
    }
    return new TableSalvage(bytes, fileNumber, path, found)
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

  #parse<T>(place: EnvelopePlace, parse: (raw: Uint8Array, end: number) => T): T | undefined {
    return parseAt(this.#bytes, this.#fileNumber, this.#path, place, parse)
  }
}

interface FoundBlocks {
  readonly index: IndexWriter
  readonly places: EnvelopePlace[]
  /** Envelopes that hold no entries. */
  readonly others: EnvelopePlace[]
  entryCount: number
}

function parseAt<T>(
  bytes: Uint8Array,
  fileNumber: FileNumber,
  path: string,
  { offset, end }: EnvelopePlace,
  parse: (raw: Uint8Array, end: number) => T,
): T | undefined {
  try {
    const raw = openEnvelope(bytes, offset, end, fileNumber, offset, path, false)
    return parse(raw, envelopeRawBytes(bytes, end))
  } catch (error) {
    // This Node cannot read it, another one can: then it is not to be given up.
    if (error instanceof SiltstoneError && error.code === 'SILT_NOT_SUPPORTED') throw error
    if (isOutOfMemory(error)) throw error
    return undefined
  }
}

/** Where envelopes stand by what is left of footer and index. */
function knownPlaces(bytes: Uint8Array, fileNumber: FileNumber, path: string): Map<number, number> {
  const known = new Map<number, number>()
  const limit = bytes.length - FOOTER_BYTES
  const add = (offset: number, length: number): void => {
    if (length > 0 && offset + length <= limit) known.set(offset, offset + length)
  }
  const nodeAt = (offset: number, length: number, extraChildren: number): IndexNode | undefined => {
    const place = { offset, end: offset + length }
    if (length < ENVELOPE_BYTES || place.end > limit) return undefined
    return parseAt(bytes, fileNumber, path, place, (raw, end) => IndexNode.decode(raw, end, limit, extraChildren))
  }
  try {
    const footer = decodeFooter(bytes, bytes.length, fileNumber, path)
    for (const { offset, bytes: length } of [
      footer.properties,
      footer.rangeTombstones,
      footer.filter,
      footer.topIndex,
    ]) {
      add(offset, length)
    }
    const top = nodeAt(footer.topIndex.offset, footer.topIndex.bytes, 1)
    for (let i = 0; top !== undefined && i < top.count; i++) {
      add(top.childOffset(i), top.childBytes(i))
      const partition = nodeAt(top.childOffset(i), top.childBytes(i), 0)
      for (let j = 0; partition !== undefined && j < partition.count; j++) {
        add(partition.childOffset(j), partition.childBytes(j))
      }
    }
  } catch (error) {
    if (!(error instanceof SiltstoneError) || error.code !== 'SILT_CORRUPTION') throw error
  }
  return known
}

/** Where its keys begin and end; `undefined` where they do not ascend, or an entry has a position that none has. */
function endsOf(block: DataBlock): { first: Uint8Array; last: Uint8Array; entryCount: number } | undefined {
  const group = new EntryGroup()
  let first: Uint8Array | undefined
  let entryCount = 0
  let previous: Uint8Array | undefined
  let previousPosition = 0
  for (let g = 0; g < block.restartCount; g++) {
    group.decodeAll(block, block.restart(g), block.restart(g + 1))
    first ??= group.keyBytes.slice(group.keyStartOf(0), group.keyEndOf(0))
    entryCount += group.count
    for (group.index = 0; group.index < group.count; group.index++) {
      const { keyBytes, keyStart, keyEnd, position } = group
      if (position < 0 || position > LAST_NUMBER) return undefined
      const order = previous === undefined ? -1 : compareBytes(previous, 0, previous.length, keyBytes, keyStart, keyEnd)
      if (order > 0 || (order === 0 && position >= previousPosition)) return undefined
      if (order < 0) previous = keyBytes.slice(keyStart, keyEnd)
      previousPosition = position
    }
  }
  const last = group.keyBytes.slice(group.keyStartOf(group.count - 1), group.keyEndOf(group.count - 1))
  return { first: first!, last, entryCount }
}
