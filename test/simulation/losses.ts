import type { SeededRandom } from './seeded-random.js'

/** How a loss of power treats what was not synced. */
export interface Losses {
  /** The probability with which a sector or a name that was not synced is there afterwards: 0 none, 1 all. */
  readonly survival: number
  /** Sectors that a file grew by, but that were never written to disk, hold what was there before the file was. */
  readonly garbage: boolean
}

/** The extremes happen often: most code breaks at "nothing", "everything" or "all but one". */
export function drawLosses(random: SeededRandom, fixed: Partial<Losses>): Losses {
  const survival = random.pick([0, 1, 0.95, random.fraction(), random.fraction()])
  const garbage = random.chance(0.25)
  return { survival, garbage, ...fixed }
}

/** How many of `count` changes that reach the disk in order made it, at least `floor`. */
export function survivingPrefix(random: SeededRandom, count: number, floor: number, survival: number): number {
  if (survival === 0 || count === floor) return floor
  return random.chance(survival) ? count : random.between(floor, count - 1)
}
