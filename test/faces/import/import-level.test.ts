import { ClassicLevel } from 'classic-level'
import { describe, expect, it } from 'vitest'
import { type Database, open } from '../../../src/index.js'
import { type ImportProgress, importLevel, type LevelSource, SiltstoneLevel, storeOf } from '../../../src/level.js'
import { scratchDirectory } from '../level/scratch.js'
import { contentOf, type Entry, KINDS, randomEntries, shown, sourceOf } from './sources.js'

type Store = Database<Buffer, Buffer>

const BYTES = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
const openStore = (): Promise<Store> => open(':memory:', BYTES)
const text = (value: string): Buffer => Buffer.from(value)

/** A source that gives what another one gives, until so many slices have been asked for. */
function failing(source: LevelSource, slices: number): LevelSource {
  return {
    iterator(options) {
      const iterator = source.iterator(options)
      let asked = 0
      return {
        nextv: (count) => (asked++ < slices ? iterator.nextv(count) : Promise.reject(new Error('the source broke'))),
        close: () => iterator.close(),
      }
    },
  }
}

describe('importLevel', () => {
  for (const [kind, make] of Object.entries(KINDS)) {
    it(`brings over every byte of ${kind}`, async () => {
      const entries = randomEntries(3000)
      const source = await sourceOf(entries, make)
      await using db = await openStore()
      const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
      expect(await importLevel(source, db)).toEqual({
        entries: 3000,
        bytes,
        checksum: expect.stringMatching(/^[0-9a-f]{16}$/),
        resumedAfter: 0,
      })
      expect(await contentOf(db)).toEqual(shown(entries))
    })

    it(`brings over nothing of ${kind} where there is nothing`, async () => {
      await using db = await openStore()
      const report = await importLevel(await sourceOf([], make), db)
      expect(report).toEqual({ entries: 0, bytes: 0, checksum: '0000000000000000', resumedAfter: 0 })
    })

    it(`has commits of a size that was asked for, whatever ${kind} gives at once`, async () => {
      const entries = randomEntries(300, 2, 2000)
      const source = await sourceOf(entries, make)
      await using db = await openStore()
      const steps: ImportProgress[] = []
      await importLevel(source, db, { batchEntries: 50, batchBytes: 20_000, onProgress: (step) => steps.push(step) })
      const copied = steps.filter(({ step }) => step === 'copy')
      for (const [i, { entries, bytes }] of copied.entries()) {
        expect(entries - (copied[i - 1]?.entries ?? 0)).toBeLessThanOrEqual(50)
        expect(bytes - (copied[i - 1]?.bytes ?? 0)).toBeLessThan(22_100)
      }
      expect(copied.length).toBeGreaterThan(10)
      expect(steps.map(({ step }) => step)).not.toContain('resume')
      expect(steps.at(-1)).toEqual({ ...copied.at(-1), step: 'verify' })
    })
  }

  it('gives the same checksum for the same entries, and another one where a value changes its key', async () => {
    const checksumOf = async (entries: Entry[]): Promise<string> => {
      await using db = await openStore()
      return (await importLevel(await sourceOf(entries), db)).checksum
    }
    const [a, b, one, two] = ['a', 'b', '1', '2'].map(text) as [Buffer, Buffer, Buffer, Buffer]
    const before = await checksumOf([
      [a, one],
      [b, two],
    ])
    const same = await checksumOf([
      [b, two],
      [a, one],
    ])
    const swapped = await checksumOf([
      [a, two],
      [b, one],
    ])
    expect(same).toBe(before)
    expect(swapped).not.toBe(before)
  })

  it('brings over values of many megabytes', async () => {
    const entries: Entry[] = [8, 20, 1].map((mib, i) => [text(`big ${i}`), Buffer.alloc(mib * 1024 * 1024 + i, i)])
    const source = await sourceOf(entries, KINDS['classic-level'])
    await using db = await openStore()
    const commits: number[] = []
    await importLevel(source, db, { onProgress: ({ step, entries }) => step === 'copy' && commits.push(entries) })
    expect(commits).toEqual([1, 2, 3])
    for (const [key, value] of entries) expect(Buffer.compare((await db.get(key))!, value)).toBe(0)
  })

  it('names the key that does not fit', async () => {
    const source = await sourceOf([[text(`long${'g'.repeat(70_000)}`), text('')]], KINDS['memory-level 1'])
    await using db = await openStore()
    await expect(importLevel(source, db)).rejects.toMatchObject({
      code: 'SILT_INVALID_ARGUMENT',
      message: expect.stringMatching(/key begins with "longg+" does not fit: A key has at most 65,535 bytes/),
    })
  })

  it('brings over sublevels so that SiltstoneLevel finds them', async () => {
    const old = new ClassicLevel(scratchDirectory())
    const people = old.sublevel<string, { born: number }>('people', { valueEncoding: 'json' })
    await old.put('a', '1')
    await people.put('ada', { born: 1815 })
    await people.sublevel('names').put('b', '2')
    const level = new SiltstoneLevel(scratchDirectory())
    await level.open()
    await importLevel(old, storeOf(level))
    expect(await level.iterator().all()).toEqual(await old.iterator().all())
    const found = level.sublevel<string, { born: number }>('people', { valueEncoding: 'json' })
    expect(await found.get('ada')).toEqual({ born: 1815 })
    expect(await found.sublevel('names').get('b')).toBe('2')
    // A sublevel by itself has keys of its own.
    const place = storeOf(level).keyspace<string, string>('people', { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    await importLevel(people, place)
    expect(await place.entries().toArray()).toEqual([
      ['!names!b', '2'],
      ['ada', '{"born":1815}'],
    ])
    await level.close()
    await old.close()
  })

  it('leaves nothing behind but the entries, and the other keyspaces as they are', async () => {
    await using db = await openStore()
    await db.put(text('mine'), text('1'))
    await importLevel(await sourceOf(randomEntries(10)), db.keyspace('old'))
    expect(await contentOf(db)).toEqual(shown([[text('mine'), text('1')]]))
    expect(db.keyspaceNames()).toEqual(['old'])
    expect(await contentOf(db.keyspace('old'))).toEqual(shown(randomEntries(10)))
  })

  it('takes the keyspace whatever its encodings are', async () => {
    const entries = randomEntries(100)
    await using db = await openStore()
    const typed = db.keyspace<number, string>('typed', {
      keyEncoding: { encode: String, decode: Number },
      valueEncoding: 'json',
    })
    await importLevel(await sourceOf(entries), typed)
    expect(await contentOf(db.keyspace('typed'))).toEqual(shown(entries))
  })
})

describe('a SiltstoneLevel', () => {
  it('is not read into what it stands on, nor is a sublevel of it, and loses nothing', async () => {
    const level = new SiltstoneLevel<string, string>(scratchDirectory())
    await level.open()
    await level.put('a', '1')
    await level.sublevel('sub').sublevel('deep').put('b', '2')
    for (const source of [level, level.sublevel('sub').sublevel('deep')] as unknown as LevelSource[]) {
      await expect(importLevel(source, storeOf(level), { replace: true })).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
        message: expect.stringContaining('import into another keyspace'),
      })
    }
    expect((await level.keys().all()).length).toBe(2)
    const { entries } = await importLevel(level as unknown as LevelSource, storeOf(level).keyspace('copy'))
    expect(entries).toBe(2)
    await level.close()
  })
})

