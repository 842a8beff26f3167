import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from 'abstract-level'
import type { Encoded } from './handles.js'
import type { Slices } from './slices.js'

/** What the three base classes of Level have in common. */
interface Counted {
  /** Entries given out so far. */
  readonly count: number
  /** Entries to give out, Infinity for all. */
  readonly limit: number
}

type IteratorBase = new (db: unknown, options: object) => Counted

/** An iterator that has slices to take its entries from. */
type SlicedIterator = new (
  db: unknown,
  options: object,
  slices: Slices<unknown>,
) => Counted & {
  /** How many entries are read and not yet taken. */
  readonly cached: number
}

/** An iterator of any kind that takes its entries from slices. */
function takingSlices(Base: IteratorBase): SlicedIterator {
  return class extends Base {
    readonly #slices: Slices<unknown>

    constructor(db: unknown, options: object, slices: Slices<unknown>) {
      super(db, options)
      this.#slices = slices
    }

    get cached(): number {
      return this.#slices.cached
    }

    _next(): unknown {
      return this.#slices.next(this.limit - this.count)
    }

    _nextv(size: number): Promise<unknown[]> {
      return this.#slices.nextMany(size)
    }

    _all(): Promise<unknown[]> {
      return this.#slices.all(this.limit - this.count)
    }

    _seek(target: Encoded): void {
      this.#slices.seek(target)
    }

    async _close(): Promise<void> {
      this.#slices.close()
    }
  }
}

export const LevelIterator = takingSlices(AbstractIterator as unknown as IteratorBase)
export const LevelKeyIterator = takingSlices(AbstractKeyIterator as unknown as IteratorBase)
export const LevelValueIterator = takingSlices(AbstractValueIterator as unknown as IteratorBase)
