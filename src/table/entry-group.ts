import type { Entry, EntryRun } from '../bytes/cursor.js'
import { SiltstoneError } from '../bytes/errors.js'
import { getU32, VarintReader } from '../bytes/integers.js'
import { getText } from '../bytes/text.js'
import type { EpochMs, Position } from '../bytes/units.js'
import { Assembly, type Workspace } from '../bytes/workspace.js'
import { KIND_PUT } from '../log/operation.js'
import { type DataBlock, entryExpiresAt, entryKind, entryPosition, suffixStart } from './block.js'
import { desk } from './desk.js'
import { NeighbourTexts } from './neighbour-texts.js'
import { NEIGHBOURS_CODE } from './neighbours-code.js'

/*
 * What is known of a group, in one array:
 *
 *   +-------+---------+-----------+---------+-------------+-----------+----------+------------+--------+-----------+---
 *   | kinds | 3 spare | key start | key end | value start | value end | entry at | after head | others | key start | …
 *   +-------+---------+-----------+---------+-------------+-----------+----------+------------+--------+-----------+---
 *
 * Bit `k` of kinds says that there are entries of kind `k`. Others says whether key or value are not ASCII, or were not looked at.
 * `assembly/neighbours.ts` writes the same.
 */
const KINDS = 0
/** Of entries that were picked out of a packed block: where the next one stands in the block, and how many bytes all is. */
const NEXT_AT = 1
const BYTES = 2
const ROWS = 4
const FIELDS = 7
const KEY_START = ROWS
const KEY_END = ROWS + 1
const VALUE_START = ROWS + 2
const VALUE_END = ROWS + 3
const ENTRY_AT = ROWS + 4
const AFTER_HEAD = ROWS + 5
const OTHERS = ROWS + 6

const IS_OTHER_KEY = 1
const IS_OTHER_VALUE = 2

const ONLY_PUTS = 1 << KIND_PUT
const TWO_32 = 2 ** 32

// What WebAssembly has room for.
const MOST_ROWS = 256
const MOST_KEY_BYTES = 4096
/** What is brought there: taking apart less is quicker than bringing it, and the texts of larger groups are not worth it. */
const SHORTEST_BYTES = 256
export const LONGEST_BYTES = 8 * 1024

/** What entries that are picked out of a packed block may take, with all that is known of them. */
export const PICKED_BYTES = 16 * 1024
/** Ten entries of 100 bytes take 1.7 KiB. */
const USUAL_PICKED_BYTES = 4 * 1024
const NOTHING = new Uint8Array(0)
const NO_FACTS = new Int32Array(0)

// Most groups have no more.
const USUAL_ROWS = 32
const USUAL_KEY_BYTES = 1024

interface Neighbours {
  takeApart(
    at: number,
    end: number,
    bias: number,
    out: number,
    baseLow: number,
    baseHigh: number,
    limitLow: number,
    limitHigh: number,
    looksAtValues: boolean,
  ): number
}

/** Takes groups apart at the desk, one after the other. What it makes is copied out. */
class Taker {
  readonly #space: Workspace
  readonly #code: Neighbours
  readonly facts: Int32Array
  readonly keys: Uint8Array

  constructor(space: Workspace) {
    const { memory, output } = space
    this.#space = space
    this.#code = new Assembly<Neighbours>(NEIGHBOURS_CODE).in(space)
    this.facts = new Int32Array(memory.buffer, output, ROWS + MOST_ROWS * FIELDS)
    this.keys = new Uint8Array(memory.buffer, output + this.facts.byteLength, MOST_KEY_BYTES)
  }

  /** How many entries there are in a range of a block; -1 where they are too many. */
  takeApart(
    { bytes, basePosition }: DataBlock,
    start: number,
    end: number,
    limit: number,
    looksAtValues: boolean,
  ): number {
    const { input, inputBytes, output } = this.#space
    const last = Math.min(limit, Number.MAX_SAFE_INTEGER)
    inputBytes.set(bytes.subarray(start, end))
    return this.#code.takeApart(
      input,
      input + end - start,
      start - input,
      output,
      basePosition,
      basePosition / TWO_32,
      last,
      last / TWO_32,
      looksAtValues,
    )
  }
}

let taker: Taker | undefined

/** What a group has grown to is kept for the next scan: allocating and collecting it would cost a scan of fifty entries a tenth of its time. */
const MOST_SPARES = 16
const spares: EntryGroup[] = []

/** As many keys as stand between two restart points at the most, of the greatest length, and room to spare. */
const MOST_GROUP_BYTES = 80 * 1024 * 1024

function tooManyKeys(): SiltstoneError {
  return new SiltstoneError(
    'SILT_CORRUPTION',
    'A block holds more keys between two restart points than there can be; verify() says in which table',
  )
}

const varint = new VarintReader()

