import type { Ground } from './contender.js'

/** Keys and values that are the same for everybody: 16 bytes, and text that compresses about by half. */
export class Material {
  readonly keys: number
  private readonly valueBytes: number
  private readonly stride: number

  constructor(keys: number, valueBytes: number) {
    this.keys = keys
    this.valueBytes = valueBytes
    // Steps of a golden section visit every key once, in an order that no cache can guess.
    let stride = Math.max(1, Math.floor(keys * 0.6180339887))
    while (greatestCommonDivisor(stride, keys) !== 1) stride++
    this.stride = stride
  }

  key(i: number): string {
    return String(i).padStart(16, '0')
  }

  /** The i-th key of the random order. */
  shuffled(i: number): string {
    return this.key((i * this.stride) % this.keys)
  }

  /** A key between two that are there. */
  missing(i: number): string {
    return `${this.shuffled(i)}-`
  }

  value(i: number): string {
    const noise = ((i + 1) * 2654435761).toString(36)
    return noise
      .repeat(Math.ceil(this.valueBytes / 2 / noise.length))
      .padEnd(this.valueBytes, 's')
      .slice(0, this.valueBytes)
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

export interface Workload {
  readonly name: string
  /** On a store of its own, on which every write survives a loss of power. */
  readonly durable?: boolean
  /** Leaves behind what those after it need, so it runs even when nobody asked for it. */
  readonly fills?: boolean
  /** Returns the number of operations. */
  run(ground: Ground, material: Material): Promise<number>
}

const BATCH = 1000
const IN_FLIGHT = 64
const SYNCED_WRITES = 300
const SEEK_ENTRIES = 10

async function oneByOne(count: number, step: (i: number) => unknown): Promise<number> {
  for (let i = 0; i < count; i++) {
    const done = step(i)
    // Whoever answers on this thread is not made to wait for the next turn.
    if (done instanceof Promise) await done
  }
  return count
}

async function inFlight(count: number, step: (i: number) => unknown): Promise<number> {
  for (let i = 0; i < count; i += IN_FLIGHT) {
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count - i) }, (_, j) => step(i + j)))
  }
  return count
}

async function fill(ground: Ground, { keys }: Material, entry: (i: number) => [string, string]): Promise<number> {
  for (let from = 0; from < keys; from += BATCH) {
    const done = ground.putMany(Array.from({ length: Math.min(BATCH, keys - from) }, (_, j) => entry(from + j)))
    if (done instanceof Promise) await done
  }
  return keys
}

function expectEntry(value: unknown): void {
  if (value === undefined) throw new Error('A key that was written is not there')
}

function expectAll(count: number, keys: number): number {
  if (count !== keys) throw new Error(`A scan found ${count} of ${keys} entries`)
  return count
}

/** In this order, on one store, but for what is durable. */
export const workloads: readonly Workload[] = [
  {
    name: 'fill in random order, 1000 a batch',
    fills: true,
    run: (ground, material) => fill(ground, material, (i) => [material.shuffled(i), material.value(i)]),
  },
  {
    name: 'overwrite, one by one',
    run: (ground, material) =>
      oneByOne(Math.ceil(material.keys / 5), (i) => ground.put(material.shuffled(i * 3), material.value(i + 1))),
  },
  {
    name: 'overwrite, 64 in flight',
    run: (ground, material) =>
      inFlight(Math.ceil(material.keys / 2), (i) => ground.put(material.shuffled(i * 7), material.value(i + 2))),
  },
  {
    name: 'read at random',
    run: (ground, material) =>
      oneByOne(material.keys, (i) => {
        const value = ground.get(material.shuffled(i * 3 + 1))
        if (value instanceof Promise) return value.then(expectEntry)
        return expectEntry(value)
      }),
  },
  {
    name: 'read what is not there',
    run: (ground, material) => oneByOne(material.keys, (i) => ground.get(material.missing(i))),
  },
  {
    name: `seek and read ${SEEK_ENTRIES} entries`,
    run: (ground, material) =>
      oneByOne(Math.ceil(material.keys / 10), (i) => ground.seek(material.shuffled(i * 5), SEEK_ENTRIES)),
  },
  {
    name: 'scan everything',
    run: async (ground, { keys }) => expectAll(await ground.scan(false), keys),
  },
  {
    name: 'scan everything, backwards',
    run: async (ground, { keys }) => expectAll(await ground.scan(true), keys),
  },
  {
    name: 'delete, 64 in flight',
    run: (ground, material) => inFlight(Math.ceil(material.keys / 2), (i) => ground.del(material.shuffled(i))),
  },
  {
    name: 'put, synced to the disk',
    durable: true,
    run: (ground, material) => oneByOne(SYNCED_WRITES, (i) => ground.put(material.key(i), material.value(i))),
  },
]
