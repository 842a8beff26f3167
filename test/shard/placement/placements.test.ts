import { describe, expect, it } from 'vitest'
import { BoundedLoads } from '../../../src/shard/bounded-loads.js'
import { Directory } from '../../../src/shard/placement/directory.js'
import { Jump } from '../../../src/shard/placement/jump.js'
import { keyHash } from '../../../src/shard/placement/key-hash.js'
import { Range } from '../../../src/shard/placement/range.js'
import { Rendezvous } from '../../../src/shard/placement/rendezvous.js'
import { Ring } from '../../../src/shard/placement/ring.js'
import { SLOT_COUNT, Slots } from '../../../src/shard/placement/slots.js'
import { placementConformance } from './conformance.js'

const splits = Array.from({ length: 9 }, (_, i) => `user:${i + 1}`)

// What a ring moves scatters like its shares do.
placementConformance('ring', () => new Ring(), {
  maxOverMean: 1.25,
  weights: true,
  movedByAdding: 1.25,
  movedByRemoving: 1.25,
})
placementConformance('slots', () => new Slots(), {
  maxOverMean: 1.07,
  weights: true,
  movedByAdding: 1.05,
  movedByRemoving: 1.06,
})
placementConformance('rendezvous', () => new Rendezvous(), {
  maxOverMean: 1.07,
  weights: true,
  movedByAdding: 1.06,
  movedByRemoving: 1.06,
})
placementConformance('jump', () => new Jump(), {
  maxOverMean: 1.07,
  weights: false,
  movedByAdding: 1.06,
  movedByRemoving: 2.1,
})
placementConformance('range', () => new Range({ splits }), { weights: true, movedByAdding: 0 })
placementConformance('directory', () => new Directory(), {
  maxOverMean: 1.25,
  weights: true,
  movedByAdding: 1.25,
  movedByRemoving: 1.25,
})

describe('the hash of keys', () => {
  it('never changes', () => {
    const bytes = Buffer.from('siltstone '.repeat(20))
    const lengths = [0, 1, 3, 4, 15, 16, 47, 48, 49, 96, 97, 200]
    expect(lengths.map((length) => keyHash(bytes, 0, length, 7))).toMatchInlineSnapshot(`
      [
        3618484216,
        3834298249,
        3007646291,
        1362519304,
        3082931109,
        3411941704,
        1408008057,
        1045638721,
        142900063,
        4029023560,
        2084128446,
        1121639967,
      ]
    `)
  })

  it('depends on every byte of a long key', () => {
    const bytes = Buffer.alloc(150, 'x')
    const before = keyHash(bytes, 0, 150, 0)
    for (let i = 0; i < 150; i++) {
      bytes[i]! ^= 1
      expect(keyHash(bytes, 0, 150, 0)).not.toBe(before)
      bytes[i]! ^= 1
    }
  })
})

describe('a ring', () => {
  it('does not care in which order its shards came', () => {
    const one = new Ring()
    const other = new Ring()
    for (const name of ['a', 'b', 'c', 'd']) one.add(name)
    for (const name of ['d', 'b', 'a', 'c']) other.add(name)
    for (let i = 0; i < 2000; i++) expect(one.locate(`k${i}`)).toBe(other.locate(`k${i}`))
  })

  it('is where it was after a shard has come and gone', () => {
    const ring = new Ring()
    for (const name of ['a', 'b', 'c']) ring.add(name)
    const before = Array.from({ length: 1000 }, (_, i) => ring.locate(`k${i}`))
    ring.add('d')
    ring.remove('d')
    expect(Array.from({ length: 1000 }, (_, i) => ring.locate(`k${i}`))).toEqual(before)
  })

  it('places keys as it did when stores were first made of it', () => {
    const ring = new Ring()
    for (const name of ['a', 'b', 'c']) ring.add(name)
    expect(Array.from({ length: 24 }, (_, i) => ring.locate(`key-${i}`)).join('')).toMatchInlineSnapshot(
      `"caccaccbaacbbbbbacbabcca"`,
    )
  })
})