/**
 * The entries between two restart points of a block, taken apart. Keys can only be put together forwards, so whoever walks
 * backwards takes a whole group at once and then steps through it; and whoever walks on and on takes larger ones, because the texts
 * of a group come cheaper together.
 *
 * The memory is used again for every group: nothing is allocated once it has grown.
 */
export class EntryGroup implements Entry, EntryRun {
  count = 0
  /** The entry that is shown. */
  index = 0
  /** Where the walk is going that texts are wanted for; neighbours come with them only if it is long. */
  isBackwards = false
  isLong = false
  readonly run: EntryRun = this
  keyBytes: Uint8Array = new Uint8Array(USUAL_KEY_BYTES)
  valueBytes: Uint8Array = this.keyBytes
  /** Where the entry behind the last one stands in the block that they were picked out of; 0 where there is none. */
  nextAt = 0
  basePosition = 0
  #facts: Int32Array = new Int32Array(ROWS + USUAL_ROWS * FIELDS)
  /** What a group is decoded into; what entries are picked into. */
  #ownFacts = this.#facts
  #ownKeys = this.keyBytes
  #picked: Uint8Array = NOTHING
  #pickedFacts: Int32Array = NO_FACTS
  #looksAtValues = false
  readonly #keyTexts = new NeighbourTexts(KEY_START, OTHERS, IS_OTHER_KEY)
  readonly #valueTexts = new NeighbourTexts(VALUE_START, OTHERS, IS_OTHER_VALUE)

  /** One that nobody uses, or a new one. */
  static take(): EntryGroup {
    return spares.pop() ?? new EntryGroup()
  }

  /** Keeps it for whoever takes the next one. Requires: nobody uses it any more. */
  giveBack(): void {
    this.#keyTexts.clear()
    this.#valueTexts.clear()
    this.valueBytes = this.keyBytes
    if (spares.length < MOST_SPARES && this.#ownKeys.length <= MOST_KEY_BYTES) spares.push(this)
  }

  /** Takes a range apart that begins and ends at restart points. Of every key the newest version below `limit` is kept, if there is one. */
  decode(block: DataBlock, start: number, end: number, limit: number): void {
    this.#begin(block)
    if (end - start < SHORTEST_BYTES || end - start > LONGEST_BYTES || !this.#decodeThere(block, start, end, limit)) {
      this.#decodeHere(block, start, end, limit, false)
    }
  }

  /** The same of every version of every key. */
  decodeAll(block: DataBlock, start: number, end: number): void {
    this.#begin(block)
    this.#decodeHere(block, start, end, 0, true)
  }

  /** Shows what stands at `at`, where `PackedRegion` has put it: these entries alone, with all that belongs to them. */
  fill(bytes: Uint8Array, at: number, count: number, basePosition: Position): void {
    const length = getU32(bytes, at + BYTES * 4)
    if (length > this.#picked.length) {
      this.#picked = new Uint8Array(length <= USUAL_PICKED_BYTES ? USUAL_PICKED_BYTES : PICKED_BYTES)
      this.#pickedFacts = new Int32Array(this.#picked.buffer)
    }
    this.#picked.set(bytes.subarray(at, at + length))
    this.#keyTexts.clear()
    this.#valueTexts.clear()
    this.keyBytes = this.valueBytes = this.#picked
    this.#facts = this.#pickedFacts
    this.basePosition = basePosition
    this.nextAt = this.#facts[NEXT_AT]!
    this.count = count
    this.index = 0
  }

  #begin(block: DataBlock): void {
    this.#keyTexts.clear()
    this.#valueTexts.clear()
    this.#facts = this.#ownFacts
    this.keyBytes = this.#ownKeys
    this.valueBytes = block.bytes
    this.basePosition = block.basePosition
    this.index = 0
  }

