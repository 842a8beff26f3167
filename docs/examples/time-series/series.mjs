// Measurements over time: kept whole for a week, and as hours for ever. A key is a tuple of sensor and time, so the readings of a sensor stand
// together in the order of their times, and every question about them is a range.
//
//   raw     [sensor, time]   -> value
//   hours   [sensor, hour]   -> { count, sum, min, max }
//   changed [hour, sensor]   -> nothing: this hour has readings that `hours` does not know of
import { open, tuples } from 'siltstone'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
const KEEP_RAW_MS = 7 * DAY_MS
const PATIENT = { retries: 100 }

/** Opens the series of a directory. Takes the options of `open`. */
export async function openSeries(directory, options = {}) {
  const series = new Series(await open(directory, options))
  series.rawFrom = (await series.settings.get('rawFrom')) ?? Number.NEGATIVE_INFINITY
  return series
}

class Series {
  constructor(db) {
    this.db = db
    this.raw = db.keyspace('raw', { keyEncoding: tuples, valueEncoding: 'json' })
    this.hours = db.keyspace('hours', { keyEncoding: tuples, valueEncoding: 'json' })
    this.changed = db.keyspace('changed', { keyEncoding: tuples })
    this.settings = db.keyspace('settings', { valueEncoding: 'json' })
  }

  /**
   * Records readings, in any order, late ones too: `{ sensor, time, value }`. They and the note that their hours have changed are one commit.
   * What is older than the oldest reading that is kept comes too late; returns how many were taken.
   */
  async record(readings) {
    const taken = readings.filter(({ time }) => time >= this.rawFrom)
    await this.db.batch(
      taken.flatMap(({ sensor, time, value }) => [
        { type: 'put', keyspace: this.raw, key: [sensor, time], value },
        { type: 'put', keyspace: this.changed, key: [hourOf(time), sensor], value: '' },
      ]),
    )
    return taken.length
  }

  /** The newest readings of a sensor, newest first: the range backwards, as far as needed. */
  latest(sensor, count = 1) {
    return this.readings({ prefix: [sensor], reverse: true, limit: count })
  }

  /** What a sensor said last at a time or before it. */
  async at(sensor, time) {
    const [reading] = await this.readings({ gte: [sensor], lte: [sensor, time], reverse: true, limit: 1 })
    return reading
  }

  /** Readings from one time up to another. */
  between(sensor, from, to) {
    return this.readings({ gte: [sensor, from], lt: [sensor, to] })
  }

  async readings(range) {
    const entries = await this.raw.entries(range).toArray()
    return entries.map(([[sensor, time], value]) => ({ sensor, time, value }))
  }

  /** The hours of a sensor, put together to steps of so many milliseconds. Steps in which nothing was measured are left out. */
  async summary(sensor, from, to, stepMs = HOUR_MS) {
    const steps = new Map()
    for await (const [[, hour], part] of this.hours.entries({ gte: [sensor, from], lt: [sensor, to] })) {
      const start = hour - (hour % stepMs)
      steps.set(start, together(steps.get(start), part))
    }
    return [...steps].map(([time, { count, sum, min, max }]) => ({ time, count, mean: sum / count, min, max }))
  }

  /** Whoever has measured something. Jumps from the first reading of a sensor behind its last one, so it takes a seek for each. */
  async sensors() {
    const scan = this.hours.keys()
    try {
      const sensors = []
      for (;;) {
        const [first] = await scan.nextMany(1)
        if (first === undefined) return sensors
        sensors.push(first[0])
        scan.seek([first[0], Number.POSITIVE_INFINITY])
      }
    } finally {
      scan.close()
    }
  }

  /** Sums up every hour that is over and has changed, and removes readings of more than a week ago. Run it now and then. */
  async tidy(now) {
    const summed = await this.sumUp(now)
    await this.forget(hourOf(now - KEEP_RAW_MS))
    return summed
  }

  async sumUp(now) {
    const due = await this.changed.keys({ lt: [hourOf(now)] }).toArray()
    for (const [hour, sensor] of due) {
      // A reading that comes while its hour is summed up is a conflict, and the hour is summed up again.
      await this.db.transaction(async (tx) => {
        let total
        const values = tx.keyspace(this.raw).values({ gte: [sensor, hour], lt: [sensor, hour + HOUR_MS] })
        for await (const value of values) total = together(total, { count: 1, sum: value, min: value, max: value })
        await tx.keyspace(this.hours).put([sensor, hour], total)
        await tx.keyspace(this.changed).del([hour, sensor])
      }, PATIENT)
    }
    return due.length
  }

  /** One range deletion for each sensor, however many readings it covers, and one commit for all. */
  async forget(before) {
    // From here on nothing older is taken; what was taken before is in the way of the transaction below, even if it is not written yet.
    this.rawFrom = Math.max(this.rawFrom, before)
    await this.db.transaction(async (tx) => {
      const settings = tx.keyspace(this.settings)
      if ((await settings.get('rawFrom')) === this.rawFrom) return
      // An hour that is not summed up is needed whole. The next time will do.
      if ((await tx.keyspace(this.changed).count({ lt: [this.rawFrom] })) > 0) return
      const raw = tx.keyspace(this.raw)
      for (const sensor of await this.sensors()) await raw.clear({ gte: [sensor], lt: [sensor, this.rawFrom] })
      await settings.put('rawFrom', this.rawFrom)
    }, PATIENT)
  }

  close() {
    return this.db.close()
  }
}

function hourOf(time) {
  return Math.floor(time / HOUR_MS) * HOUR_MS
}

function together(a, b) {
  if (a === undefined) return b
  return { count: a.count + b.count, sum: a.sum + b.sum, min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }
}
