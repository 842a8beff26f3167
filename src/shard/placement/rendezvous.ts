import { BasePlacement } from './base-placement.js'

/**
 * Highest random weight: every shard draws a number for every key, and the highest wins. Nothing is stored, balance and movement are
 * the best there are, and a lookup costs a draw per shard: 10 shards some 0.1 us, 100 shards some 1 us.
 */
export class Rendezvous extends BasePlacement {
  readonly kind = 'rendezvous'

  /** `seed` shifts all hashes. */
  constructor(options: { seed?: number } = {}) {
    super(options.seed)
  }

  copy(): Rendezvous {
    const copy = new Rendezvous({ seed: this.seed })
    copy.replace(this.shards)
    return copy
  }

  protected rebuild(): void {}

  protected ownerOfPlace(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.hash(bytes, start, end)
    let best = 0
    let bestScore = this.score(hash, 0)
    for (let i = 1; i < this.shards.length; i++) {
      const score = this.score(hash, i)
      if (score <= bestScore) continue
      best = i
      bestScore = score
    }
    return best
  }

  protected details(): Record<string, unknown> {
    return {}
  }
}