describe('slots', () => {
  it('have shares that are exact to one slot', () => {
    const slots = new Slots()
    for (const name of ['a', 'b', 'c']) slots.add(name)
    const counts = new Map<string, number>()
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      counts.set(slots.ownerOfSlot(slot), (counts.get(slots.ownerOfSlot(slot)) ?? 0) + 1)
    }
    expect([...counts.values()].sort()).toEqual([5461, 5461, 5462])
  })

  it('move one by one', () => {
    const slots = new Slots()
    for (const name of ['a', 'b', 'c']) slots.add(name)
    const key = Buffer.from('hot')
    const slot = slots.slotOf(key, 0, key.length)
    const target = slots.locate('hot') === 'a' ? 'b' : 'a'
    const { version } = slots
    const keys = Array.from({ length: 2000 }, (_, i) => `k${i}`)
    const before = keys.map((each) => slots.locate(each))
    slots.moveSlot(slot, target)
    expect(slots.version).toBe(version + 1)
    expect(slots.locate('hot')).toBe(target)
    for (const [i, each] of keys.entries()) {
      const bytes = Buffer.from(each)
      if (slots.slotOf(bytes, 0, bytes.length) !== slot) expect(slots.locate(each)).toBe(before[i])
    }
  })
})

describe('ranges', () => {
  it('are cut by split points, each of which belongs to the range above it', () => {
    const range = new Range({ splits: ['g', 'p'] })
    for (const name of ['low', 'middle', 'high']) range.add(name)
    expect(['', 'f', 'g', 'o', 'p', 'z'].map((key) => range.locate(key))).toEqual([
      'low',
      'low',
      'middle',
      'middle',
      'high',
      'high',
    ])
  })

  it('are split and merged', () => {
    const range = new Range({ splits: ['m'] })
    for (const name of ['a', 'b', 'c']) range.add(name)
    range.split('t', 'c')
    expect(['a', 'm', 's', 't'].map((key) => range.locate(key))).toEqual(['a', 'b', 'b', 'c'])
    expect(() => range.split('t', 'c')).toThrow('a split at this key already')
    range.merge('m')
    expect(['a', 'm', 's', 't'].map((key) => range.locate(key))).toEqual(['a', 'a', 'a', 'c'])
    expect(() => range.merge('m')).toThrow('no split')
    expect(() => new Range({ splits: ['b', 'a'] })).toThrow('ascending')
  })
})

describe('a directory', () => {
  it('lets the longest prefix decide and the ring for the rest', () => {
    const directory = new Directory()
    const ring = new Ring()
    for (const name of ['a', 'b', 'c']) {
      directory.add(name)
      ring.add(name)
    }
    directory.assign('tenant-1:', 'a')
    directory.assign('tenant-1:big:', 'b')
    for (let i = 0; i < 100; i++) {
      expect(directory.locate(`tenant-1:${i}`)).toBe('a')
      expect(directory.locate(`tenant-1:big:${i}`)).toBe('b')
      expect(directory.locate(`tenant-2:${i}`)).toBe(ring.locate(`tenant-2:${i}`))
    }
    directory.remove('b')
    expect(directory.locate('tenant-1:big:1')).toBe('a')
  })
})

describe('bounded loads', () => {
  it('give nobody more than the factor allows', () => {
    const ring = new Ring()
    for (const name of ['a', 'b', 'c', 'd', 'e']) ring.add(name)
    const pieces = Array.from({ length: 64 }, (_, i) => `partition-${i}`)
    const counts = new Map<string, number>()
    const assigned = new BoundedLoads(ring, { factor: 1.1 }).assign(pieces)
    for (const name of assigned.values()) counts.set(name, (counts.get(name) ?? 0) + 1)
    expect(assigned.size).toBe(64)
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(Math.ceil((64 / 5) * 1.1))
    expect(new BoundedLoads(ring, { factor: 1.1 }).assign(pieces.toReversed())).toEqual(assigned)
  })

  it('change little when a consumer comes', () => {
    const ring = new Ring()
    for (const name of ['a', 'b', 'c', 'd']) ring.add(name)
    const pieces = Array.from({ length: 400 }, (_, i) => `partition-${i}`)
    const before = new BoundedLoads(ring).assign(pieces)
    ring.add('e')
    const after = new BoundedLoads(ring).assign(pieces)
    const moved = pieces.filter((piece) => before.get(piece) !== after.get(piece)).length
    expect(moved).toBeLessThan((400 / 5) * 1.6)
  })
})
