import { describe, expect, it } from 'vitest'
import { type Database, indexed, type Keyspace, open } from '../../../src/index.js'
import { ManualClock } from '../../simulation/manual-clock.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'

interface Person {
  city: string
  born: number
  tags: string[]
}

const definitions = {
  byCity: (person: Person): [string, number][] => [[person.city, person.born]],
  byTag: (person: Person, key: string): [string, number][] => person.tags.map((tag) => [tag, key.length]),
}

function peopleOf(db: Database): Keyspace<string, Person> {
  return db.keyspace<string, Person>('people', { valueEncoding: 'json' })
}

async function withPeople(
  run: (db: Database, people: Awaited<ReturnType<typeof load>>) => Promise<void>,
  options = {},
) {
  const db = await open(':memory:', { executor: 'inline', ...options })
  await run(db, await load(db))
  await db.close()
}

async function load(db: Database) {
  const people = await indexed(peopleOf(db), definitions)
  await people.put('ada', { city: 'London', born: 1815, tags: ['mathematics', 'engines'] })
  await people.put('bob', { city: 'Berlin', born: 1907, tags: [] })
  await people.put('cora', { city: 'London', born: 1901, tags: ['mathematics', 'mathematics'] })
  return people
}

describe('an index', () => {
  it('is scanned like any range, in the order of its tuples', () =>
    withPeople(async (db, people) => {
      const byCity = people.index('byCity')
      expect(await byCity.entries().toArray()).toEqual([
        [['Berlin', 1907], 'bob'],
        [['London', 1815], 'ada'],
        [['London', 1901], 'cora'],
      ])
      const keys = (options: Parameters<typeof byCity.keys>[0]) => byCity.keys(options).toArray()
      expect(await keys({ prefix: ['London'] })).toEqual(['ada', 'cora'])
      expect(await keys({ prefix: ['London'], reverse: true, limit: 1 })).toEqual(['cora'])
      expect(await keys({ prefix: ['Lon'] as never })).toEqual([])
      expect(await keys({ gt: ['Berlin'] })).toEqual(['ada', 'cora'])
      expect(await keys({ gt: ['Berlin', 1000] })).toEqual(['bob', 'ada', 'cora'])
      expect(await keys({ lte: ['London', 1815] })).toEqual(['bob', 'ada'])
      expect(await keys({ lt: ['London', 1815] })).toEqual(['bob'])
      expect(await keys({ lte: ['London'] })).toEqual(['bob', 'ada', 'cora'])
      expect(await keys({ gt: ['London'] })).toEqual([])
      expect(await keys({ gte: ['London', 1850], lt: ['London', 1950] })).toEqual(['cora'])
      expect(await byCity.count({ prefix: ['London'] })).toBe(2)
      expect(byCity.keys({ gte: [] }).toArraySync()).toHaveLength(3)
      expect(await keys({ gt: [] })).toEqual([])
      using snapshot = db.snapshot()
      await people.del('ada')
      expect(await keys({ prefix: ['London'], snapshot })).toEqual(['ada', 'cora'])
      expect(await keys({ prefix: ['London'] })).toEqual(['cora'])
    }))

  it('has of each value what its function says now: none, one or many', () =>
    withPeople(async (_, people) => {
      const byTag = people.index('byTag')
      expect(await byTag.keys({ prefix: ['mathematics'] }).toArray()).toEqual(['ada', 'cora'])
      expect(await byTag.count()).toBe(3)
      await people.put('ada', { city: 'Paris', born: 1815, tags: ['engines', 'poetry'] })
      expect(await byTag.entries().toArray()).toEqual([
        [['engines', 3], 'ada'],
        [['mathematics', 4], 'cora'],
        [['poetry', 3], 'ada'],
      ])
      expect(
        await people
          .index('byCity')
          .keys({ prefix: ['London'] })
          .toArray(),
      ).toEqual(['cora'])
      await people.del('ada')
      await people.del('nobody')
      expect(await byTag.keys().toArray()).toEqual(['cora'])
      await people.clear({ gte: 'c' })
      expect(await byTag.count()).toBe(0)
      expect(await people.index('byCity').keys().toArray()).toEqual(['bob'])
      expect(await people.data.keys().toArray()).toEqual(['bob'])
    }))

  it('expires with the value', async () => {
    const clock = new ManualClock()
    await withPeople(
      async (_, people) => {
        await people.put('ada', { city: 'Rome', born: 1, tags: [] }, { ttl: 1000 })
        expect(
          await people
            .index('byCity')
            .keys({ prefix: ['Rome'] })
            .toArray(),
        ).toEqual(['ada'])
        clock.advance(1000)
        expect(await people.index('byCity').keys().toArray()).toEqual(['bob', 'cora'])
        // The same tuple as before, without an end this time.
        await people.put('ada', { city: 'Rome', born: 1, tags: [] }, { ttl: 1000 })
        await people.put('ada', { city: 'Rome', born: 1, tags: [] })
        clock.advance(1000)
        expect(
          await people
            .index('byCity')
            .keys({ prefix: ['Rome'] })
            .toArray(),
        ).toEqual(['ada'])
      },
      { clock },
    )
  })

  it('changes with the data in one commit, and not at all where that fails', () =>
    withPeople(async (db, people) => {
      let seen: string[] = []
      const attempt = db.transaction(async (tx) => {
        const within = people.within(tx)
        await within.put('dan', { city: 'London', born: 2000, tags: [] })
        await within.del('ada')
        seen = await within
          .index('byCity')
          .keys({ prefix: ['London'] })
          .toArray()
        throw new Error('no')
      })
      await expect(attempt).rejects.toThrow('no')
      expect(seen).toEqual(['cora', 'dan'])
      expect(
        await people
          .index('byCity')
          .keys({ prefix: ['London'] })
          .toArray(),
      ).toEqual(['ada', 'cora'])
      const before = db.stats().log.position
      const failing = people.put('ada', { city: 'x'.repeat(70_000), born: 0, tags: [] })
      await expect(failing).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
      expect(db.stats().log.position).toBe(before)
      expect(() => people.index('byAge' as never)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }))

  it('is no keyspace that a user sees', () =>
    withPeople(async (db) => {
      expect(db.keyspaceNames()).toEqual(['people'])
    }))
})

/** What indexes must hold, made from the data. */
async function expectIndexesToFit(people: Awaited<ReturnType<typeof load>>): Promise<void> {
  for (const name of ['byCity', 'byTag'] as const) {
    const expected = new Set<string>()
    for await (const [key, person] of people.data.entries()) {
      for (const tuple of definitions[name](person, key)) expected.add(JSON.stringify([tuple, key]))
    }
    const entries = await people.index(name).entries().toArray()
    expect(new Set(entries.map((entry) => JSON.stringify(entry)))).toEqual(expected)
    expect(entries).toHaveLength(expected.size)
  }
}

const CITIES = ['London', 'Lon', 'London\0', 'Rome', '']

describe('indexes fit the data', () => {
  it('whoever writes at the same time', () =>
    withSeeds(8, async (random) => {
      const db = await open(':memory:', { executor: 'inline', writeBufferBytes: 64 * 1024 })
      const people = await indexed(peopleOf(db), definitions)
      const another = await indexed(peopleOf(db), definitions)
      const writer = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) {
          const handle = random.pick([people, another])
          const key = `key ${random.below(8)}`
          const kind = random.below(10)
          if (kind === 0) await handle.clear({ gte: `key ${random.below(8)}`, lt: `key ${random.below(9)}` })
          else if (kind < 3) await handle.del(key)
          else {
            const tags = Array.from({ length: random.below(3) }, () => random.pick(['a', 'b', 'c']))
            await handle.put(key, { city: random.pick(CITIES), born: random.between(-3, 3), tags })
          }
          if (random.chance(0.05)) await db.flush()
        }
      }
      await Promise.all(Array.from({ length: 8 }, writer))
      await expectIndexesToFit(people)
      await db.close()
    }))

  it('when two declare them over data at once', () =>
    withSeeds(5, async (random) => {
      const db = await open(':memory:', { executor: 'inline' })
      const bare = peopleOf(db)
      for (let i = 0; i < 450; i++) await bare.put(`key ${i}`, { city: random.pick(CITIES), born: i, tags: ['a'] })
      const opening = indexed(bare, definitions)
      const other = await indexed(bare, definitions)
      for (let i = 0; i < 60; i++) {
        const key = `key ${random.below(500)}`
        if (random.chance(0.3)) await other.del(key)
        else await other.put(key, { city: 'Rome', born: -i, tags: [] })
      }
      await expectIndexesToFit(await opening)
      await db.close()
    }))

  it('when the declaration changes: what is new is filled, what is gone is removed, what has another version made anew', async () => {
    const db = await open(':memory:')
    const bare = peopleOf(db)
    await load(db)
    const changed = await indexed(bare, {
      byCity: { version: 2, tuples: (person: Person): [string][] => [[person.city.toUpperCase()]] },
      byBorn: (person: Person): [number][] => [[person.born]],
    })
    expect(await changed.index('byCity').entries().toArray()).toEqual([
      [['BERLIN'], 'bob'],
      [['LONDON'], 'ada'],
      [['LONDON'], 'cora'],
    ])
    expect(await changed.index('byBorn').keys().toArray()).toEqual(['ada', 'cora', 'bob'])
    await changed.del('cora')
    const back = await indexed(bare, definitions)
    await expectIndexesToFit(back)
    expect(await indexed(bare, {})).toBeDefined()
    expect(await db.count()).toBe(0)
    await expect(indexed(bare, { wrong: 7 as never })).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    const odd = { wrong: { version: 0, tuples: (): [number][] => [] } }
    await expect(indexed(bare, odd)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await db.close()
  })

  it('of two keyspaces whose names and indexes read the same together', async () => {
    const db = await open(':memory:')
    const all = { c: (word: string): [string][] => [[word]] }
    const one = await indexed(db.keyspace('a:b'), all)
    const two = await indexed(db.keyspace('a'), { 'b:c': all.c })
    await one.put('k', '1')
    await two.put('k', '2')
    expect(await one.index('c').entries().toArray()).toEqual([[['1'], 'k']])
    expect(await two.index('b:c').entries().toArray()).toEqual([[['2'], 'k']])
    await indexed(db.keyspace('a'), {})
    expect(await one.index('c').count()).toBe(1)
    await db.close()
  })
})