describe('a keyspace that is not empty', () => {
  it('is refused, and what it holds is left alone', async () => {
    const directory = scratchDirectory()
    await using db = await open(directory, BYTES)
    await db.put(text('mine'), text('1'))
    const source = await sourceOf(randomEntries(10))
    await expect(importLevel(source, db)).rejects.toMatchObject({
      code: 'SILT_EXISTS',
      message: expect.stringContaining('The default keyspace is not empty'),
    })
    expect(await contentOf(db)).toEqual(shown([[text('mine'), text('1')]]))
    // Complete is complete: the second one would write over the first.
    await importLevel(source, db.keyspace('old'))
    await expect(importLevel(source, db.keyspace('old'))).rejects.toMatchObject({
      message: expect.stringContaining("Keyspace 'old' is not empty"),
    })
  })

  it('is replaced where that was said', async () => {
    await using db = await openStore()
    for (const count of [100, 30, 0, 50]) {
      const report = await importLevel(await sourceOf(randomEntries(count, count)), db, { replace: true })
      expect(report).toMatchObject({ entries: count, resumedAfter: 0 })
      expect(await contentOf(db)).toEqual(shown(randomEntries(count, count)))
    }
  })

  it('is not touched for a source that cannot be read', async () => {
    await using db = await openStore()
    await db.put(text('mine'), text('1'))
    const source = failing(await sourceOf(randomEntries(10)), 0)
    await expect(importLevel(source, db, { replace: true })).rejects.toThrow('the source broke')
    expect(await contentOf(db)).toEqual(shown([[text('mine'), text('1')]]))
  })
})

