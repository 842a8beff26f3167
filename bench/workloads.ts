import type { Peer, PutOperation } from './peers/peer.js'

/** What one workload measured. */
export interface Measurement {
  readonly operations: number
  readonly seconds: number
}

/** A workload runs on a peer that the workloads before it in the list have filled. */
export interface Workload {
  readonly name: string
  /** `undefined` where the peer has no such call. */
  run(peer: Peer, data: Dataset): Promise<Measurement | undefined>
}

const VALUE_BYTES = 100
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_'

/** Keys of 16 bytes in random order and values of 100 bytes that compress to half; the same for everybody. */
export class Dataset {
  readonly size: number
  private state = 0x9e3779b9
  private readonly values: string[] = []

  constructor(size: number) {
    this.size = size
    for (let i = 0; i < 1000; i++) {
      let half = ''
      while (half.length < VALUE_BYTES / 2) half += LETTERS[this.random(64)]
      this.values.push(half + half[0]!.repeat(VALUE_BYTES / 2))
    }
  }

  /** From 0 up to, but without, `limit`. */
  random(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }

  key(i: number): string {
    return String(i).padStart(16, '0')
  }

  /** Of one of the keys that `fill` writes. */
  randomKey(): string {
    return this.key(this.random(this.size))
  }

  value(i: number): string {
    return this.values[i % this.values.length]!
  }

  /** Visits 0 to size - 1 once each, in an order that looks random. */
  *shuffled(): Generator<number> {
    const step = 0.6180339887498949
    let stride = Math.floor(this.size * step) | 1
    while (greatestCommonDivisor(stride, this.size) !== 1) stride += 2
    for (let i = 0, at = 0; i < this.size; i++, at = (at + stride) % this.size) yield at
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

async function timed(operations: number, run: () => Promise<void> | void): Promise<Measurement> {
  const startedAt = performance.now()
  await run()
  return { operations, seconds: (performance.now() - startedAt) / 1000 }
}

const BATCH = 1000

export const workloads: readonly Workload[] = [
  {
    name: 'random fill, batches of 1000',
    run: (peer, data) =>
      timed(data.size, async () => {
        let operations: PutOperation[] = []
        for (const i of data.shuffled()) {
          operations.push({ type: 'put', key: data.key(i), value: data.value(i) })
          if (operations.length < BATCH) continue
          await peer.batch(operations)
          operations = []
        }
        await peer.batch(operations)
      }),
  },
  {
    name: 'awaited put',
    run: (peer, data) => {
      const count = Math.floor(data.size / 10)
      return timed(count, async () => {
        for (let i = 0; i < count; i++) await peer.put(data.randomKey(), data.value(i))
      })
    },
  },
  {
    name: 'put, 64 in flight',
    run: (peer, data) => {
      const count = Math.floor(data.size / 10)
      return timed(count, async () => {
        let next = 0
        const writer = async () => {
          while (next < count) await peer.put(data.randomKey(), data.value(next++))
        }
        await Promise.all(Array.from({ length: 64 }, writer))
      })
    },
  },
  {
    name: 'putSync',
    run: async (peer, data) => {
      const { putSync } = peer
      if (putSync === undefined) return undefined
      const count = Math.floor(data.size / 10)
      return timed(count, () => {
        for (let i = 0; i < count; i++) putSync(data.randomKey(), data.value(i))
      })
    },
  },
  {
    name: 'awaited get',
    run: (peer, data) => {
      const count = Math.floor(data.size / 10)
      return timed(count, async () => {
        for (let i = 0; i < count; i++) if ((await peer.get(data.randomKey())) === undefined) throw new Error('lost')
      })
    },
  },
  {
    name: 'getSync',
    run: async (peer, data) => {
      const { getSync } = peer
      if (getSync === undefined) return undefined
      const count = Math.floor(data.size / 4)
      return timed(count, () => {
        for (let i = 0; i < count; i++) if (getSync(data.randomKey()) === undefined) throw new Error('lost')
      })
    },
  },
  {
    name: 'getMany of 100',
    run: (peer, data) => {
      const rounds = Math.floor(data.size / 1000)
      return timed(rounds * 100, async () => {
        for (let i = 0; i < rounds; i++) await peer.getMany(Array.from({ length: 100 }, () => data.randomKey()))
      })
    },
  },
  {
    name: 'full scan',
    run: (peer, data) =>
      timed(data.size, async () => {
        const count = await peer.scanAll()
        if (count !== data.size) throw new Error(`the scan saw ${count} of ${data.size} entries`)
      }),
  },
  {
    name: 'seek + 10 entries',
    run: (peer, data) => {
      const count = Math.floor(data.size / 50)
      return timed(count, async () => {
        for (let i = 0; i < count; i++) await peer.seek(data.randomKey(), 10)
      })
    },
  },
]
