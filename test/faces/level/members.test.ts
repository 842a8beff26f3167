import { AbstractLevel } from 'abstract-level'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SiltstoneLevel, storeOf } from '../../../src/level.js'
import { scratchDirectory } from './scratch.js'

/*
 * Programs of the Level world look for members of a database to tell what they have before them: `db.db` says that it wraps a store of the
 * levelup era, whose methods take callbacks. So a database has the members of classic-level and of abstract-level and no other.
 */

/** What a program can find on an object, its classes up to the base included. */
function membersOf(object: object): string[] {
  const names = new Set<string>()
  for (let at: object | null = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  }
  return [...names].sort()
}

async function both(): Promise<{ ours: SiltstoneLevel; classic: ClassicLevel }> {
  const ours = new SiltstoneLevel(':memory:')
  const classic = new ClassicLevel(scratchDirectory())
  onTestFinished(async () => {
    await Promise.all([ours.close(), classic.close()])
  })
  await Promise.all([ours.open(), classic.open()])
  return { ours, classic }
}

/** Those that a subclass is made to fill in: what the base class calls, and no program looks for. */
const isForTheBaseClass = (name: string): boolean => name in AbstractLevel.prototype && name.startsWith('_')

describe('the members of a database', () => {
  it('are those of classic-level', async () => {
    const { ours, classic } = await both()
    const filledIn = (names: string[]) => names.filter((name) => !isForTheBaseClass(name))
    expect(filledIn(membersOf(ours))).toEqual(filledIn(membersOf(classic)))
    expect(membersOf(ours).filter((name) => !membersOf(classic).includes(name))).toEqual([])
  })

  it('and so with its iterators, batches and snapshots', async () => {
    const { ours, classic } = await both()
    const parts = (db: SiltstoneLevel | ClassicLevel) => ({
      iterator: db.iterator(),
      keys: db.keys(),
      values: db.values(),
      batch: db.batch(),
      snapshot: db.snapshot(),
    })
    const [mine, theirs] = [parts(ours), parts(classic)]
    for (const [name, part] of Object.entries(mine)) {
      // Of the iterators of classic-level only the one over both has a class of its own.
      const known = [...membersOf(theirs[name as keyof typeof theirs]), ...membersOf(theirs.iterator)]
      expect(
        membersOf(part).filter((each) => !known.includes(each)),
        name,
      ).toEqual([])
    }
    for (const part of [...Object.values(mine), ...Object.values(theirs)]) await part.close()
  })

  it('are those of classic-level on the class, too', () => {
    expect(Object.getOwnPropertyNames(SiltstoneLevel).sort()).toEqual(Object.getOwnPropertyNames(ClassicLevel).sort())
  })

  it('tell nothing before the database is open, whatever a program looks for', () => {
    const fresh = new SiltstoneLevel(':memory:')
    for (const name of ['db', '_db', 'store', 'database', 'leveldown']) expect(Reflect.get(fresh, name)).toBeUndefined()
    return fresh.close()
  })
})

describe('storeOf', () => {
  it('gives the store below', async () => {
    const level = new SiltstoneLevel(':memory:')
    expect(() => storeOf(level)).toThrow('Database is not open')
    await level.put('a', '1')
    expect(await storeOf(level).get(Buffer.from('a'))).toEqual(Buffer.from('1'))
    await level.close()
    expect(() => storeOf(level)).toThrow('Database is not open')
  })

  it('refuses what is no database of Siltstone', async () => {
    const level = new SiltstoneLevel(':memory:')
    for (const other of [undefined, null, 7, {}, level.sublevel('a'), Object.create(level)]) {
      expect(() => storeOf(other as never)).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    }
    await level.close()
  })
})
