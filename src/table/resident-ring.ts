import type { Resident } from './resident.js'

/** The residents of a cache in a ring, with a hand that goes from one to the next. What is new stands in the first hole, or at the end. */
export class ResidentRing {
  /** How often the hand has come round. */
  rounds = 0
  readonly #places: (Resident | undefined)[] = []
  readonly #holes: number[] = []
  #hand = 0

  /** With the holes. */
  get length(): number {
    return this.#places.length
  }

  add(resident: Resident): void {
    resident.ringSlot = this.#holes.pop() ?? this.#places.length
    this.#places[resident.ringSlot] = resident
  }

  remove(resident: Resident): void {
    this.#places[resident.ringSlot] = undefined
    this.#holes.push(resident.ringSlot)
    resident.ringSlot = -1
  }

  /** The hand comes to this one next. */
  aim(resident: Resident): void {
    this.#hand = resident.ringSlot
  }

  /** What the hand comes to; `undefined` for a hole. */
  step(): Resident | undefined {
    if (this.#hand >= this.#places.length) {
      this.#hand = 0
      this.rounds++
    }
    return this.#places[this.#hand++]
  }
}
