import { describe, expect, it } from 'vitest'
import { hash32 } from '../../src/bytes/hash.js'
import { KeyTable } from '../../src/memtable/key-table.js'
import { withSeeds } from '../simulation/reproduce.js'
import { key } from './arena.js'
import { lookup, Modelled } from './model.js'

const NOW = Number.POSITIVE_INFINITY

function nameOf(i: number): string {
  return `key:${String(i).padStart(6, '0')}`
}

function filled(count: number): Modelled {
  const model = new Modelled(4 << 20)
  // In no order, so that leaves are split in the middle.
  for (let i = 0; i < count; i++) model.put(nameOf((i * 7919) % count))
  return model
}

function find(table: KeyTable, name: string): number {
  const bytes = Uint8Array.of(9, ...key(name), 9)
  return table.find(bytes, 1, bytes.length - 1)
}

function complete(table: KeyTable): KeyTable {
  for (let leaves = 0; !table.isComplete; leaves++) {
    if (leaves > 10_000) throw new Error('The table never gets complete')
    table.takeLeaf()
  }
  return table
}

describe('a table of keys', () => {
  it('knows where every key of the index stands, and no other', () => {
    const model = filled(20_000)
    const table = complete(new KeyTable(model.memtable.index))
    for (let i = 0; i < 20_000; i++) {
      const name = nameOf(i)
      expect(find(table, name) + model.arena.base).toBe(model.versionAt(name, NOW)!.position)
    }
    for (let i = 0; i < 20_000; i++) expect(find(table, `${nameOf(i)}x`)).toBe(-1)
    for (const name of ['', 'k', 'key:', 'key:00000']) expect(find(table, name)).toBe(-1)
  })

  it('gets complete leaf by leaf, whatever is written meanwhile', () => {
    const model = filled(5_000)
    const table = new KeyTable(model.memtable.index)
    let next = 5_000
    while (!table.isComplete) {
      table.takeLeaf()
      // New keys everywhere split leaves before and behind the one that comes next; an old one gets a newer version.
      for (const name of [`${nameOf(next % 4999)}+${next}`, nameOf((next * 31) % 5_000)]) {
        const offset = model.arena.end
        model.put(name)
        table.add(offset)
      }
      next++
    }
    expect(next).toBeGreaterThan(5_050)
    for (const name of model.keys) {
      expect(find(table, name) + model.arena.base).toBe(model.versionAt(name, NOW)!.position)
    }
  })

  it('keeps the newest version where snapshots hold older ones', () => {
    const model = new Modelled()
    for (let version = 0; version < 5; version++) {
      for (let i = 0; i < 300; i++) model.put(nameOf(i))
      model.pin()
    }
    const table = complete(new KeyTable(model.memtable.index))
    expect(model.memtable.entryCount).toBe(1_500)
    for (let i = 0; i < 300; i++) {
      expect(find(table, nameOf(i)) + model.arena.base).toBe(model.versionAt(nameOf(i), NOW)!.position)
    }
  })

  it('tells keys apart that have one hash', () => {
    const names = ['user:1fit6v9:37525', 'user:17a62bn:47411'] as const
    const hashes = names.map((name) => hash32(key(name), 0, name.length, 0))
    expect(hashes[0]).toBe(hashes[1])
    const model = new Modelled()
    model.put(names[0])
    const table = complete(new KeyTable(model.memtable.index))
    expect(find(table, names[1])).toBe(-1)
    const offset = model.arena.end
    model.put(names[1])
    table.add(offset)
    for (const name of names) expect(find(table, name) + model.arena.base).toBe(model.versionAt(name, NOW)!.position)
  })

  it('is complete at once over nothing', () => {
    const table = new KeyTable(new Modelled().memtable.index)
    expect(table.isComplete).toBe(true)
    expect(find(table, '')).toBe(-1)
  })
})

describe('a memtable', () => {
  it('has none without lookups, nor for a few entries', () => {
    const few = filled(200)
    for (let i = 0; i < 1_000; i++) lookup(few.memtable, nameOf(i), NOW)
    expect(few.memtable.hasKeyTable).toBe(false)
    expect(filled(5_000).memtable.hasKeyTable).toBe(false)
  })

  it('makes one when there are lookups enough, and drops it when they stop', () => {
    const model = filled(4_000)
    for (let i = 0; i < 3_999; i++) lookup(model.memtable, nameOf(i), NOW)
    expect(model.memtable.hasKeyTable).toBe(false)
    const before = model.memtable.indexBytes
    lookup(model.memtable, nameOf(0), NOW)
    expect(model.memtable.hasKeyTable).toBe(true)
    expect(model.memtable.indexBytes).toBeGreaterThan(before)

    for (let i = 0; i < 1_000; i++) lookup(model.memtable, nameOf(i), NOW)
    for (let i = 0; i < 4_000; i++) model.put(nameOf(i))
    expect(model.memtable.hasKeyTable).toBe(true)
    for (let i = 0; i < 3_999; i++) model.put(nameOf(i))
    expect(model.memtable.hasKeyTable).toBe(true)
    model.put(nameOf(0))
    expect(model.memtable.hasKeyTable).toBe(false)
    expect(lookup(model.memtable, nameOf(0), NOW)).toEqual(model.versionAt(nameOf(0), NOW))
  })

  it('answers as it would without, to every reader', () =>
    withSeeds(4, (random) => {
      const model = new Modelled(4 << 20)
      const limits = [NOW]
      let had = 0
      for (let step = 0; step < 12_000; step++) {
        const name = nameOf(random.below(1_500))
        const chance = random.below(100)
        if (chance < 45) model.put(name)
        else if (chance < 50) model.delete(name)
        else if (chance < 51 && limits.length < 6) limits.push(model.pin())
        else if (chance < 52 && limits.length > 1)
          model.unpin(limits.splice(1 + random.below(limits.length - 1), 1)[0]!)
        else {
          const limit = limits[random.below(limits.length)]!
          expect(lookup(model.memtable, name, limit)).toEqual(model.versionAt(name, limit))
        }
        if (model.memtable.hasKeyTable) had++
      }
      expect(had).toBeGreaterThan(8_000)
    }))
})
