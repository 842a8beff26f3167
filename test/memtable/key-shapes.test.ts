import { describe, expect, it } from 'vitest'
import { withSeeds } from '../simulation/reproduce.js'
import type { SeededRandom } from '../simulation/seeded-random.js'
import { key, text } from './arena.js'
import { backward, forward, lookup, Modelled, shown } from './model.js'

const NOW = Number.POSITIVE_INFINITY

/** Kinds of keys, each of which a tree of prefixes and four-byte heads could get wrong in its own way. */
const shapes: Record<string, (random: SeededRandom, i: number) => string> = {
  'random keys of few bytes': (random) => text(random.bytes(random.below(4))),
  'random keys of 16 bytes': (random) => text(random.bytes(16)),
  'keys in order': (_, i) => String(i).padStart(8, '0'),
  'keys in reverse order': (_, i) => String(99_999_999 - i),
  'keys that agree for 300 bytes': (random) => 'h'.repeat(300) + text(random.bytes(random.below(4))),
  'keys that part at different depths': (random) =>
    'deep'.repeat(random.below(40)) + random.pick(['', 'a', '\xff', '\0']),
  'keys that agree for about as many bytes as a node keeps of its prefix': (random) =>
    `${'p'.repeat(13 + random.below(6))}${text(random.bytes(random.below(3)))}`,
  'keys that begin one another and go on with zeros': (random) =>
    random.pick(['', 'a', 'ab', 'abcd']) + '\0'.repeat(random.below(12)),
  'keys of 0x00, 0x7f, 0x80 and 0xff': (random) =>
    Array.from({ length: random.below(7) }, () => random.pick(['\0', '\x7f', '\x80', '\xff'])).join(''),
}

for (const [shape, make] of Object.entries(shapes)) {
  describe(shape, () => {
    it('are found, walked and sought as in a sorted list', () =>
      withSeeds(8, (random) => {
        const model = new Modelled()
        const count = random.pick([1, 64, 65, 700, 1500])
        for (let i = 0; i < count; i++) model.put(make(random, i))
        const state = model.stateAt(NOW)
        const { memtable } = model
        expect(memtable.entryCount).toBe(state.length)
        expect(forward(memtable.cursor(NOW))).toEqual(state)
        expect(backward(memtable.cursor(NOW))).toEqual(state.toReversed())
        for (const version of state) expect(lookup(memtable, version.key, NOW)).toEqual(version)

        const cursor = memtable.cursor(NOW)
        for (let i = 0; i < 200; i++) {
          const name = nearby(random, make(random, random.below(count)))
          const bytes = key(name)
          const after = state.find((version) => version.key >= name)
          expect(lookup(memtable, name, NOW)).toEqual(after?.key === name ? after : undefined)
          cursor.seek(bytes, 0, bytes.length)
          expect(shown(cursor)).toEqual(after)
          cursor.seekBefore(bytes, 0, bytes.length)
          expect(shown(cursor)).toEqual(state.findLast((version) => version.key < name))
        }
      }))
  })
}

/** A key that is there, or one just beside it. */
function nearby(random: SeededRandom, name: string): string {
  switch (random.below(5)) {
    case 0:
      return `${name}\0`
    case 1:
      return name.slice(0, -1)
    case 2:
      return `${name.slice(0, -1)}\xff`
    case 3:
      return text(random.bytes(random.below(5)))
    default:
      return name
  }
}

describe('the longest keys', () => {
  it('share a head of 65,534 bytes and are told apart by the last one', () => {
    const model = new Modelled(16 << 20)
    const head = 'x'.repeat(65_534)
    const ends = Array.from({ length: 150 }, (_, i) => (i * 67) % 150)
    for (const end of ends) model.put(head + String.fromCharCode(end))
    model.put(head)
    expect(forward(model.memtable.cursor(NOW)).map((version) => version.key)).toEqual(model.keys)
    for (const name of model.keys) expect(lookup(model.memtable, name, NOW)).toEqual(model.versionAt(name, NOW))
    expect(lookup(model.memtable, `${head}\xff`, NOW)).toBeUndefined()
  })
})

describe('an empty memtable', () => {
  it('finds nothing and shows nothing, wherever a cursor is sent', () => {
    const { memtable } = new Modelled()
    const cursor = memtable.cursor(NOW)
    expect(memtable.isEmpty).toBe(true)
    expect(lookup(memtable, '', NOW)).toBeUndefined()
    cursor.seekToFirst()
    expect(cursor.valid).toBe(false)
    cursor.seekToLast()
    expect(cursor.valid).toBe(false)
    cursor.seek(key('a'), 0, 1)
    expect(cursor.valid).toBe(false)
    cursor.seekBefore(key('a'), 0, 1)
    expect(cursor.valid).toBe(false)
  })
})

describe('tens of thousands of keys of every shape', () => {
  it('are found and walked, whatever prefixes their nodes come to share and to lose', () =>
    withSeeds(2, (random) => {
      const model = new Modelled(16 << 20)
      const makers = Object.values(shapes)
      for (let i = 0; i < 30_000; i++) model.put(random.pick(makers)(random, i))
      // A group of its own that parts only behind a long prefix, between keys that have none of it.
      for (let i = 0; i < 10_000; i++) model.put(`m${'group/'.repeat(4)}${random.below(1_000_000)}`)
      const { memtable } = model
      expect(forward(memtable.cursor(NOW))).toEqual(model.stateAt(NOW))
      const misses = model.keys.filter((name) => lookup(memtable, name, NOW)?.position === undefined)
      expect(misses).toEqual([])
    }))
})

describe('a million entries', () => {
  it('stay in order, sequential and shuffled ones alike', () => {
    const model = new Modelled(40 << 20)
    const { arena, memtable } = model
    const half = 550_000
    const name = new Uint8Array(8)
    const view = new DataView(name.buffer)
    const add = (number: number): void => {
      view.setUint32(4, number)
      memtable.add(arena.put(name, new Uint8Array(0)), 0)
    }
    for (let i = 0; i < half; i++) add(i)
    // A stride that has no divisor in common with the count visits every number once.
    for (let i = 0; i < half; i++) add(half + ((i * 339_917) % half))
    expect(memtable.entryCount).toBe(2 * half)
    const cursor = memtable.cursor(NOW)
    let expected = 0
    let misplaced = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      const { keyBytes, keyStart } = cursor
      const number = (keyBytes[keyStart + 5]! << 16) | (keyBytes[keyStart + 6]! << 8) | keyBytes[keyStart + 7]!
      if (number !== expected++) misplaced++
    }
    expect({ expected, misplaced }).toEqual({ expected: 2 * half, misplaced: 0 })
    view.setUint32(4, 1_000_003)
    expect(lookup(memtable, text(name), NOW)).toBeDefined()
  })
})