  /** By WebAssembly; false where there is no room or no memory for that. */
  #decodeThere(block: DataBlock, start: number, end: number, limit: number): boolean {
    if (taker === undefined) {
      const space = desk()
      if (space === undefined) return false
      taker = new Taker(space)
    }
    const count = taker.takeApart(block, start, end, limit, this.#looksAtValues)
    if (count < 0) return false
    this.count = count
    const cells = ROWS + count * FIELDS
    const keyBytes = count === 0 ? 0 : taker.facts[cells - FIELDS + KEY_END - ROWS]!
    if (cells > this.#facts.length) this.#facts = this.#ownFacts = new Int32Array(cells * 2)
    if (keyBytes > this.keyBytes.length) this.keyBytes = this.#ownKeys = new Uint8Array(keyBytes * 2)
    this.#facts.set(taker.facts.subarray(0, cells))
    this.keyBytes.set(taker.keys.subarray(0, keyBytes))
    return true
  }

  #decodeHere(block: DataBlock, start: number, end: number, limit: number, everyVersion: boolean): void {
    const bytes = block.bytes
    let at = start
    let keyStart = 0
    let keyEnd = -1
    let taken = false
    this.count = 0
    let kinds = 0
    while (at < end) {
      const entryAt = at
      let shared = bytes[at]!
      let unshared = bytes[at + 1]!
      let valueLength = bytes[at + 2]!
      if ((shared | unshared | valueLength) < 128) {
        at += 3
      } else {
        shared = varint.read(bytes, at)
        unshared = varint.read(bytes, varint.end)
        valueLength = varint.read(bytes, varint.end)
        at = varint.end
      }
      const head = bytes[at++]!
      const suffix = suffixStart(head, at)
      const valueStart = suffix + unshared
      if (unshared !== 0 || shared !== keyEnd - keyStart) {
        const start = Math.max(0, keyEnd)
        if (start + shared + unshared > this.keyBytes.length) this.#growKeys(start + shared + unshared)
        const keys = this.keyBytes
        for (let i = 0; i < shared; i++) keys[start + i] = keys[keyStart + i]!
        for (let i = 0; i < unshared; i++) keys[start + shared + i] = bytes[suffix + i]!
        keyStart = start
        keyEnd = start + shared + unshared
        taken = false
      }
      if (everyVersion || (!taken && entryPosition(bytes, head, at, block.basePosition) < limit)) {
        taken = true
        const row = this.count++ * FIELDS
        if (row + ROWS + FIELDS > this.#facts.length) this.#growFacts()
        const facts = this.#facts
        facts[row + KEY_START] = keyStart
        facts[row + KEY_END] = keyEnd
        facts[row + VALUE_START] = valueStart
        facts[row + VALUE_END] = valueStart + valueLength
        facts[row + ENTRY_AT] = entryAt
        facts[row + AFTER_HEAD] = at
        facts[row + OTHERS] = IS_OTHER_KEY | IS_OTHER_VALUE
        kinds |= 1 << entryKind(head)
      }
      at = valueStart + valueLength
    }
    this.#facts[KINDS] = kinds
  }

  get isPlain(): boolean {
    return this.#facts[KINDS] === ONLY_PUTS
  }

  /** Where in the block the entry begins. */
  entryAt(index: number): number {
    return this.#facts[index * FIELDS + ENTRY_AT]!
  }

  keyStartOf(index: number): number {
    return this.#facts[index * FIELDS + KEY_START]!
  }

  keyEndOf(index: number): number {
    return this.#facts[index * FIELDS + KEY_END]!
  }

  /** The offset behind the entry's head, which is the byte before. */
  afterHead(index: number): number {
    return this.#facts[index * FIELDS + AFTER_HEAD]!
  }

  valueStartOf(index: number): number {
    return this.#facts[index * FIELDS + VALUE_START]!
  }

  valueEndOf(index: number): number {
    return this.#facts[index * FIELDS + VALUE_END]!
  }

  get keyStart(): number {
    return this.keyStartOf(this.index)
  }

  get keyEnd(): number {
    return this.keyEndOf(this.index)
  }

  get valueStart(): number {
    return this.valueStartOf(this.index)
  }

  get valueEnd(): number {
    return this.valueEndOf(this.index)
  }

  get kind(): number {
    return entryKind(this.valueBytes[this.afterHead(this.index) - 1]!)
  }

  get position(): Position {
    const afterHead = this.afterHead(this.index)
    return entryPosition(this.valueBytes, this.valueBytes[afterHead - 1]!, afterHead, this.basePosition)
  }

  get expiresAt(): EpochMs {
    const afterHead = this.afterHead(this.index)
    return entryExpiresAt(this.valueBytes, this.valueBytes[afterHead - 1]!, afterHead)
  }

  keyText(): string {
    return this.#text(this.#keyTexts, this.keyBytes, KEY_START)
  }

  valueText(): string {
    this.#looksAtValues = true
    return this.#text(this.#valueTexts, this.valueBytes, VALUE_START)
  }

  #text(texts: NeighbourTexts, bytes: Uint8Array, field: number): string {
    const { index } = this
    const facts = this.#facts
    const start = facts[index * FIELDS + field]!
    const end = facts[index * FIELDS + field + 1]!
    if (index < texts.first || index > texts.last) {
      if (!this.isLong || !texts.gather(bytes, facts, FIELDS, this.count, index, this.isBackwards)) {
        return getText(bytes, start, end)
      }
    }
    return texts.text.substring(start - texts.from, end - texts.from)
  }

  #growKeys(needed: number): void {
    if (needed > MOST_GROUP_BYTES) throw tooManyKeys()
    const larger = new Uint8Array(needed * 2)
    larger.set(this.keyBytes)
    this.keyBytes = this.#ownKeys = larger
  }

  #growFacts(): void {
    const larger = new Int32Array(this.#facts.length * 2)
    larger.set(this.#facts)
    this.#facts = this.#ownFacts = larger
  }
}
