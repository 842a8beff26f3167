import type { Clock } from '../bytes/clock.js'
import type { EpochMs } from '../bytes/units.js'

/** When the entries of a slice expire, for whoever hands them out later than they were read: an expired key is gone for running scans, too. */
export class SliceExpiries {
  private readonly clock: Clock
  /** By the place of the entry; nothing where it stays. */
  private readonly moments = new Map<number, EpochMs>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  note(place: number, expiresAt: EpochMs): void {
    this.moments.set(place, expiresAt)
  }

  /** Whether the entry at a place has expired since it was read. */
  isPast(place: number): boolean {
    const expiresAt = this.moments.get(place)
    return expiresAt !== undefined && expiresAt <= this.clock.now()
  }

  /** The part of a slice from a place on that has not. */
  left<T>(slice: readonly T[], from: number): T[] {
    return slice.filter((_, place) => place >= from && !this.isPast(place))
  }
}
