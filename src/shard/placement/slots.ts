import { invalid } from '../../bytes/errors.js'
import { BasePlacement } from './base-placement.js'
import { mix32 } from './key-hash.js'
import type { PlacedShard } from './placement.js'

/** How many slots there are: 100 shards have 164 each, and the table is 32 KiB. Never to change. */
export const SLOT_COUNT = 16384

const UNOWNED = 0xffff

/**
 * A fixed number of logical slots; a key's hash names its slot, a table names the slot's shard. Shares are exact to one slot, and
 * when they change, only as many slots move as must, those that the receiver wants most (weighted rendezvous). One hot slot can
 * be moved by hand. The table is what has to be kept: 32 KiB with a version.
 */
export class Slots extends BasePlacement {
  readonly kind = 'slots'
  private table = new Uint16Array(SLOT_COUNT).fill(UNOWNED)
  private tableVersion = 0

  /** `seed` shifts all hashes. */
  constructor(options: { seed?: number } = {}) {
    super(options.seed)
  }

  /** Goes up with every change of the table. */
  get version(): number {
    return this.tableVersion
  }

  copy(): Slots {
    return Slots.restore(this.seed, this.shards, this.details())
  }

  /** The placement that these details describe. */
  static restore(seed: number, shards: readonly PlacedShard[], details: Readonly<Record<string, unknown>>): Slots {
    const slots = new Slots({ seed })
    const bytes = Buffer.from(details['table'] as string, 'base64')
    const table = Uint16Array.from({ length: SLOT_COUNT }, (_, slot) => bytes.readUInt16LE(slot * 2))
    slots.adopt(shards)
    slots.table = table
    slots.tableVersion = details['version'] as number
    return slots
  }

  /** The slot of a key. */
  slotOf(bytes: Uint8Array, start: number, end: number): number {
    return this.hash(bytes, start, end) % SLOT_COUNT
  }

  /** The name of the shard that has a slot. */
  ownerOfSlot(slot: number): string {
    this.checkSlot(slot)
    return this.shards[this.table[slot]!]!.name
  }

  /** Puts one slot somewhere else by hand. The next change of shards may deal it out again. */
  moveSlot(slot: number, name: string): void {
    this.checkSlot(slot)
    this.table[slot] = this.indexOf(name)
    this.tableVersion++
  }

  protected ownerOfPlace(bytes: Uint8Array, start: number, end: number): number {
    return this.table[this.slotOf(bytes, start, end)]!
  }

  protected rebuild(before: readonly PlacedShard[]): void {
    const places = before.map(({ name }) => this.shards.findIndex((shard) => shard.name === name))
    const held = new Array<number>(this.shards.length).fill(0)
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const place = places[this.table[slot]!] ?? -1
      this.table[slot] = place < 0 ? UNOWNED : place
      if (place >= 0) held[place]!++
    }
    if (this.shards.length > 0) this.deal(held)
    this.tableVersion++
  }

  /** Fills every shard up to its share, from slots without an owner first and then from shards that have too many. */
  private deal(held: number[]): void {
    const shares = this.shares()
    for (let taker = 0; taker < shares.length; taker++) {
      let missing = shares[taker]! - held[taker]!
      if (missing <= 0) continue
      const wanted = Array.from({ length: SLOT_COUNT }, (_, slot) => slot)
        .filter((slot) => this.table[slot] === UNOWNED || held[this.table[slot]!]! > shares[this.table[slot]!]!)
        .map((slot) => ({ slot, score: this.score(mix32(slot ^ this.seed), taker) }))
        .sort((a, b) => b.score - a.score)
      for (const { slot } of wanted) {
        if (missing === 0) break
        const giver = this.table[slot]!
        if (giver !== UNOWNED && held[giver]! <= shares[giver]!) continue
        if (giver !== UNOWNED) held[giver]!--
        this.table[slot] = taker
        held[taker]!++
        missing--
      }
    }
  }

  /** How many slots each shard should have; what division leaves over goes to the largest fractions. */
  private shares(): number[] {
    const total = this.shards.reduce((sum, { weight }) => sum + weight, 0)
    const exact = this.shards.map(({ weight }) => (weight / total) * SLOT_COUNT)
    const shares = exact.map(Math.floor)
    const left = SLOT_COUNT - shares.reduce((sum, share) => sum + share, 0)
    const byFraction = exact.map((share, i) => ({ i, fraction: share - shares[i]! }))
    byFraction.sort((a, b) => b.fraction - a.fraction || a.i - b.i)
    for (const { i } of byFraction.slice(0, left)) shares[i]!++
    return shares
  }

  protected details(): Record<string, unknown> {
    const bytes = Buffer.alloc(SLOT_COUNT * 2)
    for (let slot = 0; slot < SLOT_COUNT; slot++) bytes.writeUInt16LE(this.table[slot]!, slot * 2)
    return { version: this.tableVersion, table: bytes.toString('base64') }
  }

  private checkSlot(slot: number): void {
    if (Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT) return
    throw invalid(`A slot is a whole number from 0 to ${SLOT_COUNT - 1}, not ${String(slot)}`)
  }
}
