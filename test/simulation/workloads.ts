import type { OpenOptions } from '../../src/index.js'
import type { Scribe } from './scribe.js'
import type { SeededRandom } from './seeded-random.js'

/** Something to do to a store that is open, and leaves open or closed. */
export interface Workload {
  readonly name: string
  readonly options?: OpenOptions
  run(scribe: Scribe, random: SeededRandom): Promise<void>
}

const SEGMENT_BYTES = 64 * 1024

function key(random: SeededRandom, count = 60): string {
  return `k${String(random.below(count)).padStart(3, '0')}`
}

/** Keys and values that fill about so many segments, some of them synced, some written by several writers in one turn. */
async function fill(scribe: Scribe, random: SeededRandom, segments: number, keyspace = ''): Promise<void> {
  for (let bytes = 0; bytes < segments * SEGMENT_BYTES; ) {
    const writers = random.pick([1, 1, 3])
    const puts: Promise<void>[] = []
    for (let i = 0; i < writers; i++) {
      const put = scribe.value(random.pick([10, 500, 4000, 9000]))
      bytes += put.length
      puts.push(scribe.put(key(random), put, { sync: random.chance(0.2), keyspace }))
    }
    await Promise.all(puts)
  }
}

const puts: Workload = {
  name: 'puts, some synced',
  async run(scribe, random) {
    for (let i = 0; i < 30; i++) {
      const sync = random.chance(0.3)
      const kind = random.below(10)
      if (kind < 2) scribe.putSync(key(random), scribe.value(), sync)
      else if (kind < 4) await scribe.del(key(random), { sync })
      else {
        const group = Array.from({ length: random.between(1, 4) }, () =>
          scribe.put(key(random), scribe.value(random.pick([0, 100, 3000])), { sync }),
        )
        await Promise.all(group)
      }
    }
    await scribe.close()
  },
}

const flushes: Workload = {
  name: 'segments that fill and flushes by hand',
  async run(scribe, random) {
    await fill(scribe, random, 2)
    await scribe.flush()
    for (let i = 0; i < 3; i++) {
      await scribe.put(key(random), scribe.value())
      await scribe.flush()
    }
    await fill(scribe, random, 1)
    await scribe.close()
  },
}

const leveled: Workload = {
  name: 'leveled compaction',
  async run(scribe, random) {
    for (let round = 0; round < 5; round++) {
      await fill(scribe, random, 1)
      if (round === 2) await scribe.clear('k010', 'k030')
      await scribe.flush()
    }
    await scribe.idle()
    await fill(scribe, random, 0.5)
    await scribe.close()
  },
}

const byHand: Workload = {
  name: 'minor and major compaction by hand',
  async run(scribe, random) {
    for (const kind of ['minor', 'major', 'minor'] as const) {
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 8; i++) await scribe.put(key(random), scribe.value(200), { sync: random.chance(0.2) })
        await scribe.del(key(random))
        await scribe.flush()
      }
      await scribe.compact(kind)
    }
    await scribe.close()
  },
}

const tiered: Workload = {
  name: 'tiered compaction',
  options: { compaction: 'tiered' },
  run: leveled.run,
}

const fifo: Workload = {
  name: 'fifo compaction',
  options: { compaction: 'fifo' },
  async run(scribe, random) {
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 10; i++) await scribe.put(`m${String(round * 10 + i).padStart(4, '0')}`, scribe.value(300))
      await scribe.flush()
    }
    await scribe.put(key(random), scribe.value(), { sync: true })
    await scribe.idle()
    await scribe.close()
  },
}

const ranges: Workload = {
  name: 'range deletions over flushed and fresh keys',
  async run(scribe, random) {
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 12; i++) await scribe.put(key(random), scribe.value(100), { sync: i === 6 })
      const low = random.below(50)
      await scribe.clear(`k${String(low).padStart(3, '0')}`, `k${String(low + 15).padStart(3, '0')}`)
      if (random.chance(0.7)) await scribe.flush()
      await scribe.put(key(random), scribe.value(50))
    }
    await scribe.compact('major')
    await scribe.clear('k', 'k030', { sync: true })
    await scribe.close()
  },
}