it('filling goes on where it was interrupted, wherever that was', () =>
  withSeeds(2, async (_random, seed) => {
    const fill = async (disk: SimulatedDisk): Promise<void> => {
      const db = await open('/store', { fs: disk, executor: 'inline' })
      if ((await peopleOf(db).count()) === 0) {
        const batch = db.batch()
        for (let i = 0; i < 350; i++) {
          batch.put(`key ${i}`, { city: CITIES[i % 5]!, born: i, tags: [] }, { keyspace: peopleOf(db) })
        }
        await batch.write({ sync: true })
      }
      await indexed(peopleOf(db), definitions)
      await db.close()
    }
    const whole = new SimulatedDisk(seed)
    await fill(whole)
    let resumed = 0
    // Every call, by a loss of power and by the death of the process in turn: only few of them leave an index half filled.
    for (let step = 20; step < whole.callCount * 2; step++) {
      const call = step >> 1
      const disk = new SimulatedDisk(seed)
      disk.crashAtCall(call)
      const crashed = (async () => {
        while (!disk.crashed) await new Promise((resolve) => setImmediate(resolve))
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      })()
      await Promise.race([fill(disk).catch(() => {}), crashed])
      const after = step % 2 === 0 ? disk.crash() : disk.processDeath()
      const db = await open('/store', { fs: after, executor: 'inline' })
      const people = peopleOf(db)
      const count = await people.count()
      let read = 0
      const counting = {
        ...definitions,
        byCity: (person: Person): [string, number][] => {
          read++
          return definitions.byCity(person)
        },
      }
      const again = await indexed(people, counting)
      if (read > 0 && read < count) resumed++
      await expectIndexesToFit(again as never)
      await db.close()
    }
    expect(resumed).toBeGreaterThan(0)
  }))
