import type { Change } from './change.js'
import { ASIDE_LANE, expiryKey, expiryLane, KIND_EXPIRY, kindRange, laneOf } from './state-keys.js'
import type { TreeReader } from './tree-reader.js'

/**
 * When the messages expire that nobody has looked at yet, one key each in the order of their times. So those that have expired far behind
 * the head are counted out without being read.
 *
 * The tree shows what is committed, while figures change when a commit is issued: what is on its way in either direction is
 * accounted for here.
 */
export class Expiries {
  /** Those that have expired and still stand in their lanes. */
  expired = 0
  /** Whether anything was ever sent that expires. */
  any = false
  private readonly reader: TreeReader
  private readonly owner: number
  /** What expires up to this time has been counted. */
  private countedUntil = 0
  /** When those expire whose removal is on its way: the tree still shows them. */
  private readonly leaving = new Map<string, number>()
  private clearings = 0
  private era = 0

  constructor(reader: TreeReader, owner: number) {
    this.reader = reader
    this.owner = owner
  }

  load(): void {
    this.any = this.reader.first(kindRange(this.owner, KIND_EXPIRY)) !== undefined
  }

  /** A message that expires is appended. */
  put(change: Change, priority: number, offset: number, expiresAt: number): void {
    this.any = true
    change.record.put(this.reader.state, expiryKey(this.owner, expiresAt, laneOf(priority), offset), '')
    const { era } = this
    change.onCommitted(() => {
      // Its time ended before it was there to be counted; unless it was cleared meanwhile.
      if (expiresAt <= this.countedUntil && era === this.era) this.expired++
    })
  }

  /** A message leaves the line of those that nobody has looked at. */
  forget(change: Change, priority: number, offset: number, expiresAt: number): void {
    const { leaving } = this
    change.record.del(this.reader.state, expiryKey(this.owner, expiresAt, laneOf(priority), offset))
    const name = `${priority}/${offset}`
    leaving.set(name, expiresAt)
    if (expiresAt <= this.countedUntil) this.expired--
    change.onCommitted(() => leaving.delete(name))
    change.onRefused(() => {
      leaving.delete(name)
      if (expiresAt <= this.countedUntil) this.expired++
    })
  }

  /** Counts those as expired that nobody has looked at and never will. */
  count(now: number): void {
    const { owner, countedUntil } = this
    if (!this.any || now <= countedUntil || this.clearings > 0) return
    const range = { start: expiryKey(owner, countedUntil + 1, 0, 0), end: expiryKey(owner, now + 1, 0, 0) }
    for (const { key } of this.reader.each(range)) if (expiryLane(key) !== ASIDE_LANE) this.expired++
    for (const expiresAt of this.leaving.values()) if (expiresAt > countedUntil && expiresAt <= now) this.expired--
    this.countedUntil = now
  }

  /** All of them go. Returns how many of them had expired. */
  clear(change: Change): number {
    const { expired } = this
    change.record.clear(this.reader.state, kindRange(this.owner, KIND_EXPIRY))
    this.expired = 0
    this.clearings++
    this.era++
    change.onCommitted(() => {
      this.clearings--
    })
    change.onRefused(() => {
      this.clearings--
      this.expired += expired
    })
    return expired
  }
}
