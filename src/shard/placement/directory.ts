import { BasePlacement, bytesOf } from './base-placement.js'
import type { PlacedShard } from './placement.js'
import { Ring } from './ring.js'

/** One byte of the prefixes; what is assigned here counts for every key below. */
interface Node {
  shard: string | undefined
  readonly children: Map<number, Node>
}

/**
 * A lookup: prefixes are assigned to shards by hand and kept in a tree of their bytes; the longest one that a key begins with
 * decides, and a ring decides for the rest. For tenants that are to live where somebody put them.
 */
export class Directory extends BasePlacement {
  readonly kind = 'directory'
  private readonly fallback: Ring
  private root: Node = { shard: undefined, children: new Map() }
  private readonly assignments = new Map<string, string>()

  /** `vnodes` are those of the ring for keys that nothing is assigned to; `seed` shifts all hashes. */
  constructor(options: { seed?: number; vnodes?: number } = {}) {
    super(options.seed)
    this.fallback = new Ring({ ...(options.vnodes === undefined ? {} : { vnodes: options.vnodes }), seed: this.seed })
  }

  copy(): Directory {
    return Directory.restore(this.seed, this.shards, this.details())
  }

  /** The placement that these details describe. */
  static restore(seed: number, shards: readonly PlacedShard[], details: Readonly<Record<string, unknown>>): Directory {
    const directory = new Directory({ seed, vnodes: details['vnodes'] as number })
    for (const [prefix, shard] of details['assignments'] as [string, string][]) directory.assignments.set(prefix, shard)
    for (const { name, weight } of shards) directory.fallback.add(name, { weight })
    directory.replace(shards)
    return directory
  }

  override add(name: string, options: { weight?: number } = {}): void {
    this.checkWeight(name, options.weight ?? 1)
    this.fallback.add(name, options)
    super.add(name, options)
  }

  override remove(name: string): void {
    this.fallback.remove(name)
    super.remove(name)
  }

  override reweight(name: string, weight: number): void {
    this.fallback.reweight(name, weight)
    super.reweight(name, weight)
  }

  /** Keys that begin with this stand on that shard from now on, unless a longer prefix says otherwise. */
  assign(prefix: string | Uint8Array, name: string): void {
    this.indexOf(name)
    this.assignments.set(Buffer.from(bytesOf(prefix)).toString('base64'), name)
    this.plant()
  }

  /** The assignments, prefix by prefix. */
  get assigned(): { prefix: Uint8Array; shard: string }[] {
    return [...this.assignments].map(([prefix, shard]) => ({
      prefix: new Uint8Array(Buffer.from(prefix, 'base64')),
      shard,
    }))
  }

  protected ownerOfPlace(bytes: Uint8Array, start: number, end: number): number {
    let node: Node | undefined = this.root
    let found = node.shard
    for (let i = start; i < end; i++) {
      node = node.children.get(bytes[i]!)
      if (node === undefined) break
      found = node.shard ?? found
    }
    // The ring got the same shards in the same order.
    return found === undefined ? this.fallback.ownerOf(bytes, start, end) : this.indexOf(found)
  }

  /** What was assigned to a shard that has gone falls back to the ring. */
  protected rebuild(): void {
    for (const [prefix, shard] of this.assignments) {
      if (!this.shards.some(({ name }) => name === shard)) this.assignments.delete(prefix)
    }
    this.plant()
  }

  protected details(): Record<string, unknown> {
    return { vnodes: this.fallback.vnodes, assignments: [...this.assignments] }
  }

  private plant(): void {
    this.root = { shard: undefined, children: new Map() }
    for (const { prefix, shard } of this.assigned) {
      let node = this.root
      for (const byte of prefix) {
        let child = node.children.get(byte)
        if (child === undefined) {
          child = { shard: undefined, children: new Map() }
          node.children.set(byte, child)
        }
        node = child
      }
      node.shard = shard
    }
  }
}
