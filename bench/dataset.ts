import { Permutation } from './permutation.js'

export const KEY_BYTES = 16
export const VALUE_BYTES = 100

const VALUE_COUNT = 1000
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_'
const ZERO = 0x30

/** Keys of 16 bytes and values of 100 that compress to half; the same for everybody, in every run. */
export class Dataset {
  readonly size: number
  private readonly permutation: Permutation
  private readonly digits = Buffer.alloc(KEY_BYTES)
  private readonly values: string[] = []
  private state = 0x9e3779b9

  constructor(size: number) {
    this.size = size
    this.permutation = new Permutation(size)
    for (let i = 0; i < VALUE_COUNT; i++) {
      let half = ''
      while (half.length < VALUE_BYTES / 2) half += LETTERS[this.random(LETTERS.length)]
      this.values.push(flat(half + half[0]!.repeat(VALUE_BYTES / 2)))
    }
  }

  /** From 0 up to, but without, `limit`. */
  random(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** From 0 up to, but without, 1. */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Keys in the order of their numbers. Only even numbers are used, so that missing keys lie between those that are there. */
  key(i: number): string {
    return this.text(i * 2)
  }

  missingKey(i: number): string {
    return this.text(i * 2 + 1)
  }

  /** Keys at random, some of them more than once. */
  randomKeys(count: number, among = this.size): string[] {
    return Array.from({ length: count }, () => this.key(this.random(among)))
  }

  value(i: number): string {
    return this.values[i % VALUE_COUNT]!
  }

  /** Values as long as all of ours together, 100 kB; no two neighbours are alike. */
  largeValue(i: number): string {
    const first = (i * 7) % VALUE_COUNT
    return flat([...this.values.slice(first), ...this.values.slice(0, first)].join(''))
  }

  /** Number `i` of the keys in random order. */
  shuffledAt(i: number): number {
    return this.permutation.at(i)
  }

  /** Visits 0 to size - 1 once each, in random order. */
  *shuffled(): Generator<number> {
    for (let i = 0; i < this.size; i++) yield this.permutation.at(i)
  }

  /** In one piece from the beginning: padding makes a text of two parts that the first store to use it would pay for. */
  private text(number: number): string {
    const { digits } = this
    for (let at = KEY_BYTES - 1; at >= 0; at--) {
      const tens = Math.floor(number / 10)
      digits[at] = ZERO + number - tens * 10
      number = tens
    }
    return digits.toString('latin1')
  }
}

function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
