import { describe, expect, it } from 'vitest'
import type { MergePick } from '../../src/tree/compaction-policy.js'
import { fifo } from '../../src/tree/fifo.js'
import { ALL_KEYS } from '../../src/tree/key-range.js'
import { leveled, levelTargets } from '../../src/tree/leveled.js'
import { pickMajor } from '../../src/tree/major.js'
import { tiered } from '../../src/tree/tiered.js'
import { level, situation, table } from './shapes.js'

const MIB = 1024 * 1024

/** Newest first, as a version has them. */
function runs(count: number, changes: Parameters<typeof table>[2] = {}) {
  return Array.from({ length: count }, () => table('000000', '999999', changes)).reverse()
}

function numbers(pick: unknown): number[] {
  return (pick as MergePick).runs.flat().map(({ number }) => number)
}

describe('the targets of the levels', () => {
  it('make the last level the base of a small store', () => {
    expect(levelTargets(situation({ 6: level(6, 100) }).shape)).toMatchObject({ base: 6 })
  })

  it('follow the last level: each is a tenth of the one below, down to what level 0 can be merged into', () => {
    const targets = levelTargets(situation({ 6: level(6, 32 * 1024) }).shape)
    expect(targets.base).toBe(3)
    expect(targets.bytes.map((bytes) => Math.round(bytes / MIB))).toEqual([0, 0, 0, 33, 328, 3277, 32768])
  })
})

describe('leveled compaction', () => {
  it('rests while every level is within its target', () => {
    expect(leveled.pick(situation({ 0: runs(3), 5: level(5, 50), 6: level(6, 1000) }))).toBeUndefined()
  })

  it('merges all of level 0 with what it overlaps on the base', () => {
    const levels = { 0: runs(4), 6: level(6, 100) }
    const pick = leveled.pick(situation(levels))
    expect(pick).toMatchObject({ action: 'merge', level: 6 })
    expect(numbers(pick)).toHaveLength(4 + levels[6].length)
  })

  it('never takes level 0 past a level that holds data, though it should not', () => {
    const pick = leveled.pick(situation({ 0: runs(8), 3: level(3, 16), 6: level(6, 100) }))
    expect(pick).toMatchObject({ level: 3, reason: 'level 0 is full' })
  })

  it('empties a level above the base that a larger store has left behind', () => {
    expect(leveled.pick(situation({ 3: level(3, 16), 6: level(6, 100) }))).toMatchObject({ level: 6, action: 'merge' })
  })

  it('pushes down the table that overlaps least', () => {
    const cheap = table('000500', '000501', { bytes: 160 * MIB })
    const dear = table('000100', '000400', { bytes: 160 * MIB })
    const pick = leveled.pick(situation({ 5: [dear, cheap], 6: level(6, 1024) }))
    expect(pick).toMatchObject({ action: 'merge', level: 6 })
    expect(numbers(pick)[0]).toBe(cheap.number)
  })

  it('moves a table that overlaps nothing by an edit alone', () => {
    const alone = table('zz', 'zzz', { bytes: 60 * MIB })
    const others = level(5, 100)
    const pick = leveled.pick(situation({ 5: [...others, alone], 6: level(6, 1024) }))
    expect(pick).toMatchObject({ action: 'move', level: 6 })
    expect(pick).toHaveProperty('tables.0.number', alone.number)
  })

  it('rewrites such a table where it has to be compressed, or has deletions to lose', () => {
    const raw = table('zz', 'zzz', { bytes: 60 * MIB, compression: 'none' })
    expect(leveled.pick(situation({ 5: [...level(5, 100), raw], 6: level(6, 1024) }))).toMatchObject({
      action: 'merge',
    })
    const deletions = table('zz', 'zzz', { bytes: 60 * MIB, deletionCount: 10 })
    const pick = leveled.pick(situation({ 5: [...level(5, 100), deletions], 6: level(6, 1024) }))
    expect(pick).toMatchObject({ action: 'merge' })
  })

  it('merges small runs among themselves while the level below is much larger', () => {
    const small = runs(5, { bytes: MIB })
    const pick = leveled.pick(situation({ 0: small, 6: level(6, 200) }))
    expect(pick).toMatchObject({
      action: 'merge',
      level: 0,
      reason: 'small runs',
      tableBytes: Number.POSITIVE_INFINITY,
    })
    expect(leveled.pick(situation({ 0: small, 6: level(6, 16) }))).toMatchObject({ level: 6 })
  })

  it('rewrites a table full of deletions, and one on which scans crawl', () => {
    const levels = { 5: level(5, 50), 6: level(6, 1000) }
    const dense = levels[5].map((meta, i) => (i === 1 ? { ...meta, deletionCount: 60_000 } : meta))
    expect(leveled.pick(situation({ ...levels, 5: dense }))).toMatchObject({ reason: 'deletions', level: 6 })
    const sparse = levels[5].map((meta, i) => (i === 1 ? { ...meta, deletionCount: 600 } : meta))
    const hinted = new Set([sparse[1]!.number])
    expect(leveled.pick(situation({ ...levels, 5: sparse }))).toBeUndefined()
    expect(leveled.pick(situation({ ...levels, 5: sparse }, { hinted }))).toMatchObject({ reason: 'slow scans' })
  })

  it('rewrites what a snapshot held back once it is gone, and not before', () => {
    const held = table('a', 'b', { heldCount: 50_000, lowestPosition: 100, highestPosition: 900 })
    const levels = { 6: [held] }
    expect(leveled.pick(situation(levels, { pins: [500] }))).toBeUndefined()
    expect(leveled.pick(situation(levels, { pins: [900] }))).toBeUndefined()
    expect(leveled.pick(situation(levels, { pins: [901] }))).toMatchObject({ reason: 'released snapshots', level: 6 })
    expect(leveled.pick(situation(levels))).toMatchObject({ reason: 'released snapshots' })
  })

  it('drops a table unread when all of it has expired, and rewrites one when half of it has', () => {
    const expiring = { expiringCount: 100_000, earliestExpiry: 1000, latestExpiry: 2000 }
    const levels = { 6: [table('a', 'b', expiring)] }
    expect(leveled.pick(situation(levels, { now: 1400 }))).toBeUndefined()
    expect(leveled.pick(situation(levels, { now: 1500 }))).toMatchObject({ action: 'merge', reason: 'expiry' })
    expect(leveled.pick(situation(levels, { now: 2000 }))).toMatchObject({ action: 'drop', reason: 'expired' })
  })

  it('keeps an expired table that hides older versions of its keys', () => {
    const expiring = { expiringCount: 100_000, earliestExpiry: 1000, latestExpiry: 2000 }
    const pick = leveled.pick(situation({ 5: [table('000000', '000009', expiring)], 6: level(6, 1000) }, { now: 3000 }))
    expect(pick).toMatchObject({ action: 'merge', reason: 'expiry', level: 6 })
  })

  it('brings the upper levels below a tenth of the last when the store is quiet', () => {
    const levels = { 0: runs(1, { bytes: 20 * MIB }), 6: level(6, 100) }
    expect(leveled.pick(situation(levels))).toBeUndefined()
    expect(leveled.pick(situation(levels, { quiet: true }))).toMatchObject({ reason: 'quiet', level: 6 })
    const little = { ...levels, 0: runs(1, { bytes: 2 * MIB }) }
    expect(leveled.pick(situation(little, { quiet: true }))).toBeUndefined()
    const hiding = { ...levels, 0: runs(1, { bytes: 2 * MIB, deletionCount: 90_000 }) }
    expect(leveled.pick(situation(hiding, { quiet: true }))).toMatchObject({ reason: 'quiet' })
  })

  it('reads no table that is known to be damaged', () => {
    const levels = { 0: runs(6), 6: level(6, 100) }
    const damaged = new Set([levels[6][0]!.number])
    expect(leveled.pick(situation(levels, { damaged }))).toBeUndefined()
  })
})

