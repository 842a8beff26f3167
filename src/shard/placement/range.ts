import { compareBytes, compareKeys } from '../../bytes/compare.js'
import { invalid } from '../../bytes/errors.js'
import { BasePlacement, bytesOf } from './base-placement.js'
import type { PlacedShard } from './placement.js'

/**
 * Split points in key order: neighbours stand together, so a scan touches few shards and a shard is a range one can name. Balance is
 * whatever the split points make it: keys that arrive in order all go to one shard until somebody splits.
 *
 * A shard that is added owns nothing before a split gives it something; the ranges of one that goes fall to the range below.
 */
export class Range extends BasePlacement {
  readonly kind = 'range'
  /** Ascending; range i is what lies below split i, and at or above the one before. */
  private splits: readonly Uint8Array[]
  /** Per range, a name. */
  private owners: readonly string[] = []
  private ownerIndexes: readonly number[] = []

  /** `splits` are the keys at which it is cut, in order; `seed` shifts the hashes of `replicas`. */
  constructor(options: { seed?: number; splits?: readonly (string | Uint8Array)[] } = {}) {
    super(options.seed)
    const { splits = [] } = options
    if (!Array.isArray(splits)) throw invalid('Option splits must be a list of keys')
    this.splits = splits.map((split) => bytesOf(split as string | Uint8Array).slice())
    for (let i = 1; i < this.splits.length; i++) {
      if (compareKeys(this.splits[i - 1]!, this.splits[i]!) >= 0)
        throw invalid('Option splits must be in ascending order')
    }
  }

  copy(): Range {
    return Range.restore(this.seed, this.shards, this.details())
  }

  /** The placement that these details describe. */
  static restore(seed: number, shards: readonly PlacedShard[], details: Readonly<Record<string, unknown>>): Range {
    const splits = (details['splits'] as string[]).map((split) => new Uint8Array(Buffer.from(split, 'base64')))
    const range = new Range({ seed, splits })
    range.owners = details['owners'] as string[]
    range.replace(shards)
    return range
  }

  /** The ranges in key order, each from its split point on. */
  get ranges(): { from: Uint8Array; shard: string }[] {
    return this.owners.map((shard, i) => ({ from: i === 0 ? new Uint8Array(0) : this.splits[i - 1]!.slice(), shard }))
  }

  /** Cuts a range in two at a key; a shard gets what lies at or above it. */
  split(at: string | Uint8Array, name: string): void {
    this.indexOf(name)
    const key = bytesOf(at).slice()
    const range = this.rangeOf(key, 0, key.length)
    if (key.length === 0) throw invalid('The empty key is below every other: there is nothing to split off')
    if (range > 0 && compareKeys(this.splits[range - 1]!, key) === 0)
      throw invalid('There is a split at this key already')
    this.splits = this.splits.toSpliced(range, 0, key)
    this.owners = this.owners.toSpliced(range + 1, 0, name)
    this.index()
  }

  /** Takes a split point away: the range below takes over what lies above it. */
  merge(at: string | Uint8Array): void {
    const key = bytesOf(at)
    const split = this.splits.findIndex((each) => compareKeys(each, key) === 0)
    if (split < 0) throw invalid('There is no split at this key')
    this.splits = this.splits.toSpliced(split, 1)
    this.owners = this.owners.toSpliced(split + 1, 1)
    this.index()
  }

  protected ownerOfPlace(bytes: Uint8Array, start: number, end: number): number {
    return this.ownerIndexes[this.rangeOf(bytes, start, end)]!
  }

  /** The first shards take the ranges that the split points make, in order. */
  protected rebuild(): void {
    if (this.owners.length <= this.splits.length) {
      const added = this.shards.at(-1)
      if (added !== undefined && !this.owners.includes(added.name)) this.owners = [...this.owners, added.name]
    }
    const gone = (name: string): boolean => !this.shards.some((shard) => shard.name === name)
    while (this.owners.length > 1 && this.owners.some(gone)) {
      const at = this.owners.findIndex(gone)
      this.splits = this.splits.toSpliced(Math.max(0, at - 1), 1)
      this.owners = this.owners.toSpliced(at, 1)
    }
    if (this.owners.some(gone)) this.owners = this.shards.slice(0, 1).map(({ name }) => name)
    this.index()
  }

  /** Whether every range has a shard: the list of shards was long enough for the split points. */
  get isComplete(): boolean {
    return this.owners.length === this.splits.length + 1
  }

  protected details(): Record<string, unknown> {
    return { splits: this.splits.map((split) => Buffer.from(split).toString('base64')), owners: this.owners }
  }

  private index(): void {
    const last = Math.max(0, this.owners.length - 1)
    // While shards are still being added, the newest one stands in for those to come.
    this.ownerIndexes = Array.from({ length: this.splits.length + 1 }, (_, i) =>
      this.shards.findIndex(({ name }) => name === this.owners[Math.min(i, last)]),
    )
  }

  private rangeOf(bytes: Uint8Array, start: number, end: number): number {
    const { splits } = this
    let low = 0
    let high = splits.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const split = splits[middle]!
      if (compareBytes(split, 0, split.length, bytes, start, end) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
