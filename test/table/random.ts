/** Seeded randomness of a test: prints how to replay it, and takes the seed from `SILTSTONE_SEED` where that is set. */
export interface SeededRandom {
  readonly seed: number
  /** From `low` to `high`, both inclusive. */
  integer(low: number, high: number): number
  bytes(length: number): Uint8Array
  pick<T>(list: readonly T[]): T
}

export function seededRandom(what: string): SeededRandom {
  const seed = Number(process.env['SILTSTONE_SEED'] ?? Math.floor(Math.random() * 0xffffffff)) >>> 0
  console.info(`${what}: replay with SILTSTONE_SEED=${seed}`)
  let state = seed
  const next = (): number => {
    // Mulberry32: 32 bits of state are plenty for tests, and every seed gives a full period.
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    seed,
    integer,
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let i = 0; i < length; i++) bytes[i] = integer(0, 255)
      return bytes
    },
    pick: (list) => list[integer(0, list.length - 1)]!,
  }
}
