import { getAsciiText } from '../bytes/text.js'

/** At most so many bytes become one text: whoever keeps a text of one entry keeps all of it in memory. */
export const MOST_SHARED_BYTES = 2048

/**
 * A text that is made of several ranges at once, which lie near each other and ascend. A call that decodes takes 40 ns before the first
 * byte, and V8 cuts a text out of another in 6, without copying it.
 *
 * Cutting is right only where every byte is one character, so only ranges that are ASCII come into it; what lies between them may be
 * anything and is never cut out.
 */
export class NeighbourTexts {
  text = ''
  /** The offset of its first byte. */
  from = 0
  /** The ranges that it holds, none at first. */
  first = 0
  last = -1
  /** Where a row of cells says where the range begins, and in the next one where it ends. */
  readonly #field: number
  /** The cell that says whether it is ASCII: the bit is not set then. */
  readonly #flags: number
  readonly #bit: number

  constructor(field: number, flags: number, bit: number) {
    this.#field = field
    this.#flags = flags
    this.#bit = bit
  }

  clear(): void {
    this.first = 0
    this.last = -1
    this.text = ''
  }

  /**
   * Makes the text for a range and those that come next, or with `backwards` those before. Says no where there is none that could
   * come with it: it is better decoded alone then.
   */
  gather(
    bytes: Uint8Array,
    cells: Int32Array,
    rowLength: number,
    rowCount: number,
    index: number,
    backwards: boolean,
  ): boolean {
    const field = this.#field
    const flags = this.#flags
    const bit = this.#bit
    const step = backwards ? -1 : 1
    const end = backwards ? -1 : rowCount
    let row = index * rowLength
    if ((cells[row + flags]! & bit) !== 0) return false
    let from = cells[row + field]!
    let to = cells[row + field + 1]!
    let next = index + step
    for (; next !== end; next += step) {
      row += step * rowLength
      if ((cells[row + flags]! & bit) !== 0) break
      const start = backwards ? cells[row + field]! : from
      const stop = backwards ? to : cells[row + field + 1]!
      if (stop - start > MOST_SHARED_BYTES) break
      from = start
      to = stop
    }
    if (next === index + step) return false
    this.text = getAsciiText(bytes, from, to)
    this.from = from
    this.first = backwards ? next + 1 : index
    this.last = backwards ? index : next - 1
    return true
  }
}
