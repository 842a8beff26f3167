// Four weeks of weather from three stations, a reading every five minutes: node docs/examples/time-series/weather.mjs [directory]
import { DAY_MS, HOUR_MS, openSeries } from './series.mjs'

// How warm it is there, and by how many days its weather is behind.
const STATIONS = { harbour: [9, 0], hilltop: [4, 2], orchard: [7, 5] }
const START = Date.parse('2026-04-01T00:00:00Z')
const DAYS = 28
const STEP_MS = 5 * 60_000
const BARS = '▁▂▃▄▅▆▇█'

/** Warmer by day than by night, and from week to week; the same in every run. */
function temperature(station, time) {
  const [warmth, lag] = STATIONS[station]
  const days = (time - START) / DAY_MS
  const daily = 5 * Math.sin(2 * Math.PI * (days - 0.35))
  const weather = 3 * Math.sin((days - lag) / 2.3) + Math.sin((days - lag) * 1.7)
  return Number((warmth + daily + weather + days / 4).toFixed(1))
}

function sparkline(values) {
  const low = Math.min(...values)
  const high = Math.max(...values)
  return values.map((value) => BARS[Math.round(((value - low) / (high - low)) * (BARS.length - 1))]).join('')
}

const degrees = (value) => `${value.toFixed(1).padStart(5)} °C`
const clock = (time) => new Date(time).toISOString().slice(0, 16).replace('T', ' ')

const series = await openSeries(process.argv[2] ?? ':memory:')
let recorded = 0
for (let day = START; day < START + DAYS * DAY_MS; day += DAY_MS) {
  const readings = []
  for (let time = day; time < day + DAY_MS; time += STEP_MS) {
    for (const sensor of Object.keys(STATIONS)) readings.push({ sensor, time, value: temperature(sensor, time) })
  }
  recorded += await series.record(readings)
  await series.tidy(day + DAY_MS)
}
const end = START + DAYS * DAY_MS

console.log('now')
for (const sensor of await series.sensors()) {
  const [{ time, value }] = await series.latest(sensor)
  console.log(`  ${sensor}  ${degrees(value)}  at ${clock(time)}`)
}
console.log('the last day, hour by hour')
for (const sensor of await series.sensors()) {
  const hours = await series.summary(sensor, end - DAY_MS, end)
  console.log(`  ${sensor}  ${sparkline(hours.map(({ mean }) => mean))}`)
}
console.log('four weeks, day by day')
for (const sensor of await series.sensors()) {
  const days = await series.summary(sensor, START, end, DAY_MS)
  const low = Math.min(...days.map(({ min }) => min))
  const high = Math.max(...days.map(({ max }) => max))
  console.log(`  ${sensor}  ${sparkline(days.map(({ mean }) => mean))}  ${degrees(low)} to ${degrees(high)}`)
}
const noon = end - DAY_MS + 12 * HOUR_MS
console.log(`yesterday at noon the harbour said ${degrees((await series.at('harbour', noon)).value)}`)
const late = { sensor: 'harbour', time: noon + 1, value: 31.5 }
await series.record([late])
await series.tidy(end)
const [hour] = await series.summary('harbour', noon, noon + HOUR_MS)
console.log(`a reading of ${late.value} °C comes in late: the hour from noon had a maximum of ${degrees(hour.max)}`)
const tooLate = await series.record([{ sensor: 'harbour', time: START, value: 0 }])
console.log(`one of four weeks ago comes too late: ${tooLate} taken`)
console.log(
  `${recorded} readings came in, ${await series.raw.count()} are kept whole, all of them in ${await series.hours.count()} hours`,
)
await series.close()