const keyspaces: Workload = {
  name: 'batches over keyspaces that are made on the way',
  async run(scribe, random) {
    const names = ['', 'orders', 'users', 'events', 'mail']
    for (let round = 0; round < 14; round++) {
      const reach = names.slice(0, 2 + Math.floor(round / 4))
      const entries = reach.flatMap((name) =>
        Array.from(
          { length: 2 },
          () => [name, key(random, 20), random.chance(0.85) ? scribe.value(80) : undefined] as const,
        ),
      )
      await scribe.batch(entries, random.chance(0.25))
      if (round % 4 === 1) await scribe.put(key(random), scribe.value(), { keyspace: random.pick(reach.slice(1)) })
      if (round % 5 === 4) await scribe.flush()
    }
    await scribe.clear('k005', 'k012', { keyspace: 'orders' })
    await scribe.close()
  },
}

const largeBatches: Workload = {
  name: 'batches larger than a segment',
  async run(scribe, random) {
    for (let round = 0; round < 3; round++) {
      await scribe.put(key(random), scribe.value())
      const entries = Array.from(
        { length: 12 },
        (_, i) => [i % 2 === 0 ? '' : 'big', key(random), scribe.value(9000)] as const,
      )
      await scribe.batch(entries, round === 1)
      await scribe.put(key(random), scribe.value(), { sync: round === 2 })
    }
    await scribe.flush()
    await scribe.put(key(random), scribe.value(100_000))
    await scribe.close()
  },
}

const expiring: Workload = {
  name: 'keys that expire on the way',
  async run(scribe, random) {
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10; i++) {
        const ttl = random.pick([5, 50, 1_000_000, undefined])
        await scribe.put(key(random, 30), scribe.value(60), { sync: i === 5, ...(ttl === undefined ? {} : { ttl }) })
      }
      await scribe.flush()
    }
    scribe.clock.advance(100)
    await scribe.compact('major')
    await scribe.put(key(random), scribe.value(), { ttl: 40 })
    await scribe.close()
  },
}

const snapshots: Workload = {
  name: 'snapshots and scans that stay open meanwhile',
  async run(scribe, random) {
    const open: ReturnType<Scribe['snapshot']>[] = []
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10; i++) await scribe.put(key(random, 25), scribe.value(200), { sync: i === 3 })
      await scribe.del(key(random, 25))
      open.push(scribe.snapshot())
      // Never closed: it holds on to what it sees until the store is closed.
      await scribe.attempt(async () => scribe.db.entries().nextMany(1))
      await scribe.flush()
      if (round === 2) open.shift()!.close()
    }
    await scribe.compact('major')
    for (const snapshot of open) await scribe.attempt(() => snapshot.check())
    open.shift()!.close()
    await scribe.idle()
    await scribe.close()
  },
}

const reopenings: Workload = {
  name: 'clean ends and openings',
  async run(scribe, random) {
    for (let session = 0; session < 5; session++) {
      const writes = random.pick([0, 1, 6])
      for (let i = 0; i < writes; i++) await scribe.put(key(random), scribe.value(300), { sync: random.chance(0.3) })
      if (random.chance(0.3)) await scribe.flush()
      await scribe.close()
      await scribe.open()
      await scribe.check(scribe.history.length)
    }
    await fill(scribe, random, 1)
    await scribe.close()
  },
}

const retained: Workload = {
  name: 'a log that is kept for the change feed',
  options: { logRetention: { bytes: 96 * 1024 } },
  async run(scribe, random) {
    for (let round = 0; round < 3; round++) {
      await fill(scribe, random, 0.7)
      await scribe.flush()
    }
    await scribe.close()
    await scribe.open()
    await fill(scribe, random, 1)
    await scribe.close()
  },
}

/** What a store can go through; each is a session of its own. */
export const WORKLOADS: readonly Workload[] = [
  puts,
  flushes,
  leveled,
  byHand,
  tiered,
  fifo,
  ranges,
  keyspaces,
  largeBatches,
  expiring,
  snapshots,
  reopenings,
  retained,
]

/** A little of everything, for a store that has just come back. */
export async function shortLife(scribe: Scribe, random: SeededRandom): Promise<void> {
  await scribe.put(key(random), scribe.value(100), { sync: random.chance(0.5) })
  await scribe.batch([
    ['', key(random), scribe.value()],
    ['orders', key(random), scribe.value()],
  ])
  if (random.chance(0.5)) await scribe.flush()
  await scribe.put(key(random), scribe.value(5000), { sync: random.chance(0.5) })
  if (random.chance(0.3)) await scribe.compact('major')
  if (random.chance(0.5)) await scribe.idle()
}
