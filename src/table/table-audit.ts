import { compareBytes, compareKeys } from '../bytes/compare.js'
import { SiltstoneError } from '../bytes/errors.js'
import { KIND_DELETE, KIND_PUT_EXPIRING } from '../log/operation.js'
import { type DataBlock, entryKind, entryPosition } from './block.js'
import type { CacheMode } from './block-cache.js'
import type { BlockWalk } from './block-walk.js'
import { EntryGroup } from './entry-group.js'
import { type FilterBlock, keyHash, type TableFilter } from './filter.js'
import type { TableProperties } from './properties.js'

/** Something in a file that is not as it should be. */
export interface AuditFinding {
  /** The file, with its path. */
  readonly file: string
  /** Where in it, where that can be told. */
  readonly offset?: number
  /** What is wrong there. */
  readonly problem: string
}

/** Where something stands in a file. */
export interface Stretch {
  readonly offset: number
  readonly bytes: number
}

/** What an audit needs of a table. */
export interface AuditedTable extends BlockWalk {
  readonly file: { readonly path: string }
  readonly properties: TableProperties
  readonly hasFilter: boolean
  readonly filterPlace: Stretch
  partitionPlace(ordinal: number): Stretch
  filterBlock(mode: CacheMode): FilterBlock
}

type Count = 'entryCount' | 'deletionCount' | 'expiringCount' | 'rawKeyBytes' | 'rawValueBytes' | 'dataBlockCount'

/**
 * Reads every block of a table from the disk and holds what is in them to each other: checksums, the order of keys and
 * versions across blocks, the filter, and what the properties promise. A damaged block is one finding, and the audit goes on.
 *
 * Stops before every block and says where it stands, so that it can be brought, and a store in use can do something else in between.
 */
export function* auditTable(table: AuditedTable): Generator<Stretch, AuditFinding[]> {
  const path = table.file.path
  const findings: AuditFinding[] = []
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof SiltstoneError)) throw error
      findings.push({
        file: path,
        problem: error.message,
        ...(error.offset === undefined ? {} : { offset: error.offset }),
      })
      return undefined
    }
  }
  if (table.hasFilter) yield table.filterPlace
  const filter = table.hasFilter ? attempt(() => table.filterBlock('skip')) : undefined
  const order = new OrderAudit(filter?.filter)
  for (let p = 0; p < table.partitionCount; p++) {
    yield table.partitionPlace(p)
    const partition = attempt(() => table.partition(p, 'skip'))
    for (let b = 0; b < (partition?.count ?? 0); b++) {
      yield { offset: partition!.childOffset(b), bytes: partition!.childBytes(b) }
      const block = attempt(() => table.block(partition!, b, 'skip'))
      const problem = block === undefined ? undefined : order.read(block)
      if (problem !== undefined) findings.push({ file: path, offset: partition!.childOffset(b), problem })
    }
  }
  // Beside damaged blocks the counts cannot be right, and saying so would only hide what is.
  if (findings.length > 0) return findings
  const outside = order.outside(table.properties)
  if (outside !== undefined) findings.push({ file: path, problem: outside })
  for (const [name, counted] of Object.entries(order.counts)) {
    const promised = table.properties[name as Count]
    if (promised === counted) continue
    findings.push({ file: path, problem: `the properties promise ${name} ${promised}, the blocks have ${counted}` })
  }
  return findings
}

/** Follows keys and positions from block to block. */
class OrderAudit {
  readonly counts: Record<Count, number> = {
    entryCount: 0,
    deletionCount: 0,
    expiringCount: 0,
    rawKeyBytes: 0,
    rawValueBytes: 0,
    dataBlockCount: 0,
  }
  readonly #group = new EntryGroup()
  readonly #filter: TableFilter | undefined
  #firstKey: Uint8Array | undefined
  #lastKey: Uint8Array | undefined
  #lastPosition = 0
  #lowest = Number.POSITIVE_INFINITY
  #highest = 0

  constructor(filter: TableFilter | undefined) {
    this.#filter = filter
  }

  /** Takes the next block and says what is wrong with its order. */
  read(block: DataBlock): string | undefined {
    this.counts.dataBlockCount++
    let problem: string | undefined
    for (let g = 0; g < block.restartCount; g++) {
      const group = this.#group
      group.decodeAll(block, block.restart(g), block.restart(g + 1))
      for (let i = 0; i < group.count; i++) problem ??= this.#readEntry(block, group, i, g === 0 && i === 0)
      this.counts.entryCount += group.count
    }
    return problem
  }

  /** What of the entries lies outside of the ranges that the properties promise. */
  outside({ smallestKey, largestKey, minPosition, maxPosition }: TableProperties): string | undefined {
    if (!isSameKey(this.#firstKey, smallestKey)) return 'the first key is not the one that the properties promise'
    if (!isSameKey(this.#lastKey, largestKey)) return 'the last key is not the one that the properties promise'
    if (this.#lowest >= minPosition && this.#highest <= maxPosition) return undefined
    return `positions reach from ${this.#lowest} to ${this.#highest}, the properties promise ${minPosition} to ${maxPosition}`
  }

  #readEntry(block: DataBlock, group: EntryGroup, index: number, isFirstOfBlock: boolean): string | undefined {
    const afterHead = group.afterHead(index)
    const head = block.bytes[afterHead - 1]!
    const kind = entryKind(head)
    const position = entryPosition(block.bytes, head, afterHead, block.basePosition)
    const start = group.keyStartOf(index)
    const end = group.keyEndOf(index)
    if (kind === KIND_DELETE) this.counts.deletionCount++
    if (kind === KIND_PUT_EXPIRING) this.counts.expiringCount++
    this.counts.rawKeyBytes += end - start
    this.counts.rawValueBytes += group.valueEndOf(index) - group.valueStartOf(index)

    const last = this.#lastKey
    const lastPosition = this.#lastPosition
    const comparison = last === undefined ? -1 : compareBytes(last, 0, last.length, group.keyBytes, start, end)
    if (comparison !== 0) this.#lastKey = group.keyBytes.slice(start, end)
    this.#firstKey ??= this.#lastKey
    this.#lastPosition = position
    this.#lowest = Math.min(this.#lowest, position)
    this.#highest = Math.max(this.#highest, position)
    if (comparison > 0) return 'keys are out of order'
    if (comparison === 0 && isFirstOfBlock) return 'the versions of a key are spread over two blocks'
    if (comparison === 0 && position >= lastPosition) return 'the versions of a key are out of order'
    if (this.#filter?.hasHash(keyHash(group.keyBytes, start, end)) === false)
      return 'the filter denies a key that is there'
    return undefined
  }
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareKeys(a, b) === 0
}
