/** A scale from values to places on a sheet, with the values that are worth a mark. */
export interface Axis {
  readonly marks: readonly number[]
  at(value: number): number
}

const MOST_MARKS = 7

/**
 * Powers of ten around all values, with their doubles and fives where there is room for the numbers; what is zero or less stands at the
 * lower end.
 */
export function logarithmicAxis(values: readonly number[], from: number, to: number): Axis {
  const positive = values.filter((value) => value > 0)
  const [least, greatest] = [Math.min(...positive), Math.max(...positive)]
  const fine = logarithmicMarks([1, 2, 5], least, greatest)
  const marks = fine.length <= MOST_MARKS ? fine : logarithmicMarks([1], least, greatest)
  const low = marks[0]!
  const scale = (to - from) / Math.log(marks.at(-1)! / low)
  return { marks, at: (value) => from + Math.log(Math.max(low, value) / low) * scale }
}

/** From the last mark at or below the least value to the first at or above the greatest, two at least. */
function logarithmicMarks(factors: readonly number[], least: number, greatest: number): number[] {
  const first = Math.floor(Math.log10(least)) - 1
  const last = Math.ceil(Math.log10(greatest)) + 1
  const all = Array.from({ length: last - first + 1 }, (_, i) => first + i).flatMap((power) =>
    factors.map((factor) => Number(`${factor}e${power}`)),
  )
  const start = all.findLastIndex((mark) => mark <= least * (1 + 1e-9))
  const end = all.findIndex((mark, i) => i > start && mark >= greatest * (1 - 1e-9))
  return all.slice(start, end + 1)
}

/** Round numbers around all values, some four to seven of them. */
export function linearAxis(values: readonly number[], from: number, to: number): Axis {
  const least = Math.min(...values)
  const span = Math.max(...values) - least || Math.abs(least) || 1
  const step = roundStep(span / 5)
  const low = Math.floor(least / step + 1e-9) * step
  const count = Math.max(1, Math.ceil((least + span - low) / step - 1e-9))
  const scale = (to - from) / (count * step)
  return {
    // What a sum of tenths comes to has digits that nobody asked for.
    marks: Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(12))),
    at: (value) => from + (value - low) * scale,
  }
}

/** 1, 2 or 5 times a power of ten, the next one from `rough` on. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * (1 - 1e-9)) ?? 10
  return factor * power
}

/** A number as an axis shows it. */
export function markText(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(12))} M`
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(12))} k`
  return String(value)
}