describe('a major compaction', () => {
  it('takes everything that hangs together with the range, on every level', () => {
    const run = table('000030', '000095')
    const levels = { 0: [run], 6: level(6, 160) }
    const pick = pickMajor(situation(levels), { start: Buffer.from('000040'), end: Buffer.from('000041') })
    expect(pick).toMatchObject({ level: 6 })
    expect(numbers(pick)).toEqual([run.number, ...levels[6].slice(3, 10).map(({ number }) => number)])
  })

  it('has nothing to do where the last level is clean and alone', () => {
    expect(pickMajor(situation({ 6: level(6, 160) }), ALL_KEYS)).toBeUndefined()
    expect(pickMajor(situation({ 6: level(6, 160, { deletionCount: 1 }) }), ALL_KEYS)).toBeDefined()
  })
})

describe('tiered compaction', () => {
  it('merges adjacent runs of about one size', () => {
    const small = runs(4, { bytes: 10 * MIB })
    const large = table('000000', '999999', { bytes: 500 * MIB, lowestPosition: 1, highestPosition: 2 })
    const pick = tiered.pick(situation({ 0: [...small, large], 6: level(6, 2000) }))
    expect(pick).toMatchObject({ action: 'merge', level: 0 })
    expect(numbers(pick)).toEqual(small.map(({ number }) => number))
  })

  it('merges everything once the runs outgrow what lies below them', () => {
    const pick = tiered.pick(situation({ 0: runs(4, { bytes: 100 * MIB }), 6: level(6, 200) }))
    expect(pick).toMatchObject({ action: 'merge', level: 6, reason: 'space' })
  })

  it('rests with few runs, and with runs of very different sizes', () => {
    expect(tiered.pick(situation({ 0: runs(3), 6: level(6, 200) }))).toBeUndefined()
    const growing = [1, 10, 100, 1000].map((mebibytes) => table('a', 'b', { bytes: mebibytes * MIB }))
    expect(tiered.pick(situation({ 0: growing, 6: level(6, 20_000) }))).toBeUndefined()
  })
})

describe('fifo compaction', () => {
  const byAge = [1, 2, 3].map((day) => table(`00${day}`, `00${day}9`, { createdAt: day * 1000 })).reverse()

  it('drops the oldest tables beyond a size', () => {
    const pick = fifo.pick(situation({ 0: byAge }, { fifo: { bytes: 40 * MIB } }))
    expect(pick).toMatchObject({ action: 'drop', tables: [{ number: byAge[2]!.number }] })
  })

  it('drops what is older than an age', () => {
    const pick = fifo.pick(situation({ 0: byAge }, { fifo: { ageMs: 500 }, now: 2600 }))
    expect(pick).toMatchObject({ tables: [{ number: byAge[2]!.number }, { number: byAge[1]!.number }] })
  })

  it('drops what lies wholly before the trim point', () => {
    expect(fifo.pick(situation({ 0: byAge }, { trimmedBefore: Buffer.from('0015') }))).toBeUndefined()
    const pick = fifo.pick(situation({ 0: byAge }, { trimmedBefore: Buffer.from('0025') }))
    expect(pick).toMatchObject({ action: 'drop', tables: [{ number: byAge[2]!.number }] })
  })

  it('rewrites only tiny tables', () => {
    expect(fifo.pick(situation({ 0: runs(20) }))).toBeUndefined()
    expect(fifo.pick(situation({ 0: runs(20, { bytes: 1000 }) }))).toMatchObject({ action: 'merge', level: 0 })
  })
})
