import { describe, expect, it } from 'vitest'
import type { MemtableCursor } from '../../src/memtable/memtable-cursor.js'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { key } from './arena.js'
import { Modelled, shown, type Version } from './model.js'

/** A reader with its pin, and where a list of the same state says that it stands. */
interface Reader {
  readonly limit: number
  readonly cursor: MemtableCursor
  readonly state: readonly Version[]
  at: number
}

function readerOf(model: Modelled): Reader {
  const limit = model.pin()
  return { limit, cursor: model.memtable.cursor(limit), state: model.stateAt(limit), at: -1 }
}

function move(reader: Reader, random: SeededRandom, name: string): void {
  const { cursor, state } = reader
  const onEntry = reader.at >= 0 && reader.at < state.length
  const bytes = key(name)
  switch (random.below(onEntry ? 12 : 4)) {
    case 0:
      cursor.seekToFirst()
      reader.at = state.length > 0 ? 0 : -1
      break
    case 1:
      cursor.seekToLast()
      reader.at = state.length - 1
      break
    case 2:
      cursor.seek(bytes, 0, bytes.length)
      reader.at = state.findIndex((version) => version.key >= name)
      break
    case 3:
      cursor.seekBefore(bytes, 0, bytes.length)
      reader.at = state.findLastIndex((version) => version.key < name)
      break
    case 4:
    case 5:
    case 6:
    case 7:
      cursor.next()
      reader.at++
      break
    default:
      cursor.prev()
      reader.at--
  }
}

describe('cursors beside a writer', () => {
  it('show exactly the state at their limit, whichever way they go', () =>
    withSeeds(20, (random) => {
      const model = new Modelled()
      const range = random.pick([5, 100, 3000])
      const name = (): string => `key${'-'.repeat(random.below(3))}${random.below(range)}`
      for (let i = random.below(300); i > 0; i--) model.put(name())
      let readers: Reader[] = []
      for (let step = 0; step < 2000; step++) {
        if (random.chance(0.5)) {
          if (random.chance(0.2)) model.delete(name())
          else model.put(name())
        }
        if (readers.length < 4 && random.chance(0.05)) readers.push(readerOf(model))
        for (const reader of readers) {
          move(reader, random, name())
          expect(shown(reader.cursor)).toEqual(reader.state[reader.at])
        }
        if (readers.length > 0 && random.chance(0.03)) {
          const leaving = random.pick(readers)
          model.unpin(leaving.limit)
          readers = readers.filter((reader) => reader !== leaving)
        }
      }
    }))
})

describe('a cursor whose entry was replaced, because nobody pinned it', () => {
  function standingOn(model: Modelled, name: string): MemtableCursor {
    const cursor = model.memtable.cursor(Number.POSITIVE_INFINITY)
    cursor.seek(key(name), 0, name.length)
    return cursor
  }

  for (const others of [[], ['b0', 'b1', 'bb']]) {
    const meanwhile = others.length > 0 ? 'while other keys come in around it' : 'in place'

    it(`goes on from the same key, ${meanwhile}`, () => {
      const model = new Modelled()
      for (const name of ['a', 'b', 'c']) model.put(name)
      const onward = standingOn(model, 'b')
      const back = standingOn(model, 'b')
      model.put('b')
      for (const name of others) model.put(name)
      model.put('b')
      onward.next()
      back.prev()
      expect(shown(onward)?.key).toBe(others.length > 0 ? 'b0' : 'c')
      expect(shown(back)?.key).toBe('a')
    })
  }

  it('does not show its key again where a pin keeps an older version of it', () => {
    const model = new Modelled()
    for (const name of ['a', 'b', 'c']) model.put(name)
    model.pin()
    model.put('b')
    const onward = standingOn(model, 'b')
    const back = standingOn(model, 'b')
    model.put('b')
    model.put('0')
    onward.next()
    back.prev()
    expect(shown(onward)?.key).toBe('c')
    expect(shown(back)?.key).toBe('a')
  })

  // The cursor took the version in the place of the replaced one for newer than itself, and went past the older one too.
  it('goes on with the older versions where it walks over all of them', () => {
    const model = new Modelled()
    model.put('b', 'oldest')
    model.pin()
    model.put('b', 'replaced')
    const cursor = model.memtable.cursorOverAll()
    cursor.seekToFirst()
    model.put('b', 'newest')
    model.put('a')
    expect(shown(cursor)?.value).toBe('replaced')
    cursor.next()
    expect(shown(cursor)?.value).toBe('oldest')
    cursor.next()
    expect(cursor.valid).toBe(false)
  })
})
