import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, openSeries, type Reading, type Series } from '../../docs/examples/time-series/series.mjs'
import { settled } from '../queue/stores.js'
import { withSeeds } from '../simulation/reproduce.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { inDirectory, run } from './programs.js'

const T0 = Date.parse('2026-04-01T00:00:00Z')

const reading = (sensor: string, time: number, value: number): Reading => ({ sensor, time, value })

function openOn(fs: SimulatedDisk): Promise<Series> {
  return openSeries('/series', { fs, executor: 'inline', writeBufferBytes: 64 * 1024 })
}

async function withSeries(test: (series: Series) => Promise<void>): Promise<void> {
  const series = await openOn(new SimulatedDisk(1))
  await test(series)
  await series.close()
}

describe('the time series', () => {
  it('answers by range, in both directions, whatever the order in which readings came', () =>
    withSeries(async (series) => {
      const times = [5, -3, 0.5, 1e9, 12, 7].map((offset) => T0 + offset)
      await series.record(times.map((time) => reading('b', time, time - T0)))
      await series.record([reading('a', T0, 1), reading('ba', T0 + 6, 2), reading('c', T0, 3)])
      const sorted = times.toSorted((a, b) => a - b)
      expect((await series.latest('b', 2)).map(({ time }) => time)).toEqual(sorted.slice(-2).reverse())
      expect((await series.between('b', T0, T0 + 12)).map(({ value }) => value)).toEqual([0.5, 5, 7])
      expect((await series.at('b', T0 + 6))?.value).toBe(5)
      expect(await series.at('b', T0 - 4)).toBeUndefined()
      expect(await series.latest('nobody')).toEqual([])
    }))

  it('sums up the hours that are over, and again when a reading comes late', () =>
    withSeries(async (series) => {
      await series.record([reading('a', T0, 2), reading('a', T0 + HOUR_MS - 1, 4), reading('a', T0 + HOUR_MS, 9)])
      expect(await series.tidy(T0 + HOUR_MS + 1)).toBe(1)
      const first = { time: T0, count: 2, mean: 3, min: 2, max: 4 }
      expect(await series.summary('a', T0, T0 + DAY_MS)).toEqual([first])
      expect(await series.tidy(T0 + HOUR_MS + 1)).toBe(0)
      await series.record([reading('a', T0 + 1, 12)])
      expect(await series.tidy(T0 + 2 * HOUR_MS)).toBe(2)
      expect(await series.summary('a', T0, T0 + DAY_MS)).toEqual([
        { time: T0, count: 3, mean: 6, min: 2, max: 12 },
        { time: T0 + HOUR_MS, count: 1, mean: 9, min: 9, max: 9 },
      ])
      expect(await series.summary('a', T0, T0 + DAY_MS, DAY_MS)).toEqual([
        { time: T0, count: 4, mean: 6.75, min: 2, max: 12 },
      ])
    }))

  it('forgets readings of more than a week ago, never their hours, and takes none that old', () =>
    withSeries(async (series) => {
      const now = T0 + 8 * DAY_MS
      await series.record(['a', 'b'].flatMap((sensor) => [T0, T0 + DAY_MS, now - 1].map((t) => reading(sensor, t, 1))))
      await series.tidy(now)
      expect(series.rawFrom).toBe(T0 + DAY_MS)
      expect((await series.latest('a', 9)).map(({ time }) => time)).toEqual([now - 1, T0 + DAY_MS])
      expect(await series.raw.count()).toBe(4)
      expect(await series.summary('b', T0, now)).toHaveLength(3)
      expect(await series.record([reading('b', T0 + DAY_MS - 1, 5), reading('b', T0 + DAY_MS, 7)])).toBe(1)
      expect(await series.sensors()).toEqual(['a', 'b'])
    }))

  it('takes a reading that comes while it tidies up and sums it up, or does not take it', async () => {
    const outcomes = new Set<number>()
    for (let moment = 0; moment < 100; moment++) {
      await withSeries(async (series) => {
        const now = T0 + 8 * DAY_MS
        await series.record([reading('a', T0, 1)])
        const tidying = series.tidy(now)
        // Turns of the loop, and steps within a turn.
        await settled(Math.floor(moment / 25))
        for (let step = moment % 25; step > 0; step--) await undefined
        const taken = await series.record([reading('a', T0 + 1, 3)])
        outcomes.add(taken)
        await tidying
        await series.tidy(now)
        const summary = await series.summary('a', T0, now)
        expect(summary.map(({ count, max }) => ({ count, max }))).toEqual([{ count: 1 + taken, max: 1 + 2 * taken }])
        expect(await series.raw.count()).toBe(0)
      })
    }
    expect(outcomes).toEqual(new Set([0, 1]))
  })

  it('has in its hours what was recorded, through crashes', () =>
    withSeeds(5, async (random) => {
      let disk = new SimulatedDisk(random.uint32())
      const recorded: Reading[] = []
      let now = T0
      let crashes = 0
      while (now < T0 + 10 * DAY_MS) {
        const readings = Array.from({ length: 10 }, () =>
          reading(random.pick(['a', 'b']), now - random.between(0, 2 * HOUR_MS), random.between(1, 9)),
        )
        // Who was not told that they are recorded sends them again.
        for (let isRecorded = false; !isRecorded; ) {
          if (random.chance(0.5)) disk.crashAtCall(disk.callCount + random.between(1, 40))
          try {
            const series = await openOn(disk)
            await series.record(readings)
            isRecorded = true
            await series.tidy(now + HOUR_MS)
          } catch (error) {
            if (!disk.crashed) throw error
            crashes++
          }
          disk = disk.processDeath()
        }
        recorded.push(...readings)
        now += 12 * HOUR_MS
      }
      expect(crashes).toBeGreaterThan(0)
      const series = await openOn(disk)
      await series.tidy(now)
      for (const sensor of ['a', 'b']) {
        // Times may be drawn twice; the last reading of a time counts.
        const last = new Map(recorded.filter((each) => each.sensor === sensor).map(({ time, value }) => [time, value]))
        const [whole] = await series.summary(sensor, 0, now, 1e15)
        expect(whole).toMatchObject({ count: last.size })
        expect(whole!.mean * whole!.count).toBeCloseTo([...last.values()].reduce((a, b) => a + b))
      }
      expect(await series.raw.count()).toBeLessThan(recorded.length)
      await series.close()
    }))

  it('is shown by four weeks of weather', () =>
    inDirectory(async (directory) => {
      const { status, lines, errors } = await run('time-series/weather.mjs', ['./weather'], directory)
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines.slice(-3)).toEqual([
        'a reading of 31.5 °C comes in late: the hour from noon had a maximum of  31.5 °C',
        'one of four weeks ago comes too late: 0 taken',
        '24192 readings came in, 6049 are kept whole, all of them in 2016 hours',
      ])
      expect(lines.filter((line) => /[▁-█]{24,28}/.test(line))).toHaveLength(6)
    }))
})
