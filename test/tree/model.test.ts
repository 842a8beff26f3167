import { afterEach, expect, it } from 'vitest'
import { ALL_KEYS } from '../../src/tree/key-range.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { expectSoundLevels, ForestFixture } from './forest-fixture.js'

const TREE = 1
const KEYS = 40

interface Change {
  readonly position: number
  /** One key, or a range of them: from the first up to without the second. */
  readonly from: number
  readonly to: number
  /** `undefined` deletes. */
  readonly value: string | undefined
  readonly expiresAt: number
}

function key(number: number): string {
  return `key ${String(number).padStart(3, '0')}`
}

/** Everything that was ever written, and what a reader at any position must see of it. */
class History {
  readonly changes: Change[] = []

  valueAt(number: number, limit: number, now: number): string | undefined {
    const seen = this.changes.findLast(({ position, from, to }) => position < limit && from <= number && number < to)
    if (seen === undefined || (seen.expiresAt !== 0 && seen.expiresAt <= now)) return undefined
    return seen.value
  }
}

function write(fixture: ForestFixture, history: History, random: SeededRandom): void {
  const { segment, clock } = fixture
  const newestPin = Math.max(0, ...fixture.pins)
  const number = random.below(KEYS)
  const value = `value ${history.changes.length} ${'x'.repeat(random.below(60))}`
  const one = { from: number, to: number + 1 }
  switch (random.below(12)) {
    case 0: {
      const to = Math.min(KEYS, number + 1 + random.below(KEYS / 2))
      const position = segment.deleteRange(TREE, key(number), to === KEYS ? undefined : key(to))
      history.changes.push({ position, from: number, to, value: undefined, expiresAt: 0 })
      return
    }
    case 1:
    case 2:
    case 3: {
      const position = segment.delete(TREE, key(number), newestPin)
      history.changes.push({ position, ...one, value: undefined, expiresAt: 0 })
      return
    }
    case 4:
    case 5: {
      const expiresAt = clock.now() + 1 + random.below(5000)
      const position = segment.putExpiring(TREE, key(number), value, expiresAt, newestPin)
      history.changes.push({ position, ...one, value, expiresAt })
      return
    }
    default: {
      const position = segment.put(TREE, key(number), value, newestPin)
      history.changes.push({ position, ...one, value, expiresAt: 0 })
    }
  }
}

function expectAgreement(fixture: ForestFixture, history: History): void {
  expectSoundLevels(fixture.tree(TREE))
  const now = fixture.clock.now()
  for (const limit of [...fixture.pins, Number.POSITIVE_INFINITY]) {
    const expected = Array.from({ length: KEYS }, (_, i) => history.valueAt(i, limit, now))
    const seen = Array.from({ length: KEYS }, (_, i) => fixture.get(TREE, key(i), limit))
    expect(seen, `at ${limit}`).toEqual(expected)
    const scanned = fixture.scan(TREE, limit)
    expect(scanned).toEqual(expected.flatMap((value, i) => (value === undefined ? [] : [[key(i), value]])))
  }
}

let open: ForestFixture | undefined

afterEach(async () => {
  await open?.forest.close()
})

it.each(['leveled', 'tiered'] as const)('%s compaction shows every reader what was written before it', (compaction) =>
  withSeeds(15, async (random) => {
    const options = {
      compaction,
      compression: random.pick(['none', 'lz4'] as const),
      blockBytes: random.between(64, 600),
    }
    const fixture = await ForestFixture.open({ options })
    open = fixture
    const history = new History()
    fixture.tree(TREE)
    for (let round = 0; round < 25; round++) {
      const writes = random.below(60)
      for (let i = 0; i < writes; i++) {
        write(fixture, history, random)
        if (random.chance(0.03)) fixture.pins.push(fixture.segment.position)
      }
      fixture.clock.jump(random.below(800))
      const flushed = fixture.startFlush()
      const compacted = random.chance(0.3)
        ? fixture.forest.compactRange(fixture.tree(TREE), {
            range: random.chance(0.5)
              ? ALL_KEYS
              : { start: Buffer.from(key(random.below(20))), end: Buffer.from(key(20 + random.below(20))) },
            kind: random.pick(['minor', 'major'] as const),
          })
        : undefined
      await flushed
      await compacted
      if (random.chance(0.3)) await fixture.forest.idle()
      if (random.chance(0.4)) fixture.pins.splice(random.below(Math.max(1, fixture.pins.length)), 1)
      if (random.chance(0.1)) {
        await fixture.close()
        await fixture.reopen()
      }
      expectAgreement(fixture, history)
    }

    // With every reader gone nothing is left on disk but what can be read.
    fixture.pins.length = 0
    fixture.clock.jump(10_000)
    fixture.forest.scheduleCompactions()
    await fixture.forest.compactRange(fixture.tree(TREE), { range: ALL_KEYS, kind: 'major' })
    await fixture.forest.idle()
    expectAgreement(fixture, history)
    const tables = fixture.tree(TREE).version.metas().flat()
    const live = fixture.scan(TREE, Number.POSITIVE_INFINITY).length
    expect(tables.reduce((sum, table) => sum + table.entryCount, 0)).toBe(live)
    expect(tables.reduce((sum, table) => sum + table.rangeTombstoneCount, 0)).toBe(0)
    expect(fixture.files('.sst')).toHaveLength(tables.length)
    await fixture.close()
  }),
)