describe('an import that was interrupted', () => {
  const entries = randomEntries(1000)

  /** Imports until 400 entries are there. */
  async function interrupted(db: Store): Promise<void> {
    const stop = new AbortController()
    const import400 = importLevel(await sourceOf(entries), db, {
      batchEntries: 100,
      signal: stop.signal,
      onProgress: ({ entries }) => entries === 400 && stop.abort(new Error('enough')),
    })
    await expect(import400).rejects.toThrow('enough')
    expect(await db.count()).toBe(400)
  }

  it('goes on where it was', async () => {
    await using db = await openStore()
    await interrupted(db)
    const steps: ImportProgress[] = []
    const source = await sourceOf(entries)
    const before = db.stats().log.position
    const report = await importLevel(source, db, { batchEntries: 150, onProgress: (step) => steps.push(step) })
    expect(report).toMatchObject({ entries: 1000, resumedAfter: 400 })
    expect(steps.every(({ resumedAfter }) => resumedAfter === 400)).toBe(true)
    expect(steps.map(({ step, entries }) => [step, entries])).toEqual([
      ['resume', 150],
      ['resume', 300],
      ['copy', 450],
      ['copy', 600],
      ['copy', 750],
      ['copy', 900],
      ['copy', 1000],
      ...[150, 300, 450, 600, 750, 900, 1000].map((count) => ['verify', count]),
    ])
    expect(await contentOf(db)).toEqual(shown(entries))
    // What was there was not written again.
    const written = entries.slice(400).reduce((sum, [key, value]) => sum + key.length + value.length, 0)
    expect(db.stats().log.position - before).toBeLessThan(written * 1.2)
  })

  it('goes on after its source broke', async () => {
    await using db = await openStore()
    const source = await sourceOf(entries)
    await expect(importLevel(failing(source, 3), db, { batchEntries: 100 })).rejects.toThrow('the source broke')
    expect(await db.count()).toBe(300)
    expect(await importLevel(source, db)).toMatchObject({ entries: 1000, resumedAfter: 300 })
    expect(await contentOf(db)).toEqual(shown(entries))
  })

  const changes: Record<string, (all: Entry[]) => Entry[]> = {
    'lost an entry': (all) => all.toSpliced(7, 1),
    'got one more': (all) => [...all, [Buffer.concat([all[7]![0], Buffer.of(0)]), text('')]],
    'has another value': (all) => all.with(7, [all[7]![0], text('changed')]),
    'has fewer entries than were read': (all) => all.slice(0, 300),
  }
  for (const [what, change] of Object.entries(changes)) {
    it(`does not go on with a source that ${what}, until it may begin anew`, async () => {
      await using db = await openStore()
      await interrupted(db)
      const changed = await sourceOf(change(entries))
      for (let i = 0; i < 2; i++) {
        await expect(importLevel(changed, db)).rejects.toMatchObject({
          code: 'SILT_MISMATCH',
          message: expect.stringContaining('interrupted after 400 entries'),
        })
        expect(await db.count()).toBe(400)
      }
      await importLevel(changed, db, { replace: true })
      expect(await contentOf(db)).toEqual(await contentOf(await storeWith(change(entries))))
    })
  }

  it('notices what somebody did to its keyspace in between', async () => {
    const [key, value] = entries[7]!
    for (const tamper of [
      (db: Store) => db.put(key, Buffer.concat([value, text('!')])),
      (db: Store) => db.del(key),
      (db: Store) => db.put(text('a key of somebody else'), text('1')),
      (db: Store) => db.clear(),
    ]) {
      await using db = await openStore()
      await interrupted(db)
      await tamper(db)
      const source = await sourceOf(entries)
      for (let i = 0; i < 2; i++) {
        await expect(importLevel(source, db)).rejects.toMatchObject({
          code: 'SILT_MISMATCH',
          message: expect.stringMatching(/The source gave 1000 entries .* the default keyspace holds \d+ entries/),
        })
      }
      await importLevel(source, db, { replace: true })
      expect(await contentOf(db)).toEqual(shown(entries))
    }
  })

  it('may be ended while it verifies, and is verified then', async () => {
    await using db = await openStore()
    const stop = new AbortController()
    const source = await sourceOf(entries)
    const first = importLevel(source, db, {
      signal: stop.signal,
      batchEntries: 100,
      onProgress: ({ step }) => step === 'verify' && stop.abort('enough'),
    })
    await expect(first).rejects.toBe('enough')
    await db.del(entries[999]![0])
    await expect(importLevel(source, db)).rejects.toMatchObject({ code: 'SILT_MISMATCH' })
    await db.put(...entries[999]!)
    expect(await importLevel(source, db)).toMatchObject({ entries: 1000, resumedAfter: 1000 })
  })

  it('has an import in every keyspace, each for itself', async () => {
    await using db = await openStore()
    await interrupted(db)
    const other = db.keyspace('other')
    expect(await importLevel(await sourceOf(randomEntries(20, 2)), other)).toMatchObject({ resumedAfter: 0 })
    expect(await importLevel(await sourceOf(entries), db)).toMatchObject({ entries: 1000, resumedAfter: 400 })
  })

  async function storeWith(content: Entry[]): Promise<Store> {
    const db = await openStore()
    await db.batch(content.map(([key, value]) => ({ type: 'put', key, value })))
    return db
  }
})

