import { describe, expect, it } from 'vitest'
import { withSeeds } from '../simulation/reproduce.js'
import { key } from './arena.js'
import { backward, forward, lookup, Modelled } from './model.js'

const NOW = Number.POSITIVE_INFINITY

function values(model: Modelled): string[] {
  return forward(model.memtable.cursorOverAll()).map(({ key, value, deleted }) => `${key}=${deleted ? '-' : value}`)
}

describe('a version that no pin sees', () => {
  it('gives way to the next one of its key', () => {
    const model = new Modelled()
    model.put('a', '1')
    model.put('a', '2')
    model.put('a', '3')
    expect(values(model)).toEqual(['a=3'])
    expect(model.memtable.entryCount).toBe(1)
    expect(model.memtable.index.shadowedCount).toBe(0)
  })

  it('gives way also where an older one is kept for a pin', () => {
    const model = new Modelled()
    model.put('a', '1')
    model.pin()
    model.put('a', '2')
    model.put('a', '3')
    expect(values(model)).toEqual(['a=3', 'a=1'])
    expect(model.memtable.index.shadowedCount).toBe(1)
  })

  it('gives way when the pin that saw it is gone', () => {
    const model = new Modelled()
    model.put('a', '1')
    model.unpin(model.pin())
    model.put('a', '2')
    expect(values(model)).toEqual(['a=2'])
  })

  it('is one at the very position of the pin, which sees only what is before', () => {
    const model = new Modelled()
    const limit = model.pin()
    model.put('a', '1')
    model.put('a', '2')
    expect(values(model)).toEqual(['a=2'])
    expect(lookup(model.memtable, 'a', limit)).toBeUndefined()
  })
})

describe('a version that a pin sees', () => {
  it('stays, and each reader gets its own', () => {
    const model = new Modelled()
    const limits: number[] = []
    for (let i = 0; i < 200; i++) {
      model.put('a', `${i}`)
      limits.push(model.pin())
    }
    expect(model.memtable.entryCount).toBe(200)
    for (const [i, limit] of limits.entries()) expect(lookup(model.memtable, 'a', limit)?.value).toBe(`${i}`)
  })

  it('stays when the key is deleted, and the deletion shows to those who come later', () => {
    const model = new Modelled()
    model.put('a', '1')
    const before = model.pin()
    model.delete('a')
    expect(lookup(model.memtable, 'a', before)?.value).toBe('1')
    expect(lookup(model.memtable, 'a', NOW)?.deleted).toBe(true)
    expect(forward(model.memtable.cursor(NOW)).map(({ deleted }) => deleted)).toEqual([true])
  })

  it('does not show through where a neighbour of the key begins like it', () => {
    const model = new Modelled()
    for (const name of ['k', 'k\0', 'k\0\0']) model.put(name, 'old')
    const before = model.pin()
    for (const name of ['k\0\0', 'k', 'k\0']) model.put(name, 'new')
    const read = (limit: number): string[] => forward(model.memtable.cursor(limit)).map(({ value }) => value)
    expect(read(before)).toEqual(['old', 'old', 'old'])
    expect(read(NOW)).toEqual(['new', 'new', 'new'])
  })
})

describe('deletions', () => {
  it('are counted as long as they stand in the index', () => {
    const model = new Modelled()
    const { memtable } = model
    model.delete('a')
    expect(memtable.deletionCount).toBe(1)
    model.delete('a')
    expect(memtable.deletionCount).toBe(1)
    model.put('a')
    expect(memtable.deletionCount).toBe(0)
    model.delete('a')
    model.pin()
    model.put('a')
    expect(memtable.deletionCount).toBe(1)
  })

  it('of ranges are kept apart: they hide, but are no entries', () => {
    const model = new Modelled()
    const { arena, memtable } = model
    memtable.add(arena.deleteRange(key('b'), key('d')), 0)
    const first = arena.base + 80
    const second = arena.position
    memtable.add(arena.deleteRange(key('c')), 0)
    expect(memtable.isEmpty).toBe(false)
    expect(memtable.entryCount).toBe(0)
    const covering = (name: string, limit = NOW): number =>
      memtable.rangeTombstones.coveringPosition(key(name), 0, name.length, limit)
    expect(['a', 'b', 'c', 'd', 'zz'].map((name) => covering(name))).toEqual([0, first, second, second, second])
    expect(['b', 'c', 'd'].map((name) => covering(name, second))).toEqual([first, first, 0])
  })
})

describe('versions and pins in any order', () => {
  it('leave every pin its state, and keep nothing that none needs', () =>
    withSeeds(25, (random) => {
      const model = new Modelled()
      const { memtable } = model
      const names = Array.from({ length: random.pick([1, 3, 40, 200]) }, (_, i) => `${'n'.repeat(i % 6)}${i}`)
      for (let step = 0; step < 1500; step++) {
        const name = random.pick(names)
        if (random.chance(0.2)) model.delete(name)
        else model.put(name)
        if (random.chance(0.1)) model.pin()
        if (random.chance(0.1) && model.pins.length > 0) model.unpin(random.pick(model.pins))
      }
      for (const limit of [...model.pins, NOW]) {
        const state = model.stateAt(limit)
        expect(forward(memtable.cursor(limit))).toEqual(state)
        expect(backward(memtable.cursor(limit))).toEqual(state.toReversed())
        for (const name of names) expect(lookup(memtable, name, limit)).toEqual(model.versionAt(name, limit))
      }
      const kept = model.keptVersions
      expect(forward(memtable.cursorOverAll())).toEqual(kept)
      expect(memtable.entryCount).toBe(kept.length)
      expect(memtable.index.shadowedCount).toBe(kept.length - model.keys.length)
      expect(memtable.deletionCount).toBe(model.deletionCount)
    }))
})
