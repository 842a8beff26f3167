const ROUNDS = 4

/**
 * The numbers from 0 up to a size in pseudo-random order, each once, without a list of them: a Feistel network over the next
 * even number of bits, walked on where it leaves the range. A stride through the range would visit neighbours at a fixed
 * distance, which caches and B-trees like better than chance.
 */
export class Permutation {
  readonly size: number
  private readonly halfBits: number
  private readonly mask: number

  constructor(size: number) {
    this.size = size
    this.halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, size)) / 2))
    this.mask = 2 ** this.halfBits - 1
  }

  /** Where number `i` comes to stand. */
  at(i: number): number {
    let current = i
    do current = this.shuffled(current)
    while (current >= this.size)
    return current
  }

  private shuffled(number: number): number {
    const { halfBits, mask } = this
    let left = Math.floor(number / 2 ** halfBits)
    let right = number & mask
    for (let round = 1; round <= ROUNDS; round++) {
      let mixed = Math.imul(right + round * 0x9e3779b9, 0x85ebca6b)
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
      const next = left ^ ((mixed ^ (mixed >>> 16)) & mask)
      left = right
      right = next
    }
    return left * 2 ** halfBits + right
  }
}
