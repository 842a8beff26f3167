import { MergedScan, type ScanPart } from './merged-scan.js'
import type { Ownership } from './ownership.js'
import type { Row, ShardQuery, ShardReads, ShardScan } from './shard.js'

type Bytes = Uint8Array

/** Keys of one shard, and where in the list that was asked for they stand. */
interface Portion {
  readonly keys: Bytes[]
  readonly places: number[]
}

/** Reads over several shards: each key from its owner, many keys side by side, scans merged and without what is not theirs. */
export abstract class GroupReads implements ShardReads {
  /** Who owns what, as far as these reads are concerned. */
  protected abstract get ownership(): Ownership
  /** The reads of a shard. */
  protected abstract readsOf(name: string, keyCount: number): ShardReads
  /** Every shard that may hold something. */
  protected abstract names(): readonly string[]
  /** Makes the reads of several shards that follow in this turn reads of one moment. */
  protected abstract cut(): void
  /** Keeps shards from being taken away under an open scan. Returns what lets go of them. */
  protected abstract hold(): () => void

  get(space: string, key: Bytes): Promise<Bytes | undefined> {
    return this.readsOf(this.ownership.ownerOf(space, key), 1).get(space, key)
  }

  getSync(space: string, key: Bytes): Bytes | undefined {
    return this.readsOf(this.ownership.ownerOf(space, key), 1).getSync(space, key)
  }

  getMany(space: string, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return this.gather(space, keys, (reads, part) => reads.getMany(space, part))
  }

  getManySync(space: string, keys: readonly Bytes[]): (Bytes | undefined)[] {
    return this.gatherSync(space, keys, (reads, part) => reads.getManySync(space, part))
  }

  hasMany(space: string, keys: readonly Bytes[]): Promise<boolean[]> {
    return this.gather(space, keys, (reads, part) => reads.hasMany(space, part))
  }

  hasManySync(space: string, keys: readonly Bytes[]): boolean[] {
    return this.gatherSync(space, keys, (reads, part) => reads.hasManySync(space, part))
  }

  scan(space: string, query: ShardQuery): ShardScan {
    const { ownership } = this
    const only = ownership.ownerOfRange(space, query.range)
    if (only === undefined) this.cut()
    const names = only === undefined ? this.names() : [only]
    const { isMoving } = ownership
    // A copy that is under way, or left behind, is not the shard's to show; nor may it use up the limit.
    const partQuery = isMoving ? { ...query, limit: Number.POSITIVE_INFINITY } : query
    const keeps = isMoving ? (row: Row, name: string) => ownership.ownerOf(space, row.key) === name : keepsAll
    const release = this.hold()
    const parts: ScanPart[] = []
    try {
      for (const name of names) parts.push({ name, scan: this.readsOf(name, 0).scan(space, partQuery) })
    } catch (error) {
      for (const { scan } of parts) scan.close()
      release()
      throw error
    }
    return new MergedScan(parts, query, keeps, release)
  }

  private portions(space: string, keys: readonly Bytes[]): Map<string, Portion> {
    const portions = new Map<string, Portion>()
    const { ownership } = this
    for (const [place, key] of keys.entries()) {
      const name = ownership.ownerOf(space, key)
      let portion = portions.get(name)
      if (portion === undefined) portions.set(name, (portion = { keys: [], places: [] }))
      portion.keys.push(key)
      portion.places.push(place)
    }
    if (portions.size > 1) this.cut()
    return portions
  }

  private async gather<T>(
    space: string,
    keys: readonly Bytes[],
    ask: (reads: ShardReads, keys: Bytes[]) => Promise<T[]>,
  ): Promise<T[]> {
    const answers = new Array<T>(keys.length)
    const asked = [...this.portions(space, keys)].map(async ([name, { keys: part, places }]) => {
      const found = await ask(this.readsOf(name, part.length), part)
      for (const [i, place] of places.entries()) answers[place] = found[i]!
    })
    await Promise.all(asked)
    return answers
  }

  private gatherSync<T>(space: string, keys: readonly Bytes[], ask: (reads: ShardReads, keys: Bytes[]) => T[]): T[] {
    const answers = new Array<T>(keys.length)
    for (const [name, { keys: part, places }] of this.portions(space, keys)) {
      const found = ask(this.readsOf(name, part.length), part)
      for (const [i, place] of places.entries()) answers[place] = found[i]!
    }
    return answers
  }
}

function keepsAll(): boolean {
  return true
}
