const THETA = 0.99

/**
 * YCSB's Zipfian generator (Gray et al., "Quickly generating billion-record synthetic databases"): number 0 comes most often,
 * number n in proportion to 1 / (n + 1)^0.99.
 */
export class Zipfian {
  private count = 0
  private zeta = 0
  private eta = 0
  private readonly fraction: () => number
  private readonly alpha = 1 / (1 - THETA)
  private readonly secondWeight = 1 + 0.5 ** THETA

  /** `fraction` gives what chance there is, from 0 up to 1. */
  constructor(count: number, fraction: () => number) {
    this.fraction = fraction
    this.grow(count)
  }

  /** From now on out of so many numbers. */
  grow(count: number): void {
    for (let i = this.count; i < count; i++) this.zeta += 1 / (i + 1) ** THETA
    this.count = count
    this.eta = (1 - (2 / count) ** (1 - THETA)) / (1 - this.secondWeight / this.zeta)
  }

  next(): number {
    const chance = this.fraction()
    const weighed = chance * this.zeta
    if (weighed < 1) return 0
    if (weighed < this.secondWeight) return Math.min(1, this.count - 1)
    return Math.min(this.count - 1, Math.floor(this.count * (this.eta * chance - this.eta + 1) ** this.alpha))
  }
}
