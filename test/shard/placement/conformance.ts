import { describe, expect, it } from 'vitest'
import { restorePlacement } from '../../../src/shard/placement/make-placement.js'
import type { Placement } from '../../../src/shard/placement/placement.js'

/** What a strategy promises beyond what all of them do. */
export interface Promises {
  /** The fullest shard of ten holds at most so many times the mean, where the strategy deals keys out by itself. */
  readonly maxOverMean?: number
  /** Whether shards may differ in weight. */
  readonly weights: boolean
  /** Moved keys, relative to the share of what comes or goes; 0 where nothing moves by itself. */
  readonly movedByAdding?: number
  readonly movedByRemoving?: number
}

const KEYS = Array.from({ length: 20_000 }, (_, i) => `user:${i}`)
const NAMES = Array.from({ length: 10 }, (_, i) => `shard-${i}`)

function filled(make: () => Placement, names: readonly string[] = NAMES): Placement {
  const placement = make()
  for (const name of names) placement.add(name)
  return placement
}

function movedBetween(before: Placement, after: Placement): string[] {
  return KEYS.filter((key) => before.locate(key) !== after.locate(key))
}

/** Holds a placement to the interface. */
export function placementConformance(name: string, make: () => Placement, promises: Promises): void {
  describe(`the placement '${name}'`, () => {
    it('gives a key the same shard, however it is asked', () => {
      const placement = filled(make)
      const copy = placement.copy()
      for (const key of KEYS.slice(0, 1000)) {
        const bytes = Buffer.from(`__${key}__`)
        const located = placement.locate(key)
        expect(placement.locate(Buffer.from(key))).toBe(located)
        expect(placement.shards[placement.ownerOf(bytes, 2, bytes.length - 2)]!.name).toBe(located)
        expect(copy.locate(key)).toBe(located)
      }
    })

    it('decides the same after it was written down', () => {
      const placement = filled(make)
      placement.remove('shard-4')
      const again = restorePlacement(JSON.parse(JSON.stringify(placement.state())))
      expect(again.state()).toEqual(placement.state())
      expect(movedBetween(placement, again)).toEqual([])
    })

    it('keeps a copy apart', () => {
      const placement = filled(make)
      const copy = placement.copy()
      copy.remove('shard-3')
      expect(placement.shards).toHaveLength(10)
      expect(copy.shards).toHaveLength(9)
    })

    it('lets a tag decide alone', () => {
      const placement = filled(make)
      for (let i = 0; i < 200; i++) {
        const owner = placement.locate(`${i}`)
        for (const key of [`{${i}}`, `a{${i}}`, `{${i}}:b`, `zz:{${i}}:{7}`]) expect(placement.locate(key)).toBe(owner)
      }
    })

    it('names replicas once each, the owner first', () => {
      const placement = filled(make)
      for (const key of KEYS.slice(0, 300)) {
        const replicas = placement.replicas(key, 3)
        expect(replicas[0]).toBe(placement.locate(key))
        expect(new Set(replicas).size).toBe(3)
        expect(placement.replicas(key, 99)).toHaveLength(10)
        expect(placement.replicas(key, 0)).toEqual([])
      }
    })

    it('refuses what it cannot mean and stays as it was', () => {
      const placement = filled(make)
      const state = JSON.stringify(placement.state())
      for (const mistake of [
        () => placement.add('shard-1'),
        () => placement.add(''),
        () => placement.add('new', { weight: 0 }),
        () => placement.add('new', { weight: Number.NaN }),
        () => placement.remove('nobody'),
        () => placement.reweight('nobody', 2),
        () => placement.reweight('shard-1', -1),
        () => placement.replicas('a', -1),
      ]) {
        expect(mistake).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
        expect(JSON.stringify(placement.state())).toBe(state)
      }
      expect(() => make().locate('a')).toThrow(expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }))
    })

    it('moves no key between shards that stay when one comes', () => {
      const before = filled(make)
      const after = before.copy()
      after.add('newcomer')
      const moved = movedBetween(before, after)
      expect(moved.filter((key) => after.locate(key) !== 'newcomer')).toEqual([])
      if (promises.movedByAdding !== undefined) {
        expect(moved.length / KEYS.length).toBeLessThanOrEqual((promises.movedByAdding / 11) * 1.001)
      }
    })

    it('leaves no key with a shard that goes', () => {
      const before = filled(make)
      const after = before.copy()
      after.remove('shard-3')
      const moved = movedBetween(before, after)
      expect(KEYS.filter((key) => after.locate(key) === 'shard-3')).toEqual([])
      if (promises.movedByRemoving !== undefined) {
        expect(moved.length / KEYS.length).toBeLessThanOrEqual((promises.movedByRemoving / 10) * 1.001)
      }
    })

    const { maxOverMean } = promises
    if (maxOverMean !== undefined) {
      it('deals keys out evenly', () => {
        const placement = filled(make)
        const counts = new Map(NAMES.map((each) => [each, 0]))
        for (const key of KEYS) counts.set(placement.locate(key), counts.get(placement.locate(key))! + 1)
        expect(Math.max(...counts.values()) / (KEYS.length / 10)).toBeLessThan(maxOverMean)
      })
    }

    if (promises.weights && maxOverMean !== undefined) {
      it('gives twice the weight twice the keys', () => {
        const placement = make()
        for (const each of ['a', 'b', 'c']) placement.add(each)
        placement.add('heavy', { weight: 2 })
        const share = KEYS.filter((key) => placement.locate(key) === 'heavy').length / KEYS.length
        expect(Math.abs(share - 0.4)).toBeLessThan(0.06)
        const before = placement.copy()
        placement.reweight('heavy', 3)
        expect(movedBetween(before, placement).filter((key) => placement.locate(key) !== 'heavy')).toEqual([])
      })
    }
  })
}
