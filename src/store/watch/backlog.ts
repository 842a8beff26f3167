import { compareKeys } from '../../bytes/compare.js'
import type { Position } from '../../bytes/units.js'
import type { KeyRange } from '../../tree/key-range.js'

/** What a watcher has still to be told. */
export interface Pending {
  readonly position: Position
  /** The key, or the cleared range, which may have no end. */
  readonly range: KeyRange
  /** The operation on a key, as it stands in the log; absent where the change is that the range was cleared. */
  readonly operation?: Uint8Array
}

/**
 * What has changed while the watcher was busy: of each key only the newest change, and of what a cleared range held nothing but that.
 * However long the watcher takes, this is never more than one entry for each key that there is to know about.
 */
export class Backlog {
  /** In the order of their positions. */
  private readonly pending = new Map<string, Pending>()

  get isEmpty(): boolean {
    return this.pending.size === 0
  }

  /** Something happened to the key that the range starts with. */
  change(pending: Pending): void {
    this.put(`key ${latin1(pending.range.start)}`, pending)
  }

  /** A range was cleared, and with it all that was to be told of it. */
  clear(pending: Pending): void {
    const { range } = pending
    for (const [name, older] of this.pending) if (covers(range, older)) this.pending.delete(name)
    this.put(`range ${latin1(range.start)} ${range.end === undefined ? '' : latin1(range.end)}`, pending)
  }

  /** The oldest entry, which is not here any more. Requires: there is one. */
  take(): Pending {
    const [name, pending] = this.pending.entries().next().value!
    this.pending.delete(name)
    return pending
  }

  drop(): void {
    this.pending.clear()
  }

  private put(name: string, pending: Pending): void {
    // Removed first, so that the map stays in the order of the positions.
    this.pending.delete(name)
    this.pending.set(name, pending)
  }
}

function covers(range: KeyRange, { range: { start, end }, operation }: Pending): boolean {
  if (compareKeys(start, range.start) < 0) return false
  if (range.end === undefined) return true
  if (operation !== undefined) return compareKeys(start, range.end) < 0
  return end !== undefined && compareKeys(end, range.end) <= 0
}

/** A text that is equal for equal bytes only. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
