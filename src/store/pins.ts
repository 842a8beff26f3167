import type { Position } from '../bytes/units.js'

/**
 * The positions at which snapshots and scans read. A version of a key is kept for as long as some pin sees it.
 *
 * New pins stand at the end nearly always, because they are made at the newest visible position.
 */
export class Pins {
  private readonly positions: Position[] = []
  private readonly counts: number[] = []

  /** The newest pin, 0 without any. */
  newest: Position = 0

  /** Ascending, each once. */
  list(): Position[] {
    return this.positions.slice()
  }

  get oldest(): Position | undefined {
    return this.positions[0]
  }

  /** How many snapshots and scans are open. */
  get size(): number {
    let size = 0
    for (const count of this.counts) size += count
    return size
  }

  /** Whether anybody reads at this position. */
  has(position: Position): boolean {
    return this.positions.includes(position)
  }

  add(position: Position): void {
    let at = this.positions.length
    while (at > 0 && this.positions[at - 1]! > position) at--
    if (at > 0 && this.positions[at - 1] === position) {
      this.counts[at - 1]!++
      return
    }
    if (at === this.positions.length) {
      this.positions.push(position)
      this.counts.push(1)
    } else {
      this.positions.splice(at, 0, position)
      this.counts.splice(at, 0, 1)
    }
    this.newest = this.positions[this.positions.length - 1]!
  }

  /** Whether that was the last pin at this position. */
  remove(position: Position): boolean {
    const at = this.positions.lastIndexOf(position)
    if (--this.counts[at]! > 0) return false
    if (at === this.positions.length - 1) {
      this.positions.pop()
      this.counts.pop()
    } else {
      this.positions.splice(at, 1)
      this.counts.splice(at, 1)
    }
    this.newest = this.positions[this.positions.length - 1] ?? 0
    return true
  }
}