describe('importLevel refuses', () => {
  it('what is no database of Level', async () => {
    await using db = await openStore()
    for (const source of [undefined, {}, new Map(), { iterator: () => ({}) }, { iterator: () => undefined }]) {
      await expect(importLevel(source as never, db)).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
        message: expect.stringContaining('abstract-level 1 or newer'),
      })
    }
  })

  it('a source that does not give bytes', async () => {
    await using db = await openStore()
    const source = { iterator: () => ({ nextv: async () => [['a', '1']] as const, close: async () => {} }) }
    await expect(importLevel(source, db)).rejects.toThrow(
      "asks its source for the encoding 'buffer', and got the string",
    )
  })

  it('what is no keyspace, and options that there are not', async () => {
    await using db = await openStore()
    const source = await sourceOf([])
    await expect(importLevel(source, './data' as never)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    await expect(importLevel(source, db, { batchEntry: 1 } as never)).rejects.toThrow("did you mean 'batchEntries'")
    await expect(importLevel(source, db, { batchBytes: 0 })).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
  })

  it('a second import into a keyspace while one is under way', async () => {
    await using db = await openStore()
    const source = await sourceOf(randomEntries(100))
    const first = importLevel(source, db)
    await expect(importLevel(source, db.as({ valueEncoding: 'utf8' }))).rejects.toThrow('under way; await that one')
    await importLevel(source, db.keyspace('other'))
    expect(await first).toMatchObject({ entries: 100 })
  })

  it('a store that is closed or only read', async () => {
    const directory = scratchDirectory()
    const db = await open(directory)
    await db.close()
    const source = await sourceOf(randomEntries(10))
    await expect(importLevel(source, db)).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
    await using reader = await open(directory, { readOnly: true })
    await expect(importLevel(source, reader)).rejects.toMatchObject({ code: 'SILT_READ_ONLY' })
  })
})
