import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { type Database, type OpenOptions, open } from '../../src/index.js'
import { ManualClock } from '../simulation/manual-clock.js'

/*
 * The store against a sorted model: random operations under random options, with snapshots, scans, flushes, compactions and
 * reopenings in between. A failure prints the seed and the shrunk list; SILTSTONE_SEED replays it.
 */

type Model = Map<string, { value: string; expiresAt: number }>

interface World {
  db: Database
  readonly fs: MemoryFileSystem
  readonly clock: ManualClock
  readonly options: OpenOptions
  model: Model
  readonly snapshots: { snapshot: ReturnType<Database['snapshot']>; model: Model }[]
}

type Step = (world: World) => Promise<void> | void

// Few keys, so that they meet: overwritten, deleted, covered by ranges, at the edges of blocks and tables.
const key = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map((i) => `k${String(i).padStart(3, '0')}`),
  fc.constantFrom('', 'k', 'k0', 'k03', `k030${'x'.repeat(300)}`, 'é', '\u{10ffff}'),
)
const value = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.integer({ min: 0, max: 3000 }).map((length) => 'v'.repeat(length)),
)
const bound = fc.record({ low: key, high: key, reverse: fc.boolean(), limit: fc.integer({ min: 0, max: 80 }) })

function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function liveKeys(model: Model, now: number): string[] {
  return [...model]
    .filter(([, entry]) => entry.expiresAt === 0 || entry.expiresAt > now)
    .map(([each]) => each)
    .sort(compareText)
}

function readModel(model: Model, each: string, now: number): string | undefined {
  const entry = model.get(each)
  return entry === undefined || (entry.expiresAt !== 0 && entry.expiresAt <= now) ? undefined : entry.value
}

const steps: fc.Arbitrary<{ name: string; step: Step }> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(key, value, fc.boolean()).map(([k, v, onThisThread]) => ({
      name: `put ${k}`,
      step: async ({ db, model }: World) => {
        if (onThisThread) db.putSync(k, v)
        else await db.put(k, v)
        model.set(k, { value: v, expiresAt: 0 })
      },
    })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(key, value, fc.integer({ min: 1, max: 100 })).map(([k, v, ttl]) => ({
      name: `put ${k} for ${ttl} ms`,
      step: async ({ db, model, clock }: World) => {
        await db.put(k, v, { ttl })
        model.set(k, { value: v, expiresAt: clock.now() + ttl })
      },
    })),
  },
  {
    weight: 5,
    arbitrary: key.map((k) => ({
      name: `del ${k}`,
      step: async ({ db, model }: World) => {
        await db.del(k)
        model.delete(k)
      },
    })),
  },
  {
    weight: 3,
    arbitrary: fc.array(fc.tuple(key, fc.option(value, { nil: undefined })), { maxLength: 30 }).map((operations) => ({
      name: `batch of ${operations.length}`,
      step: async ({ db, model }: World) => {
        await db.batch(
          operations.map(([k, v]) => (v === undefined ? { type: 'del', key: k } : { type: 'put', key: k, value: v })),
        )
        for (const [k, v] of operations) {
          if (v === undefined) model.delete(k)
          else model.set(k, { value: v, expiresAt: 0 })
        }
      },
    })),
  },
  {
    weight: 2,
    arbitrary: bound.map(({ low, high }) => ({
      name: `clear ${low} to ${high}`,
      step: async ({ db, model }: World) => {
        await db.clear({ gte: low, lt: high })
        for (const k of model.keys()) {
          if (compareText(k, low) >= 0 && compareText(k, high) < 0) model.delete(k)
        }
      },
    })),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(bound, fc.boolean()).map(([{ low, high, reverse, limit }, onThisThread]) => ({
      name: `scan ${low} to ${high}`,
      step: async ({ db, model, clock }: World) => {
        const scan = db.keys({ gte: low, lt: high, reverse, limit })
        const seen = onThisThread ? scan.toArraySync() : await scan.toArray()
        const expected = liveKeys(model, clock.now()).filter(
          (k) => compareText(k, low) >= 0 && compareText(k, high) < 0,
        )
        if (reverse) expected.reverse()
        expect(seen).toEqual(expected.slice(0, limit))
      },
    })),
  },
  {
    weight: 2,
    arbitrary: fc.constant({
      name: 'snapshot',
      step: ({ db, model, snapshots }: World) => {
        snapshots.push({ snapshot: db.snapshot(), model: new Map(model) })
      },
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constant({
      name: 'release a snapshot',
      step: ({ snapshots }: World) => snapshots.shift()?.snapshot.close(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.constant({ name: 'flush', step: ({ db }: World) => db.flush() }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('minor' as const, 'major' as const).map((kind) => ({
      name: `${kind} compaction`,
      step: ({ db }: World) => db.compact({ kind }),
    })),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 60 }).map((ms) => ({
      name: `${ms} ms pass`,
      step: ({ clock }: World) => clock.advance(ms),
    })),
  },
  {
    weight: 1,
    arbitrary: fc.constant({
      name: 'reopen',
      step: async (world: World) => {
        for (const { snapshot } of world.snapshots.splice(0)) snapshot.close()
        await world.db.close()
        world.db = await open('/store', world.options)
      },
    }),
  },
)

async function checkAll({ db, model, clock, snapshots }: World): Promise<void> {
  const now = clock.now()
  const keys = liveKeys(model, now)
  expect(db.entries().toArraySync()).toEqual(keys.map((k) => [k, model.get(k)!.value]))
  expect(await db.keys({ reverse: true }).toArray()).toEqual(keys.toReversed())
  for (const k of model.keys()) expect(db.getSync(k)).toBe(readModel(model, k, now))
  expect(db.getSync('nothing')).toBeUndefined()
  for (const { snapshot, model: then } of snapshots) {
    expect(snapshot.entries().toArraySync()).toEqual(liveKeys(then, now).map((k) => [k, then.get(k)!.value]))
    for (const k of then.keys()) expect(await snapshot.get(k)).toBe(readModel(then, k, now))
  }
}

const optionSets = fc.record({
  writeBufferBytes: fc.constantFrom(64 * 1024, 256 * 1024),
  blockBytes: fc.constantFrom(256, 1024, 4096),
  restartInterval: fc.constantFrom(1, 3, 16),
  filterBitsPerKey: fc.constantFrom(0, 10),
  cacheBytes: fc.constantFrom(0, 4096, 1 << 20),
  compression: fc.constantFrom('none' as const, 'lz4' as const, 'deflate' as const),
  compaction: fc.constantFrom('leveled' as const, 'tiered' as const),
})

describe('the store and a sorted model', () => {
  it('agree after every list of operations, under every set of options', { timeout: 120_000 }, async () => {
    const seed = Number(process.env['SILTSTONE_SEED'] ?? Date.now() % 1_000_000)
    const runs = Number(process.env['SILTSTONE_MODEL_RUNS'] ?? 150)
    await fc.assert(
      fc.asyncProperty(optionSets, fc.array(steps, { maxLength: 120, size: 'max' }), async (set, list) => {
        const fs = new MemoryFileSystem()
        const clock = new ManualClock()
        const options = { ...set, fs, clock, executor: 'inline' as const }
        const world: World = {
          db: await open('/store', options),
          fs,
          clock,
          options,
          model: new Map(),
          snapshots: [],
        }
        try {
          for (const { step } of list) await step(world)
          await checkAll(world)
        } finally {
          await world.db.close()
        }
      }),
      { seed, numRuns: runs },
    )
  })
})
